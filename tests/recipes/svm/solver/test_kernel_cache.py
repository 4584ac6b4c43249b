"""Kernel rows: computed once while there is room, right whatever was driven out."""

import gc

import numpy as np
import pytest
import tensorflow as tf

from layers import kernels
from recipes.svm.solver import kernel_cache
from recipes.svm.solver.kernel_cache import KernelFunction, KernelRows, sum_of_rows
from tests.recipes.svm.solver.solving import RBF, data, matrix

N = 40
CHUNK = 8


def make(slots, kernel=RBF, dtype="float64", n=N):
    x = data(n).x.astype(dtype)
    if isinstance(kernel, kernels.PrecomputedKernel):
        x = matrix(RBF, x).astype(dtype)
    rows = KernelRows(
        KernelFunction(kernel, tf.constant(x)), slots, n, CHUNK, tf.as_dtype(dtype)
    )
    return rows, matrix(kernel, x)


def held(rows):
    """Row numbers in the storage, and what is stored of them."""
    slot_of_row = rows.slot_of_row.numpy()
    numbers = np.flatnonzero(slot_of_row >= 0)
    return numbers, tf.gather(rows.storage, slot_of_row[numbers]).numpy()


def cauchy(x, z):
    squares = tf.reduce_sum(tf.square(x[:, None, :] - z[None, :, :]), axis=-1)
    return 1 / (1 + squares)


@pytest.mark.parametrize(
    "kernel",
    [
        kernels.LinearKernel(),
        kernels.PolynomialKernel(degree=2, gamma=0.5, coef0=1.0),
        RBF,
        kernels.SigmoidKernel(gamma=0.3, coef0=0.1),
        kernels.LaplacianKernel(gamma=0.5),
        kernels.PrecomputedKernel(),
        kernels.CallableKernel(cauchy),
    ],
    ids=lambda kernel: type(kernel).__name__,
)
def test_rows_and_block_of_every_kernel(kernel):
    rows, K = make(N, kernel)
    numbers = np.array([3, 39, 0, 3, 7, 8, 9, 10], np.int32)
    np.testing.assert_allclose(
        rows.function.rows(numbers), K[numbers], rtol=1e-12, atol=1e-12
    )
    np.testing.assert_allclose(
        rows.function.block(numbers), K[numbers][:, numbers], rtol=1e-12, atol=1e-12
    )


def test_what_is_there_is_not_computed_again():
    rows, K = make(slots=20)
    assert int(rows.fetch(tf.constant([1, 2, 3, 2, 1]))) == 3
    assert int(rows.fetch(tf.constant([3, 4, 1]))) == 1
    numbers, values = held(rows)
    np.testing.assert_array_equal(numbers, [1, 2, 3, 4])
    np.testing.assert_allclose(values, K[numbers], rtol=1e-12)


def test_the_longest_unused_goes_first():
    rows, _ = make(slots=4)
    for wanted in ([0, 1], [2, 3], [0, 1], [4]):
        rows.fetch(tf.constant(wanted))
    numbers, _ = held(rows)
    assert {0, 1, 4} <= set(numbers)
    assert len(numbers) == 4
    rows.fetch(tf.constant([5]))
    np.testing.assert_array_equal(held(rows)[0], [0, 1, 4, 5])


def test_as_many_as_there_are_slots():
    rows, K = make(slots=4)
    for wanted in ([0, 1, 2, 3], [3, 4, 5, 6], [7, 8, 9, 10]):
        rows.fetch(tf.constant(wanted))
        numbers, values = held(rows)
        np.testing.assert_array_equal(numbers, wanted)
        np.testing.assert_allclose(values, K[numbers], rtol=1e-12)


@pytest.mark.parametrize("slots", [12, 13, N])
def test_sums_whatever_was_driven_out(slots):
    rows, K = make(slots)
    rows.storage.assign(np.full(rows.storage.shape, np.nan))  # as unclaimed memory may
    random = np.random.default_rng(slots)
    for _ in range(12):
        numbers = random.integers(0, N, 12).astype(np.int32)  # some repeat
        coefficients = random.standard_normal(12) * random.integers(0, 2, 12)
        total = random.standard_normal(N)
        rows.fetch(tf.constant(numbers))
        found = rows.add(
            tf.constant(total), tf.constant(numbers), tf.constant(coefficients)
        )
        np.testing.assert_allclose(
            found, total + coefficients @ K[numbers], rtol=1e-12, atol=1e-12
        )
        stored, values = held(rows)
        assert set(numbers) <= set(stored)
        assert len(stored) <= slots
        np.testing.assert_allclose(values, K[stored], rtol=1e-12)
        occupied = rows.row_in_slot.numpy()
        np.testing.assert_array_equal(np.sort(occupied[occupied >= 0]), stored)


def test_nothing_to_add():
    rows, _ = make(slots=12)
    rows.fetch(tf.constant([1, 2]))
    total = tf.range(N, dtype=tf.float64)
    found = rows.add(total, tf.constant([1, 2]), tf.zeros([2], tf.float64))
    np.testing.assert_array_equal(found, total)


def test_other_data_after_forget():
    rows, _ = make(slots=8)
    rows.fetch(tf.constant([1, 2]))
    other = data(N, seed=1).x
    rows.function.assign(tf.constant(other))
    rows.forget()
    assert int(rows.fetch(tf.constant([1, 2]))) == 2
    np.testing.assert_allclose(held(rows)[1], matrix(RBF, other)[[1, 2]], rtol=1e-12)


def test_float32_rows_are_summed_in_float64():
    rows = np.random.default_rng(0).random((1024, 16)).astype("float32")
    factors = np.full(1024, 1e6, "float32")
    exact = factors.astype("float64") @ rows.astype("float64")
    found = sum_of_rows(tf.constant(rows), tf.constant(factors))
    assert found.dtype == tf.float64
    # Sums of 8 are off by about 0.25 each; one after the other, by about 1,000 in all.
    np.testing.assert_allclose(found, exact, rtol=0, atol=20)
    naive = np.add.accumulate(factors[:, np.newaxis] * rows)[-1]
    assert abs(naive - exact).max() > 100


@pytest.mark.parametrize(
    ("n", "cache", "expected"),
    [(10, 1e9, 128), (10**9, 1e9, 1), (2**23, 1e9, 2), (10**6, 1e8, 2)],
)
def test_chunks_are_bounded_in_rows_and_bytes(n, cache, expected):
    assert kernel_cache.chunk_rows(n, tf.float32, cache) == expected


def test_no_new_trace_for_another_number_of_missing_rows():
    rows, _ = make(slots=20)
    total = tf.zeros([N], tf.float64)
    numbers = np.arange(12, dtype=np.int32)

    def go(numbers, coefficients):
        rows.fetch(tf.constant(numbers))
        rows.add(total, tf.constant(numbers), tf.constant(coefficients))

    go(numbers, np.ones(12))
    functions = kernel_cache.compiled_products(RBF), kernel_cache.sum_of_rows
    counts = [f.experimental_get_tracing_count() for f in functions]
    go(numbers + 5, np.ones(12))
    go(numbers + 20, np.eye(12)[3])
    assert [f.experimental_get_tracing_count() for f in functions] == counts


def test_equal_kernels_share_what_is_compiled():
    first, second, other = (kernels.RBFKernel(gamma) for gamma in (0.7, 0.7, 0.8))
    compiled = kernel_cache.compiled_products(first)
    del first
    gc.collect()
    assert kernel_cache.compiled_products(second) is compiled
    assert kernel_cache.compiled_products(other) is not compiled
    laplacian = kernels.LaplacianKernel
    assert kernel_cache.compiled_values(laplacian(0.7)) is kernel_cache.compiled_values(
        laplacian(0.7)
    )
