"""The benchmark's data sets, if the real data are available."""

import numpy as np
import pytest

from benchmarks.svm.data import TASKS

SHAPES = {
    "a9a": (32_561, 123, 16_281, 2),
    "letter": (15_000, 16, 5_000, 26),
    "housing": (18_576, 8, 2_064, None),
}


@pytest.mark.parametrize("task", SHAPES)
@pytest.mark.usefixtures("recipes_data")
def test_shapes(task):
    split = TASKS[task].load()
    rows, features, test_rows, classes = SHAPES[task]
    assert split.x.shape == (rows, features)
    assert split.test_x.shape == (test_rows, features)
    assert len(split.y) == rows and len(split.test_y) == test_rows
    assert split.x.dtype == split.test_x.dtype == np.float32
    assert np.isfinite(split.x).all() and np.isfinite(split.test_x).all()
    if classes:
        assert len(np.unique(split.y)) == len(np.unique(split.test_y)) == classes
    else:
        np.testing.assert_allclose(split.x.mean(axis=0), 0, atol=1e-4)
        np.testing.assert_allclose(split.x.std(axis=0), 1, rtol=1e-4)
        # The mean of all rows is 206,856 dollars.
        assert split.y.mean() == pytest.approx(2.07, abs=0.05)
