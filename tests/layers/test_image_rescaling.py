"""`ImageRescaling`, with weights set by hand."""

import keras
import numpy as np
import pytest

from layers.image_rescaling import ImageRescaling
from tests.layer_contract import check_layer

ROWS = np.array([[-1, 0, 1, 2, 3, 4], [4, 3, 2, 1, 0, 9]], "float32")


def set_up(layer):
    layer.least.assign(-1.0)
    layer.largest.assign(4.0)


def test_contract(tmp_path):
    check_layer(
        ImageRescaling,
        {"image_shape": (3, 2)},
        ROWS,
        (2, 3, 2),
        set_up=set_up,
        non_trainable=[(), ()],
        policies=("float32", "float64"),
        weights_dtype="float64",
        tmp_path=tmp_path,
    )


@pytest.mark.parametrize("shape", [(2, 3), (3, 2, 1), (1, 2, 3)])
def test_rows_and_images_become_images(shape):
    layer = ImageRescaling(shape)
    layer.build((None, 6))
    set_up(layer)
    expected = ((ROWS + 1) / 5).reshape(2, *shape)
    for rows in (ROWS, ROWS.reshape(2, *shape), ROWS.astype(int), ROWS[:0]):
        np.testing.assert_allclose(layer(rows), expected[: len(rows)], rtol=1e-6)


@pytest.mark.parametrize("width", [3, 5, 12])
def test_rows_of_another_size_are_refused(width):
    layer = ImageRescaling((2, 3))
    with pytest.raises(Exception, match="reshape"):
        layer(np.zeros((4, width), "float32"))


def test_global_policy_does_not_narrow_pixels():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        layer = ImageRescaling((1, 1))
        layer.build((None, 1))
        layer.largest.assign(1e6)
        assert layer(np.array([[1e6]], "float32")).numpy() == 1
    finally:
        keras.config.set_dtype_policy("float32")
