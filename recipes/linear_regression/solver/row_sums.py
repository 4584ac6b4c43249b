"""Passing rows to TensorFlow, and the sums over rows that gradient descent needs.

Every sum reads each row from memory once: it processes the rows in blocks that fit the
processor's cache and finishes each block before it reads the next.

Here (w, a) speaks of deviations from a centre, the weighted means x̄ and ȳ: it stands
for the model ȳ + (x − x̄)·w + a, with residuals r = (x − x̄)·w + a − (y − ȳ). So
a column or a target far from 0 keeps its digits, and a row of weight 0 moves nothing.
"""

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from recipes.linear_regression.solver.predictor import Predictor

# (x, y) or (x, y, weight), of shapes [n, features], [n] and [n].
Part = tuple[tf.Tensor, ...]

# Values per block. Measured at 100 columns on two cores with 1 MiB of second-level
# cache each, a pass over 400 MB in float32 takes 18 ms with 200,000 values (800 kB) and
# 25 ms with 800,000. Large blocks, which TensorFlow spreads over both cores, are faster
# for float64 passes (33 against 50 ms) and moments (71 against 83 ms).
SMALL_BLOCK = 200_000
LARGE_BLOCK = 800_000
# A column whose deviation is below this share of its mean varies by rounding alone.
CONSTANT = 4 * float(np.finfo(np.float64).eps)
# Of smaller numbers, and of larger ones than its inverse, float64 holds no squares.
SMALLEST = 1e-140
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
        mean: x̄, then ȳ: the centre; float64, `[features + 1]`.
        exact: Whether to compute in float64 rather than in the precision of the rows;
            bool, shape `[]`.
    """

    parts: Any
    mean: tf.Tensor
    exact: tf.Tensor

    def mean_squared_error(self, w: tf.Tensor, level: tf.Tensor) -> tf.Tensor:
        """Return 1/n Σ s·r², with its gradient for a `GradientTape`.

        Both come from the same pass: a tape's own gradient would read every row twice
        and keep every residual.
        """

        @tf.custom_gradient
        def loss(
            w: tf.Tensor, level: tf.Tensor
        ) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]]:
            arguments = self.parts, self.mean, w, level
            error = tf.cond(
                self.exact,
                lambda: compute_squared_error(*arguments, exact=True),
                lambda: compute_squared_error(*arguments, exact=False),
            )
            gradient = error.gradient / error.weight
            return error.total / error.weight, lambda upstream: (
                upstream * gradient[:-1],
                upstream * gradient[-1],
            )

        return loss(w, level)


class SquaredError(NamedTuple):
    """The weighted squared error of a linear model over some rows, summed in float64.

    Attributes:
        weight: Σ s, the total weight of the rows; shape `[]`.
        total: Σ s·r²; shape `[]`.
        gradient: Gradient of `total` in (w, a); shape `[features + 1]`.
        served: Σ s·p², where p are the residuals of the predictions, which rounding has
            moved; shape `[]`, 0 where no predictions were compared.
        rounding: Σ s·(p² − r²), likewise.
    """

    weight: tf.Tensor
    total: tf.Tensor
    gradient: tf.Tensor
    served: tf.Tensor
    rounding: tf.Tensor


class Moments(NamedTuple):
    """Second moments of (x, y): all that the squared error needs of the data.

    The error of any (w, a) follows from them at a cost independent of the number of
    rows. About zero, the squares of a column of 10⁸ ± 1 would leave no digit for the
    ± 1. All sums run over the rows, with weights s, in float64.

    Attributes:
        weight: Σ s; shape `[]`.
        mean: x̄, then ȳ, the weighted means; shape `[features + 1]`.
        scatter: Σ s·v·vᵀ, v = (x, y) − mean; shape `[features + 1, features + 1]`, or
            its diagonal, `[features + 1]`.
    """

    weight: tf.Tensor
    mean: tf.Tensor
    scatter: tf.Tensor

    def mean_squared_error(self, w: tf.Tensor, level: tf.Tensor) -> tf.Tensor:
        """Return 1/n Σ s·r², in features² operations, not n·features."""
        direction = tf.concat([w, [tf.constant(-1, tf.float64)]], axis=0)
        error = tf.reduce_sum(direction * tf.linalg.matvec(self.scatter, direction))
        return error / self.weight + tf.square(level)

    def refine(
        self, w: tf.Tensor, level: tf.Tensor, error: "SquaredError"
    ) -> "Moments":
        """Return moments that have the given error and gradient at (w, a).

        Rounding the products moves the minimum in proportion to the gradient's error.
        An exact gradient at a point nearby replaces their linear part; what remains of
        the rounding acts on the distance to the minimum alone. The centre of y moves,
        so that `mean_squared_error` has the exact slope in a, too.

        Args:
            w: Float64, `[features]`.
            level: a; float64, `[]`.
            error: The exact squared error of (w, a) over the rows.
        """
        n, scatter, w = float(self.weight), np.array(self.scatter), np.asarray(w)
        slope = np.asarray(error.gradient) / float(error.weight)
        new_level = slope[-1] / 2
        product = scatter[:-1, :-1] @ w
        cross = product - n / 2 * slope[:-1]
        total = n * (float(error.total) / float(error.weight) - new_level**2)
        scatter[:-1, -1] = scatter[-1, :-1] = cross
        scatter[-1, -1] = total + w @ (2 * cross - product)
        mean = np.array(self.mean)
        mean[-1] += float(level) - new_level
        return Moments(self.weight, tf.constant(mean), tf.constant(scatter))

    @property
    def variance(self) -> np.ndarray:
        """The variances of x, then of y, `[features + 1]`, 0 of what is constant."""
        scatter = np.asarray(self.scatter)
        diagonal = scatter if scatter.ndim == 1 else np.diag(scatter)
        variance = np.maximum(diagonal, 0) / float(self.weight)
        rounding = CONSTANT * np.abs(np.asarray(self.mean))
        return np.where(np.sqrt(variance) <= rounding, 0, variance)

    @property
    def suit_float32(self) -> bool:
        """Whether products of float32 deviations, if these are such, are accurate."""
        variance, mean = self.variance, np.asarray(self.mean)
        return bool(
            np.isfinite(np.asarray(self.scatter)).all()
            and (variance > 1e-30).all()
            and (variance < 1e30).all()
            and (np.sqrt(variance) > 1e-5 * np.abs(mean))[:-1].all()
        )

    def check(self) -> None:
        """Raise `ValueError` unless there is weight and float64 holds the squares."""
        mean, scatter = np.abs(np.asarray(self.mean)), np.asarray(self.scatter)
        is_finite = np.isfinite(scatter).all()
        if is_finite and not float(self.weight) > 0:
            raise ValueError("The data should contain a row of positive weight.")
        is_lost = (mean > 0) & (mean < SMALLEST)
        if not is_finite or (is_lost & (self.variance < SMALLEST**2)).any():
            raise ValueError(
                "`x`, `y` and weights should be finite, weights not negative, and x "
                f"and y of magnitudes from {SMALLEST:g} to {1 / SMALLEST:g}, or 0."
            )


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
    rows: Iterable[Part],
    mean: tf.Tensor,
    w: tf.Tensor,
    level: tf.Tensor,
    *,
    exact: bool,
    predictor: Predictor | None = None,
) -> SquaredError:
    """Compute the squared error of (w, a) over all `rows`, and its gradient.

    Args:
        rows: A `tf.data.Dataset` or another iterable of parts.
        mean: x̄, then ȳ; float64, shape `[features + 1]`.
        w: Float64, shape `[features]`.
        level: a; float64, shape `[]`.
        exact: Whether to compute each term in float64; otherwise in the precision of
            the rows, with float64 for the sums over blocks.
        predictor: What `predict` computes for these parameters, to compare with.
    """
    arguments = mean, w, level, exact, predictor
    sums = _sum_over(rows, _part_squared_error, tf.add, *arguments)
    return SquaredError(sums[0], sums[1], 2 * sums[2:-2], sums[-2], sums[-1])


def compute_moments(
    rows: Iterable[Part], *, exact: bool, is_full: bool = True
) -> Moments:
    """Compute the second moments of all `rows` in one pass.

    Args:
        rows: As in `compute_squared_error`.
        exact: Likewise.
        is_full: Whether to compute all of `scatter`, not the diagonal alone.

    Raises:
        ValueError: If there are no rows.
    """
    moments = _sum_over(rows, _part_moments, _merge, exact, is_full)
    if is_full:
        # Weighted products round differently on both sides of the diagonal: the descent
        # would see one matrix, the closed form another.
        scatter = (moments.scatter + tf.transpose(moments.scatter)) / 2
        moments = moments._replace(scatter=scatter)
    return moments


def _merge(one: Moments, other: Moments) -> Moments:
    """Return the moments of two sets of rows (Chan, Golub and LeVeque 1979)."""
    weight = one.weight + other.weight
    share = tf.math.divide_no_nan(other.weight, weight)
    apart = other.mean - one.mean
    between = one.weight * share * _square(apart, one.scatter.shape.rank)
    mean = one.mean + share * apart
    return Moments(weight, mean, one.scatter + other.scatter + between)


def _square(v: tf.Tensor, rank: int) -> tf.Tensor:
    """Return v·vᵀ, or its diagonal."""
    return v * v[:, tf.newaxis] if rank == 2 else v * v


def _sum_over(
    rows: Iterable[Part],
    term: Callable[..., Any],
    add: Callable[[Any, Any], Any],
    *arguments: Any,
) -> Any:
    """Return the sum of term(part, features, *arguments) over all parts."""
    if isinstance(rows, tf.data.Dataset):
        return _sum_over_dataset(rows, term, add, *arguments)
    terms = [term(part, part[0].shape[1], *arguments) for part in rows]
    if not terms:
        raise ValueError("The data should hold at least one row.")
    return functools.reduce(add, terms)


@tf.function
def _sum_over_dataset(
    rows: tf.data.Dataset,
    term: Callable[..., Any],
    add: Callable[[Any, Any], Any],
    *arguments: Any,
) -> Any:
    """Do the same for a dataset: `rows.reduce` would use one core for each batch."""
    iterator = iter(rows)
    spec = rows.element_spec
    features = spec[0].shape[1]
    empty = tuple(tf.zeros([0, *part.shape[1:]], part.dtype) for part in spec)
    _, total = tf.while_loop(
        lambda part, _: part.has_value(),
        lambda part, total: (
            iterator.get_next_as_optional(),
            add(total, term(part.get_value(), features, *arguments)),
        ),
        (iterator.get_next_as_optional(), term(empty, features, *arguments)),
    )
    return total


# `features` is a separate argument so that it stays a Python number when TensorFlow
# retraces for another width.
@tf.function(reduce_retracing=True)
def _part_squared_error(
    part: Part,
    features: int,
    mean: tf.Tensor,
    w: tf.Tensor,
    level: tf.Tensor,
    exact: bool,
    predictor: Predictor | None,
) -> tf.Tensor:
    dtype = tf.float64 if exact else part[0].dtype
    w, center = tf.cast(w[:, tf.newaxis], dtype), tf.cast(mean[:-1], dtype)
    x, y, *weight = part
    y = tf.cast(y, tf.float64)

    # Few operations and one result: launching ten takes as long as a block.
    def block_sums(x: tf.Tensor, y: tf.Tensor, *s: tf.Tensor) -> tf.Tensor:
        deviation = tf.cast(x, dtype) - center
        # In float64: of a target of 10⁸ + 0.01, float32 would leave nothing.
        target = tf.cast(y - mean[-1] - level, dtype)[:, tf.newaxis]
        product = tf.matmul(deviation, w)
        residual = product - target
        counts = tf.cast(s[0][:, tf.newaxis], dtype) if s else tf.ones_like(residual)
        weighted = residual * counts
        sums = [
            tf.reduce_sum(counts, axis=0, keepdims=True),
            tf.matmul(residual, weighted, transpose_a=True),
            tf.matmul(deviation, weighted, transpose_a=True),
            tf.reduce_sum(weighted, axis=0, keepdims=True),
        ]
        compared = tf.zeros([1, 2], dtype)
        if predictor is not None:
            # It has the same centre and w: no second pass over the rows.
            predicted = tf.cast(predictor.finish(product), tf.float64)
            served = predicted - y[:, tf.newaxis]
            moved = served - residual
            change = moved * (2 * residual + moved)
            compared = tf.concat([tf.square(served), change], axis=1)
        # Without NaN where a row of weight 0 overflows the dtype.
        compared = tf.math.multiply_no_nan(compared, counts)
        sums.append(tf.reduce_sum(compared, axis=0)[:, tf.newaxis])
        return tf.cast(tf.concat(sums, axis=0), tf.float64)[:, 0]

    values = LARGE_BLOCK if exact else SMALL_BLOCK
    return _sum_over_blocks(block_sums, tf.add, (x, y, *weight), features, values)


@tf.function(reduce_retracing=True)
def _part_moments(part: Part, features: int, exact: bool, is_full: bool) -> Moments:
    dtype = tf.float64 if exact else part[0].dtype
    x, y, *weight = part
    y = tf.cast(y, tf.float64)

    def block_moments(x: tf.Tensor, y: tf.Tensor, *s: tf.Tensor) -> Moments:
        counts = tf.cast(s[0], dtype) if s else tf.ones_like(y, dtype)
        weight = tf.reduce_sum(tf.cast(counts, tf.float64))

        def divide(total: tf.Tensor) -> tf.Tensor:
            return tf.math.divide_no_nan(tf.cast(total, tf.float64), weight)

        # About rounded means, which the sums then correct.
        x = tf.cast(x, dtype)
        x_mean = tf.cast(divide(tf.linalg.matvec(x, counts, transpose_a=True)), dtype)
        y_mean = divide(tf.reduce_sum(tf.cast(counts, tf.float64) * y))
        v = tf.concat([x - x_mean, tf.cast(y - y_mean, dtype)[:, tf.newaxis]], axis=1)
        weighted = v * counts[:, tf.newaxis] if s else v
        rest = divide(tf.reduce_sum(weighted, axis=0))
        scatter = (
            tf.matmul(v, weighted, transpose_a=True)
            if is_full
            else tf.reduce_sum(v * weighted, axis=0)
        )
        excess = weight * _square(rest, scatter.shape.rank)
        mean = tf.concat([tf.cast(x_mean, tf.float64), [y_mean]], axis=0) + rest
        return Moments(weight, mean, tf.cast(scatter, tf.float64) - excess)

    # Each block's product is added to a features × features sum: with few rows per
    # block, that addition would cost more than the product.
    values = max(LARGE_BLOCK, 4 * features**2 if is_full else 0)
    return _sum_over_blocks(block_moments, _merge, (x, y, *weight), features, values)


def _sum_over_blocks(
    function: Callable[..., Any],
    add: Callable[[Any, Any], Any],
    part: Part,
    features: int,
    values: int,
) -> Any:
    """Return the sum of function(x, y, …) over blocks of about `values` numbers."""
    # A multiple of 16 rows, so that each block starts at an aligned address.
    rows = max(16, values // features // 16 * 16)
    x, *others = part
    # One axis: TensorFlow slices a vector without a copy, but not a matrix whose rows
    # are no multiple of 64 bytes.
    x = tf.reshape(x, [-1])

    def block(begin: tf.Tensor, end: tf.Tensor) -> Any:
        block_x = tf.reshape(x[begin * features : end * features], [-1, features])
        return function(block_x, *(other[begin:end] for other in others))

    count = tf.shape(others[0], out_type=tf.int64)[0]
    last_begin = count // rows * rows
    _, total = tf.while_loop(
        lambda begin, _: begin < last_begin,
        lambda begin, total: (
            begin + rows,
            add(total, block(begin, begin + rows)),
        ),
        (tf.zeros([], tf.int64), block(last_begin, count)),
        parallel_iterations=8,
    )
    return total
