"""Models and data without the fast path: a warning, and Keras's own `fit`."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.recipes.fast_fit.small_models import (
    BATCH,
    Functional,
    Recorder,
    X,
    Y,
    assert_equal,
    dataset,
    functional,
    network,
)


class Unsupported(keras.layers.Layer):
    """Has an operation that XLA does not support."""

    def call(self, x):
        def tanh(x):
            return tf.ensure_shape(tf.numpy_function(np.tanh, [x], tf.float32), x.shape)

        return tf.grad_pass_through(tanh)(x)


def assert_falls_back(make, fit, words):
    fast, plain = make(True), make(False)
    np.random.seed(4)
    with pytest.warns(UserWarning, match=words):
        fit(fast)
    np.random.seed(4)
    fit(plain)
    assert_equal(fast, plain)
    return fast


def test_operation_that_xla_lacks():
    model = assert_falls_back(
        lambda fast: functional(fast, Unsupported),
        lambda m: m.fit(dataset(), epochs=2, verbose=0),
        "step by step, as XLA cannot compile",
    )
    assert int(model.optimizer.iterations) == 12


def test_the_warning_is_given_once():
    model = functional(True, Unsupported)
    with pytest.warns(UserWarning, match="step by step"):
        model.fit(dataset(), verbose=0)
    recorder = Recorder()
    model.fit(dataset(), epochs=2, verbose=0, callbacks=[recorder])
    assert recorder.ended[-1] == 5


def test_eager_model():
    assert_falls_back(
        lambda fast: network(fast, run_eagerly=True),
        lambda m: m.fit(X, Y, batch_size=BATCH, verbose=0),
        "it runs eagerly",
    )


def test_strategy():
    with tf.distribute.OneDeviceStrategy("cpu:0").scope():
        model = functional(True)
    with pytest.warns(UserWarning, match=r"tf.distribute strategy"):
        model.fit(X, Y, batch_size=BATCH, verbose=0)
    plain = functional(False)
    plain.fit(X, Y, batch_size=BATCH, verbose=0)
    assert_equal(model, plain)


def test_rows_of_unknown_shape():
    def forget(x, y):
        width = tf.numpy_function(lambda: np.int32(5), [], tf.int32)
        return tf.reshape(x, tf.stack([-1, width])), y

    assert_falls_back(
        functional,
        lambda m: m.fit(dataset().map(forget), verbose=0, shuffle=False),
        "shape of its batches' rows",
    )


def test_neither_arrays_nor_a_data_set():
    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 2

        def __getitem__(self, index):
            return X[:BATCH], Y[:BATCH]

    assert_falls_back(
        network,
        lambda m: m.fit(Batches(), shuffle=False, verbose=0),
        "plain arrays",
    )


def test_an_error_of_the_model_is_raised():
    model = functional(True)
    model.train_step = lambda data: 1 / 0
    with (
        pytest.raises(ZeroDivisionError),
        pytest.warns(UserWarning, match="step by step"),
    ):
        model.fit(dataset(), verbose=0)


@pytest.mark.filterwarnings("ignore:fit proceeds step by step")
def test_keras_reports_wrong_arguments():
    with pytest.raises(ValueError, match=r"cardinality|samples"):
        functional(True).fit(X, Y[:5], verbose=0)


def test_not_compiled():
    keras.utils.set_random_seed(0)
    x = keras.Input((5,))
    model = Functional(x, keras.layers.Dense(1)(x))
    with pytest.raises(ValueError, match="compile"):
        model.fit(X, Y, verbose=0)
