"""Rows of the kernel matrix: computed in chunks, cached while there is room."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
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
# One call sums this many.
ROWS_PER_CALL = 256

Indices = npt.NDArray[Any]
Vector = npt.NDArray[np.float64]


class KernelFunction:
    """The kernel matrix of the training rows, by row index.

    Args:
        kernel: The kernel.
        x: All rows, `[n, d]`, float32 or float64.
    """

    def __init__(self, kernel: kernels.Kernel, x: tf.Tensor) -> None:
        self.kernel = kernel
        self.has_products = isinstance(kernel, kernels.InnerProductKernel)
        self.assign(x)

    def assign(self, x: tf.Tensor) -> None:
        """Replace the rows by others of the same shape."""
        self.x, self.squares = x, self._compute_squares(x)

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
            return compile_product_kernel(self.kernel)(
                own, self.x, tf.gather(self.squares, indices), self.squares
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


class KernelCache:
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
        function: Any,
        slots: int,
        rows: int,
        chunk: int,
        dtype: tf.DType,
    ) -> None:
        self.function = function
        self.rows, self.slots, self.chunk = rows, slots, chunk
        # The last rows take the padding of an incomplete chunk.
        # Not zeros: memory that is never written to is never claimed.
        empty = tf.raw_ops.Empty(shape=[slots + chunk, rows], dtype=dtype)
        self.storage = tf.Variable(empty, trainable=False)
        self.clear()

    def clear(self) -> None:
        """Empty the cache, for other data."""
        self.slot_of_row = np.full(self.rows, -1)
        self.row_in_slot = np.full(self.slots, -1)
        self.last_use = np.full(self.slots, -1)
        self.clock = 0

    def fetch(self, indices: Indices) -> int:
        """Ensure that the rows `indices` `[m]`, which may repeat, are cached.

        Returns:
            The number of rows that had to be computed.
        """
        self.clock += 1
        wanted = np.unique(indices)
        slots = self.slot_of_row[wanted]
        self.last_use[slots[slots >= 0]] = self.clock
        missing = wanted[slots < 0]
        if len(missing):
            self._compute_rows(missing, self._assign_slots(missing))
        return len(missing)

    def _assign_slots(self, missing: Indices) -> Indices:
        """Give the missing rows the least recently used slots."""
        count = len(missing)
        places = np.argpartition(self.last_use, count - 1)[:count]
        leaving = self.row_in_slot[places]
        self.slot_of_row[leaving[leaving >= 0]] = -1
        self.slot_of_row[missing] = places
        self.row_in_slot[places] = missing
        self.last_use[places] = self.clock
        return places

    def _compute_rows(self, missing: Indices, places: Indices) -> None:
        # In chunks of one size: XLA compiles again for every other.
        extra = -len(missing) % self.chunk
        missing = np.pad(missing, (0, extra)).astype(np.int32)
        places = np.append(places, self.slots + np.arange(extra)).astype(np.int32)
        for start in range(0, len(missing), self.chunk):
            part = slice(start, start + self.chunk)
            # `scatter_nd_update` would also read the whole variable back.
            tf.raw_ops.ResourceScatterUpdate(
                resource=self.storage.handle,
                indices=places[part],
                updates=self.function.compute_rows(missing[part]),
            )

    def add_rows(self, total: Vector, indices: Indices, coefficients: Vector) -> Vector:
        """Return `total` + Σᵢ cᵢ·Kᵢ over rows that `fetch` has cached.

        Args:
            total: float64, `[m]`, for the first m columns.
            indices: Row indices, `[k]`; they may repeat.
            coefficients: c, float64, `[k]`.

        Returns:
            float64, `[m]`.
        """
        size = ROWS_PER_CALL
        slots = self.slot_of_row[indices].astype(np.int32)
        slots = np.pad(slots, (0, -len(slots) % size), mode="edge")
        factors = np.zeros(len(slots), self.storage.dtype.as_numpy_dtype)
        factors[: len(coefficients)] = coefficients
        summed = np.pad(total, (0, self.rows - len(total)))
        for start in range(0, len(slots), size):
            part = slice(start, start + size)
            summed = sum_rows(summed, self.storage.handle, slots[part], factors[part])
        return np.asarray(summed)[: len(total)]


def choose_chunk_size(rows: int, dtype: tf.DType, cache_bytes: float) -> int:
    """Choose how many kernel rows to compute at a time: a power of two."""
    budget = min(CHUNK_BYTES, CHUNK_SHARE * cache_bytes)
    fitting = max(1, int(budget / (rows * dtype.size)))
    return int(min(CHUNK_ROWS, 1 << (fitting.bit_length() - 1)))


@tf.function(jit_compile=True, autograph=False, reduce_retracing=False)
def sum_rows(
    total: tf.Tensor, storage: tf.Tensor, slots: tf.Tensor, factors: tf.Tensor
) -> tf.Tensor:
    """Compute `total` + Σᵢ cᵢ·storage[slotᵢ] in float64; m is a multiple of 8.

    XLA fuses the reading of 8 rows into their sum: 15 GB/s where rows that were
    gathered first, then multiplied as a matrix, take 4.

    Args:
        total: float64, `[n]`.
        storage: The handle of a variable of rows, `[s, n]`. A variable itself would tie
            the traced function to it.
        slots: int32, `[m]`.
        factors: c, of the variable's dtype, `[m]`.

    Returns:
        float64, `[n]`.
    """
    slots = tf.reshape(slots, [-1, ROWS_PER_SUM])
    factors = tf.reshape(factors, [-1, ROWS_PER_SUM])

    def read(slot: tf.Tensor) -> tf.Tensor:
        row = tf.raw_ops.ResourceGather(
            resource=storage, indices=slot, dtype=factors.dtype
        )
        return tf.ensure_shape(row, total.shape)

    def add(part: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        own, c = tf.gather(slots, part), tf.gather(factors, part)
        rows = [c[k] * read(own[k]) for k in range(ROWS_PER_SUM)]
        return part + 1, total + tf.cast(tf.add_n(rows), tf.float64)

    start = tf.constant(0), total
    return tf.while_loop(lambda part, _: part < slots.shape[0], add, start)[1]
