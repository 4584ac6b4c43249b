"""`Dense`."""

import keras
import numpy as np
import pytest

from layers import Dense
from tests.layer_contract import check_layer


def test_contract(tmp_path):
    def set_up(layer):
        layer.kernel.assign([[1.0, -2.0], [0.5, 4.0], [3.0, 0.25]])
        layer.bias.assign([1.0, -2.0])

    check_layer(
        Dense,
        {"units": 2, "activation": "tanh"},
        np.random.default_rng(0).standard_normal((5, 3)).astype("float32"),
        (5, 2),
        set_up=set_up,
        trainable=[(3, 2), (2,)],
        tmp_path=tmp_path,
    )


def test_values_by_hand():
    layer = Dense(2, activation="relu")
    layer.build((None, 2))
    layer.kernel.assign([[1.0, -2.0], [3.0, 4.0]])
    layer.bias.assign([10.0, -20.0])
    # [1·1 + 5·3 + 10, 1·−2 + 5·4 − 20 < 0]
    np.testing.assert_array_equal(layer(np.array([[1.0, 5.0]])), [[26.0, 0.0]])


@pytest.mark.parametrize("activation", [None, "relu", "tanh", "sigmoid", "selu"])
@pytest.mark.parametrize("use_bias", [True, False])
def test_equal_to_keras_dense(activation, use_bias):
    x = np.random.default_rng(0).standard_normal((6, 5, 4)).astype("float32")
    # The same seed draws the same weights.
    options = {"activation": activation, "use_bias": use_bias}
    own, other = (
        kind(3, kernel_initializer=keras.initializers.HeNormal(1), **options)
        for kind in (Dense, keras.layers.Dense)
    )
    np.testing.assert_array_equal(own(x), other(x))
    for ours, theirs in zip(own.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_trains_like_keras_dense():
    x = np.random.default_rng(0).standard_normal((32, 4)).astype("float32")
    y = np.tanh(x[:, :2]) - x[:, 2:]
    results = []
    for kind in (Dense, keras.layers.Dense):
        layers = [
            kind(5, "relu", kernel_initializer=keras.initializers.HeNormal(1)),
            kind(2, kernel_initializer=keras.initializers.GlorotUniform(2)),
        ]
        model = keras.Sequential(layers)
        model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
        model.fit(x, y, epochs=2, batch_size=8, shuffle=False, verbose=0)
        results.append(model.get_weights())
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-7)


def test_starts_with_glorot_weights_and_no_bias():
    layer = Dense(100)
    layer.build((None, 50))
    limit = np.sqrt(6 / (50 + 100))
    kernel, bias = layer.get_weights()
    assert 0.95 * limit < np.abs(kernel).max() <= limit
    assert not bias.any()


def test_config_keeps_the_activation():
    layer = Dense(3, activation="elu", use_bias=False)
    again = Dense.from_config(layer.get_config())
    assert again.activation is keras.activations.elu
    assert again.use_bias is False


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"units": 0}, "`units` should be a positive integer"),
        ({"units": 2, "activation": "reluu"}, "reluu"),
    ],
)
def test_bad_arguments_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        Dense(**arguments)
