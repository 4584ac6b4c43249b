"""Models and data without the fast path: a warning, and Keras's own `fit`."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.recipes.fast_fit.small_models import (
    BATCH,
    Functional,
    X,
    Y,
    assert_equal,
    dataset,
    functional,
    network,
)


def assert_falls_back(make, fit, words):
    fast, plain = make(True), make(False)
    np.random.seed(4)
    with pytest.warns(UserWarning, match=words):
        fit(fast)
    np.random.seed(4)
    fit(plain)
    assert_equal(fast, plain)
    return fast


def test_step_that_cannot_be_traced_in_a_loop():
    model = functional(True)
    step = model.train_step
    model.train_step = lambda data: {**step(data), "nothing": None}
    with pytest.warns(UserWarning, match="cannot trace this model's step in a loop"):
        model.fit(dataset(), verbose=0)
    model.fit(dataset(), epochs=2, verbose=0)  # the warning is given once
    assert int(model.optimizer.iterations) == 18


def test_eager_model():
    assert_falls_back(
        lambda fast: network(fast, run_eagerly=True),
        lambda m: m.fit(X, Y, batch_size=BATCH, verbose=0),
        "the model runs eagerly",
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
        "shape of the batches' rows",
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
        "neither NumPy arrays",
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
