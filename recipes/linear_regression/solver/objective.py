"""The training problem of `LinearRegression.fit`: one element holds the whole data set.

Gradient descent uses the gradient of all rows; Keras takes one element of a dataset per
step. So each element is the whole data set: its rows, or its moments.
"""

import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np
import tensorflow as tf

from recipes.linear_regression.solver import closed_form, descent
from recipes.linear_regression.solver.closed_form import Curvature
from recipes.linear_regression.solver.coordinates import Coordinates
from recipes.linear_regression.solver.row_sums import (
    Moments,
    SquaredError,
    ignoring_overflow,
)
from recipes.linear_regression.solver.training_rows import AllRows

# A descent whose loss exceeds its initial loss by this factor diverges.
DIVERGENCE_FACTOR = 100.0
# A minimum below this share of the loss of predicting the mean counts as a perfect fit:
# the excess loss is then relative to this share.
PERFECT_FIT = 1e-10
TINY = float(np.finfo(np.float64).tiny)


class Problem(NamedTuple):
    """One element of the training stream.

    Attributes, arrays and in graphs tensors:
        data: The moments, or all rows.
        coordinates: Those of θ.
        settings: Learning rate, and penalty weights of θ's entries.
        rule: When to stop.
        learning_rate_limit: Rate above which the descent diverges, float64, `[]`.
        steps: Maximum number of descent steps per training step, int64, `[]`.
        last_iteration: The iteration to end at, int64, `[]`.
    """

    data: Moments | AllRows
    coordinates: Coordinates
    settings: descent.StepSettings
    rule: descent.StoppingRule
    learning_rate_limit: Any
    steps: Any
    last_iteration: Any

    def loss(self, theta: tf.Tensor) -> tf.Tensor:
        """Return F(θ) = mean squared error + l2·‖w‖², float64, shape `[]`."""
        error = self.data.mean_squared_error(*self.coordinates.to_centred(theta))
        return error + descent.ridge_penalty(theta, self.settings.l2)

    def as_dataset(self) -> tf.data.Dataset:
        """Return a dataset that repeats the problem without end."""
        # Without autotuning, which takes 20 ms to shut down.
        options = tf.data.Options()
        options.autotune.enabled = False
        return tf.data.Dataset.from_tensors(self).repeat().with_options(options)


@ignoring_overflow()
def build_problem(
    data: Moments | AllRows,
    error_of: Callable[[np.ndarray, float], SquaredError],
    weights: np.ndarray,
    coordinates: Coordinates,
    *,
    moments: Moments,
    curvature: Curvature | None,
    learning_rate: float | Literal["auto"],
    momentum: descent.Momentum,
    l1: float,
    l2: float,
    tolerance: float,
    steps: int,
    last_iteration: int,
) -> Problem:
    """Build the problem: learning rate, rate limit and stopping rule for the data.

    Args:
        data: The moments or the rows that the steps use.
        error_of: The squared error of any (w, a) over them.
        weights: The start of the descent, (w, b), `[features + 1]`.
        coordinates: Those in which it steps.
        moments: Moments of the rows.
        curvature: H, computed from `moments`; `None` where they are no more than a
            diagonal: passes over the rows then estimate the curvature, and the optimum
            stays unknown.
        learning_rate: α, or `"auto"` for 1/L.
        momentum: The kind of momentum.
        l1: Weight of ‖w‖₁.
        l2: Weight of ‖w‖².
        tolerance: Relative excess loss to stop at.
        steps: Maximum number of descent steps per training step.
        last_iteration: The iteration to end at.

    Raises:
        ValueError: If the rows hold NaN or infinity.
    """

    def gradient(w: np.ndarray, level: float) -> np.ndarray:
        error = error_of(w, level)
        ridge = np.append(2 * l2 * w, 0)
        return coordinates.pull_back(error.gradient / error.weight + ridge)

    w, level = coordinates.centre(weights)
    error, spread = error_of(w, level), float(moments.variance[-1])
    loss = error.total / error.weight + l2 * w @ w + l1 * np.abs(w).sum()
    if not math.isfinite(loss):
        raise ValueError("`x`, `y` and weights should be finite numbers.")
    unit, size = coordinates.unit, len(weights)
    if curvature is None:
        largest = _estimate_largest_curvature(gradient, coordinates, size)
        optimum, flat = np.full(size, np.nan), np.zeros((size, 0))
    else:
        largest = curvature.largest
        minimiser = closed_form.solve_normal_equations(moments, curvature)
        optimum = coordinates.from_centred(minimiser, 0.0)
        flat = curvature.flat_directions(coordinates)
    largest = max(largest, TINY)
    alpha = 1 / largest if learning_rate == "auto" else learning_rate
    return Problem(
        data=data,
        coordinates=coordinates,
        settings=descent.StepSettings(np.float64(alpha), l1 * unit, l2 * unit**2),
        rule=descent.StoppingRule(
            optimum=optimum,
            flat_directions=flat,
            mean=coordinates.tilt,
            resolution=np.float64(max(PERFECT_FIT * spread, TINY)),
            # Half, so that the certificate, which rounds differently, stays below it.
            tolerance=np.float64(tolerance / 2),
            gradient_tolerance=math.sqrt(tolerance)
            * np.linalg.norm(gradient(w, level)),
            loss_limit=np.float64(DIVERGENCE_FACTOR * max(loss, spread, TINY)),
        ),
        learning_rate_limit=np.float64(
            descent.largest_learning_rate(largest, momentum)
        ),
        steps=np.int64(steps),
        last_iteration=np.int64(last_iteration),
    )


def _estimate_largest_curvature(
    gradient: Callable[[np.ndarray, float], np.ndarray],
    coordinates: Coordinates,
    size: int,
) -> float:
    """Estimate L by passes over the rows."""
    at_zero = gradient(np.zeros(size - 1), 0.0)

    def product(v: np.ndarray) -> np.ndarray:
        # H·v is the change of the gradient from 0 to v.
        w, tilt = coordinates.unit * v[:-1], coordinates.tilt @ v[:-1]
        return gradient(w, float(v[-1] + tilt)) - at_zero

    return closed_form.largest_eigenvalue(product, size)
