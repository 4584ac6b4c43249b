"""Sums of kernel values, computed one tile of rows at a time to bound the memory."""

import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from layers import kernels
from layers.kernels.base import around_center

# An upper bound on the memory of one tile's matrices.
_TILE_BYTES = 2**27
# Matrices of a tile's shape that are alive at the same time: the kernel's, their
# float64 copy, and those of a gradient.
_TILE_MATRICES = 8
# TensorFlow's product with a sparse matrix is several times as fast for fewer than 32
# columns as for more.
_SPARSE_TILE_ROWS = 31

WeightedSums = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def expand(
    kernel: kernels.Kernel,
    weighted_sums: WeightedSums,
    units: int,
    rows: tf.Tensor,
    vectors: Any,
    coefficients: tf.Tensor,
    recompute: bool,
) -> tf.Tensor:
    """Compute Σᵢ βᵢ·k(xᵢ, x) for each row x, tile by tile.

    Args:
        kernel: k.
        weighted_sums: Function of kernel values `(n, m)` and coefficients that returns
            their weighted sums for each output, `(n, units)`.
        units: Number of outputs.
        rows: The rows x, `(n, d)`.
        vectors: The xᵢ, `(m, d)`; a `tf.SparseTensor` for a kernel that takes it.
        coefficients: The βᵢ, float64, in the shape that `weighted_sums` takes.
        recompute: Whether to compute tiles again for a gradient instead of keeping
            them.

    Returns:
        `(n, units)`, float64.
    """
    multiply, most = _multiply, _TILE_BYTES  # no tile has more rows than bytes
    # What does not depend on the tile is computed once.
    count = vectors.shape[0]
    if isinstance(vectors, tf.SparseTensor):
        # Gradients are those of its values.
        multiply = functools.partial(_multiply_sparse, vectors)
        most = _SPARSE_TILE_ROWS
        vectors, owner = vectors.values, vectors.indices[:, 0]
        squares = tf.math.unsorted_segment_sum(tf.square(vectors), owner, count)
    elif isinstance(kernel, kernels.InnerProductKernel):
        rows, vectors = around_center(kernel, rows, vectors)
        squares = tf.reduce_sum(tf.square(vectors), axis=1)
    else:
        squares = tf.zeros((0,), vectors.dtype)
    evaluate = functools.partial(_evaluate_tile, kernel, multiply, weighted_sums)
    constants = (vectors, squares, coefficients)
    row_bytes = _TILE_MATRICES * count * rows.dtype.size
    size = max(1, min(most, _TILE_BYTES // row_bytes))
    if rows.shape[0] is not None and rows.shape[0] <= size:
        return evaluate(rows, *constants)
    return _in_tiles(evaluate, units, rows, size, constants, recompute)


def _in_tiles(
    evaluate: Callable[..., tf.Tensor],
    units: int,
    rows: tf.Tensor,
    size: int,
    constants: tuple[tf.Tensor, ...],
    recompute: bool,
) -> tf.Tensor:
    """Evaluate all tiles of `size` rows, and the remaining rows.

    Every tile has the same static shape and no tensor is empty, so that the loop
    compiles under XLA and works for any number of rows.
    """
    count = tf.shape(rows)[0]
    full = count // size
    # One tile more than the full ones holds the remaining rows.
    padded = tf.pad(rows, [[0, (full + 1) * size - count], [0, 0]])
    tiles = tf.reshape(padded, (full + 1, size, rows.shape[1]))
    # In training a tile is computed again for its gradient, or all would be kept. In
    # inference a SavedModel would store a custom gradient for it, and warn when loaded.
    evaluate_tile = tf.recompute_grad(evaluate) if recompute else evaluate

    def step(tile: tf.Tensor, outputs: tf.TensorArray) -> Any:
        output = evaluate_tile(tf.gather(tiles, tile), *constants)
        return tile + 1, outputs.write(tile, output)

    outputs = tf.TensorArray(tf.float64, full + 1, element_shape=(size, units))
    _, outputs = tf.while_loop(
        lambda tile, _: tile < full,
        step,
        (0, outputs),
        parallel_iterations=1,
        maximum_iterations=full,  # XLA's gradient needs it
    )
    full_outputs = tf.reshape(outputs.stack(), (-1, units))[: full * size]
    # One after the other, to save memory.
    with tf.control_dependencies([full_outputs]):
        rest = tf.identity(rows[full * size :])
    return tf.concat([full_outputs, evaluate(rest, *constants)], 0)


def _evaluate_tile(
    kernel: kernels.Kernel,
    multiply: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
    weighted_sums: WeightedSums,
    rows: tf.Tensor,
    vectors: tf.Tensor,
    squares: tf.Tensor,
    coefficients: tf.Tensor,
) -> tf.Tensor:
    """Compute Σᵢ βᵢ·k(xᵢ, x) for one tile, summed in float64."""
    if isinstance(kernel, kernels.InnerProductKernel):
        products = multiply(rows, vectors)
        own = tf.reduce_sum(tf.square(rows), axis=1)
        values = kernel.of_products(products, own, squares)
    else:
        values = kernel(rows, vectors)
    return weighted_sums(tf.cast(values, tf.float64), coefficients)


def _multiply(rows: tf.Tensor, vectors: tf.Tensor) -> tf.Tensor:
    """Compute the products of all pairs: `(n, d)`, `(m, d)` → `(n, m)`."""
    return tf.matmul(rows, vectors, transpose_b=True)


def _multiply_sparse(
    vectors: tf.SparseTensor, rows: tf.Tensor, values: tf.Tensor
) -> tf.Tensor:
    """Compute the same for vectors of which the values are given."""
    vectors = vectors.with_values(values)
    return tf.transpose(tf.sparse.sparse_dense_matmul(vectors, tf.transpose(rows)))
