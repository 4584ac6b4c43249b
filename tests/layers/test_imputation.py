"""`MedianImputation`."""

import keras
import numpy as np
import pytest

from layers.imputation import MedianImputation
from tests.layer_contract import check_layer

NAN = np.nan


def test_contract(tmp_path):
    check_layer(
        MedianImputation,
        {},
        np.array([[NAN, 1], [2, NAN], [3, 4]], "float32"),
        (3, 2),
        set_up=lambda layer: layer.median.assign([7.0, -8.0]),
        non_trainable=[(2,)],
        tmp_path=tmp_path,
    )


def test_only_missing_values_become_the_median():
    layer = MedianImputation()
    layer.build((None, 3))
    layer.median.assign([1.0, 5.0, NAN])
    output = layer(np.array([[NAN, 7, NAN], [0, NAN, np.inf]], "float32"))
    np.testing.assert_array_equal(output, [[1, 7, NAN], [0, 5, np.inf]])


def test_any_number_of_leading_axes():
    layer = MedianImputation()
    assert layer(keras.ops.full((2, 5, 3), NAN)).shape == (2, 5, 3)


def test_unknown_number_of_columns_is_refused():
    with pytest.raises(ValueError, match=r"known size. Received: .*None"):
        MedianImputation().build((None, None))
