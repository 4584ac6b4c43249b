"""Kernel rows: computed once while there is room, correct whatever was evicted."""

import gc

import numpy as np
import pytest
import tensorflow as tf
from scipy import sparse

from layers import kernels
from recipes.svm.solver import kernel_cache, rows
from recipes.svm.solver.kernel_cache import KernelCache, KernelFunction, sum_rows
from recipes.svm.solver.sparse_kernel import make_kernel_function
from tests.recipes.svm.solver.solving import RBF, compute_matrix, make_rows

N = 40
CHUNK = 8
INNER_PRODUCTS = [
    kernels.LinearKernel(),
    kernels.PolynomialKernel(degree=2, gamma=0.5, coef0=1.0),
    RBF,
    kernels.SigmoidKernel(gamma=0.3, coef0=0.1),
]


def make(slots, kernel=RBF, dtype="float64", n=N):
    x = make_rows(n).x.astype(dtype)
    if isinstance(kernel, kernels.PrecomputedKernel):
        x = compute_matrix(RBF, x).astype(dtype)
    cache = KernelCache(
        KernelFunction(kernel, tf.constant(x)), slots, n, CHUNK, tf.as_dtype(dtype)
    )
    return cache, compute_matrix(kernel, x)


def read_cached(cache):
    """Return the indices of the cached rows, and their values."""
    slot_of_row = cache.slot_of_row
    indices = np.flatnonzero(slot_of_row >= 0)
    return indices, tf.gather(cache.storage, slot_of_row[indices]).numpy()


def cauchy(x, z):
    squares = tf.reduce_sum(tf.square(x[:, None, :] - z[None, :, :]), axis=-1)
    return 1 / (1 + squares)


@pytest.mark.parametrize(
    "kernel",
    [
        *INNER_PRODUCTS,
        kernels.LaplacianKernel(gamma=0.5),
        kernels.PrecomputedKernel(),
        kernels.CallableKernel(cauchy),
    ],
    ids=lambda kernel: type(kernel).__name__,
)
def test_rows_and_block_of_every_kernel(kernel):
    cache, K = make(N, kernel)
    indices = np.array([3, 39, 0, 3, 7, 8, 9, 10], np.int32)
    np.testing.assert_allclose(
        cache.function.compute_rows(indices), K[indices], rtol=1e-12, atol=1e-12
    )
    np.testing.assert_allclose(
        cache.function.compute_block(indices),
        K[indices][:, indices],
        rtol=1e-12,
        atol=1e-12,
    )


def test_cached_rows_are_not_computed_again():
    cache, K = make(slots=20)
    assert int(cache.fetch(np.array([1, 2, 3, 2, 1]))) == 3
    assert int(cache.fetch(np.array([3, 4, 1]))) == 1
    indices, values = read_cached(cache)
    np.testing.assert_array_equal(indices, [1, 2, 3, 4])
    np.testing.assert_allclose(values, K[indices], rtol=1e-12)


def test_the_least_recently_used_row_is_evicted_first():
    cache, _ = make(slots=4)
    for wanted in ([0, 1], [2, 3], [0, 1], [4]):
        cache.fetch(tf.constant(wanted))
    indices, _ = read_cached(cache)
    assert {0, 1, 4} <= set(indices)
    assert len(indices) == 4
    cache.fetch(np.array([5]))
    np.testing.assert_array_equal(read_cached(cache)[0], [0, 1, 4, 5])


def test_as_many_rows_as_slots():
    cache, K = make(slots=4)
    for wanted in ([0, 1, 2, 3], [3, 4, 5, 6], [7, 8, 9, 10]):
        cache.fetch(tf.constant(wanted))
        indices, values = read_cached(cache)
        np.testing.assert_array_equal(indices, wanted)
        np.testing.assert_allclose(values, K[indices], rtol=1e-12)


@pytest.mark.parametrize("slots", [12, 13, N])
def test_sums_are_correct_whatever_was_evicted(slots):
    cache, K = make(slots)
    cache.storage.assign(np.full(cache.storage.shape, np.nan))  # like unclaimed memory
    random = np.random.default_rng(slots)
    for _ in range(12):
        indices = random.integers(0, N, 12).astype(np.int32)  # some repeat
        coefficients = random.standard_normal(12) * random.integers(0, 2, 12)
        total = random.standard_normal(N)
        cache.fetch(np.array(indices))
        found = cache.add_rows(
            tf.constant(total), tf.constant(indices), tf.constant(coefficients)
        )
        np.testing.assert_allclose(
            found, total + coefficients @ K[indices], rtol=1e-12, atol=1e-12
        )
        stored, values = read_cached(cache)
        assert set(indices) <= set(stored)
        assert len(stored) <= slots
        np.testing.assert_allclose(values, K[stored], rtol=1e-12)
        occupied = cache.row_in_slot
        np.testing.assert_array_equal(np.sort(occupied[occupied >= 0]), stored)


def test_coefficients_of_zero_add_nothing():
    cache, _ = make(slots=12)
    cache.fetch(np.array([1, 2]))
    total = tf.range(N, dtype=tf.float64)
    found = cache.add_rows(total, tf.constant([1, 2]), tf.zeros([2], tf.float64))
    np.testing.assert_array_equal(found, total)


def test_a_cleared_cache_takes_other_data():
    cache, _ = make(slots=8)
    cache.fetch(np.array([1, 2]))
    other = make_rows(N, seed=1).x
    cache.function.assign(tf.constant(other))
    cache.clear()
    assert int(cache.fetch(np.array([1, 2]))) == 2
    np.testing.assert_allclose(
        read_cached(cache)[1], compute_matrix(RBF, other)[[1, 2]], rtol=1e-12
    )


def test_float32_rows_are_summed_in_float64():
    rows = np.random.default_rng(0).random((1024, 16)).astype("float32")
    factors = np.full(1024, 1e6, "float32")
    exact = factors.astype("float64") @ rows.astype("float64")
    storage = tf.Variable(rows)
    zero, slots = tf.zeros([16], tf.float64), tf.range(len(rows))
    found = sum_rows(zero, storage.handle, slots, tf.constant(factors))
    assert found.dtype == tf.float64
    # Sums of 8 are off by about 0.25 each; a running sum by about 1,000 in all.
    np.testing.assert_allclose(found, exact, rtol=0, atol=20)
    naive = np.add.accumulate(factors[:, np.newaxis] * rows)[-1]
    assert abs(naive - exact).max() > 100


@pytest.mark.parametrize(
    ("n", "cache", "expected"),
    [(10, 1e9, 128), (10**9, 1e9, 1), (2**23, 1e9, 2), (10**6, 1e8, 2)],
)
def test_chunks_are_bounded_in_rows_and_bytes(n, cache, expected):
    assert kernel_cache.choose_chunk_size(n, tf.float32, cache) == expected


def test_another_number_of_missing_rows_traces_nothing_again():
    cache, _ = make(slots=20)
    total = tf.zeros([N], tf.float64)
    indices = np.arange(12, dtype=np.int32)

    def fetch_and_add(indices, coefficients):
        cache.fetch(np.array(indices))
        cache.add_rows(total, tf.constant(indices), tf.constant(coefficients))

    fetch_and_add(indices, np.ones(12))
    functions = kernel_cache.compile_product_kernel(RBF), kernel_cache.sum_rows
    counts = [f.experimental_get_tracing_count() for f in functions]
    fetch_and_add(indices + 5, np.ones(12))
    fetch_and_add(indices + 20, np.eye(12)[3])
    assert [f.experimental_get_tracing_count() for f in functions] == counts


def test_equal_kernels_share_compiled_functions():
    first, second, other = (kernels.RBFKernel(gamma) for gamma in (0.7, 0.7, 0.8))
    compiled = kernel_cache.compile_product_kernel(first)
    del first
    gc.collect()
    assert kernel_cache.compile_product_kernel(second) is compiled
    assert kernel_cache.compile_product_kernel(other) is not compiled
    laplacian = kernels.LaplacianKernel
    assert kernel_cache.compile_vector_kernel(
        laplacian(0.7)
    ) is kernel_cache.compile_vector_kernel(laplacian(0.7))


@pytest.mark.parametrize(
    "kernel", INNER_PRODUCTS, ids=lambda kernel: type(kernel).__name__
)
def test_rows_and_block_of_sparse_rows(kernel, monkeypatch):
    monkeypatch.setattr(rows, "PRODUCTS", 100)  # in several parts
    x = make_sparse_rows()
    K = compute_matrix(kernel, x.toarray())
    function = make_kernel_function(kernel, x)
    indices = np.array([3, 39, 0, 3], np.int32)
    for compute, expected in (
        (function.compute_rows, K[indices]),
        (function.compute_block, K[np.ix_(indices, indices)]),
    ):
        values = compute(indices)
        np.testing.assert_allclose(values, expected, rtol=1e-12, atol=1e-12)


def test_sparse_rows_are_replaced_by_some_of_others():
    x = make_sparse_rows()
    function = make_kernel_function(RBF, sparse.csr_array(x.shape))
    for chosen in (np.arange(N), np.array([7, 2, 30])):
        function.load(x, chosen)
        others = np.zeros(x.shape)
        others[: len(chosen)] = x.toarray()[chosen]
        expected = compute_matrix(RBF, others)
        values = function.compute_rows(np.array([0, 2, N - 1]))
        np.testing.assert_allclose(values, expected[[0, 2, N - 1]], rtol=1e-12)


def make_sparse_rows():
    random = np.random.default_rng(0)
    return sparse.csr_array(sparse.random_array((N, 9), density=0.3, rng=random))
