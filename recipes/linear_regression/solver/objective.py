"""The training problem of `LinearRegression.fit`: one element holds the whole data set.

Gradient descent uses the gradient of all rows; Keras takes one element of a dataset per
step. So each element is the whole data set: its rows, or its moments.
"""

import math
from typing import Any, Literal, NamedTuple

import numpy as np
import tensorflow as tf

from recipes.linear_regression.solver import closed_form, descent
from recipes.linear_regression.solver.closed_form import Curvature
from recipes.linear_regression.solver.coordinates import Coordinates
from recipes.linear_regression.solver.row_sums import AllRows, Moments

# A descent whose loss exceeds its initial loss by this factor diverges.
DIVERGENCE_FACTOR = 100.0
# A minimum below this share of the loss of predicting the mean counts as a perfect fit:
# the excess loss is then relative to this share.
PERFECT_FIT = 1e-10
TINY = float(np.finfo(np.float64).tiny)


class Problem(NamedTuple):
    """One element of the training stream.

    Attributes:
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
    learning_rate_limit: tf.Tensor
    steps: tf.Tensor
    last_iteration: tf.Tensor

    def loss(self, theta: tf.Tensor) -> tf.Tensor:
        """Return F(θ) = mean squared error + l2·‖w‖², float64, shape `[]`."""
        error = self.data.mean_squared_error(*self.coordinates.to_centred(theta))
        return error + descent.ridge_penalty(theta, self.settings.l2)

    def loss_and_gradient(self, theta: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return F(θ) and ∂F/∂θ."""
        with tf.GradientTape() as tape:
            tape.watch(theta)
            loss = self.loss(theta)
        return loss, tape.gradient(loss, theta)

    def as_dataset(self) -> tf.data.Dataset:
        """Return a dataset that repeats the problem without end."""
        # Without autotuning, which takes 20 ms to shut down.
        options = tf.data.Options()
        options.autotune.enabled = False
        return tf.data.Dataset.from_tensors(self).repeat().with_options(options)


def build_problem(
    data: Moments | AllRows,
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
    start = coordinates.from_weights(tf.constant(weights, tf.float64))
    nothing = tf.fill(start.shape, tf.constant(float("nan"), tf.float64))
    spread = float(moments.variance[-1])
    unit = coordinates.unit
    problem = Problem(
        data=data,
        coordinates=coordinates,
        settings=descent.StepSettings(
            tf.constant(0, tf.float64), l1 * unit, l2 * tf.square(unit)
        ),
        rule=descent.StoppingRule(
            optimum=nothing,
            flat_directions=tf.zeros([len(start), 0], tf.float64),
            mean=coordinates.tilt,
            resolution=_constant(max(PERFECT_FIT * spread, TINY)),
            # Half, so that the certificate, which rounds differently, stays below it.
            tolerance=_constant(tolerance / 2),
            gradient_tolerance=_constant(0),
            loss_limit=_constant(0),
        ),
        learning_rate_limit=_constant(0),
        steps=tf.constant(steps, tf.int64),
        last_iteration=tf.constant(last_iteration, tf.int64),
    )
    smooth, gradient = problem.loss_and_gradient(start)
    loss = float(smooth + descent.lasso_penalty(start, problem.settings.l1))
    if not math.isfinite(loss):
        raise ValueError("`x`, `y` and weights should be finite numbers.")
    rule = problem.rule._replace(
        gradient_tolerance=math.sqrt(tolerance) * tf.norm(gradient),
        loss_limit=_constant(DIVERGENCE_FACTOR * max(loss, spread, TINY)),
    )
    if curvature is None:
        largest = _estimate_largest_curvature(problem, len(start))
    else:
        largest = curvature.largest
        minimiser = closed_form.solve_normal_equations(moments, curvature)
        rule = rule._replace(
            optimum=coordinates.from_centred(_constant(minimiser), _constant(0)),
            flat_directions=_constant(curvature.flat_directions(coordinates)),
        )
    largest = max(largest, TINY)
    alpha = 1 / largest if learning_rate == "auto" else learning_rate
    limit = descent.largest_learning_rate(largest, momentum)
    return problem._replace(
        settings=problem.settings._replace(learning_rate=_constant(alpha)),
        rule=rule,
        learning_rate_limit=_constant(limit),
    )


def _constant(value: Any) -> tf.Tensor:
    return tf.constant(value, tf.float64)


def _estimate_largest_curvature(problem: Problem, size: int) -> float:
    """Estimate L by passes over the rows."""
    _, at_zero = problem.loss_and_gradient(tf.zeros([size], tf.float64))

    def product(v: np.ndarray) -> np.ndarray:
        # H·v is the change of the gradient from 0 to v.
        _, at_v = problem.loss_and_gradient(_constant(v))
        return (at_v - at_zero).numpy()

    return closed_form.largest_eigenvalue(product, size)
