"""A fast `fit` ends where Keras's own ends, on the same batches."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from recipes.fast_fit import FastFit
from tests.recipes.fast_fit.small_models import (
    BATCH,
    ROWS,
    Functional,
    Plain,
    X,
    Y,
    compiled,
    dataset,
    fit_both_ways,
    functional,
    network,
)

pytestmark = pytest.mark.usefixtures("chunks_of_four")


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(lambda: dataset(), id="partial last batch"),
        pytest.param(lambda: dataset(drop_remainder=True), id="whole batches"),
    ],
)
def test_data_set(source):
    _, _, history = fit_both_ways(
        network, lambda m: m.fit(source(), epochs=3, verbose=0)
    )
    assert history["loss"][-1] < history["loss"][0]


def test_equals_a_model_without_the_mixin():
    def make(fast):
        if fast:
            return network(True)
        keras.utils.set_random_seed(3)
        return compiled(Plain())

    fit_both_ways(make, lambda m: m.fit(dataset(), epochs=2, verbose=0, shuffle=False))


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(0.05, 12), clipnorm=1.0
        ),
        lambda: keras.optimizers.SGD(
            0.05, momentum=0.9, nesterov=True, weight_decay=0.01, use_ema=True
        ),
        lambda: keras.optimizers.RMSprop(0.01, gradient_accumulation_steps=2),
    ],
)
def test_optimizers_and_schedules(optimizer):
    fit_both_ways(
        lambda fast: network(fast, optimizer=optimizer()),
        lambda m: m.fit(dataset(), epochs=2, verbose=0),
    )


def test_dropout_is_drawn_anew_in_each_step_and_again_in_each_run():
    # XLA draws other numbers from a seed than TensorFlow's own kernels.
    models = [network(fast, dropout=0.5) for fast in (True, True, False)]
    for model in models:
        model.fit(dataset(drop_remainder=True), epochs=2, verbose=0)
    one, again, _ = models
    for mine, other in zip(one.weights, again.weights, strict=True):
        np.testing.assert_array_equal(mine.numpy(), other.numpy())
    seeds = [model.drop.seed_generator.state.numpy() for model in models]
    np.testing.assert_array_equal(seeds[0], seeds[2])
    x = tf.ones((1, 1000))
    layer = keras.layers.Dropout(0.5, seed=1)

    class Watch(FastFit, keras.Model):
        def __init__(self):
            super().__init__()
            self.layer = layer
            self.kept = self.add_weight(shape=(1000,), initializer="zeros", name="kept")

        def train_step(self, data):
            self.kept.assign_add(self.layer(x, training=True)[0] / 2)
            return {"kept": tf.reduce_sum(self.kept)}

    watch = Watch()
    watch.compile("sgd")
    watch.fit(X[:4], batch_size=1, verbose=0)
    seen = np.bincount(watch.kept.numpy().astype(int), minlength=5)
    np.testing.assert_allclose(seen / 1000, np.array([1, 4, 6, 4, 1]) / 16, atol=0.06)


def test_keras_train_step_with_regularisation_and_weighted_metrics():
    def layer():
        return keras.layers.Dense(4, kernel_regularizer="l2", activation="relu")

    weights = np.linspace(0, 2, ROWS).astype(np.float64)
    fit_both_ways(
        lambda fast: functional(fast, layer, weighted_metrics=["accuracy"]),
        lambda m: m.fit(X, Y, BATCH, 2, 0, sample_weight=weights),
    )


def test_everything_else_still_works(tmp_path):
    model = network(True)
    model.fit(X, Y, batch_size=BATCH, verbose=0, validation_data=(X, Y))
    before = int(model.optimizer.iterations)
    model.train_on_batch(X[:3], Y[:3])
    assert int(model.optimizer.iterations) == before + 1
    loss, accuracy = model.evaluate(X, Y, verbose=0)
    scores = model.predict(X, verbose=0)
    assert accuracy == pytest.approx((scores.argmax(axis=1) == Y).mean())
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.predict(X, verbose=0), scores)
    history = again.fit(X, Y, verbose=0)
    assert history.history["loss"][0] < 1.5 * loss
    model.compile(optimizer="adam", loss=model.loss)
    model.fit(X, Y, verbose=0)
    assert int(model.optimizer.iterations) == 2


def test_structured_inputs_and_targets():
    def make(fast):
        keras.utils.set_random_seed(0)
        a, b = keras.Input((2,), name="a"), keras.Input((3,), name="b")
        joined = keras.layers.Concatenate()([a, b])
        outputs = {
            "p": keras.layers.Dense(1)(joined),
            "q": keras.layers.Dense(2)(joined),
        }
        model = Functional({"a": a, "b": b}, outputs)
        model.fast_fit = fast
        model.compile("sgd", loss={"p": "mse", "q": "mae"})
        return model

    # Of a partial batch, Keras would weight `p_loss` like that of a whole one.
    x = {"a": X[:40, :2], "b": X[:40, 2:]}
    y = {"p": X[:40, :1], "q": X[:40, 1:3]}
    fit_both_ways(make, lambda m: m.fit(x, y, batch_size=BATCH, epochs=2, verbose=0))


def test_step_without_targets_and_with_logs_of_its_own():
    class Mean(FastFit, keras.Model):
        def __init__(self):
            super().__init__()
            self.mean = self.add_weight(shape=(5,), initializer="zeros", name="mean")

        def call(self, x):
            return x - self.mean

        def train_step(self, data):
            (x,) = data
            self.mean.assign_add(0.1 * tf.reduce_mean(self(x), axis=0))
            return {"length": tf.norm(self.mean), "rows": tf.shape(x)[0]}

    def make(fast):
        model = Mean()
        model.fast_fit = fast
        model.compile(optimizer="sgd")
        return model

    _, _, history = fit_both_ways(make, lambda m: m.fit(X, batch_size=BATCH, verbose=0))
    assert history["rows"] == [ROWS % BATCH]
