"""Rows of the kernel matrix: computed in chunks, kept while there is room."""

import functools
from collections.abc import Callable

import tensorflow as tf

from layers import kernels

# Kernel rows are computed so many bytes at a time, and no more than this share of the
# cache,
CHUNK_BYTES = 2**26
CHUNK_SHARE = 1 / 8
CHUNK_ROWS = 128
# and summed so many at a time in their own precision, then in float64. In an SVM Σ|β|
# may be 10⁵: a float32 sum over all of it is off by a hundredth.
SUMMED_ROWS = 8


class KernelFunction(tf.Module):
    """k(x, z) of training rows, given by their numbers.

    Args:
        kernel: The kernel.
        x: All rows, `[n, d]`, float32 or float64.
    """

    def __init__(self, kernel: kernels.Kernel, x: tf.Tensor) -> None:
        super().__init__()
        self.kernel = kernel
        self.has_products = isinstance(kernel, kernels.InnerProductKernel)
        self.x = tf.Variable(x, trainable=False)
        self.squares = tf.Variable(self._squares(x), trainable=False)

    def assign(self, x: tf.Tensor) -> None:
        """Takes other rows of the same shape."""
        self.x.assign(x)
        self.squares.assign(self._squares(x))

    def rows(self, numbers: tf.Tensor) -> tf.Tensor:
        """K of the rows `numbers` `[m]` with all rows, `[m, n]`."""
        own = tf.gather(self.x, numbers)
        if self.has_products:
            squares = tf.identity(self.squares)
            return compiled_products(self.kernel)(
                own, self.x, tf.gather(squares, numbers), squares
            )
        return compiled_values(self.kernel)(own, self.kernel.vectors(self.x))

    def block(self, numbers: tf.Tensor) -> tf.Tensor:
        """K of the rows `numbers` `[m]` with each other, `[m, m]`."""
        own = tf.gather(self.x, numbers)
        if self.has_products:
            squares = tf.gather(self.squares, numbers)
            return compiled_products(self.kernel)(own, own, squares, squares)
        vectors = tf.gather(self.kernel.vectors(self.x), numbers)
        return compiled_values(self.kernel)(own, vectors)

    def _squares(self, x: tf.Tensor) -> tf.Tensor:
        if not self.has_products:
            return tf.zeros([0], x.dtype)
        return tf.reduce_sum(tf.square(x), axis=1)


# What is compiled for one fit serves the next: kernels compare by their parameters. As
# an argument of a `tf.function` a kernel would be held weakly, and forgotten after it.
@functools.lru_cache(maxsize=32)
def compiled_products(
    kernel: kernels.InnerProductKernel,
) -> Callable[[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]:
    """k(x, z) of rows `[a, d]`, `[b, d]` and their squares `[a]`, `[b]`, compiled."""

    @tf.function(jit_compile=True, autograph=False, reduce_retracing=False)
    def of_products(
        x: tf.Tensor, z: tf.Tensor, x_squares: tf.Tensor, z_squares: tf.Tensor
    ) -> tf.Tensor:
        products = tf.matmul(x, z, transpose_b=True)
        return kernel.of_products(products, x_squares, z_squares)

    return of_products


@functools.lru_cache(maxsize=32)
def compiled_values(
    kernel: kernels.Kernel,
) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """k(x, z) of rows `[a, d]` and `[b, d]`, compiled where it can be."""
    # What the user wrote may not compile under XLA.
    if isinstance(kernel, kernels.CallableKernel):
        return kernel
    return tf.function(kernel, jit_compile=True, autograph=False)


class KernelRows(tf.Module):
    """The last used rows of a kernel matrix, each a row of `storage`.

    Args:
        function: Computes the rows.
        slots: Most rows to keep; at least a working set's.
        rows: Rows of the whole matrix, n.
        chunk: Rows to compute at a time.
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
        # The last rows take what fills up an incomplete chunk.
        # Not zeros: memory that is never written to is never claimed.
        empty = tf.raw_ops.Empty(shape=[slots + self.chunk, rows], dtype=dtype)
        self.storage = tf.Variable(empty, trainable=False)
        self.slot_of_row = tf.Variable(tf.fill([rows], -1), trainable=False)
        self.row_in_slot = tf.Variable(tf.fill([slots], -1), trainable=False)
        self.last_use = tf.Variable(tf.fill([slots], -1), trainable=False)
        self.clock = tf.Variable(0, trainable=False)

    def forget(self) -> None:
        """Empties the storage, as for other data."""
        for numbers in (self.slot_of_row, self.row_in_slot, self.last_use):
            numbers.assign(tf.fill(numbers.shape, -1))
        self.clock.assign(0)

    @tf.function(reduce_retracing=True)
    def fetch(self, numbers: tf.Tensor) -> tf.Tensor:
        """Sees to it that the rows `numbers` (which may repeat) are in the storage.

        Returns:
            How many had to be computed, int32, `[]`.
        """
        self.clock.assign_add(1)
        wanted = tf.unique(numbers).y
        slots = tf.gather(self.slot_of_row, wanted)
        _write(self.last_use, slots[slots >= 0], self.clock)
        missing = wanted[slots < 0]
        count = tf.size(missing)
        if count > 0:
            places = self._make_room(missing, count)
            self._compute(missing, places, count)
        return count

    def _make_room(self, missing: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
        """Gives the missing rows the slots that were not used for longest."""
        places = tf.math.top_k(-self.last_use, count, sorted=False).indices
        leaving = tf.gather(self.row_in_slot, places)
        _write(self.slot_of_row, leaving[leaving >= 0], -1)
        _write(self.slot_of_row, missing, places)
        _write(self.row_in_slot, places, missing)
        _write(self.last_use, places, self.clock)
        return places

    def _compute(self, missing: tf.Tensor, places: tf.Tensor, count: tf.Tensor) -> None:
        # In chunks of one size: XLA compiles anew for every other.
        size = self.chunk
        extra = -count % size
        missing = tf.concat([missing, tf.zeros([extra], tf.int32)], 0)
        places = tf.concat([places, self.slots + tf.range(extra)], 0)
        for start in tf.range(0, count, size):
            # Chunks side by side would share the cores and take more memory.
            tf.autograph.experimental.set_loop_options(parallel_iterations=1)
            chunk = tf.ensure_shape(missing[start : start + size], [size])
            values = self.function.rows(chunk)
            _write(self.storage, places[start : start + size], values)

    @tf.function(reduce_retracing=True)
    def add(
        self, total: tf.Tensor, numbers: tf.Tensor, coefficients: tf.Tensor
    ) -> tf.Tensor:
        """Total + Σᵢ cᵢ·Kᵢ over rows that `fetch` has seen to.

        Args:
            total: float64, `[n]`.
            numbers: The rows, int32, `[m]`; they may repeat.
            coefficients: c, float64, `[m]`.

        Returns:
            float64, `[n]`.
        """
        count = tf.size(numbers)
        size = max(self.chunk, SUMMED_ROWS)
        extra = -count % size
        slots = tf.gather(self.slot_of_row, numbers)
        slots = tf.concat([slots, tf.repeat(slots[:1], extra)], 0)
        factors = tf.cast(coefficients, self.storage.dtype)
        factors = tf.concat([factors, tf.zeros([extra], factors.dtype)], 0)
        for start in tf.range(0, count, size):
            tf.autograph.experimental.set_loop_options(parallel_iterations=1)
            rows = tf.gather(self.storage, slots[start : start + size])
            rows = tf.ensure_shape(rows, [size, self.rows])
            chunk = tf.ensure_shape(factors[start : start + size], [size])
            total += sum_of_rows(rows, chunk)
        return total


def chunk_rows(rows: int, dtype: tf.DType, cache_bytes: float) -> int:
    """Kernel rows to compute at a time: a power of two."""
    room = min(CHUNK_BYTES, CHUNK_SHARE * cache_bytes)
    fitting = max(1, int(room / (rows * dtype.size)))
    return int(min(CHUNK_ROWS, 1 << (fitting.bit_length() - 1)))


@tf.function(jit_compile=True, autograph=False, reduce_retracing=False)
def sum_of_rows(rows: tf.Tensor, factors: tf.Tensor) -> tf.Tensor:
    """Σᵢ cᵢ·rowᵢ in float64: `[m, n]`, `[m]` → `[n]`; m a multiple of 8."""
    parts = tf.einsum(
        "pr,prn->pn",
        tf.reshape(factors, [-1, SUMMED_ROWS]),
        tf.reshape(rows, [-1, SUMMED_ROWS, rows.shape[1]]),
    )
    return tf.reduce_sum(tf.cast(parts, tf.float64), axis=0)


def _write(variable: tf.Variable, places: tf.Tensor, values: tf.Tensor) -> None:
    # `scatter_nd_update` would read the whole variable back.
    tf.raw_ops.ResourceScatterUpdate(
        resource=variable.handle, indices=places, updates=values
    )
