"""The sums over rows that gradient descent needs, in float64.

Every sum reads each row from memory once: it processes the rows in blocks that fit a
core's cache, where the matrix of the sums does, and finishes each block before it reads
the next. NumPy knows a product of
a matrix with itself, which TensorFlow computes twice.

Here (w, a) speaks of deviations from a centre, the weighted means x̄ and ȳ: it stands
for the model ȳ + (x − x̄)·w + a, with residuals r = (x − x̄)·w + a − (y − ȳ). So
a column or a target far from 0 keeps its digits, and a row of weight 0 moves nothing.
"""

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from recipes.cores import map_on_cores
from recipes.linear_regression.solver.predictor import Predictor

# (x, y) or (x, y, weight), of shapes [n, features], [n] and [n].
Part = tuple[np.ndarray, ...]
# What blocks add up to: arrays, and lists with an entry for each block.
Terms = list[Any]

# Values per block: 1 MB in float64, for a core's second-level cache.
BLOCK_VALUES = 2**17
# Values that a core sums up before it hands in the result.
TASK_VALUES = 2**20
# `Moments.check` finds what is not finite.
ignoring_overflow = functools.partial(np.errstate, over="ignore", invalid="ignore")
# A column whose deviation is below this share of its mean varies by rounding alone.
CONSTANT = 4 * float(np.finfo(np.float64).eps)
# Of smaller numbers, and of larger ones than its inverse, float64 holds no squares.
SMALLEST = 1e-140


class SquaredError(NamedTuple):
    """The weighted squared error of a linear model over some rows.

    Attributes:
        weight: Σ s, the total weight of the rows.
        total: Σ s·r².
        gradient: Gradient of `total` in (w, a); float64, `[features + 1]`.
        served: Σ s·p², where p are the residuals of the predictions, which rounding has
            moved; p = r where no predictions are compared.
        rounding: Σ s·(p² − r²).
    """

    weight: float
    total: float
    gradient: np.ndarray
    served: float
    rounding: float


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

    weight: Any
    mean: Any
    scatter: Any

    def mean_squared_error(self, w: tf.Tensor, level: tf.Tensor) -> tf.Tensor:
        """Return 1/n Σ s·r², in features² operations, not n·features."""
        direction = tf.concat([w, [tf.constant(-1, tf.float64)]], axis=0)
        error = tf.reduce_sum(direction * tf.linalg.matvec(self.scatter, direction))
        return error / self.weight + tf.square(level)

    @ignoring_overflow()
    def squared_error(self, w: np.ndarray, level: float) -> SquaredError:
        """Return what `compute_squared_error` computes from the rows."""
        direction = np.append(w, -1)
        product = self.scatter @ direction
        total = direction @ product + self.weight * level**2
        gradient = 2 * np.append(product[:-1], self.weight * level)
        return SquaredError(self.weight, total, gradient, total, 0.0)

    @property
    def variance(self) -> np.ndarray:
        """The variances of x, then of y, `[features + 1]`, 0 of what is constant."""
        diagonal = self.scatter if self.scatter.ndim == 1 else np.diag(self.scatter)
        variance = np.maximum(diagonal, 0) / self.weight
        return np.where(np.sqrt(variance) <= CONSTANT * np.abs(self.mean), 0, variance)

    def check(self) -> None:
        """Raise `ValueError` unless there is weight and float64 holds the squares."""
        size, is_finite = np.abs(self.mean), np.isfinite(self.scatter).all()
        if is_finite and not self.weight > 0:
            raise ValueError("The data should contain a row of positive weight.")
        is_lost = (size > 0) & (size < SMALLEST)
        if not is_finite or (is_lost & (self.variance < SMALLEST**2)).any():
            raise ValueError(
                "`x`, `y` and weights should be finite, weights not negative, and x "
                f"and y of magnitudes from {SMALLEST:g} to {1 / SMALLEST:g}, or 0."
            )


@ignoring_overflow()
def compute_squared_error(
    parts: Iterable[Part],
    mean: np.ndarray,
    w: np.ndarray,
    level: float,
    predictor: Predictor | None = None,
) -> SquaredError:
    """Compute the squared error of (w, a) over all rows, and its gradient.

    Args:
        parts: All rows, in parts.
        mean: x̄, then ȳ; float64, `[features + 1]`.
        w: Float64, `[features]`.
        level: a.
        predictor: What `predict` computes for these parameters, to compare with.

    Raises:
        ValueError: If there are no rows.
    """
    finish = predictor and predictor.finish_in_numpy()

    def block_error(x: np.ndarray, y: np.ndarray, *s: np.ndarray) -> Terms:
        deviation = np.array(x, np.float64)
        deviation -= mean[:-1]
        product = deviation @ w
        residual = product - (y - mean[-1] - level)
        # It has the same centre and w: no second pass over the rows.
        served = residual if finish is None else finish(product) - y
        weight: Any = len(y)
        if s:
            # Before they are squared: those of an absent row may overflow.
            weight, root = s[0].sum(), np.sqrt(s[0])
            residual, served = _multiply(residual, root), _multiply(served, root)
        total = residual @ residual
        rounding = (served - residual) @ (served + residual)
        if s:
            residual = residual * root
        slope = residual @ deviation, [residual.sum(), served @ served, rounding]
        return [np.concatenate([[weight, total], *slope])]

    (sums,) = _sum_over_blocks(parts, block_error)
    return SquaredError(sums[0], sums[1], 2 * sums[2:-2], sums[-2], sums[-1])


@ignoring_overflow()
def compute_moments(parts: Iterable[Part], *, is_full: bool = True) -> Moments:
    """Compute the second moments of all rows in one pass.

    Args:
        parts: All rows, in parts.
        is_full: Whether to compute all of `scatter`, not the diagonal alone.

    Raises:
        ValueError: If there are no rows.
    """

    def block_moments(x: np.ndarray, y: np.ndarray, *s: np.ndarray) -> Terms:
        v = np.empty((len(y), x.shape[1] + 1))
        v[:, :-1], v[:, -1] = x, y
        counts = s[0] if s else np.ones(len(y))
        weight = counts.sum()
        share = _divide(counts, weight)
        mean = share @ v
        v -= mean
        # What rounding left of the mean: a constant column has to be one.
        rest = share @ v
        if s:
            v *= np.sqrt(counts)[:, np.newaxis]
        return [[weight], [mean], [rest], _square(v, is_full)]

    *blocks, scatter = _sum_over_blocks(parts, block_moments, are_square=is_full)
    weights, means, rests = map(np.array, blocks)
    weight, means = weights.sum(), means + rests
    share = _divide(weights, weight)
    mean = share @ means
    mean += share @ (means - mean)
    # Blocks about their own means, to blocks about the mean of all (Chan, Golub and
    # LeVeque 1979).
    root = np.sqrt(weights)[:, np.newaxis]
    scatter += _square(root * (means - mean), is_full)
    scatter -= _square(root * rests, is_full)
    return Moments(weight, mean, scatter)


def _divide(weights: np.ndarray, total: float) -> np.ndarray:
    """Return the share of each weight; 0 where there is none."""
    return weights if total == 0 else weights / total


def _square(v: np.ndarray, is_full: bool) -> np.ndarray:
    """Return vᵀ·v, or its diagonal."""
    return v.T @ v if is_full else np.einsum("ij,ij->j", v, v)


def _multiply(values: np.ndarray, root: np.ndarray) -> np.ndarray:
    """Return the products, 0 of infinity and 0."""
    return np.multiply(values, root, where=root > 0, out=np.zeros_like(root))


def rows_per_task(features: int) -> int:
    """Return the number of rows that a core sums up before it hands in the result."""
    return max(1, TASK_VALUES // features)


def _sum_over_blocks(
    parts: Iterable[Part], function: Callable[..., Terms], *, are_square: bool = False
) -> Terms:
    """Return the sums of the terms that `function` returns for each block of rows.

    They are added in the order of the rows, whatever the number of cores.

    Args:
        parts: All rows, in parts.
        function: Maps x, y and perhaps weights to terms.
        are_square: Whether a term is a features × features matrix. Blocks then have at
            least as many rows as columns: adding the matrix would take longer than
            computing it.
    """

    def split(part: Part, values: int) -> Iterator[Part]:
        features = part[0].shape[1]
        return _split(part, max(values // features, features if are_square else 1))

    def sum_up(task: Part) -> Terms:
        blocks = split(task, BLOCK_VALUES)
        with ignoring_overflow():
            return functools.reduce(_add, (function(*block) for block in blocks))

    total: Terms = []
    tasks = (task for part in parts for task in split(part, TASK_VALUES))
    for terms in map_on_cores(sum_up, tasks):
        total = _add(total, terms) if total else terms
    if not total:
        raise ValueError("The data should hold at least one row.")
    return total


def _split(part: Part, rows: int) -> Iterator[Part]:
    for begin in range(0, len(part[0]), rows):
        yield tuple(array[begin : begin + rows] for array in part)


def _add(total: Terms, terms: Terms) -> Terms:
    for i, term in enumerate(terms):
        total[i] += term
    return total
