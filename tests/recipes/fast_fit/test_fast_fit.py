"""The fast path ends where Keras's own `fit` ends, on the same batches."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from recipes.fast_fit import FastFit, feed
from tests.recipes.fast_fit.small_models import (
    BATCH,
    CLASSES,
    ROWS,
    Functional,
    Plain,
    Recorder,
    assert_equal,
    both,
    compiled,
    functional,
    network,
    rows,
)

X, Y = rows()


@pytest.fixture(autouse=True)
def chunks_of_four(monkeypatch):
    monkeypatch.setattr(feed, "CHUNK_BATCHES", 4)


def dataset(*parts, **options):
    return tf.data.Dataset.from_tensor_slices(parts or (X, Y)).batch(BATCH, **options)


def all_of_them(x, y):
    return True


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(lambda: dataset(), id="partial last batch"),
        pytest.param(lambda: dataset(drop_remainder=True), id="whole batches"),
    ],
)
def test_data_set(source):
    _, _, history = both(network, lambda m: m.fit(source(), epochs=3, verbose=0))
    assert history["loss"][-1] < history["loss"][0]


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
def test_data_set_of_unknown_length():
    known, unknown = network(True), network(True)
    known.fit(dataset(), epochs=2, verbose=0)
    unknown.fit(dataset().filter(all_of_them), epochs=2, verbose=0)
    assert_equal(unknown, known)


def test_equals_a_model_without_the_mixin():
    def make(fast):
        if fast:
            return network(True)
        keras.utils.set_random_seed(3)
        return compiled(Plain())

    both(make, lambda m: m.fit(dataset(), epochs=2, verbose=0, shuffle=False))


def test_batches_of_many_sizes():
    sizes = np.array([8, 8, 3, 8, 8, 8, 1, 2, 8])
    ends = np.cumsum(sizes)

    def batches():
        for size, end in zip(sizes, ends, strict=True):
            yield (
                np.resize(X, (60, 5))[end - size : end],
                np.resize(Y, 60)[end - size : end],
            )

    signature = tf.TensorSpec([None, 5], tf.float32), tf.TensorSpec([None], tf.int32)
    data = tf.data.Dataset.from_generator(batches, output_signature=signature)
    data = data.apply(tf.data.experimental.assert_cardinality(len(sizes)))
    both(network, lambda m: m.fit(data, epochs=2, verbose=0))


def test_arrays_in_the_same_order():
    def fit(model):
        np.random.seed(4)
        return model.fit(X, Y, batch_size=BATCH, epochs=3, verbose=0)

    fast, _, _ = both(network, fit)
    again = network(True)
    fit(again)
    for one, other in zip(fast.weights, again.weights, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())
    again.fit(X, Y, batch_size=BATCH, verbose=0, shuffle=False)


def test_order_depends_on_seed_and_epoch_alone():
    whole, parts = network(True), network(True)
    whole.shuffle_seed = parts.shuffle_seed = 5
    whole.fit(X, Y, epochs=3, verbose=0)
    parts.fit(X, Y, epochs=1, verbose=0)
    np.random.seed(99)
    parts.fit(X, Y, initial_epoch=1, epochs=3, verbose=0)
    for one, other in zip(whole.weights, parts.weights, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


def test_every_row_comes_once_an_epoch():
    rows_feed = feed.RowFeed((X, Y), BATCH, shuffle_seed=0)
    orders = []
    for epoch in range(2):
        rows_feed.epoch = epoch
        batches = rows_feed.as_batches().take(rows_feed.steps)
        taken = np.concatenate([x for x, _ in batches])
        orders.append(taken)
        assert sorted(map(tuple, taken)) == sorted(map(tuple, X))
        chunks = rows_feed.as_chunks(4).take(rows_feed.count_chunks(4, None))
        chunked = [chunk.batches[0].numpy().reshape(-1, 5) for chunk in chunks]
        np.testing.assert_array_equal(np.concatenate(chunked), taken)
    assert (orders[0] != orders[1]).any()


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
    both(
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
    both(
        lambda fast: functional(fast, layer, weighted_metrics=["accuracy"]),
        lambda m: m.fit(X, Y, BATCH, 2, 0, sample_weight=weights),
    )


@pytest.mark.parametrize("source", ["arrays", "dataset", "one-hot"])
def test_class_weights_equal_keras(source):
    weights = {0: 0.25, 2: 3.0}
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    y = Y
    if source == "one-hot":
        y = np.eye(CLASSES, dtype=np.float32)[Y]
        loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    fast, plain = (functional(True, loss=loss, metrics=[]) for _ in range(2))
    data = (X, y) if source == "arrays" else (dataset(X, y),)
    size = {"batch_size": BATCH} if source == "arrays" else {}
    history = fast.fit(*data, **size, shuffle=False, class_weight=weights, verbose=0)
    keras_fit = keras.Model.fit  # with the arguments as they are
    plain.make_train_function = lambda force=False: keras.Model.make_train_function(
        plain, force
    )
    expected = keras_fit(
        plain, *data, **size, shuffle=False, class_weight=weights, verbose=0
    )
    np.testing.assert_allclose(
        history.history["loss"], expected.history["loss"], rtol=1e-6
    )
    for one, other in zip(fast.weights, plain.weights, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), atol=1e-6)


def test_validation():
    validation = {"validation_data": (X[:19], Y[:19], np.arange(19.0))}
    _, _, history = both(
        network,
        lambda m: m.fit(dataset(), epochs=2, verbose=0, **validation),
    )
    assert {"val_loss", "val_accuracy"} < set(history)


@pytest.mark.parametrize(
    "validation",
    [
        {"validation_data": dataset(X[:19], Y[:19])},
        {"validation_data": (X, Y), "validation_steps": 2},
        {"validation_data": (X, Y), "validation_batch_size": 5, "validation_freq": 2},
    ],
)
@pytest.mark.filterwarnings("ignore:Your input ran out of data")
def test_further_validation(validation):
    both(network, lambda m: m.fit(dataset(), epochs=2, verbose=0, **validation))


def test_validation_split_takes_the_last_rows():
    fast = functional(True)
    history = fast.fit(X, Y, BATCH, 1, 0, validation_split=0.25)
    kept = int(ROWS * 0.75)
    expected = fast.evaluate(X[kept:], Y[kept:], verbose=0, return_dict=True)
    assert history.history["val_loss"] == pytest.approx([expected["loss"]])


def test_callbacks_hear_of_batches_by_chunk():
    recorder = Recorder()
    model = network(True)
    model.fit(
        dataset(), epochs=2, verbose=0, callbacks=recorder, validation_data=(X, Y)
    )
    assert recorder.begun == [0, 4] * 2
    assert recorder.ended == [3, 5] * 2
    assert recorder.steps == 6
    assert recorder.tested == [(0, 0), (1, 1)] * 2
    plain, plain_recorder = network(False), Recorder()
    plain.fit(dataset(), epochs=2, verbose=0, callbacks=[plain_recorder])
    expected = [plain_recorder.losses[step] for step in (3, 5, 9, 11)]
    np.testing.assert_allclose(recorder.losses, expected, rtol=1e-5)


def test_progress_bar_counts_batches(capsys):
    network(True).fit(X, Y, batch_size=BATCH)
    assert "6/6" in capsys.readouterr().out


def test_steps_per_execution_sets_the_chunk():
    recorder = Recorder()
    model = network(True, steps_per_execution=3)
    model.fit(X, Y, batch_size=BATCH, epochs=1, verbose=0, callbacks=[recorder])
    assert recorder.ended == [2, 4, 5]  # five whole batches and a partial one
    assert model.steps_per_execution == 3


def test_steps_per_epoch():
    recorder = Recorder()
    data = dataset(drop_remainder=True).repeat()
    both(
        network,
        lambda m: m.fit(
            data, steps_per_epoch=6, epochs=2, verbose=0, callbacks=[recorder]
        ),
    )
    fast = network(True)
    fast.fit(data, steps_per_epoch=6, epochs=2, verbose=0, callbacks=[recorder])
    assert recorder.ended == [2, 5] * 2
    assert recorder.steps == 6


def test_learning_rate_that_a_callback_changes():
    def rate(epoch, _):
        return 0.1 / (epoch + 1)

    callbacks = [keras.callbacks.LearningRateScheduler(rate)]
    fast, _, _ = both(
        network, lambda m: m.fit(dataset(), epochs=3, verbose=0, callbacks=callbacks)
    )
    assert float(fast.optimizer.learning_rate) == pytest.approx(0.1 / 3)


def test_stops_after_a_chunk():
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = True

    model = network(True)
    model.fit(dataset(), epochs=5, verbose=0, callbacks=[Stop()])
    assert int(model.optimizer.iterations) == 4


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
    both(make, lambda m: m.fit(x, y, batch_size=BATCH, epochs=2, verbose=0))


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

    _, _, history = both(make, lambda m: m.fit(X, batch_size=BATCH, verbose=0))
    assert history["rows"] == [ROWS % BATCH]
