"""The layers, their initial weights, and the optimisers."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from layers import Convolution, Dense
from recipes.neural_network.models.random_ops import Dropout
from tests.recipes.neural_network.fitting import (
    build,
    fit,
    make_images,
    make_network,
    make_rows,
)

LAYERS = keras.layers


def layer_types(model):
    return [type(layer) for layer in model.network.layers]


def test_layers_of_the_perceptron():
    x, y = make_rows("three", d=7)
    model = build(make_network("three", (6, 5), "relu", dropout=0.5), x, y)
    assert layer_types(model) == [
        *(LAYERS.Flatten, Dense, Dropout, Dense, Dropout, Dense)
    ]
    shapes = [tuple(weight.shape) for weight in model.trainable_weights]
    assert shapes == [(7, 6), (6,), (6, 5), (5,), (5, 3), (3,)]
    linear = build(make_network("three", ()), x, y)
    assert [tuple(w.shape) for w in linear.weights] == [(7, 3), (3,)]


def test_skip_layer_leads_past_the_hidden_ones():
    x, y = make_rows("numbers", d=7)
    model = make_network("numbers", (6, 5), "relu", dropout=0.5, skip_layer=True)
    build(model, x, y)
    kernels = {w.path: w.numpy() for w in model.trainable_weights}
    assert [w.shape for w in kernels.values() if w.shape == (7, 1)] == [(7, 1)]
    fit(model, x, y, epochs=3)
    (skip,) = (w.numpy() for w in model.trainable_weights if w.shape == (7, 1))
    (w1, b1), (w2, b2), (w3, b3) = (
        (each.kernel.numpy(), each.bias.numpy())
        for each in model.network.layers
        if isinstance(each, Dense) and each.use_bias
    )
    hidden = np.maximum(np.maximum(x @ w1 + b1, 0) @ w2 + b2, 0)
    z = hidden @ w3 + b3 + x @ skip
    expected = z * model.scale.numpy() + model.center.numpy()
    np.testing.assert_allclose(model(x), expected, rtol=1e-9)
    served = model.inference_model()
    np.testing.assert_allclose(served(x), expected, rtol=1e-9)
    assert not any("dropout" in each.name for each in served.layers)


@pytest.mark.parametrize("kind", ["three", "two", "numbers"])
def test_network_with_a_skip_layer_starts_as_a_constant(kind):
    x, y = make_rows(kind)
    model = build(make_network(kind, skip_layer=True), x, y)
    np.testing.assert_array_equal(model.network(x), 0)


def test_skip_layer_is_for_rows_with_hidden_layers():
    x, y = make_rows("three")
    linear = build(make_network("three", (), skip_layer=True), x, y)
    assert len(linear.weights) == 2
    images, kinds = make_images()
    model = build(
        make_network("three", dtype="float32", skip_layer=True, dropout="auto"),
        images,
        kinds,
    )
    assert sum(issubclass(each, Dense) for each in layer_types(model)) == 3
    assert Dropout in layer_types(model)
    table = build(make_network("three", dropout="auto"), x, y)
    assert Dropout not in layer_types(table)


def test_linear_relations_of_many_columns_are_learned_from_few_rows():
    """Without a skip layer a random function of the columns stays."""
    random = np.random.default_rng(0)
    x = random.standard_normal((260, 100)).astype("float32")
    y = x @ random.standard_normal(100) + random.standard_normal(260)
    errors = {}
    for skip_layer in (False, True):
        model = make_network(
            *("numbers", (64, 32), "relu", "float32"),
            skip_layer=skip_layer,
            learning_rate=0.002,
            momentum=0.9,
        )
        fit(model, x[:200], y[:200], epochs=20)
        rest = model.predict(x[200:], verbose=0)[:, 0] - y[200:]
        errors[skip_layer] = np.mean(rest**2) / y.var()
    assert errors[True] < 0.6 * errors[False]


def test_batch_normalisation_replaces_the_bias():
    x, y = make_rows("three")
    model = build(make_network("three", (6,), "relu", batch_normalization=True), x, y)
    assert layer_types(model) == [
        *(LAYERS.Flatten, Dense, LAYERS.BatchNormalization, LAYERS.Activation, Dense)
    ]
    assert model.network.layers[1].bias is None


@pytest.mark.parametrize(
    ("h", "w", "c", "flat"), [(8, 8, None, 128), (4, 5, 3, 32), (28, 28, 1, 800)]
)
def test_layers_of_the_cnn(h, w, c, flat):
    x, y = make_images(h=h, w=w, c=c)
    model = build(make_network("three", dtype="float32", architecture="cnn"), x, y)
    block = [Convolution, LAYERS.MaxPooling2D]
    dense = [LAYERS.Flatten, Dense, Dense, Dense]
    assert layer_types(model) == [LAYERS.Reshape, *block, *block, *dense]
    assert model.network.layers[6].kernel.shape == (flat, 5)
    assert model(x).shape == (12, 3)
    assert model.jit_compile is False


@pytest.mark.parametrize("channels", [None, 3])
@pytest.mark.parametrize("batch_normalization", [False, True])
def test_the_cnn_accepts_an_empty_batch(batch_normalization, channels):
    x, y = make_images(c=channels)
    options = {"architecture": "cnn", "batch_normalization": batch_normalization}
    model = build(make_network("three", dtype="float32", **options), x, y)
    assert model(x[:0]).shape == (0, 3)
    nothing = tf.data.Dataset.from_tensors(x[:0])
    served = model.inference_model().predict(nothing, verbose=0)
    assert served["probabilities"].shape == (0, 3)


@pytest.mark.parametrize(
    ("activation", "deviation"),
    [("relu", 2 / 200), ("selu", 1 / 200), ("tanh", 2 / (200 + 300))],
)
def test_initial_weights_suit_the_activation(activation, deviation):
    """Variance 2/n (He), 1/n (LeCun), 2/(n + m) (Glorot)."""
    x = np.zeros((20, 200))
    model = build(make_network("two", (300,), activation), x, np.arange(20) % 2)
    hidden, _, last, _ = model.get_weights()
    assert hidden.var() == pytest.approx(deviation, rel=0.03)
    assert last.var() == pytest.approx(2 / 301, rel=0.25)


def test_seed_determines_the_weights():
    x, y = make_rows("three")
    models = [build(make_network("three", (5, 5), seed=s), x, y) for s in (3, 3, 4)]
    one, same, other = (model.get_weights() for model in models)
    for a, b in zip(one, same, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(one[0], other[0])
    # No two layers draw the same weights.
    assert not np.isclose(one[2].ravel()[:3] / one[0].ravel()[:3], 1).any()


def test_dropout_acts_only_in_training():
    x, y = make_rows("three")
    model = build(make_network("three", (50,), dropout=0.5), x, y)
    assert np.array_equal(model(x), model(x))
    assert np.array_equal(model(x), model.inference_model()(x)["scores"])
    assert not np.array_equal(model(x, training=True), model(x, training=True))


def test_optimisers():
    sgd = make_network("two", momentum=0.9, nesterov=True, weight_decay=0.01).optimizer
    assert isinstance(sgd, keras.optimizers.SGD)
    assert (sgd.momentum, sgd.nesterov, sgd.weight_decay) == (0.9, True, 0.01)
    assert make_network("two", momentum=0).optimizer.momentum == 0
    assert float(sgd.learning_rate) == pytest.approx(0.1)
    adam = make_network("two", optimizer="adam", learning_rate=0.02).optimizer
    assert isinstance(adam, keras.optimizers.Adam)
    assert float(adam.learning_rate) == pytest.approx(0.02)
    plain = make_network("two").optimizer
    assert (plain.momentum, plain.nesterov, plain.weight_decay) == (0, False, None)


def test_weight_decay_shrinks_weights():
    x, y = make_rows("three")
    model = build(make_network("three", learning_rate=0.25, weight_decay=0.5), x, y)
    other = build(make_network("three", learning_rate=0.25), x, y)
    before = model.get_weights()
    for each in (model, other):
        each.train_step((x, y))
    for a, b, start in zip(
        model.get_weights(), other.get_weights(), before, strict=True
    ):
        np.testing.assert_allclose(a, b - 0.25 * 0.5 * start, atol=1e-9)


def test_compile_changes_optimiser_and_metrics():
    x, y = make_rows("three")
    model = make_network("three")
    model.compile(
        optimizer=keras.optimizers.Adam(0.05),
        metrics=[keras.metrics.CategoricalAccuracy(name="own")],
    )
    history = model.fit(x, y, 8, 2, verbose=0).history
    assert isinstance(model.optimizer, keras.optimizers.Adam)
    assert history["own"] == pytest.approx(history["accuracy"])


def test_a_network_learns():
    x, y = make_rows("two", n=200, dtype="float32")
    model = make_network("two", (16,), "relu", dtype="float32", momentum=0.9)
    history = fit(model, x, y, epochs=15).history.history
    assert history["accuracy"][-1] > 0.9
    assert history["loss"][-1] < 0.5 * history["loss"][0]
