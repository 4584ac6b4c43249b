"""`Convolution`."""

import keras
import numpy as np
import pytest

from layers import Convolution
from tests.layer_contract import check_layer

IMAGES = np.random.default_rng(0).standard_normal((4, 6, 7, 2)).astype("float32")
INITIALIZER = keras.initializers.GlorotUniform(0)


@pytest.mark.parametrize("use_bias", [True, False])
def test_contract(use_bias, tmp_path):
    """The contract includes an empty batch, on which Keras's layer fails."""
    check_layer(
        Convolution,
        {"filters": 5, "kernel_size": 3, "use_bias": use_bias, "activation": "relu"},
        IMAGES,
        (4, 4, 5, 5),
        trainable=[(3, 3, 2, 5), (5,)][: 1 + use_bias],
        tmp_path=tmp_path,
    )


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("training", [False, True])
def test_equal_to_keras_conv2d(padding, training):
    ours, theirs = (
        make(3, 2, padding=padding, activation="tanh", kernel_initializer=INITIALIZER)
        for make in (Convolution, keras.layers.Conv2D)
    )
    np.testing.assert_array_equal(ours(IMAGES, training=training), theirs(IMAGES))
