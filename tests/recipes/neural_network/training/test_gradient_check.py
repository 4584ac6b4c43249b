"""The gradient check: correct gradients pass, a slightly wrong one is caught."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from recipes.neural_network.models.classifier import MultilayerPerceptronClassifier
from recipes.neural_network.training.gradient_check import check_gradient
from tests.recipes.neural_network.fitting import (
    KINDS,
    build,
    fit,
    make_images,
    make_network,
    make_rows,
)


@tf.custom_gradient
def slightly_wrong(h):
    """Return h, with a gradient that is too large by one part in ten thousand."""
    return tf.identity(h), lambda upstream: 1.0001 * upstream


class WrongLayer(keras.layers.Layer):
    def call(self, inputs):
        return slightly_wrong(inputs)


class WrongClassifier(MultilayerPerceptronClassifier):
    """A classifier with a wrong gradient between its layers."""

    def build(self, input_shape):
        super().build(input_shape)
        first, *others = self.network.layers
        inputs = keras.Input(input_shape[1:], dtype=self.compute_dtype)
        wrong = WrongLayer(dtype=self.dtype_policy)
        layers = [inputs, first, others[0], wrong, *others[1:]]
        self.network = keras.Sequential(layers)


@pytest.mark.parametrize("activation", ["relu", "tanh", "selu"])
@pytest.mark.parametrize("kind", KINDS)
def test_correct_gradients_pass(kind, activation):
    x, y = make_rows(kind, dtype="float32")
    model = make_network(kind, activation=activation, dtype="float32", l1=0.01, l2=0.01)
    proof = check_gradient(build(model, x, y), x, y)
    assert proof["gradient_check_max_relative_error"] < 1e-6
    assert proof["gradient_check_kinks"] == 0
    assert proof["gradient_check_weights"] > 25


@pytest.mark.parametrize(
    "options",
    [
        {"batch_normalization": True, "dropout": 0.5, "noise": 1.0, "mixup": 1.0},
        {"architecture": "cnn", "shift": 2, "activation": "relu"},
    ],
)
def test_correct_gradients_of_all_layers_pass(options):
    x, y = make_images()
    model = build(make_network("three", dtype="float32", **options), x, y)
    before = model.get_weights()
    proof = check_gradient(model, x, y, np.linspace(0, 2, 12))
    assert proof["gradient_check_max_relative_error"] < 1e-6
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_wrong_gradient_is_caught():
    x, y = make_rows("three")
    model = fit(WrongClassifier((5, 4), dtype="float64"), x, y, epochs=1)
    error = model.certificate["gradient_check_max_relative_error"]
    assert error == pytest.approx(1e-4, rel=0.01)


def test_weights_on_a_kink_are_left_out_and_counted():
    """With rows of zeros every unit is at the kink of relu until its bias moves."""
    x, y = np.zeros((6, 3)), np.array([0, 1, 1, 1, 1, 1])
    model = build(make_network("two", (4,), "relu"), x, y)
    proof = check_gradient(model, x, y)
    assert proof["gradient_check_max_relative_error"] < 1e-6
    assert proof["gradient_check_kinks"] == 4  # the hidden biases
    assert proof["gradient_check_weights"] == 8 + 4 + 1
