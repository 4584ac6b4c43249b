"""`DesignColumns`."""

import numpy as np
import pytest

from layers.design_columns import DesignColumns
from tests.layer_contract import check_layer

NAN = np.nan


def set_up(layer):
    layer.source.assign([1, 0, 0, 1])
    layer.level.assign([-1, 1, 2, 3])


def test_contract(tmp_path):
    check_layer(
        DesignColumns,
        {"num_outputs": 4},
        np.array([[0, 1.5], [1, 3], [2, 0.5]], "float32"),
        (3, 4),
        set_up=set_up,
        non_trainable=[(4,), (4,)],
        tmp_path=tmp_path,
    )


def test_values_and_levels():
    layer = DesignColumns(4)
    layer.build((None, 2))
    set_up(layer)
    rows = np.array([[0, 1.5], [1, 3], [2, NAN], [NAN, 3], [9, 0]], "float32")
    np.testing.assert_array_equal(
        layer(rows),
        [[1.5, 0, 0, 0], [3, 1, 0, 1], [NAN, 0, 1, 0], [3, 0, 0, 1], [0, 0, 0, 0]],
    )


@pytest.mark.parametrize("number", [0, -1, 1.5])
def test_bad_number_is_refused(number):
    with pytest.raises(ValueError, match="`num_outputs` should be a positive integer"):
        DesignColumns(number)
