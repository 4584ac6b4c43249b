"""`PlattScaling`."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from layers.platt_scaling import PlattScaling
from tests.layer_contract import check_layer


def scaling(slope, offset, **arguments):
    layer = PlattScaling(**arguments)
    layer.build((None, len(slope)))
    layer.slope.assign(slope)
    layer.offset.assign(offset)
    return layer


def test_contract(tmp_path):
    def set_up(layer):
        layer.slope.assign([-2.0, 0.5, -1.0])
        layer.offset.assign([0.25, -1.0, 0.0])

    check_layer(
        PlattScaling,
        {},
        np.random.default_rng(0).standard_normal((5, 3)).astype("float32"),
        (5, 3),
        set_up=set_up,
        trainable=[(3,), (3,)],
        tmp_path=tmp_path,
    )


def test_values_by_hand():
    layer = scaling([-np.log(3), np.log(2)], [0.0, np.log(5)], dtype="float64")
    # exp(A·f + B): 3⁻² and 2¹·5, 3⁰ and 2⁻¹·5
    output = layer(np.array([[2.0, 1.0], [0.0, -1.0]]))
    expected = [[1 / (1 + 1 / 9), 1 / (1 + 10)], [1 / 2, 1 / (1 + 2.5)]]
    np.testing.assert_allclose(output, expected, rtol=1e-15)


def test_starts_as_logistic_function():
    f = np.linspace(-5, 5, 11)[:, None]
    expected = 1 / (1 + np.exp(-f))
    np.testing.assert_allclose(PlattScaling(dtype="float64")(f), expected, rtol=1e-15)


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("dtype", ["float64", "float32", "mixed_float16"])
def test_overflow_of_the_exponential_gives_0_or_1(dtype, jit_compile):
    layer = scaling([-1e3, 1e3], [7.0, -7.0], dtype=dtype)
    call = tf.function(lambda x: layer(x), autograph=False, jit_compile=jit_compile)
    f = np.array([[6e4, 6e4], [-6e4, -6e4], [1.0, 1.0]], "float32")
    np.testing.assert_array_equal(call(tf.constant(f)), [[1, 0], [0, 1], [1, 0]])


def test_small_probabilities_keep_their_digits():
    layer = scaling([-1.0], [0.0], dtype="float64")
    f = np.array([[-30.0], [-300.0], [-700.0]])
    np.testing.assert_allclose(layer(f), np.exp(f), rtol=1e-12)


def test_float64_decisions_and_weights_stay_float64():
    slope, offset, f = -1.23456789012345, 0.98765432109876, 0.123456789012345
    layer = scaling([slope], [offset], dtype="float64")
    expected = 1 / (1 + np.exp(slope * f + offset))
    np.testing.assert_allclose(layer(np.array([[f]])), [[expected]], rtol=1e-15)


def test_any_number_of_leading_axes():
    layer = scaling([-1.0, 1.0], [0.0, 0.0])
    assert layer(np.zeros((2, 4, 2), "float32")).shape == (2, 4, 2)


@pytest.mark.slow
def test_trains_in_any_model():
    """The cross-entropy is smallest at the weights that generated the labels."""
    random = np.random.default_rng(0)
    f = random.standard_normal((20_000, 1)).astype("float32")
    y = random.random((20_000, 1)) < 1 / (1 + np.exp(-2 * f + 1))
    model = keras.Sequential([PlattScaling()])
    model.compile(optimizer=keras.optimizers.SGD(4.0), loss="binary_crossentropy")
    model.fit(f, y, batch_size=20_000, epochs=60, shuffle=False, verbose=0)
    slope, offset = model.get_weights()
    np.testing.assert_allclose([slope[0], offset[0]], [-2, 1], atol=0.1)


def test_unknown_number_of_units_is_refused():
    with pytest.raises(ValueError, match=r"known size. Received: .*None"):
        PlattScaling().build((None, None))


def test_inputs_of_another_shape_are_refused():
    layer = scaling([-1.0, -1.0], [0.0, 0.0])
    with pytest.raises(ValueError, match="incompatible"):
        layer(np.ones((2, 1)))
    with pytest.raises(ValueError, match="ndim"):
        layer(np.ones(2))
