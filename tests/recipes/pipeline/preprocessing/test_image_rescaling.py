"""Preprocessing of images."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from recipes.errors import InputError
from recipes.pipeline.datasets import Examples
from recipes.pipeline.preprocessing import learn
from tests.recipes.pipeline.preprocessing.data_sets import (
    data_of,
    images_of,
)

PIXELS = np.random.default_rng(6).integers(-20, 236, (30, 2, 3, 4)).astype("float32")
PIXELS[3, 1, 1, 1], PIXELS[4, 0, 0, 0] = -20, 236


@pytest.mark.parametrize("pixels", [PIXELS, PIXELS[..., 1], PIXELS[..., :1]])
def test_images_are_rescaled_by_their_range(pixels):
    data = images_of(pixels)
    layer = learn.learn_preprocessing(data, images=True)
    expected = (pixels - pixels.min()) / (pixels.max() - pixels.min())
    for rows in (data.train.features, pixels, pixels[:1], pixels[:0]):
        output = layer(rows)
        assert output.dtype == "float32"
        np.testing.assert_allclose(output, expected[: len(rows)], rtol=1e-6)
    output = np.asarray(layer(pixels))
    assert (output.min(), output.max()) == (0, 1)
    assert layer.output_names == tuple(f"x{j}" for j in range(pixels[0].size))
    size = " × ".join(map(str, pixels.shape[1:]))
    assert layer.notes[0].startswith(f"images of {size}: values from ")


def test_test_images_are_not_learned_from():
    data = images_of(PIXELS)
    data = dataclasses.replace(
        data, test=Examples(data.test.features * 10, data.test.target)
    )
    assert learn.learn_preprocessing(data, images=True).largest.numpy() == 236


def test_images_of_one_value_are_refused():
    with pytest.raises(InputError, match="every pixel of the training images is 7;"):
        learn.learn_preprocessing(images_of(np.full((5, 2, 2), 7)), images=True)


def test_images_stay_rows_unless_requested():
    data = images_of(PIXELS)
    layer, other = learn.learn_preprocessing(data), data_of(PIXELS.reshape(30, 24))
    for a, b in zip(
        layer.get_weights(), learn.learn_preprocessing(other).get_weights(), strict=True
    ):
        np.testing.assert_array_equal(a, b)
    serving = learn.build_serving_model(data.description, layer, keras.layers.Dense(1))
    assert serving.signature() == tf.TensorSpec((None, 24), tf.float32, "features")
    # A table does not become images.
    table = data_of([[1, 10], [3, 30]], tabular=False)
    assert learn.learn_preprocessing(table, images=True)(np.ones((1, 2))).shape == (
        1,
        2,
    )


def test_serving_images_takes_images():
    data = images_of(PIXELS)
    layer = learn.learn_preprocessing(data, images=True)
    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(2)])
    expected = model(layer(data.train.features))
    serving = learn.build_serving_model(data.description, layer, model)
    assert serving.signature() == tf.TensorSpec((None, 2, 3, 4), tf.float32, "features")
    np.testing.assert_array_equal(serving(PIXELS), expected)
    np.testing.assert_allclose(
        serving.predict(PIXELS.astype("float64"), batch_size=7, verbose=0),
        expected,
        rtol=1e-6,
        atol=1e-6,
    )
