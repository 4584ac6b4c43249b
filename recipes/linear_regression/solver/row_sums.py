"""Passing rows to TensorFlow, and the two sums over rows that gradient descent needs.

Both sums read each row from memory once: they process the rows in blocks that fit the
processor's cache and finish each block before they read the next.
"""

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

# (x, y) or (x, y, weight), of shapes [n, features], [n] and [n].
Part = tuple[tf.Tensor, ...]

# Values per block. Measured at 100 columns on two cores with 1 MiB of second-level
# cache each, a pass over 400 MB in float32 takes 18 ms with 200,000 values (800 kB) and
# 25 ms with 800,000. Large blocks, which TensorFlow spreads over both cores, are faster
# for float64 passes (33 against 50 ms) and moments (71 against 83 ms).
SMALL_BLOCK = 200_000
LARGE_BLOCK = 800_000
# Above this size, an array is shared with TensorFlow rather than copied. What must be
# copied is copied in pieces of this size.
MIN_SHARED_BYTES = 16_000_000
COPIED_PART_BYTES = 16_000_000
# TensorFlow's kernels use a buffer in place only if its address is a multiple of this.
TENSOR_ALIGNMENT = 64


class AllRows(NamedTuple):
    """All rows of a data set, the alternative to their `Moments`.

    Attributes:
        parts: A `tf.data.Dataset` or a tuple of parts.
        exact: Whether to compute in float64 rather than in the precision of the rows;
            bool, shape `[]`.
    """

    parts: Any
    exact: tf.Tensor

    def mean_squared_error(self, theta: tf.Tensor) -> tf.Tensor:
        """Return 1/n Σ s·(x·w + b − y)², with its gradient for a `GradientTape`.

        Both come from the same pass: a tape's own gradient would read every row twice
        and keep every residual.
        """

        @tf.custom_gradient
        def loss(
            theta: tf.Tensor,
        ) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
            error = tf.cond(
                self.exact,
                lambda: compute_squared_error(self.parts, theta, exact=True),
                lambda: compute_squared_error(self.parts, theta, exact=False),
            )
            gradient = error.gradient / error.weight
            return error.total / error.weight, lambda upstream: upstream * gradient

        return loss(theta)


class SquaredError(NamedTuple):
    """The weighted squared error of a linear model over some rows, summed in float64.

    Attributes:
        weight: Σ s, the total weight of the rows; shape `[]`.
        total: Σ s·(x·w + b − y)²; shape `[]`.
        gradient: Gradient of `total` in θ = (w, b); shape `[features + 1]`.
    """

    weight: tf.Tensor
    total: tf.Tensor
    gradient: tf.Tensor


class Moments(NamedTuple):
    """Second moments of z = (x, 1) and y: all that the squared error needs of the data.

    The error of any θ is θᵀ·gram·θ − 2·crossᵀθ + square, at a cost independent of the
    number of rows. All sums run over the rows, with weights s, in float64. They are
    taken about an `origin` among the rows, z = (x − origin, 1): about zero, the squares
    of a column of 10⁸ ± 1 would leave no digit for the ± 1.

    Attributes:
        weight: Σ s; shape `[]`.
        gram: Σ s·z·zᵀ; shape `[features + 1, features + 1]`.
        cross: Σ s·z·y; shape `[features + 1]`.
        square: Σ s·y²; shape `[]`.
        origin: What was subtracted from x; shape `[features]`.
    """

    weight: tf.Tensor
    gram: tf.Tensor
    cross: tf.Tensor
    square: tf.Tensor
    origin: tf.Tensor

    def mean_squared_error(self, theta: tf.Tensor) -> tf.Tensor:
        """Return 1/n Σ s·(x·w + b − y)², in features² operations, not n·features."""
        w, b = theta[:-1], theta[-1:]
        b += tf.tensordot(self.origin, w, axes=1)
        theta = tf.concat([w, b], axis=0)
        fitted = tf.linalg.matvec(self.gram, theta)
        error = tf.tensordot(theta, fitted - 2 * self.cross, axes=1) + self.square
        return error / self.weight


def iterate_parts(x: np.ndarray, *others: np.ndarray) -> Iterator[Part]:
    """Yield an array's rows as tensors, without a copy where alignment allows.

    `tf.convert_to_tensor` copies, which doubles the memory of a large array. DLPack
    does not, but a TensorFlow kernel aborts on an unaligned buffer, and NumPy aligns to
    16 bytes only. So the few rows before the first aligned one are copied and the
    others shared. If no row is aligned, all are copied in pieces. So are small arrays,
    which makes their sums independent of their address.

    Args:
        x: Features, `[n, features]`, float32 or float64, C-contiguous.
        *others: Targets, `[n]`, and optionally weights, `[n]`.

    Yields:
        `(x, y)` or `(x, y, weight)` tensors, which together hold all rows in order.
    """

    def copy(rows: slice) -> Part:
        return tuple(tf.convert_to_tensor(array[rows]) for array in (x, *others))

    start = _find_first_aligned_row(x)
    if start < len(x):
        if start:
            yield copy(slice(0, start))
        shared = tf.experimental.dlpack.from_dlpack(x[start:].__dlpack__())
        yield shared, *(tf.convert_to_tensor(array[start:]) for array in others)
        return
    step = max(1, COPIED_PART_BYTES // max(1, x[:1].nbytes))
    for i in range(0, len(x), step):
        yield copy(slice(i, i + step))


def _find_first_aligned_row(x: np.ndarray) -> int:
    """Return the index of the first row that can be shared; `len(x)` if none."""
    # NumPy does not export read-only memory through DLPack.
    if x.nbytes <= MIN_SHARED_BYTES or not x.flags.writeable:
        return len(x)
    addresses = x.ctypes.data + x.strides[0] * np.arange(min(len(x), TENSOR_ALIGNMENT))
    aligned = np.flatnonzero(addresses % TENSOR_ALIGNMENT == 0)
    return int(aligned[0]) if len(aligned) else len(x)


def compute_squared_error(
    rows: Iterable[Part], theta: tf.Tensor, *, exact: bool
) -> SquaredError:
    """Compute the squared error of θ over all `rows`, and its gradient.

    Args:
        rows: A `tf.data.Dataset` or another iterable of parts.
        theta: (w, b), float64, shape `[features + 1]`.
        exact: Whether to compute each term in float64; otherwise in the precision of
            the rows, with float64 for the sums over blocks.
    """
    if isinstance(rows, tf.data.Dataset):
        return _squared_error_of_dataset(rows, theta, exact)
    terms = (_part_squared_error(part, theta, part[0].shape[1], exact) for part in rows)
    return functools.reduce(_add, terms)


def compute_moments(rows: Iterable[Part], *, exact: bool) -> Moments:
    """Compute the second moments of all `rows` in one pass.

    Arguments are those of `compute_squared_error`. The origin is the first row if
    `exact`, otherwise zero.

    Raises:
        ValueError: If there are no rows.
    """
    parts = iter(rows)
    first = next(parts, None)
    if first is None:
        raise ValueError("The data should hold at least one row.")
    origin = tf.reduce_sum(tf.cast(first[0][:1], tf.float64), axis=0)
    origin = origin if exact else tf.zeros_like(origin)
    if isinstance(rows, tf.data.Dataset):
        total = _moments_of_dataset(rows, origin, exact)
    else:
        terms = (
            _part_moments(part, origin, part[0].shape[1], exact)
            for part in itertools.chain([first], parts)
        )
        total = functools.reduce(_add, terms)
    return total._replace(origin=origin)


def _add(one: Any, other: Any) -> Any:
    return tf.nest.map_structure(tf.add, one, other)


@tf.function
def _squared_error_of_dataset(
    rows: tf.data.Dataset, theta: tf.Tensor, exact: bool
) -> SquaredError:
    features = rows.element_spec[0].shape[1]
    return _sum_over_dataset(
        lambda part: _part_squared_error(part, theta, features, exact), rows
    )


@tf.function
def _moments_of_dataset(
    rows: tf.data.Dataset, origin: tf.Tensor, exact: bool
) -> Moments:
    features = rows.element_spec[0].shape[1]
    return _sum_over_dataset(
        lambda part: _part_moments(part, origin, features, exact), rows
    )


def _sum_over_dataset(term: Callable[[Part], Any], rows: tf.data.Dataset) -> Any:
    """Return Σ term(part); `rows.reduce` would process each batch on one core."""
    iterator = iter(rows)
    spec = rows.element_spec
    empty = tuple(tf.zeros([0, *part.shape[1:]], part.dtype) for part in spec)
    _, total = tf.while_loop(
        lambda part, _: part.has_value(),
        lambda part, total: (
            iterator.get_next_as_optional(),
            _add(total, term(part.get_value())),
        ),
        (iterator.get_next_as_optional(), term(empty)),
    )
    return total


# `features` is a separate argument so that it stays a Python number when TensorFlow
# retraces for another width.
@tf.function(reduce_retracing=True)
def _part_squared_error(
    part: Part, theta: tf.Tensor, features: int, exact: bool
) -> SquaredError:
    x, y, *weight = part
    dtype = tf.float64 if exact else x.dtype
    w = tf.cast(theta[:-1, tf.newaxis], dtype)
    target = tf.cast(y, dtype) - tf.cast(theta[-1], dtype)
    s = [tf.cast(column, dtype) for column in weight]

    # Few operations and one result: launching ten takes as long as a block.
    def block_sums(x: tf.Tensor, target: tf.Tensor, *s: tf.Tensor) -> tf.Tensor:
        x = tf.cast(x, dtype)
        residual = tf.matmul(x, w) - target[:, tf.newaxis]
        weighted = residual * s[0][:, tf.newaxis] if s else residual
        sums = (
            tf.matmul(x, weighted, transpose_a=True),
            tf.reduce_sum(weighted, axis=0, keepdims=True),
            tf.matmul(residual, weighted, transpose_a=True),
        )
        return tf.cast(tf.concat(sums, axis=0), tf.float64)

    values = LARGE_BLOCK if exact else SMALL_BLOCK
    sums = _sum_over_blocks(block_sums, (x, target, *s), features, values)[:, 0]
    count = tf.reduce_sum(tf.cast(weight[0], tf.float64)) if weight else tf.shape(y)[0]
    return SquaredError(tf.cast(count, tf.float64), sums[-1], 2 * sums[:-1])


@tf.function(reduce_retracing=True)
def _part_moments(part: Part, origin: tf.Tensor, features: int, exact: bool) -> Moments:
    dtype = tf.float64 if exact else part[0].dtype

    def block_sums(x: tf.Tensor, y: tf.Tensor, *weight: tf.Tensor) -> tf.Tensor:
        x = tf.cast(x, dtype) - origin if exact else x
        y = tf.cast(y, dtype)[:, tf.newaxis]
        row = tf.concat([x, tf.ones_like(y), y], axis=1)
        weighted = row * tf.cast(weight[0], dtype)[:, tf.newaxis] if weight else row
        return tf.cast(tf.matmul(row, weighted, transpose_a=True), tf.float64)

    # Each block's product is added to a features × features sum: with few rows per
    # block, that addition would cost more than the product.
    values = max(LARGE_BLOCK, 4 * features**2)
    # The moments of (x, 1, y).
    sums = _sum_over_blocks(block_sums, part, features, values)
    return Moments(sums[-2, -2], sums[:-1, :-1], sums[:-1, -1], sums[-1, -1], origin)


def _sum_over_blocks(
    function: Callable[..., tf.Tensor], part: Part, features: int, values: int
) -> tf.Tensor:
    """Return Σ function(x, y, …) over blocks of about `values` numbers of x."""
    # A multiple of 16 rows, so that each block starts at an aligned address.
    rows = max(16, values // features // 16 * 16)
    x, *others = part
    # One axis: TensorFlow slices a vector without a copy, but not a matrix whose rows
    # are no multiple of 64 bytes.
    x = tf.reshape(x, [-1])

    def block(begin: tf.Tensor, end: tf.Tensor) -> tf.Tensor:
        block_x = tf.reshape(x[begin * features : end * features], [-1, features])
        return function(block_x, *(other[begin:end] for other in others))

    count = tf.shape(others[0], out_type=tf.int64)[0]
    last_begin = count // rows * rows
    _, total = tf.while_loop(
        lambda begin, _: begin < last_begin,
        lambda begin, total: (begin + rows, total + block(begin, begin + rows)),
        (tf.zeros([], tf.int64), block(last_begin, count)),
        parallel_iterations=8,
    )
    return total
