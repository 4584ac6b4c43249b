"""`Linear`."""

import keras
import numpy as np
import pytest

from layers import Linear
from tests.layer_contract import check_layer


def test_contract(tmp_path):
    def set_up(layer):
        layer.kernel.assign([[1.0, -2.0], [0.5, 4.0], [3.0, 0.25]])
        layer.bias.assign([10.0, -20.0])

    check_layer(
        Linear,
        {"units": 2},
        np.random.default_rng(0).standard_normal((5, 3)).astype("float32"),
        (5, 2),
        set_up=set_up,
        trainable=[(3, 2), (2,)],
        tmp_path=tmp_path,
    )


def test_without_bias():
    layer = Linear(use_bias=False, kernel_initializer="ones")
    np.testing.assert_array_equal(layer(np.array([[2.0, 3.0]])), [[5.0]])
    assert layer.bias is None
    assert [weight.shape for weight in layer.weights] == [(2, 1)]
    assert Linear.from_config(layer.get_config()).use_bias is False


def test_values_by_hand():
    layer = Linear(units=2)
    layer.build((None, 2))
    layer.kernel.assign([[1.0, 2.0], [3.0, 4.0]])
    layer.bias.assign([10.0, 20.0])
    # [1·1 + 5·3 + 10, 1·2 + 5·4 + 20]
    np.testing.assert_array_equal(layer(np.array([[1.0, 5.0]])), [[26.0, 42.0]])


def test_starts_at_zero_like_the_article():
    layer = Linear()
    assert (
        keras.ops.convert_to_numpy(layer(np.ones((4, 3)))) == np.zeros((4, 1))
    ).all()
    assert [weight.shape for weight in layer.weights] == [(3, 1), (1,)]
    assert all(weight.trainable for weight in layer.weights)


def test_initializers_are_used():
    layer = Linear(
        units=1,
        kernel_initializer="ones",
        bias_initializer=keras.initializers.Constant(7.0),
    )
    np.testing.assert_array_equal(layer(np.array([[2.0, 3.0]])), [[12.0]])


def test_initializers_survive_the_config():
    layer = Linear(kernel_initializer=keras.initializers.Constant(2.0), name="slope")
    again = Linear.from_config(layer.get_config())
    assert again.name == "slope"
    np.testing.assert_array_equal(again(np.array([[5.0]])), [[10.0]])


def test_any_number_of_leading_axes():
    layer = Linear(units=2, kernel_initializer="ones")
    output = layer(np.arange(24.0).reshape(2, 3, 4))
    assert output.shape == (2, 3, 2)
    assert float(output[1, 2, 0]) == 20 + 21 + 22 + 23


def test_same_as_dense():
    x = np.random.default_rng(0).standard_normal((6, 4)).astype("float32")
    dense, layer = keras.layers.Dense(3), Linear(3)
    dense.build(x.shape)
    layer.build(x.shape)
    layer.set_weights(dense.get_weights())
    np.testing.assert_allclose(layer(x), dense(x), rtol=1e-6, atol=1e-6)


@pytest.mark.slow
def test_trains_in_any_model():
    x = np.random.default_rng(0).standard_normal((64, 2))
    y = x @ [[2.0], [-1.0]] + 0.5
    model = keras.Sequential([Linear()])
    model.compile(optimizer=keras.optimizers.SGD(0.3), loss="mse")
    model.fit(x, y, epochs=60, batch_size=64, verbose=0)
    kernel, bias = model.get_weights()
    np.testing.assert_allclose(kernel, [[2.0], [-1.0]], atol=1e-4)
    np.testing.assert_allclose(bias, [0.5], atol=1e-4)


@pytest.mark.parametrize("units", [0, -1, 1.5, "1", None, True])
def test_wrong_units_are_refused(units):
    with pytest.raises(ValueError, match=r"`units` should be a positive integer\. Rec"):
        Linear(units=units)


def test_unknown_number_of_features_is_refused():
    with pytest.raises(ValueError, match=r"known size. Received: .*None"):
        Linear().build((None, None))


def test_inputs_of_another_shape_are_refused():
    layer = Linear()
    layer.build((None, 3))
    with pytest.raises(ValueError, match="incompatible"):
        layer(np.ones((2, 4)))
    with pytest.raises(ValueError, match="ndim"):
        layer(np.ones(3))
