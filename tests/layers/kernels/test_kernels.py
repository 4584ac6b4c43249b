"""`layers.kernels`."""

import json
import math

import keras
import numpy as np
import pytest
import scipy.sparse
import tensorflow as tf
from sklearn.svm import SVC

from layers import kernels
from tests.layers import reference
from tests.layers.kernels.cases import CASES, cauchy

SEMIDEFINITE = [name for name in CASES if name != "sigmoid"]
TOLERANCE = {"float32": 2e-6, "float64": 1e-13}


def rows(count, features=3, seed=0, dtype="float64"):
    return np.random.default_rng(seed).standard_normal((count, features)).astype(dtype)


def assert_close(values, expected, dtype):
    values = np.asarray(values)
    assert values.dtype == dtype
    assert values.shape == expected.shape
    scale = 1 + np.abs(expected).max(initial=0)
    np.testing.assert_allclose(values, expected, rtol=0, atol=TOLERANCE[dtype] * scale)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("mode", ["eager", "graph", "xla"])
@pytest.mark.parametrize("name", CASES)
def test_values(name, mode, dtype):
    kernel, naive = CASES[name]
    x, z = rows(5, dtype=dtype), rows(4, seed=1, dtype=dtype)
    call, diagonal = kernel, kernel.diagonal
    if mode != "eager":
        jit = mode == "xla"
        call = tf.function(kernel, jit_compile=jit, autograph=False)
        diagonal = tf.function(kernel.diagonal, jit_compile=jit, autograph=False)
    assert_close(call(x, z), reference.matrix(naive, x, z), dtype)
    assert_close(diagonal(x), np.diag(reference.matrix(naive, x, x)), dtype)


@pytest.mark.parametrize("name", CASES)
def test_no_rows(name):
    kernel, _ = CASES[name]
    x, none = rows(3, dtype="float32"), rows(0, dtype="float32")
    assert kernel(none, x).shape == (0, 3)
    assert kernel(x, none).shape == (3, 0)
    assert kernel.diagonal(none).shape == (0,)
    unknown = tf.TensorSpec((None, 3), tf.float32)
    compiled = tf.function(kernel, input_signature=[unknown, unknown], autograph=False)
    assert compiled(none, x).shape == (0, 3)
    assert_close(compiled(x, x), np.asarray(kernel(x, x)), "float32")


@pytest.mark.parametrize("name", CASES)
def test_vectors_are_the_rows(name):
    kernel, _ = CASES[name]
    x = rows(3)
    np.testing.assert_array_equal(kernel.vectors(x), x)
    assert kernel.vector_size(3) == 3


@pytest.mark.parametrize("name", SEMIDEFINITE)
def test_matrices_are_positive_semidefinite(name):
    kernel, _ = CASES[name]
    x = rows(120, seed=2)
    x[60:] = x[:60]  # duplicates make the matrix singular
    matrix = np.array(kernel(x, x))
    np.testing.assert_allclose(matrix, matrix.T, rtol=1e-13, atol=1e-13)
    matrix /= np.abs(matrix).max()  # the bound below is for values up to 1
    assert np.linalg.eigvalsh(matrix)[0] > -1e-12 * len(x)


def test_the_sigmoid_is_not_semidefinite():
    """The test above can fail."""
    matrix = np.asarray(CASES["sigmoid"][0](x := rows(120, features=6), x))
    assert np.linalg.eigvalsh(matrix)[0] < -1e-3


@pytest.mark.parametrize("name", CASES)
def test_gradients_against_central_differences(name):
    kernel, naive = CASES[name]
    x, z, weight = rows(3), rows(4, seed=1), rows(3, 4, seed=2)
    with tf.GradientTape() as tape:
        points = [tf.constant(x), tf.constant(z)]
        tape.watch(points)
        total = tf.reduce_sum(weight * kernel(*points))
    gradients = tape.gradient(total, points)
    step = 1e-5
    for which, gradient in enumerate(map(np.asarray, gradients)):
        for index in np.ndindex(gradient.shape):
            totals = []
            for sign in (1, -1):
                moved = [x.copy(), z.copy()]
                moved[which][index] += sign * step
                totals.append(np.sum(weight * reference.matrix(naive, *moved)))
            slope = (totals[0] - totals[1]) / (2 * step)
            np.testing.assert_allclose(gradient[index], slope, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", ["linear", "cubic", "rbf", "sigmoid"])
def test_of_products(name):
    """Products give the same values as rows."""
    kernel, _ = CASES[name]
    x, z = rows(5), rows(4, seed=1)
    values = kernel.of_products(x @ z.T, (x**2).sum(1), (z**2).sum(1))
    np.testing.assert_allclose(values, kernel(x, z), rtol=1e-12)


def test_rounding_makes_no_negative_distance():
    x = (rows(50) + 1000).astype("float32")
    x64 = x.astype("float64")
    products = x @ x.T
    squares = (x**2).sum(1)
    assert (squares[:, None] + squares - 2 * products).min() < 0
    kernel = kernels.RBFKernel(0.01)
    assert np.asarray(kernel.of_products(products, squares, squares)).max() <= 1
    assert np.asarray(kernel(x64, x64)).max() <= 1


@pytest.mark.parametrize("offset", [300.0, -1e4])
@pytest.mark.parametrize("name", ["rbf", "laplacian"])
def test_kernels_of_differences_are_as_precise_far_from_zero(name, offset):
    kernel, naive = CASES[name]
    x, z = ((rows(5, seed=seed) + offset).astype("float32") for seed in (0, 1))
    expected = reference.matrix(naive, np.float64(x), np.float64(z))
    assert_close(kernel(x, z), expected, "float32")


def test_an_origin_preserves_the_digits_of_products():
    x = (rows(5) + 1e4).astype("float32")
    kernel = kernels.LinearKernel(origin=np.full(3, 1e4))
    expected = (np.float64(x) - 1e4) @ (np.float64(x) - 1e4).T
    assert_close(kernel(x, x), expected, "float32")
    assert kernels.deserialize(kernels.serialize(kernel)) == kernel


@pytest.mark.parametrize("wrong", [[np.nan, 0.0], ["a"], [True]])
def test_wrong_origin_is_refused(wrong):
    with pytest.raises(ValueError, match="`origin` should be a finite number"):
        kernels.LinearKernel(origin=wrong)


def test_gradients_at_equal_rows_are_finite():
    x = tf.constant(rows(4))
    for name, (kernel, _) in CASES.items():
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = kernel(x, x)
        assert np.isfinite(tape.gradient(value, x)).all(), name


def test_laplacian_holds_no_three_dimensional_array():
    """Not even for the gradient: 300 · 300 · 2000 numbers would be 720 MB."""
    x = tf.zeros((300, 2000))

    @tf.function(autograph=False)
    def slope(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = kernels.LaplacianKernel()(x, x)
        return tape.gradient(value, x)

    largest = 0
    graphs = [slope.get_concrete_function(x).graph]
    library = graphs[0].as_graph_def(add_shapes=True).library.function
    for function in library:
        for attributes in function.arg_attr.values():
            for shape in attributes.attr["_output_shapes"].list.shape:
                largest = max(largest, math.prod(d.size for d in shape.dim))
    for operation in graphs[0].get_operations():
        for output in operation.outputs:
            if output.shape.is_fully_defined():
                largest = max(largest, output.shape.num_elements())
    assert 300 * 2000 <= largest < 300 * 300 * 2000


# Precomputed.


def test_precomputed():
    kernel = kernels.get("precomputed")
    matrix = rows(5, features=5)
    np.testing.assert_array_equal(kernel.vectors(matrix), [[0], [1], [2], [3], [4]])
    np.testing.assert_array_equal(kernel.diagonal(matrix), np.diag(matrix))
    np.testing.assert_array_equal(kernel(matrix, kernel.vectors(matrix)), matrix)
    selected = kernel(matrix[:2].astype("float32"), [[4.0], [1.0]])
    assert selected.dtype == tf.float32
    np.testing.assert_array_equal(selected, matrix[:2, [4, 1]].astype("float32"))
    assert kernel(matrix[:0], [[4.0], [1.0]]).shape == (0, 2)
    compiled = tf.function(kernel, jit_compile=True)
    np.testing.assert_array_equal(compiled(matrix, [[3.0]]), matrix[:, [3]])
    assert kernel.vector_size(5) == 1


def test_precomputed_diagonal_needs_a_square():
    with pytest.raises(ValueError, match=r"`x` should be the square .* \(2, 5\)"):
        kernels.PrecomputedKernel().diagonal(rows(2, features=5))


# Names, configs, functions.


@pytest.mark.parametrize(
    ("name", "kernel"),
    [
        ("linear", kernels.LinearKernel()),
        ("polynomial", kernels.PolynomialKernel(degree=2, gamma=0.5, coef0=3.0)),
        ("poly", kernels.PolynomialKernel(degree=2, gamma=0.5, coef0=3.0)),
        ("rbf", kernels.RBFKernel(gamma=0.5)),
        ("sigmoid", kernels.SigmoidKernel(gamma=0.5, coef0=3.0)),
        ("laplacian", kernels.LaplacianKernel(gamma=0.5)),
        ("precomputed", kernels.PrecomputedKernel()),
    ],
)
def test_get_by_name(name, kernel):
    found = kernels.get(name, gamma=0.5, degree=2, coef0=3.0)
    assert type(found) is type(kernel)
    assert found.get_config() == kernel.get_config()
    assert type(kernels.get(name)) is type(kernel)
    assert type(kernels.deserialize(name)) is type(kernel)


@pytest.mark.parametrize("name", CASES)
def test_serialization(name):
    kernel, _ = CASES[name]
    config = kernels.serialize(kernel)
    assert json.loads(json.dumps(config)) == config
    for again in (kernels.deserialize(config), kernels.get(config)):
        assert type(again) is type(kernel)
        assert kernels.serialize(again) == config
        np.testing.assert_array_equal(again(rows(3), rows(2)), kernel(rows(3), rows(2)))


def test_get_returns_a_kernel_unchanged():
    kernel = kernels.RBFKernel(0.5)
    assert kernels.get(kernel, gamma=7.0) is kernel


def test_get_wraps_a_function():
    kernel = kernels.get(cauchy, gamma=0.5)
    assert isinstance(kernel, kernels.CallableKernel)
    assert kernel.function is cauchy


def test_an_unregistered_function_computes_and_is_not_serialized():
    kernel = kernels.get(lambda x, z: tf.matmul(x, z, transpose_b=True))
    assert_close(kernel(x := rows(3), x), x @ x.T, "float64")
    with pytest.raises(ValueError, match=r"should be registered .* Received: <func"):
        kernels.serialize(kernel)


def test_a_function_of_the_wrong_shape_or_dtype_is_refused():
    with pytest.raises(ValueError, match=r"shape .*\(3, 2\)\. Received: .* \(3,\)"):
        kernels.get(lambda x, z: x[:, 0])(rows(3), rows(2))
    with pytest.raises(ValueError, match=r"float64 values .* Received: float32"):
        kernels.get(lambda x, z: tf.zeros((3, 2)))(rows(3), rows(2))


def test_user_defined_kernel():
    @keras.saving.register_keras_serializable("tests")
    class Doubled(kernels.InnerProductKernel):
        def of_products(self, products, x_squares, z_squares):
            return 2 * products

    kernel = kernels.deserialize(kernels.serialize(Doubled()))
    assert isinstance(kernel, Doubled)
    np.testing.assert_allclose(kernel(x := rows(3), x), 2 * x @ x.T, rtol=1e-12)


def test_repr():
    assert repr(kernels.RBFKernel(0.5)) == "RBFKernel(gamma=0.5)"
    assert repr(kernels.LinearKernel()) == "LinearKernel()"
    assert "cauchy" in repr(kernels.get(cauchy))


@pytest.mark.parametrize("wrong", ["rbff", "", None, 3, kernels.RBFKernel])
def test_wrong_identifiers_are_refused(wrong):
    with pytest.raises(ValueError, match=r"`kernel` should be one of .* Received: ker"):
        kernels.get(wrong)


def test_unknown_parameters_are_refused():
    with pytest.raises(ValueError, match=r"should be among .*Received: \['gama'\]"):
        kernels.get("rbf", gama=1.0)


def test_config_of_another_class_is_refused():
    config = keras.saving.serialize_keras_object(keras.initializers.Zeros())
    with pytest.raises(ValueError, match=r"`config` should be that of a kernel. Rec"):
        kernels.deserialize(config)


NOT_POSITIVE = [0, 0.0, -1.0, math.nan, math.inf, "scale", None, True, [1.0]]


@pytest.mark.parametrize("wrong", NOT_POSITIVE)
@pytest.mark.parametrize(
    "kernel",
    [
        kernels.PolynomialKernel,
        kernels.RBFKernel,
        kernels.SigmoidKernel,
        kernels.LaplacianKernel,
    ],
)
def test_wrong_gamma_is_refused(kernel, wrong):
    with pytest.raises(ValueError, match=r"`gamma` should be a positive number\. Rec"):
        kernel(gamma=wrong)


@pytest.mark.parametrize("wrong", [0, -1, 2.5, math.nan, math.inf, "3", None, True])
def test_wrong_degree_is_refused(wrong):
    with pytest.raises(ValueError, match=r"`degree` should be a positive integer\. R"):
        kernels.PolynomialKernel(degree=wrong)


@pytest.mark.parametrize("wrong", [math.nan, -math.inf, "0", None, True])
@pytest.mark.parametrize("kernel", [kernels.PolynomialKernel, kernels.SigmoidKernel])
def test_wrong_coef0_is_refused(kernel, wrong):
    with pytest.raises(ValueError, match=r"`coef0` should be a finite number\. Rec"):
        kernel(coef0=wrong)


def test_numpy_numbers_are_parameters():
    config = kernels.PolynomialKernel(np.int64(2), np.float32(0.5), 1).get_config()
    assert json.dumps(config) == '{"degree": 2, "gamma": 0.5, "coef0": 1.0}'


@pytest.mark.parametrize("dtype", ["int32", "float16"])
@pytest.mark.parametrize("name", [*CASES, "precomputed"])
def test_other_dtypes_are_refused(name, dtype):
    kernel = kernels.get("precomputed") if name == "precomputed" else CASES[name][0]
    x = tf.zeros((2, 2), dtype)
    for call in (lambda: kernel(x, x), lambda: kernel.diagonal(x)):
        with pytest.raises(ValueError, match=f"`x` should be float32 .*dtype {dtype}"):
            call()


# Gamma.


@pytest.mark.parametrize("gamma", ["scale", "auto", 0.25, 2])
@pytest.mark.parametrize("form", ["float64", "float32", "sparse", "tensor"])
def test_gamma_equals_scikit_learns(gamma, form):
    # More rows than one chunk, and not centred.
    x = rows(5000, features=7, seed=3) * 3 + 5
    x[np.random.default_rng(4).random(x.shape) < 0.3] = 0
    given = {
        "float64": lambda: x,
        "float32": lambda: x.astype("float32"),
        "sparse": lambda: scipy.sparse.csr_array(x),
        "tensor": lambda: tf.constant(x),
    }[form]()
    peer = SVC(gamma=gamma, max_iter=5)
    with pytest.warns(match="Solver terminated early"):
        peer.fit(x, np.arange(len(x)) % 2)
    found = kernels.resolve_gamma(gamma, given)
    assert type(found) is float
    assert found == pytest.approx(peer._gamma, rel=1e-6 if form == "float32" else 1e-12)


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_gamma_beyond_float64_is_refused(scale):
    for x in (rows(5) * scale, scipy.sparse.csr_array(rows(5) * scale)):
        with pytest.raises(ValueError, match="`x` should be scaled"):
            kernels.resolve_gamma("scale", x)


def test_gamma_of_constant_rows():
    assert kernels.resolve_gamma("scale", np.full((4, 3), 7.0)) == 1.0
    assert kernels.resolve_gamma("auto", np.full((4, 3), 7.0)) == 1 / 3


@pytest.mark.parametrize("wrong", [*NOT_POSITIVE[:5], None, True])
def test_gamma_that_is_not_positive_is_refused(wrong):
    with pytest.raises(ValueError, match=r"`gamma` should be a positive number\. Rec"):
        kernels.resolve_gamma(wrong, rows(3))


def test_gamma_of_unknown_name_is_refused():
    with pytest.raises(ValueError, match=r'"scale", "auto" or .* gamma=\'skale\''):
        kernels.resolve_gamma("skale", rows(3))


@pytest.mark.parametrize("wrong", [np.zeros((0, 3)), np.zeros((3, 0)), np.zeros(3)])
def test_gamma_of_no_entries_is_refused(wrong):
    with pytest.raises(ValueError, match=r"`x` should have two axes, neither .* Rec"):
        kernels.resolve_gamma("scale", wrong)


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_gamma_of_values_that_are_not_finite_is_refused(wrong):
    x = rows(3)
    x[1, 1] = wrong
    with pytest.raises(ValueError, match=r"`x` should be finite. Received: x with NaN"):
        kernels.resolve_gamma("scale", x)
