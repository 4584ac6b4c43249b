"""Small models and data for the tests of `fast_fit`."""

import itertools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from recipes.fast_fit import FastFit

ROWS, FEATURES, CLASSES, BATCH = 42, 5, 3, 8


class Recorder(keras.callbacks.Callback):
    """Records the arguments of callbacks."""

    def on_train_begin(self, logs: Any = None) -> None:
        self.begun: list[int] = []
        self.ended: list[int] = []
        self.losses: list[float] = []
        self.tested: list[tuple[int, int]] = []
        self.steps = self.params["steps"]

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.begun.append(batch)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.ended.append(batch)
        self.losses.append(logs["loss"])

    def on_test_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.tested_from = batch

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        self.tested.append((self.tested_from, batch))


class Plain(keras.Model):
    """A subclassed model, built by its first batch, with a plain `train_step`."""

    def __init__(self, dropout: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dropout = dropout
        self.hidden = keras.layers.Dense(6, activation="tanh")
        self.normalization = keras.layers.BatchNormalization()
        self.drop = keras.layers.Dropout(dropout, seed=1)
        self.out = keras.layers.Dense(CLASSES)

    def build(self, input_shape: Any) -> None:
        for layer in (self.hidden, self.normalization, self.drop, self.out):
            layer.build(input_shape)
            input_shape = layer.compute_output_shape(input_shape)
        super().build(input_shape)

    def call(self, x: Any, training: bool = False) -> Any:
        x = self.normalization(self.hidden(x), training=training)
        return self.out(self.drop(x, training=training))

    def train_step(self, data: Any) -> Any:
        x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
        with tf.GradientTape() as tape:
            scores = self(x, training=True)
            loss = self.compute_loss(x, y, scores, weight)
        gradients = tape.gradient(loss, self.trainable_weights)
        self.optimizer.apply(gradients, self.trainable_weights)
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss, sample_weight=tf.shape(x)[0])
            else:
                metric.update_state(y, scores, sample_weight=weight)
        return {metric.name: metric.result() for metric in self.metrics}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "dropout": self.dropout}


@keras.saving.register_keras_serializable("fast-fit-tests")
class Network(FastFit, Plain):
    """The same model with the mixin."""


class Functional(FastFit, keras.Model):
    """A functional model with the mixin and Keras's own `train_step`."""


def network(fast: bool, **options: Any) -> Network:
    """Return a compiled `Network`; options go to `compile`."""
    keras.utils.set_random_seed(3)
    model = Network(options.pop("dropout", 0.0))
    model.fast_fit = fast
    return compiled(model, **options)


def functional(
    fast: bool, layer: Callable[[], Any] | None = None, **options: Any
) -> Functional:
    """Return a compiled functional model with the given layer in it."""
    keras.utils.set_random_seed(3)
    x = keras.Input((FEATURES,))
    middle = layer() if layer else keras.layers.Activation("tanh")
    hidden = middle(keras.layers.Dense(6)(x))
    model = Functional(x, keras.layers.Dense(CLASSES)(hidden))
    model.fast_fit = fast
    return compiled(model, **options)


def compiled(model: Any, **options: Any) -> Any:
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    defaults = {"optimizer": keras.optimizers.SGD(0.1, momentum=0.9), "loss": loss}
    model.compile(**{**defaults, "metrics": ["accuracy"], **options})
    return model


def rows(count: int = ROWS) -> tuple[np.ndarray, np.ndarray]:
    """Return features, and classes that depend on them."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=(count, FEATURES)).astype(np.float32)
    y = (x @ generator.normal(size=(FEATURES, CLASSES))).argmax(axis=1)
    return x, y.astype(np.int32)


def fit_both_ways(
    make: Callable[[bool], Any], fit: Callable[[Any], Any]
) -> tuple[Any, Any, dict[str, Any]]:
    """Fit a model fast and by Keras, and assert that the results are equal.

    Returns:
        The fast model, Keras's, and the history of the fast one.
    """
    fast, plain = make(True), make(False)
    histories = []
    for model in (fast, plain):
        np.random.seed(4)
        histories.append(fit(model).history)
    assert_equal(fast, plain)
    assert histories[0].keys() == histories[1].keys()
    for name, values in histories[0].items():
        np.testing.assert_allclose(
            values, histories[1][name], rtol=1e-5, atol=1e-6, err_msg=name
        )
    return fast, plain, histories[0]


def assert_equal(fast: Any, plain: Any) -> None:
    """Assert that all variables are equal: weights, the optimiser's, seeds."""
    fast_all, plain_all = (
        [*model.variables, *model.optimizer.variables] for model in (fast, plain)
    )
    for one, other in itertools.zip_longest(fast_all, plain_all):
        np.testing.assert_allclose(
            one.numpy(), other.numpy(), rtol=1e-5, atol=1e-5, err_msg=one.path
        )


X, Y = rows()


def dataset(*parts: Any, **options: Any) -> tf.data.Dataset:
    """Return `X` and `Y`, or other parts, in batches."""
    return tf.data.Dataset.from_tensor_slices(parts or (X, Y)).batch(BATCH, **options)
