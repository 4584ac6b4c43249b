"""`KernelExpansion`."""

import functools
import json
import math
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from layers import KernelExpansion, kernel_tiles, kernels
from tests.commands import environment
from tests.layer_contract import check_layer
from tests.layers import expansion_memory, reference
from tests.layers.kernels.cases import CASES, cauchy, naive_cauchy

RBF = kernels.RBFKernel(0.3)
naive_rbf = functools.partial(reference.rbf, gamma=0.3)


def rows(count, features=3, seed=0, dtype="float64"):
    return np.random.default_rng(seed).standard_normal((count, features)).astype(dtype)


def expansion(kernel=RBF, vectors=7, units=2, features=3, **arguments):
    """Build a layer with weights that make a difference."""
    layer = KernelExpansion(vectors, units, kernel, **arguments)
    layer.build((None, features))
    fill(layer)
    return layer


def fill(layer):
    rng = np.random.default_rng(1)
    for weight in (layer.support_vectors, layer.dual_coefficients, layer.bias):
        if weight is not None:
            weight.assign(rng.standard_normal(weight.shape))


def expected_of(layer, naive, x):
    weights = (layer.support_vectors, layer.dual_coefficients, layer.bias)
    return reference.expansion(naive, x, *map(keras.ops.convert_to_numpy, weights))


@pytest.fixture
def small_tiles(monkeypatch):
    """Tiles of 4 rows for 7 vectors, in float32."""
    monkeypatch.setattr(kernel_tiles, "_TILE_BYTES", 4 * 7 * 8 * 4)


# The contract requires weights of the policy's dtype, so it sets no dtype of the
# coefficients' own; `test_policies` covers that.


@pytest.mark.parametrize("train_vectors", [False, True])
def test_contract(train_vectors, tmp_path):
    vectors, others = [(7, 3)], [(7, 2), (2,)]
    check_layer(
        KernelExpansion,
        {
            "num_vectors": 7,
            "units": 2,
            "train_vectors": train_vectors,
            "coefficients_dtype": None,
        },
        rows(5, dtype="float32"),
        (5, 2),
        set_up=fill,
        trainable=vectors + others if train_vectors else others,
        non_trainable=[] if train_vectors else vectors,
        tmp_path=tmp_path,
    )


def test_contract_without_inner_products(tmp_path):
    check_layer(
        KernelExpansion,
        {"num_vectors": 7, "kernel": kernels.LaplacianKernel(0.1)},
        rows(5, dtype="float32"),
        (5, 1),
        set_up=fill,
        trainable=[(7, 1), (1,)],
        non_trainable=[(7, 3)],
        policies=[],
        tmp_path=tmp_path,
    )


def test_contract_with_a_precomputed_kernel(tmp_path):
    def set_up(layer):
        layer.support_vectors.assign([[3.0], [0.0]])
        layer.dual_coefficients.assign([[2.0], [-1.0]])

    check_layer(
        KernelExpansion,
        {"num_vectors": 2, "kernel": "precomputed"},
        rows(5, features=4, dtype="float32"),
        (5, 1),
        set_up=set_up,
        trainable=[(2, 1), (1,)],
        non_trainable=[(2, 1)],
        policies=[],
        tmp_path=tmp_path,
    )


@pytest.mark.parametrize(
    ("policy", "vectors", "outputs", "tolerance"),
    [
        ("float32", "float32", "float32", 1e-6),
        ("float64", "float64", "float64", 1e-14),
        ("mixed_float16", "float32", "float16", 1e-3),
        ("mixed_bfloat16", "float32", "bfloat16", 8e-3),
        ("float16", "float32", "float16", 1e-3),
    ],
)
def test_policies(policy, vectors, outputs, tolerance):
    layer = expansion(dtype=policy)
    assert layer.support_vectors.dtype == vectors
    assert layer.dual_coefficients.dtype == layer.bias.dtype == "float64"
    x = rows(5)
    found = layer(x)
    assert found.dtype == outputs
    assert layer(keras.Input((3,))).dtype == outputs
    expected = expected_of(layer, naive_rbf, x)
    np.testing.assert_allclose(
        tf.cast(found, tf.float64), expected, rtol=tolerance, atol=tolerance
    )
    if outputs != "float64":
        assert np.abs(tf.cast(found, tf.float64) - expected).max() > 0
    again = KernelExpansion.from_config(layer.get_config())
    assert again.dtype_policy.name == policy
    assert again.coefficients_dtype == "float64"


def test_half_precision_rounds_the_output_alone():
    """Inputs that float16 cannot tell apart or hold still give exact differences."""
    layer = KernelExpansion(1, kernel="linear", dtype="mixed_float16")
    layer.build((None, 2))
    layer.support_vectors.assign([[1.0, -1.0]])
    layer.dual_coefficients.assign([[1.0]])
    x = np.array([[4097.5, 4096.0], [70000.0, 69999.0]], "float32")
    np.testing.assert_array_equal(layer(x), np.array([[1.5], [1.0]], "float16"))


# Values.


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", CASES)
def test_values(name, dtype):
    kernel, naive = CASES[name]
    layer = expansion(kernel, dtype=dtype)
    x = rows(5)
    expected = expected_of(layer, naive, x)
    tolerance = 1e-13 if dtype == "float64" else 2e-6
    np.testing.assert_allclose(
        layer(x), expected, rtol=0, atol=tolerance * (1 + np.abs(expected).max())
    )


def test_values_by_hand():
    layer = KernelExpansion(2, 2, kernels.RBFKernel(math.log(2)))
    layer.build((None, 1))
    layer.support_vectors.assign([[0.0], [3.0]])
    layer.dual_coefficients.assign([[16.0, -2.0], [32.0, 4.0]])
    layer.bias.assign([10.0, 20.0])
    # At 1: k = 2^−1 and 2^−4.
    np.testing.assert_allclose(
        layer(np.array([[1.0]])),
        [[16 / 2 + 32 / 16 + 10, -2 / 2 + 4 / 16 + 20]],
        rtol=1e-6,
    )


def test_without_bias():
    layer = KernelExpansion(1, kernel="linear", use_bias=False)
    layer.build((None, 2))
    layer.support_vectors.assign([[3.0, 4.0]])
    layer.dual_coefficients.assign([[2.0]])
    np.testing.assert_array_equal(layer(np.array([[1.0, 10.0]])), [[86.0]])
    assert layer.bias is None
    assert KernelExpansion.from_config(layer.get_config()).use_bias is False


def test_any_number_of_leading_axes():
    layer, x = expansion(), rows(24)
    outputs = layer(x.reshape(2, 3, 4, 3))
    assert outputs.shape == (2, 3, 4, 2)
    np.testing.assert_array_equal(tf.reshape(outputs, (24, 2)), layer(x))
    assert layer(keras.Input((5, 3))).shape == (None, 5, 2)


def test_integer_inputs():
    layer, x = expansion(), np.array([[1, 2, 3]])
    np.testing.assert_array_equal(layer(x), layer(x.astype("float32")))


def test_cancelling_coefficients():
    """Σ|β| is 10⁸ times the result: sums in float32 would lose all digits."""
    count = 1000
    layer = KernelExpansion(count, kernel="linear", use_bias=False)
    layer.build((None, 1))
    coefficients = np.random.default_rng(0).uniform(100, 1000, (count // 2, 1))
    coefficients = np.concatenate([coefficients, -coefficients])
    coefficients[0] += 0.001
    layer.support_vectors.assign(np.ones((count, 1)))
    layer.dual_coefficients.assign(coefficients)
    np.testing.assert_allclose(layer(np.ones((1, 1))), [[0.001]], rtol=1e-6)


# Tiles.


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 8, 23])
@pytest.mark.parametrize("mode", ["eager", "graph", "unknown", "xla", "xla unknown"])
@pytest.mark.slow
def test_tiles_change_nothing(count, mode, small_tiles):
    layer, x = expansion(), rows(count, dtype="float32")
    call = layer
    if mode != "eager":
        shape = (None if "unknown" in mode else count, 3)
        call = tf.function(
            lambda x: layer(x),
            input_signature=[tf.TensorSpec(shape, tf.float32)],
            jit_compile="xla" in mode,
            autograph=False,
        )
    expected = expected_of(layer, naive_rbf, x)
    np.testing.assert_allclose(call(x), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_every_kernel_in_tiles(name, small_tiles):
    kernel, naive = CASES[name]
    layer, x = expansion(kernel, dtype="float64"), rows(9)
    assert tile_rows(layer, x) == {2, 1}
    np.testing.assert_allclose(layer(x), expected_of(layer, naive, x), rtol=1e-11)


def tile_rows(layer, x):
    """Return the numbers of rows in the calls of the layer's kernel."""
    seen, kernel = set(), layer.kernel

    @keras.saving.register_keras_serializable("tests")
    class Spy(kernels.Kernel):
        def __call__(self, x, z):
            seen.add(x.shape[0])
            return kernel(x, z)

    layer.kernel = Spy()
    try:
        layer(x)
    finally:
        layer.kernel = kernel
    return seen


def test_a_row_longer_than_a_tile_is_a_tile(monkeypatch):
    monkeypatch.setattr(kernel_tiles, "_TILE_BYTES", 1)
    layer, x = expansion(), rows(3, dtype="float32")
    assert tile_rows(layer, x) == {1, 0}
    np.testing.assert_allclose(layer(x), expected_of(layer, naive_rbf, x), atol=1e-6)


# Limits in MiB, between the memory of the tiles and that of tiles with twice the rows,
# and within the documented bounds (128, and 256 with a gradient).
@pytest.mark.skipif(not os.path.exists("/proc/self/clear_refs"), reason="needs Linux")
@pytest.mark.parametrize(
    ("arguments", "limit"),
    [
        (["rbf"], 85),
        (["rbf", "gradient"], 215),
        (["laplacian"], 115),
        (["laplacian", "gradient"], 215),
    ],
)
@pytest.mark.slow
def test_memory(arguments, limit):
    """All 4,000 × 12,000 kernel values would take 183 MiB, and more with copies."""
    ended = subprocess.run(
        [sys.executable, expansion_memory.__file__, *arguments],
        env=environment() | expansion_memory.ALLOCATORS,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    assert 20 < float(ended.stdout) < limit


# Gradients.


@pytest.mark.parametrize("mode", ["eager", "graph", "xla"])
@pytest.mark.parametrize("count, training", [(1, False), (9, True)])
@pytest.mark.parametrize("name", ["rbf", "cubic", "laplacian", "callable"])
@pytest.mark.slow
def test_gradients_against_central_differences(
    name, count, training, mode, small_tiles
):
    kernel, naive = CASES[name]
    layer = expansion(kernel, train_vectors=True, dtype="float64")
    x, weight = rows(count), rows(count, 2, seed=2)
    parts = [
        x,
        *map(
            keras.ops.convert_to_numpy,
            (layer.support_vectors, layer.dual_coefficients, layer.bias),
        ),
    ]

    def slopes(x):
        variables = [layer.support_vectors, layer.dual_coefficients, layer.bias]
        with tf.GradientTape() as tape:
            tape.watch(x)
            total = tf.reduce_sum(weight * layer(x, training=training))
        return tape.gradient(total, [x, *(v.value for v in variables)])

    if mode != "eager":
        slopes = tf.function(slopes, jit_compile=mode == "xla", autograph=False)
    found = slopes(tf.constant(x))
    step = 1e-5
    rng = np.random.default_rng(3)
    for which, gradient in enumerate(map(np.asarray, found)):
        assert gradient.shape == parts[which].shape
        for index in rng.permutation(list(np.ndindex(gradient.shape)))[:4]:
            totals = []
            for sign in (1, -1):
                moved = [part.copy() for part in parts]
                moved[which][tuple(index)] += sign * step
                totals.append(np.sum(weight * reference.expansion(naive, *moved)))
            slope = (totals[0] - totals[1]) / (2 * step)
            np.testing.assert_allclose(gradient[tuple(index)], slope, rtol=1e-5)


def test_second_derivatives(small_tiles):
    layer = expansion(units=1, dtype="float64")

    def slope(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            total = tf.reduce_sum(layer(x))
        return tape.gradient(total, x)

    x = tf.constant(rows(9))
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(slope(x)[:, 0])
    found = tape.gradient(total, x)
    moved = np.asarray(x) + [1e-5, 0, 0], np.asarray(x) - [1e-5, 0, 0]
    slopes = [np.asarray(slope(tf.constant(m))) for m in moved]
    np.testing.assert_allclose(found, (slopes[0] - slopes[1]) / 2e-5, atol=1e-6)


# In models.


@pytest.mark.parametrize("policy", ["float32", "float64", "mixed_float16"])
@pytest.mark.parametrize(
    ("optimizer", "coefficients_dtype"),
    [
        (lambda: keras.optimizers.Adam(0.05, clipnorm=1.0), "float64"),
        # Keras clips all weights together only if they have one dtype.
        (lambda: keras.optimizers.Adam(0.05, global_clipnorm=1.0), None),
    ],
)
@pytest.mark.slow
def test_trains_in_any_model(optimizer, coefficients_dtype, policy):
    keras.utils.set_random_seed(0)
    x = rows(128, 2, dtype="float32")
    y = np.sign(x[:, :1] * x[:, 1:])  # not separable by a line
    model = keras.Sequential(
        [
            keras.layers.Dense(2, dtype=policy),
            KernelExpansion(
                20,
                train_vectors=True,
                coefficients_dtype=coefficients_dtype,
                dtype=policy,
            ),
        ]
    )
    model.compile(optimizer=optimizer(), loss="mse")
    history = model.fit(x, y, epochs=25, batch_size=32, verbose=0).history["loss"]
    assert history[-1] < 0.5 * history[0]


def test_frozen_vectors_do_not_change():
    layer = expansion()
    before = keras.ops.convert_to_numpy(layer.support_vectors)
    model = keras.Sequential([layer])
    model.compile(optimizer="sgd", loss="mse")
    coefficients = keras.ops.convert_to_numpy(layer.dual_coefficients)
    model.fit(rows(8), rows(8, 2), verbose=0)
    np.testing.assert_array_equal(layer.support_vectors, before)
    assert not np.array_equal(layer.dual_coefficients, coefficients)


def test_two_layers_start_with_different_weights():
    first, second = KernelExpansion(5), KernelExpansion(5)
    first.build((None, 3))
    second.build((None, 3))
    assert not np.array_equal(first.support_vectors, second.support_vectors)
    assert np.ptp(first.support_vectors) > 0.5
    assert np.ptp(first.dual_coefficients) > 0
    np.testing.assert_array_equal(first.bias, [0.0])


def test_initializers_are_used_and_survive_the_config():
    layer = KernelExpansion(
        2,
        kernel="linear",
        vectors_initializer="ones",
        coefficients_initializer=keras.initializers.Constant(3.0),
        bias_initializer=keras.initializers.Constant(0.5),
        name="machine",
    )
    for each in (layer, KernelExpansion.from_config(layer.get_config())):
        assert each.name == "machine"
        np.testing.assert_array_equal(each(np.array([[10.0]])), [[60.5]])


@pytest.mark.parametrize(
    "kernel",
    ["poly", kernels.LaplacianKernel(0.5), cauchy, kernels.serialize(RBF)],
)
def test_kernels_survive_the_config(kernel):
    layer = KernelExpansion(3, kernel=kernel)
    config = json.loads(json.dumps(layer.get_config()))
    again = KernelExpansion.from_config(config)
    assert type(again.kernel) is type(kernels.get(kernel))
    assert again.get_config() == layer.get_config()


def test_precision_survives_the_file(tmp_path):
    layer = expansion(kernel=cauchy)
    model = keras.Sequential([keras.Input((3,)), layer])
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras").layers[0]
    assert loaded.kernel.function is cauchy
    for name in ("support_vectors", "dual_coefficients", "bias"):
        ours, theirs = getattr(layer, name), getattr(loaded, name)
        assert theirs.dtype == ours.dtype
        np.testing.assert_array_equal(theirs, ours)
    x = rows(4)
    np.testing.assert_allclose(
        loaded(x), expected_of(layer, naive_cauchy, x), atol=1e-6
    )


def test_size_of_the_saved_model(tmp_path):
    layer = expansion(vectors=4000, units=3, features=50)
    serve = tf.function(
        lambda x: {"scores": layer(x)},
        input_signature=[tf.TensorSpec((None, 50), tf.float32, "features")],
        autograph=False,
    )
    module = tf.Module()
    module.serve = serve
    module.weights = list(serve.get_concrete_function().variables)
    tf.saved_model.save(module, tmp_path / "saved")
    size = sum(f.stat().st_size for f in (tmp_path / "saved").rglob("*"))
    weights = 4000 * 50 * 4 + 4000 * 3 * 8 + 3 * 8
    assert weights <= size < 1.1 * weights


# Invalid arguments.


@pytest.mark.parametrize("wrong", [0, -1, 1.5, "1", None, True])
@pytest.mark.parametrize("name", ["num_vectors", "units"])
def test_wrong_sizes_are_refused(name, wrong):
    arguments = {"num_vectors": 3, name: wrong}
    with pytest.raises(ValueError, match=rf"`{name}` should be a positive integer\. R"):
        KernelExpansion(**arguments)


def test_wrong_kernels_are_refused():
    with pytest.raises(ValueError, match=r"`kernel` should be one of .* Received: ker"):
        KernelExpansion(3, kernel="gauss")


@pytest.mark.parametrize("wrong", ["float16", "int32", "double", 64, True])
def test_wrong_dtypes_of_coefficients_are_refused(wrong):
    with pytest.raises(ValueError, match=r"`coefficients_dtype` should be .*Received"):
        KernelExpansion(3, coefficients_dtype=wrong)


def test_unknown_number_of_features_is_refused():
    with pytest.raises(ValueError, match=r"known size. Received: .*None"):
        KernelExpansion(3).build((None, None))


def test_inputs_of_another_shape_are_refused():
    layer = expansion()
    with pytest.raises(ValueError, match="incompatible"):
        layer(np.ones((2, 4)))
    with pytest.raises(ValueError, match="ndim"):
        layer(np.ones(3))


@pytest.mark.parametrize("offset", [300.0, -1e4])
def test_far_from_zero_it_is_as_precise_as_near(offset):
    random = np.random.default_rng(0)
    x, vectors = ((random.normal(size=(9, 3)) + offset).astype("float32") for _ in "xz")
    layer = KernelExpansion(9, kernel=kernels.RBFKernel(0.5))
    layer.build((None, 3))
    layer.support_vectors.assign(vectors)
    distances = np.square(np.float64(x)[:, None] - np.float64(vectors)).sum(-1)
    expected = np.exp(-0.5 * distances) @ layer.dual_coefficients.numpy()
    np.testing.assert_allclose(layer(x), expected, rtol=0, atol=2e-6)
