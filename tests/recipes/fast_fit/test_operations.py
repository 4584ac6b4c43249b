"""No error that Keras raises on a CPU is lost, and XLA runs what cannot raise."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.recipes.fast_fit.small_models import (
    BATCH,
    CLASSES,
    Functional,
    X,
    Y,
    compiled,
    functional,
)

LAST = np.arange(len(X)) == len(X) - BATCH  # wrong only in the middle of a chunk


class Apply(keras.layers.Layer):
    """Applies a function to its inputs [b, 6]."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def call(self, x):
        return self.function(x)

    def compute_output_shape(self, input_shape):
        return input_shape


def whole(x):
    """Return integers, which depend on values: all are far outside of any range."""
    return tf.cast(x[:, 0] * 0 + 77, tf.int32)


def in_a_function(x):
    @tf.function
    def check(x):
        tf.debugging.assert_greater(x, 1e9)
        return x

    return check(x)


def in_a_loop(x):
    def body(i, x):
        with tf.control_dependencies([tf.debugging.assert_greater(x, 1e9)]):
            return i + 1, tf.identity(x)

    return tf.while_loop(lambda i, _: i < 2, body, (0, x))[1]


def in_a_branch(x):
    return tf.cond(tf.reduce_sum(x) < 1e9, lambda: in_a_function(x), lambda: x)


def in_numpy(x):
    def fail(x):
        raise ValueError("failed in NumPy")

    return x + tf.ensure_shape(tf.numpy_function(fail, [x], tf.float32), x.shape)


def asserted(x):
    tf.debugging.assert_greater(tf.reduce_max(x), 1e9)
    return x


def asserted_integers(x):
    tf.debugging.assert_negative(whole(x))
    return x


@pytest.mark.slow
@pytest.mark.parametrize(
    "function",
    [
        asserted,
        asserted_integers,
        in_a_function,
        in_a_loop,
        in_a_branch,
        in_numpy,
        lambda x: tf.debugging.check_numerics(x / 0.0, "the outputs"),
        lambda x: x + tf.gather(x, whole(x), axis=1)[:, :1],
        lambda x: x + tf.gather(x, [77], axis=1),
        lambda x: x + tf.gather_nd(x, [[77, 0]]),
        lambda x: x + x[:, whole(x)[0]][:, None],
        lambda x: x + tf.map_fn(lambda row: tf.gather(row, whole(x)[0]), x)[:, None],
        lambda x: x + tf.math.unsorted_segment_sum(x, whole(x), 3)[:1],
        lambda x: x + tf.math.segment_sum(x, -tf.range(BATCH))[:1],
        lambda x: x + tf.cast(5 // (whole(x) - 77), tf.float32)[:, None],
        lambda x: x + tf.cast(whole(x) ** (whole(x) - 99), tf.float32)[:, None],
        lambda x: x + tf.linalg.inv(tf.zeros([6, 6]) * x[0, 0])[0],
        lambda x: tf.reverse_sequence(x, whole(x), seq_axis=1),
        lambda x: x + keras.ops.take_along_axis(x, whole(x)[:, None], axis=1),
    ],
)
def test_errors_of_operations(function):
    messages = []
    for fast in (True, False):
        model = functional(fast, lambda: Apply(function))
        with pytest.raises(tf.errors.InvalidArgumentError) as raised:
            model.fit(X, Y, batch_size=BATCH, verbose=0, shuffle=False)
        lines = raised.value.message.splitlines()
        text = [line for line in lines if "[{{" not in line][-1]
        messages.append(text.split("[x")[0].split(", node name")[0])
    assert messages[0] == messages[1]


@pytest.mark.parametrize(
    "labels",
    [
        Y + 1,
        np.where(LAST, CLASSES, Y),
        np.where(LAST, -1, Y),
        np.where(LAST, np.nan, Y).astype("float32"),
    ],
)
def test_wrong_labels_are_named_and_not_learned(labels):
    fast, plain = functional(True), functional(False)
    texts = []
    for model in (fast, plain):
        with pytest.raises(tf.errors.InvalidArgumentError) as raised:
            model.fit(X, labels, batch_size=BATCH, verbose=0, shuffle=False)
        text = raised.value.message
        texts.append(text[text.index("Received a label value") :].split(".")[0])
    assert texts[0] == texts[1]
    for one, other in zip(fast.weights, plain.weights, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-5, atol=1e-6)


def embedding(fast):
    keras.utils.set_random_seed(3)
    ids = keras.Input((4,), dtype="int32")
    rows = keras.layers.Flatten()(keras.layers.Embedding(9, 2)(ids))
    model = Functional(ids, keras.layers.Dense(CLASSES)(rows))
    model.fast_fit = fast
    return compiled(model)


def test_embedding_ids_out_of_range():
    ids = np.arange(len(X) * 4).reshape(-1, 4) % 9
    ids[-BATCH - 1, 0] = 9
    for fast in (True, False):
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"= 9 is not in \[0"):
            embedding(fast).fit(ids, Y, batch_size=BATCH, verbose=0, shuffle=False)


def test_wrong_validation_labels():
    with pytest.raises(tf.errors.InvalidArgumentError, match="Received a label value"):
        functional(True).fit(X, Y, validation_data=(X, Y + 1), verbose=0, batch_size=8)


def test_a_corrected_model_is_compiled_again():
    model = functional(True)
    with pytest.raises(tf.errors.InvalidArgumentError):
        model.fit(X, Y + 1, batch_size=BATCH, verbose=0)
    model.fit(X, Y, batch_size=BATCH, verbose=0)
    assert obstacles(model) == [""]


def obstacles(model):
    """Return why XLA does not compile the model's steps."""
    return [step._obstacle for step in model._loops.train._traced.values()]


@pytest.mark.parametrize(
    "layer",
    [
        lambda: keras.layers.Activation("gelu"),
        lambda: keras.layers.BatchNormalization(),
        lambda: keras.layers.LayerNormalization(),
        lambda: keras.layers.Dense(
            4, kernel_regularizer="l2", kernel_constraint="max_norm"
        ),
        lambda: Apply(lambda x: tf.debugging.check_numerics(x, "never")),
    ],
)
def test_steps_that_xla_compiles(layer):
    model = functional(True, layer, optimizer=keras.optimizers.Adam(clipnorm=1.0))
    model.fit(X, Y, batch_size=BATCH, verbose=0)
    assert obstacles(model) == [""]


@pytest.mark.parametrize(
    ("layer", "operation"),
    [
        (lambda: keras.layers.Dropout(0.5), "StatelessRandom"),
        (lambda: Apply(lambda x: x + tf.random.normal(tf.shape(x))), "RandomStandard"),
        (lambda: keras.layers.Reshape((2, 3, 1)), "Conv2D"),
    ],
)
def test_steps_that_it_does_not(layer, operation):
    def build():
        if operation != "Conv2D":
            return layer()
        parts = [layer(), keras.layers.Conv2D(2, 2), keras.layers.Flatten()]
        return keras.Sequential(parts)

    model = functional(True, build)
    model.fit(X, Y, batch_size=BATCH, verbose=0)
    assert operation in obstacles(model)[0]


def test_random_numbers_are_those_of_keras():
    def noisy():
        return Apply(lambda x: x + tf.random.normal(tf.shape(x)))

    losses = []
    for fast in (True, True, False):
        model = functional(fast, noisy)
        history = model.fit(X, Y, batch_size=BATCH, epochs=2, verbose=0, shuffle=False)
        losses.append(history.history["loss"])
    assert losses[0] == losses[1]
    np.testing.assert_allclose(losses[0], losses[2], rtol=1e-5)
