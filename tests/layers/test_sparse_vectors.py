"""Kernel expansions whose support vectors are sparse: as those with dense ones."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import sparse

from layers import KernelExpansion, PairwiseExpansion, kernel_tiles, kernels
from tests.layer_contract import check_layer

FEATURES = 7
VECTORS = sparse.random_array(
    (6, FEATURES), density=0.4, rng=np.random.default_rng(0), dtype="float32"
).tocoo()
X = np.random.default_rng(1).standard_normal((5, FEATURES)).astype("float32")
KERNELS = [
    kernels.RBFKernel(0.3),
    kernels.LinearKernel(),
    kernels.PolynomialKernel(degree=2, gamma=0.5, coef0=1.0),
    kernels.SigmoidKernel(gamma=0.3, coef0=0.1),
]
LAYERS = [
    (KernelExpansion, {"num_vectors": 6, "units": 2}),
    (PairwiseExpansion, {"vectors_per_class": (2, 3, 1)}),
]


def fill(layer):
    """Set the vectors, and coefficients that make a difference."""
    if layer.nonzeros is None:
        layer.support_vectors.assign(VECTORS.toarray())
    else:
        layer.support_vectors.assign(VECTORS.data)
        layer.vector_positions.assign(np.stack([VECTORS.row, VECTORS.col], axis=1))
    random = np.random.default_rng(2)
    for weight in (layer.dual_coefficients, layer.bias):
        weight.assign(random.standard_normal(weight.shape))


def build(layer_class, arguments, **more):
    layer = layer_class(**arguments, **more)
    layer.build((None, FEATURES))
    fill(layer)
    return layer


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: type(kernel).__name__)
@pytest.mark.parametrize(("layer_class", "arguments"), LAYERS)
@pytest.mark.parametrize("tile_rows", [1000, 2])
def test_outputs_and_gradients_are_those_of_dense_vectors(
    layer_class, arguments, kernel, tile_rows, monkeypatch
):
    monkeypatch.setattr(kernel_tiles, "_SPARSE_TILE_ROWS", tile_rows)
    options = {"kernel": kernel, "train_vectors": True, "dtype": "float64"}
    dense = build(layer_class, arguments, **options)
    layer = build(layer_class, arguments, nonzeros=VECTORS.nnz, **options)

    def differentiate(layer, x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            output = layer(x, training=True)
            loss = tf.reduce_sum(output**2)
        return output, *tape.gradient(loss, [x, layer.support_vectors.value])

    x = tf.constant(X, tf.float64)
    expected, of_x, of_vectors = differentiate(dense, x)
    outputs = tf.function(differentiate)(layer, x)
    entries = of_vectors.numpy()[VECTORS.row, VECTORS.col]
    for value, wanted in zip(outputs, (expected, of_x, entries), strict=True):
        np.testing.assert_allclose(value, wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layer_class", "arguments", "shape"),
    [(*LAYERS[0], (6, 2)), (*LAYERS[1], (6, 2))],
)
def test_contract(layer_class, arguments, shape, tmp_path):
    units = build(layer_class, arguments).units
    check_layer(
        layer_class,
        {**arguments, "nonzeros": VECTORS.nnz, "coefficients_dtype": None},
        X,
        (5, units),
        tmp_path=tmp_path,
        set_up=fill,
        trainable=(shape, (units,)),
        non_trainable=((VECTORS.nnz,), (VECTORS.nnz, 2)),
    )


def test_prediction_does_not_ask_xla_for_sparse_products():
    layer = build(*LAYERS[0], nonzeros=VECTORS.nnz)
    model = keras.Sequential([keras.Input((FEATURES,)), layer])
    np.testing.assert_allclose(model.predict(X, verbose=0), layer(X), rtol=1e-6)


@pytest.mark.parametrize("nonzeros", [0, -1, 2.0, True])
def test_wrong_numbers_of_entries(nonzeros):
    with pytest.raises(ValueError, match="`nonzeros` should be a positive integer"):
        KernelExpansion(2, nonzeros=nonzeros)


@pytest.mark.parametrize(
    "kernel", ["laplacian", "precomputed", kernels.LinearKernel(origin=[1.0])]
)
def test_kernels_that_take_no_sparse_vectors(kernel):
    with pytest.raises(ValueError, match="does not take sparse vectors"):
        KernelExpansion(2, kernel=kernel, nonzeros=3)
