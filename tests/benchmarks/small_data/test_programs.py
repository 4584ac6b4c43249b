"""What is measured on small data, on still fewer rows."""

import numpy as np
import pytest

from benchmarks.data import store
from benchmarks.small_data.programs import LATER, SHAPES, cross_validate, fits
from benchmarks.small_data.report import text
from benchmarks.small_data.tasks import TASKS, arrays

RUN = {"started": "2020-01-02 03:04 UTC", "machine": "a machine", "versions": "numpy 2"}


@pytest.mark.parametrize("name", ["iris", "linear_diabetes"])
@pytest.mark.parametrize("program", ["ours", "sklearn"])
def test_fits_are_timed(name, program, tmp_path):
    stored = store(
        {key: array[:60] for key, array in arrays(TASKS[name]).items()}, tmp_path
    )
    found = fits(program, TASKS[name].kind, stored)
    assert len(found["later"]) == LATER and len(found["shapes"]) == SHAPES
    assert min(found["first"], *found["later"], *found["shapes"]) > 0


def test_folds_are_predicted_alike(tmp_path):
    stored = store(arrays(TASKS["iris"]), tmp_path)
    found = [cross_validate(each, "classifier", stored) for each in ("ours", "sklearn")]
    assert found[0]["accuracy"] == pytest.approx(found[1]["accuracy"], abs=0.02)
    assert found[0]["accuracy"] > 0.9


@pytest.mark.parametrize("name", ["diabetes", "classes_3089", "linear_1000"])
def test_columns_and_targets_are_standardised(name):
    task = TASKS[name]
    data = arrays(task)
    assert data["x"].dtype == np.float32
    np.testing.assert_allclose(data["x"].std(axis=0), 1, rtol=1e-4)
    if task.kind == "classifier":
        assert set(data["y"]) == {0, 1}
    else:
        assert data["y"].std() == pytest.approx(1, rel=1e-4)


def measured(rows, ours, peer):
    def program(seconds):
        return {"first": 1.5, "later": [seconds] * 3, "shapes": [2 * seconds]}

    programs = {"ours": program(ours), "intelex32": program(peer)}
    return {**RUN, "rows": rows, "features": 20, "programs": programs}


def test_text_has_figures_and_targets():
    cancer = {
        **measured(569, 0.02, 0.01),
        "cross_validation": {"ours": {"seconds": 1.5, "accuracy": 0.97}},
    }
    record = {
        "breast_cancer": {"AVX-512": cancer, "AVX2": cancer},
        "classes_1000": {"AVX2": measured(1000, 0.04, 0.02)},
    }
    shown = text(record)
    assert "| iris" not in shown
    assert "| 1.5000 | 1.5000 | — | 0.0400 | 0.0200 | — | 0.0800 |" in shown
    assert (
        "first fit of up to 3,000 rows, s | ≤ 1 | 1.5 (missed) | 1.5 (missed)" in shown
    )
    assert "second model on 1,000 × 20, s | ≤ 0.05 | — | 0.04 |" in shown
    assert "1,000 to 4,000 rows | ≤ 1.5 | — | 2 (missed) |" in shown
    assert "10-fold cross-validation, s | ≤ 2 | 1.5 | 1.5 |" in shown
    assert "| this recipe | AVX2 | 1.500 | 0.9700 |" in shown
