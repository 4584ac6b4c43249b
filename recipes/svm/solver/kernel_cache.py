"""Rows of the kernel matrix: computed in chunks, cached while there is room."""

import functools
from collections.abc import Callable
from typing import Any

import numpy.typing as npt
import tensorflow as tf

from layers import kernels

# Kernel rows are computed in chunks of at most this many bytes and rows, and at most
# this share of the cache,
CHUNK_BYTES = 2**26
CHUNK_SHARE = 1 / 8
CHUNK_ROWS = 128
# and summed this many at a time in their own precision, then in float64. In an SVM Σ|β|
# may reach 10⁵, where a float32 sum over all rows is off by a hundredth.
ROWS_PER_SUM = 8


class KernelFunction(tf.Module):
    """The kernel matrix of the training rows, by row index.

    Args:
        kernel: The kernel.
        x: All rows, `[n, d]`, float32 or float64.
    """

    def __init__(self, kernel: kernels.Kernel, x: tf.Tensor) -> None:
        super().__init__()
        self.kernel = kernel
        self.has_products = isinstance(kernel, kernels.InnerProductKernel)
        self.x = tf.Variable(x, trainable=False)
        self.squares = tf.Variable(self._compute_squares(x), trainable=False)

    def assign(self, x: tf.Tensor) -> None:
        """Replace the rows by others of the same shape."""
        self.x.assign(x)
        self.squares.assign(self._compute_squares(x))

    def load(self, x: tf.Tensor, rows: npt.NDArray[Any]) -> None:
        """Replace the rows by the rows `rows` of `x`, followed by zeros."""
        extra = self.x.shape[0] - len(rows)
        if extra == 0 and len(rows) == x.shape[0]:
            self.assign(x)
            return
        own, columns = tf.gather(x, rows), 0
        if isinstance(self.kernel, kernels.PrecomputedKernel):
            own, columns = tf.gather(own, rows, axis=1), extra
        self.assign(tf.pad(own, [[0, extra], [0, columns]]))

    def compute_rows(self, indices: tf.Tensor) -> tf.Tensor:
        """Compute K between the rows `indices` `[m]` and all rows, `[m, n]`."""
        own = tf.gather(self.x, indices)
        if self.has_products:
            squares = tf.identity(self.squares)
            return compile_product_kernel(self.kernel)(
                own, self.x, tf.gather(squares, indices), squares
            )
        return compile_vector_kernel(self.kernel)(own, self.kernel.vectors(self.x))

    def compute_block(self, indices: tf.Tensor) -> tf.Tensor:
        """Compute K among the rows `indices` `[m]`, `[m, m]`."""
        own = tf.gather(self.x, indices)
        if self.has_products:
            squares = tf.gather(self.squares, indices)
            return compile_product_kernel(self.kernel)(own, own, squares, squares)
        vectors = tf.gather(self.kernel.vectors(self.x), indices)
        return compile_vector_kernel(self.kernel)(own, vectors)

    def _compute_squares(self, x: tf.Tensor) -> tf.Tensor:
        if not self.has_products:
            return tf.zeros([0], x.dtype)
        return tf.reduce_sum(tf.square(x), axis=1)


# The next fit reuses what this one compiled: kernels compare by their parameters. A
# `tf.function` would hold a kernel argument only weakly, and forget it after the fit.
@functools.lru_cache(maxsize=32)
def compile_product_kernel(
    kernel: kernels.InnerProductKernel,
) -> Callable[[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]:
    """Compile k(x, z) for rows `[a, d]`, `[b, d]` and their squares `[a]`, `[b]`."""

    @tf.function(jit_compile=True, autograph=False, reduce_retracing=False)
    def of_products(
        x: tf.Tensor, z: tf.Tensor, x_squares: tf.Tensor, z_squares: tf.Tensor
    ) -> tf.Tensor:
        products = tf.matmul(x, z, transpose_b=True)
        return kernel.of_products(products, x_squares, z_squares)

    return of_products


@functools.lru_cache(maxsize=32)
def compile_vector_kernel(
    kernel: kernels.Kernel,
) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """Compile k(x, z) for rows `[a, d]` and `[b, d]`, where possible."""
    # A user's function may not compile under XLA.
    if isinstance(kernel, kernels.CallableKernel):
        return kernel
    return tf.function(kernel, jit_compile=True, autograph=False)


class KernelCache(tf.Module):
    """The most recently used rows of a kernel matrix, each a row of `storage`.

    Args:
        function: Computes the rows.
        slots: Number of rows to keep, at least the size of a working set.
        rows: Number of rows of the matrix, n.
        chunk: Number of rows to compute at a time.
        dtype: float32 or float64.
    """

    def __init__(
        self,
        function: KernelFunction,
        slots: int,
        rows: int,
        chunk: int,
        dtype: tf.DType,
    ) -> None:
        super().__init__()
        self.function = function
        self.rows = rows
        self.slots = slots
        self.chunk = chunk
        # The last rows take the padding of an incomplete chunk.
        # Not zeros: memory that is never written to is never claimed.
        empty = tf.raw_ops.Empty(shape=[slots + self.chunk, rows], dtype=dtype)
        self.storage = tf.Variable(empty, trainable=False)
        self.slot_of_row = tf.Variable(tf.fill([rows], -1), trainable=False)
        self.row_in_slot = tf.Variable(tf.fill([slots], -1), trainable=False)
        self.last_use = tf.Variable(tf.fill([slots], -1), trainable=False)
        self.clock = tf.Variable(0, trainable=False)

    def clear(self) -> None:
        """Empty the cache, for other data."""
        for indices in (self.slot_of_row, self.row_in_slot, self.last_use):
            indices.assign(tf.fill(indices.shape, -1))
        self.clock.assign(0)

    @tf.function(reduce_retracing=True)
    def fetch(self, indices: tf.Tensor) -> tf.Tensor:
        """Ensure that the rows `indices`, which may repeat, are cached.

        Returns:
            The number of rows that had to be computed, int32, `[]`.
        """
        self.clock.assign_add(1)
        wanted = tf.unique(indices).y
        slots = tf.gather(self.slot_of_row, wanted)
        _write(self.last_use, slots[slots >= 0], self.clock)
        missing = wanted[slots < 0]
        count = tf.size(missing)
        if count > 0:
            places = self._assign_slots(missing, count)
            self._compute_rows(missing, places, count)
        return count

    def _assign_slots(self, missing: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
        """Give the missing rows the least recently used slots."""
        places = tf.math.top_k(-self.last_use, count, sorted=False).indices
        leaving = tf.gather(self.row_in_slot, places)
        _write(self.slot_of_row, leaving[leaving >= 0], -1)
        _write(self.slot_of_row, missing, places)
        _write(self.row_in_slot, places, missing)
        _write(self.last_use, places, self.clock)
        return places

    def _compute_rows(
        self, missing: tf.Tensor, places: tf.Tensor, count: tf.Tensor
    ) -> None:
        # In chunks of one size: XLA compiles again for every other.
        size = self.chunk
        extra = -count % size
        missing = tf.concat([missing, tf.zeros([extra], tf.int32)], 0)
        places = tf.concat([places, self.slots + tf.range(extra)], 0)
        for start in tf.range(0, count, size):
            # Chunks in parallel would share the cores and take more memory.
            tf.autograph.experimental.set_loop_options(parallel_iterations=1)
            chunk = tf.ensure_shape(missing[start : start + size], [size])
            values = self.function.compute_rows(chunk)
            _write(self.storage, places[start : start + size], values)

    @tf.function(reduce_retracing=True)
    def add_rows(
        self, total: tf.Tensor, indices: tf.Tensor, coefficients: tf.Tensor
    ) -> tf.Tensor:
        """Return `total` + Σᵢ cᵢ·Kᵢ over rows that `fetch` has cached.

        Args:
            total: float64, `[n]`.
            indices: Row indices, int32, `[m]`; they may repeat.
            coefficients: c, float64, `[m]`.

        Returns:
            float64, `[n]`.
        """
        count = tf.size(indices)
        size = max(self.chunk, ROWS_PER_SUM)
        extra = -count % size
        slots = tf.gather(self.slot_of_row, indices)
        slots = tf.concat([slots, tf.repeat(slots[:1], extra)], 0)
        factors = tf.cast(coefficients, self.storage.dtype)
        factors = tf.concat([factors, tf.zeros([extra], factors.dtype)], 0)
        for start in tf.range(0, count, size):
            tf.autograph.experimental.set_loop_options(parallel_iterations=1)
            rows = tf.gather(self.storage, slots[start : start + size])
            rows = tf.ensure_shape(rows, [size, self.rows])
            chunk = tf.ensure_shape(factors[start : start + size], [size])
            total += sum_rows(rows, chunk)
        return total


def choose_chunk_size(rows: int, dtype: tf.DType, cache_bytes: float) -> int:
    """Choose how many kernel rows to compute at a time: a power of two."""
    budget = min(CHUNK_BYTES, CHUNK_SHARE * cache_bytes)
    fitting = max(1, int(budget / (rows * dtype.size)))
    return int(min(CHUNK_ROWS, 1 << (fitting.bit_length() - 1)))


@tf.function(jit_compile=True, autograph=False, reduce_retracing=False)
def sum_rows(rows: tf.Tensor, factors: tf.Tensor) -> tf.Tensor:
    """Compute Σᵢ cᵢ·rowᵢ in float64: `[m, n]`, `[m]` → `[n]`; m is a multiple of 8."""
    parts = tf.einsum(
        "pr,prn->pn",
        tf.reshape(factors, [-1, ROWS_PER_SUM]),
        tf.reshape(rows, [-1, ROWS_PER_SUM, rows.shape[1]]),
    )
    return tf.reduce_sum(tf.cast(parts, tf.float64), axis=0)


def _write(variable: tf.Variable, places: tf.Tensor, values: tf.Tensor) -> None:
    # `scatter_nd_update` would also read the whole variable back.
    tf.raw_ops.ResourceScatterUpdate(
        resource=variable.handle, indices=places, updates=values
    )
