"""Sums of kernel values that are never held all at a time, but a tile of rows."""

import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from layers import kernels

# What the matrices of one tile take at most.
_TILE_BYTES = 2**27
# Matrices of a tile's shape that live at the same time: the kernel's, their float64
# copy, and those of a gradient.
_TILE_MATRICES = 8

WeightedSums = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def expand(
    kernel: kernels.Kernel,
    weighted_sums: WeightedSums,
    units: int,
    rows: tf.Tensor,
    vectors: tf.Tensor,
    coefficients: tf.Tensor,
    recompute: bool,
) -> tf.Tensor:
    """Σᵢ βᵢ·k(xᵢ, x) for each row x, tile by tile.

    Args:
        kernel: k.
        weighted_sums: Sums kernel values `(n, m)` with the coefficients, as each output
            wants them: → `(n, units)`.
        units: Number of outputs.
        rows: The rows x, `(n, d)`.
        vectors: The xᵢ, `(m, d)`.
        coefficients: The βᵢ, float64, in the shape that `weighted_sums` takes.
        recompute: Whether a gradient will be asked for, and tiles are to be computed
            again for it rather than kept.

    Returns:
        `(n, units)`, float64.
    """
    evaluate = functools.partial(_tile, kernel, weighted_sums)
    # What does not depend on the tile is computed once.
    if isinstance(kernel, kernels.InnerProductKernel):
        squares = tf.reduce_sum(tf.square(vectors), axis=1)
    else:
        squares = tf.zeros((0,), vectors.dtype)
    constants = (vectors, squares, coefficients)
    row_bytes = _TILE_MATRICES * vectors.shape[0] * rows.dtype.size
    size = max(1, _TILE_BYTES // row_bytes)
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
    """`evaluate(tile, *constants)` for all tiles of `size` rows, and for the rest.

    Every tile has the same static shape and nothing is empty, so that all of this
    compiles under XLA and serves any number of rows.
    """
    count = tf.shape(rows)[0]
    full = count // size
    # A tile more than are full, which holds the rest.
    padded = tf.pad(rows, [[0, (full + 1) * size - count], [0, 0]])
    tiles = tf.reshape(padded, (full + 1, size, rows.shape[1]))
    # In training a tile is computed again for its gradient, or all would be kept. A
    # SavedModel would hold that as a gradient of our own, and warn when it is loaded.
    again = tf.recompute_grad(evaluate) if recompute else evaluate

    def step(tile: tf.Tensor, outputs: tf.TensorArray) -> Any:
        output = again(tf.gather(tiles, tile), *constants)
        return tile + 1, outputs.write(tile, output)

    outputs = tf.TensorArray(tf.float64, full + 1, element_shape=(size, units))
    _, outputs = tf.while_loop(
        lambda tile, _: tile < full,
        step,
        (0, outputs),
        parallel_iterations=1,
        maximum_iterations=full,  # XLA's gradient needs to know
    )
    of_full = tf.reshape(outputs.stack(), (-1, units))[: full * size]
    # One after the other, for the memory's sake.
    with tf.control_dependencies([of_full]):
        rest = tf.identity(rows[full * size :])
    return tf.concat([of_full, evaluate(rest, *constants)], 0)


def _tile(
    kernel: kernels.Kernel,
    weighted_sums: WeightedSums,
    rows: tf.Tensor,
    vectors: tf.Tensor,
    squares: tf.Tensor,
    coefficients: tf.Tensor,
) -> tf.Tensor:
    """Σᵢ βᵢ·k(xᵢ, x) of one tile, summed in float64."""
    if isinstance(kernel, kernels.InnerProductKernel):
        products = tf.matmul(rows, vectors, transpose_b=True)
        own = tf.reduce_sum(tf.square(rows), axis=1)
        values = kernel.of_products(products, own, squares)
    else:
        values = kernel(rows, vectors)
    return weighted_sums(tf.cast(values, tf.float64), coefficients)
