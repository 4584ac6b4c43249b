"""Shared by the tests of the networks: data, models, and the NumPy reference."""

import warnings

import numpy as np
import tensorflow as tf

from recipes.errors import ConvergenceWarning
from recipes.neural_network.models.classifier import MultilayerPerceptronClassifier
from recipes.neural_network.models.regressor import MultilayerPerceptronRegressor
from tests.recipes.neural_network.reference import Network

KINDS = ("three", "two", "numbers")


def make_rows(kind, n=20, d=3, seed=0, dtype="float64"):
    """Return features, and labels or numbers that depend on them."""
    random = np.random.default_rng(seed)
    x = random.standard_normal((n, d)).astype(dtype)
    signal = x[:, 0] + 0.5 * x[:, 1] ** 2 + 0.3 * random.standard_normal(n)
    if kind == "numbers":
        return x, 100 + 20 * signal
    y = np.digitize(signal, [0.5] if kind == "two" else [-0.2, 0.7])
    y[:3] = (0, 1, 0) if kind == "two" else (0, 1, 2)
    return x, y


def make_images(n=12, h=8, w=8, c=None, seed=0):
    random = np.random.default_rng(seed)
    x = random.random((n, h, w) if c is None else (n, h, w, c)).astype("float32")
    return x, np.arange(n) % 3


def make_network(
    kind, hidden_sizes=(5, 4), activation="tanh", dtype="float64", **arguments
):
    """Return a small model, not yet fitted."""
    make = (
        MultilayerPerceptronRegressor
        if kind == "numbers"
        else MultilayerPerceptronClassifier
    )
    model = make(hidden_sizes, activation=activation, dtype=dtype, **arguments)
    model.fast_fit = False  # its compilation takes seconds
    return model


def make_reference(model):
    """Return the same network in NumPy, with the model's weights."""
    if isinstance(model, MultilayerPerceptronRegressor):
        loss = "squared"
    else:
        loss = "sigmoid" if model.output_count == 1 else "softmax"
    weights = [weight.numpy() for weight in model.trainable_weights]
    return Network(weights, model.activation, loss, model.l1, model.l2)


def make_target(model, y):
    """Return the targets of the outputs, computed with NumPy."""
    y = np.asarray(y)
    if isinstance(model, MultilayerPerceptronRegressor):
        return ((y - model.center.numpy()) / model.scale.numpy())[:, None]
    p = (y[:, None] == model.classes).astype(float)
    return p[:, 1:] if len(model.classes) == 2 else p


def build(model, x, y, **arguments):
    """Return the model with its initial weights, before any step."""
    model.prepare_training(x, y, None, **arguments)
    return model


def fit(model, x, y=None, **arguments):
    """Return the fitted model, without a progress bar or a convergence warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(x, y, verbose=0, **arguments)
    return model


def make_dataset(*arrays, batch_size=8):
    return tf.data.Dataset.from_tensor_slices(arrays).batch(batch_size)


def assert_same(ours, theirs, tolerance=1e-6):
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)
