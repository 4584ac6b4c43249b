"""`PairwiseExpansion`."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from layers import KernelExpansion, PairwiseExpansion, kernel_tiles, kernels
from tests.layer_contract import check_layer

RBF = kernels.RBFKernel(gamma=0.5)
RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((5, 2)).astype("float32")


def set_up(layer):
    random = np.random.default_rng(1)
    for weight in layer.weights:
        weight.assign(random.standard_normal(weight.shape))


def new_layer(counts, features=2, **arguments):
    layer = PairwiseExpansion(counts, RBF, **arguments)
    layer.build((None, features))
    set_up(layer)
    return layer


def test_contract(tmp_path):
    check_layer(
        PairwiseExpansion,
        {"vectors_per_class": (2, 3, 1), "kernel": RBF, "coefficients_dtype": None},
        X,
        (5, 3),
        tmp_path=tmp_path,
        set_up=set_up,
        trainable=((6, 2), (3,)),
        non_trainable=((6, 2),),
    )


@pytest.mark.parametrize("counts", [(2, 3), (2, 3, 1, 4), (2, 0, 3), (0, 1, 0)])
def test_a_pair_is_the_sum_over_its_two_classes(counts):
    layer = new_layer(counts)
    values = RBF(X, layer.support_vectors.numpy()).numpy().astype("float64")
    beta, bias = layer.dual_coefficients.numpy(), layer.bias.numpy()
    of_class = np.repeat(np.arange(len(counts)), counts)
    expected = []
    for unit, (a, b) in enumerate(itertools.combinations(range(len(counts)), 2)):
        others_of_a = [c for c in range(len(counts)) if c != a]
        others_of_b = [c for c in range(len(counts)) if c != b]
        in_a, in_b = of_class == a, of_class == b
        expected.append(
            values[:, in_a] @ beta[in_a, others_of_a.index(b)]
            + values[:, in_b] @ beta[in_b, others_of_b.index(a)]
            + bias[unit]
        )
    np.testing.assert_allclose(layer(X), np.stack(expected, 1), rtol=1e-5, atol=1e-6)


def test_equals_the_expansion_with_zeros_in_many_tiles(monkeypatch):
    monkeypatch.setattr(kernel_tiles, "_TILE_BYTES", 1)
    layer = new_layer((2, 1, 3))
    full = KernelExpansion(6, 3, RBF)
    full.build((None, 2))
    full.set_weights([layer.unpacked(), layer.bias, layer.support_vectors])
    assert np.count_nonzero(layer.unpacked()) == 12
    np.testing.assert_array_equal(
        layer.packed(layer.unpacked()), layer.dual_coefficients
    )
    compiled = tf.function(layer, jit_compile=True)
    for outputs in (layer(X), compiled(tf.constant(X))):
        np.testing.assert_allclose(outputs, full(X), rtol=1e-5, atol=1e-6)


def test_gradient():
    layer = new_layer((2, 1, 2))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(layer(X, training=True)))
    gradient = tape.gradient(loss, layer.dual_coefficients.value)
    assert gradient.shape == (5, 2)
    assert np.all(gradient.numpy() != 0)


@pytest.mark.parametrize("counts", [(3,), (0, 0), (1, -1), (1, 1.5), (True, 2)])
def test_wrong_counts_are_refused(counts):
    with pytest.raises(ValueError, match="`vectors_per_class` should be integers"):
        PairwiseExpansion(counts)


def test_config_keeps_the_counts():
    layer = PairwiseExpansion([1, 2], "linear")
    again = keras.layers.deserialize(keras.layers.serialize(layer))
    assert again.vectors_per_class == (1, 2)
    assert (again.num_vectors, again.units) == (3, 1)
