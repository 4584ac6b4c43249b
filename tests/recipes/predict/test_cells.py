"""Cells as the model reads them."""

import numpy as np
import pyarrow as pa
import pytest

from recipes.predict.cells import to_numbers


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_blanks_are_compared_as_numbers(dtype):
    """A text and a number of the same value are the same blank."""
    texts = pa.array(["-999", "-999.0", " -9.99e2", "unknown", "1"]).dictionary_encode()
    found = to_numbers("x", texts, dtype, ("-999", "unknown"))
    np.testing.assert_array_equal(found, [np.nan, np.nan, np.nan, np.nan, 1])
    found = to_numbers("x", pa.array([-999.0, 0.1]), dtype, ("-999", "0.1"))
    assert np.isnan(found).all()
