"""The training problem of `LinearRegression.fit`: one element holds the whole data set.

Gradient descent uses the gradient of all rows; Keras takes one element of a dataset per
step. So each element is the whole data set: its rows, or its moments.
"""

import math
from typing import Literal, NamedTuple

import numpy as np
import tensorflow as tf

from recipes.linear_regression.solver import closed_form, descent
from recipes.linear_regression.solver.closed_form import Curvature
from recipes.linear_regression.solver.row_sums import AllRows, Moments

# A descent whose loss exceeds its initial loss by this factor diverges.
DIVERGENCE_FACTOR = 100.0
# A minimum below this share of the loss of predicting zero counts as a perfect fit:
# the excess loss is then relative to this share.
PERFECT_FIT = 1e-10


class Problem(NamedTuple):
    """One element of the training stream.

    Attributes:
        data: The moments, or all rows.
        settings: Learning rate and penalty weights.
        rule: When to stop.
        learning_rate_limit: Rate above which the descent diverges, float64, `[]`.
        steps: Maximum number of descent steps per training step, int64, `[]`.
        last_iteration: The iteration to end at, int64, `[]`.
    """

    data: Moments | AllRows
    settings: descent.StepSettings
    rule: descent.StoppingRule
    learning_rate_limit: tf.Tensor
    steps: tf.Tensor
    last_iteration: tf.Tensor

    def loss(self, theta: tf.Tensor) -> tf.Tensor:
        """Return F(θ) = mean squared error + l2·‖w‖², float64, shape `[]`."""
        return _smooth_loss(self.data, theta, self.settings.l2)

    def as_dataset(self) -> tf.data.Dataset:
        """Return a dataset that repeats the problem without end."""
        # Without autotuning, which takes 20 ms to shut down.
        options = tf.data.Options()
        options.autotune.enabled = False
        return tf.data.Dataset.from_tensors(self).repeat().with_options(options)


def build_problem(
    data: Moments | AllRows,
    theta: np.ndarray,
    *,
    moments: Moments | None,
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
        theta: The start of the descent, `[features + 1]`.
        moments: Moments of the rows; `None` if not computed: passes over the rows then
            estimate the curvature, and the optimum stays unknown.
        curvature: H, computed from `moments`; `None` with them.
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
    start = tf.constant(theta, tf.float64)
    smooth, gradient = _loss_and_gradient(data, start, l2)
    loss = float(smooth + descent.lasso_penalty(start, l1))
    if not math.isfinite(loss):
        raise ValueError("`x`, `y` and weights should be finite numbers.")
    if moments is None or curvature is None:
        largest, mean = _estimate_curvature_and_mean(data, len(theta), l2)
        minimiser, flat = np.full_like(theta, np.nan), np.empty((len(theta), 0))
        zero_loss = loss
    else:
        largest, mean = curvature.largest, curvature.mean
        zero_loss = float(moments.square / moments.weight)
        minimiser = closed_form.solve_normal_equations(moments, curvature)
        flat = curvature.flat_directions()
    smallest = float(np.finfo(np.float64).tiny)
    alpha = 1 / max(largest, smallest) if learning_rate == "auto" else learning_rate
    rule = descent.StoppingRule(
        optimum=minimiser,
        flat_directions=flat,
        mean=mean,
        resolution=max(PERFECT_FIT * zero_loss, smallest),
        # Half, so that the certificate, which rounds differently, stays below it.
        tolerance=tolerance / 2,
        gradient_tolerance=math.sqrt(tolerance) * float(tf.norm(gradient)),
        loss_limit=DIVERGENCE_FACTOR * max(loss, zero_loss, smallest),
    )
    return Problem(
        data=data,
        settings=descent.StepSettings(
            *(tf.constant(v, tf.float64) for v in (alpha, l1, l2))
        ),
        rule=descent.StoppingRule(*(tf.constant(v, tf.float64) for v in rule)),
        learning_rate_limit=tf.constant(
            descent.largest_learning_rate(max(largest, smallest), momentum), tf.float64
        ),
        steps=tf.constant(steps, tf.int64),
        last_iteration=tf.constant(last_iteration, tf.int64),
    )


def _smooth_loss(
    data: Moments | AllRows, theta: tf.Tensor, l2: tf.Tensor | float
) -> tf.Tensor:
    return data.mean_squared_error(theta) + descent.ridge_penalty(theta, l2)


def _loss_and_gradient(
    data: Moments | AllRows, theta: tf.Tensor, l2: float
) -> tuple[tf.Tensor, tf.Tensor]:
    with tf.GradientTape() as tape:
        tape.watch(theta)
        loss = _smooth_loss(data, theta, l2)
    return loss, tape.gradient(loss, theta)


def _estimate_curvature_and_mean(
    data: Moments | AllRows, size: int, l2: float
) -> tuple[float, np.ndarray]:
    """Estimate L and compute the feature means x̄ by passes over the rows."""
    _, at_zero = _loss_and_gradient(data, tf.zeros([size], tf.float64), l2)

    def product(v: np.ndarray) -> np.ndarray:
        # H·v is the change of the gradient from 0 to v.
        _, at_v = _loss_and_gradient(data, tf.constant(v, tf.float64), l2)
        return (at_v - at_zero).numpy()

    # The last column of H is 2·(x̄, 1).
    mean = product(np.eye(size)[-1])[:-1] / 2
    return closed_form.largest_eigenvalue(product, size), mean
