"""How rows reach TensorFlow, and the two sums that gradient descent takes over them.

Both sums read each row from memory once: the rows go through the processor in blocks
that stay in its cache, and a block's whole work is done before the next one is read.
"""

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

# (x, y) or (x, y, weight), shapes [n, features], [n] and [n]
Part = tuple[tf.Tensor, ...]

# A block's values. Measured at 100 columns on two cores with 1 MiB of second-level
# cache each, a pass over 400 MB in float32 takes 18 ms with 200,000 values (800 kB) and
# 25 ms with 800,000; the larger ones, which TensorFlow gives to both cores, serve
# float64 passes (33 against 50 ms) and moments (71 against 83 ms).
SMALL_BLOCK = 200_000
LARGE_BLOCK = 800_000
# Arrays of more bytes are worth lending rather than copying; pieces copied are of so
# many.
LENT_BYTES = 16_000_000
COPIED_PART_BYTES = 16_000_000
# TensorFlow's kernels take a buffer as it is only if it starts at such an address.
TENSOR_ALIGNMENT = 64


class Rows(NamedTuple):
    """All rows of a data set.

    Attributes:
        rows: A `tf.data.Dataset` or a tuple of parts.
        exact: Whether to multiply them in float64 rather than in their own precision;
            bool, shape `[]`.
    """

    rows: Any
    exact: tf.Tensor


class SquaredError(NamedTuple):
    """The weighted squared error of a linear model over some rows, summed in float64.

    Attributes:
        weight: Σ s, the rows' weights; shape `[]`.
        total: Σ s·(x·w + b − y)²; shape `[]`.
        gradient: Its gradient in θ = (w, b); shape `[features + 1]`.
    """

    weight: tf.Tensor
    total: tf.Tensor
    gradient: tf.Tensor


class Moments(NamedTuple):
    """What the squared error keeps of its data: second moments of z = (x, 1) and y.

    With them the error of any θ is θᵀ·gram·θ − 2·crossᵀθ + square, whatever the number
    of rows was. All sums are over the rows, each with its weight s, in float64. They
    are taken about an `origin` amid the rows, z = (x − origin, 1): about zero, the
    squares of a column of 10⁸ ± 1 would leave no digit for the ± 1.

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
        """1/n Σ s·(x·w + b − y)², by features² operations instead of n·features."""
        w, b = theta[:-1], theta[-1:]
        b += tf.tensordot(self.origin, w, axes=1)
        theta = tf.concat([w, b], axis=0)
        fitted = tf.linalg.matvec(self.gram, theta)
        error = tf.tensordot(theta, fitted - 2 * self.cross, axes=1) + self.square
        return error / self.weight


def parts(x: np.ndarray, *others: np.ndarray) -> Iterator[Part]:
    """Hands an array's rows to TensorFlow, without a copy where its memory allows it.

    `tf.convert_to_tensor` copies, which doubles the memory of a large array. DLPack
    does not, but a TensorFlow kernel aborts on a buffer that is not aligned, and NumPy
    aligns to 16 bytes only. So the few rows before the first aligned one are copied,
    and the others are lent. Where no row is aligned, all are copied, a piece at a time;
    small arrays too, so that their sums do not depend on where they lie.

    Args:
        x: Features, `[n, features]`, float32 or float64, C-contiguous.
        *others: Targets, `[n]`, and, where rows have them, weights, `[n]`.

    Yields:
        `(x, y)` or `(x, y, weight)` tensors; together all rows in order.
    """

    def copied(rows: slice) -> Part:
        return tuple(tf.convert_to_tensor(array[rows]) for array in (x, *others))

    start = _first_aligned_row(x)
    if start < len(x):
        if start:
            yield copied(slice(0, start))
        lent = tf.experimental.dlpack.from_dlpack(x[start:].__dlpack__())
        yield lent, *(tf.convert_to_tensor(array[start:]) for array in others)
        return
    step = max(1, COPIED_PART_BYTES // max(1, x[:1].nbytes))
    for i in range(0, len(x), step):
        yield copied(slice(i, i + step))


def _first_aligned_row(x: np.ndarray) -> int:
    """The first row at an aligned address; `len(x)` if there is none to be lent."""
    # NumPy exports no read-only memory through DLPack.
    if x.nbytes <= LENT_BYTES or not x.flags.writeable:
        return len(x)
    addresses = x.ctypes.data + x.strides[0] * np.arange(min(len(x), TENSOR_ALIGNMENT))
    aligned = np.flatnonzero(addresses % TENSOR_ALIGNMENT == 0)
    return int(aligned[0]) if len(aligned) else len(x)


def squared_error(
    rows: Iterable[Part], theta: tf.Tensor, *, exact: bool
) -> SquaredError:
    """The squared error of θ over all `rows`, and its gradient.

    Args:
        rows: A `tf.data.Dataset`, or an iterable, of parts.
        theta: (w, b), float64, shape `[features + 1]`.
        exact: Whether to compute each term in float64, or in the rows' own precision
            with float64 for the sums over blocks.
    """
    if isinstance(rows, tf.data.Dataset):
        return _squared_error_of_dataset(rows, theta, exact)
    terms = (_squared_error(part, theta, part[0].shape[1], exact) for part in rows)
    return functools.reduce(_add, terms)


def mean_squared_error(rows: Rows, theta: tf.Tensor) -> tf.Tensor:
    """1/n Σ s·(x·w + b − y)² over all `rows`, for a `GradientTape` around it.

    The gradient comes with the loss, out of the same pass: a tape's own would read
    every row twice and keep every residual.
    """

    @tf.custom_gradient
    def loss(theta: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        error = tf.cond(
            rows.exact,
            lambda: squared_error(rows.rows, theta, exact=True),
            lambda: squared_error(rows.rows, theta, exact=False),
        )
        gradient = error.gradient / error.weight
        return error.total / error.weight, lambda upstream: upstream * gradient

    return loss(theta)


def moments(rows: Iterable[Part], *, exact: bool) -> Moments:
    """The second moments of all `rows`, in one pass; arguments as `squared_error`'s.

    Float64 products are taken about the first row, float32 ones about zero.

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
        every = itertools.chain([first], parts)
        terms = (_moments(part, origin, part[0].shape[1], exact) for part in every)
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
        lambda part: _squared_error(part, theta, features, exact), rows
    )


@tf.function
def _moments_of_dataset(
    rows: tf.data.Dataset, origin: tf.Tensor, exact: bool
) -> Moments:
    features = rows.element_spec[0].shape[1]
    return _sum_over_dataset(lambda part: _moments(part, origin, features, exact), rows)


def _sum_over_dataset(term: Callable[[Part], Any], rows: tf.data.Dataset) -> Any:
    """Σ term(part); not by `rows.reduce`, which would run a batch on one core."""
    iterator = iter(rows)
    spec = rows.element_spec
    nothing = tuple(tf.zeros([0, *part.shape[1:]], part.dtype) for part in spec)
    _, total = tf.while_loop(
        lambda part, _: part.has_value(),
        lambda part, total: (
            iterator.get_next_as_optional(),
            _add(total, term(part.get_value())),
        ),
        (iterator.get_next_as_optional(), term(nothing)),
    )
    return total


# `features` is an argument of its own because tracing for another number of them
# would otherwise forget that it is known.
@tf.function(reduce_retracing=True)
def _squared_error(
    part: Part, theta: tf.Tensor, features: int, exact: bool
) -> SquaredError:
    x, y, *weight = part
    dtype = tf.float64 if exact else x.dtype
    w = tf.cast(theta[:-1, tf.newaxis], dtype)
    target = tf.cast(y, dtype) - tf.cast(theta[-1], dtype)
    s = [tf.cast(column, dtype) for column in weight]

    # Few operations and one result: starting ten of them takes as long as a block.
    def of_block(x: tf.Tensor, target: tf.Tensor, *s: tf.Tensor) -> tf.Tensor:
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
    sums = _sum_over_blocks(of_block, (x, target, *s), features, values)[:, 0]
    count = tf.reduce_sum(tf.cast(weight[0], tf.float64)) if weight else tf.shape(y)[0]
    return SquaredError(tf.cast(count, tf.float64), sums[-1], 2 * sums[:-1])


@tf.function(reduce_retracing=True)
def _moments(part: Part, origin: tf.Tensor, features: int, exact: bool) -> Moments:
    dtype = tf.float64 if exact else part[0].dtype

    def of_block(x: tf.Tensor, y: tf.Tensor, *weight: tf.Tensor) -> tf.Tensor:
        x = tf.cast(x, dtype) - origin if exact else x
        y = tf.cast(y, dtype)[:, tf.newaxis]
        row = tf.concat([x, tf.ones_like(y), y], axis=1)
        weighted = row * tf.cast(weight[0], dtype)[:, tf.newaxis] if weight else row
        return tf.cast(tf.matmul(row, weighted, transpose_a=True), tf.float64)

    # A block's product is added to a features × features sum: with few rows a block,
    # that addition would cost more than the product.
    values = max(LARGE_BLOCK, 4 * features**2)
    # Of (x, 1, y) with itself.
    sums = _sum_over_blocks(of_block, part, features, values)
    return Moments(sums[-2, -2], sums[:-1, :-1], sums[:-1, -1], sums[-1, -1], origin)


def _sum_over_blocks(
    function: Callable[..., tf.Tensor], part: Part, features: int, values: int
) -> tf.Tensor:
    """Σ function(x, y, …) over blocks of about so many `values` of x."""
    # A multiple of 16 rows, so that each block begins at an aligned address.
    rows = max(16, values // features // 16 * 16)
    x, *others = part
    # One axis, because TensorFlow cuts a vector without a copy but not a matrix whose
    # rows are no multiple of 64 bytes.
    x = tf.reshape(x, [-1])

    def block(begin: tf.Tensor, end: tf.Tensor) -> tf.Tensor:
        cut = tf.reshape(x[begin * features : end * features], [-1, features])
        return function(cut, *(other[begin:end] for other in others))

    count = tf.shape(others[0], out_type=tf.int64)[0]
    whole = count // rows * rows
    _, total = tf.while_loop(
        lambda begin, _: begin < whole,
        lambda begin, total: (begin + rows, total + block(begin, begin + rows)),
        (tf.zeros([], tf.int64), block(whole, count)),
        parallel_iterations=8,
    )
    return total
