"""What `LinearRegression.fit` trains on: a whole problem as one element of a stream.

Gradient descent takes the gradient of all rows. Keras takes one element of a dataset a
step. So the element is the whole data set: its rows, or its moments.
"""

import math
from typing import Literal, NamedTuple

import numpy as np
import tensorflow as tf

from recipes.linear_regression.solver import closed_form, descent, row_sums
from recipes.linear_regression.solver.closed_form import Curvature
from recipes.linear_regression.solver.row_sums import Moments, Rows

# More than any convergent descent passes through on its way from its start.
DIVERGED = 100.0
# A minimum below this share of the loss of predicting zero is a perfect fit: excess
# losses are then measured against this share.
PERFECT_FIT = 1e-10


class Problem(NamedTuple):
    """One element of the training stream.

    Attributes:
        data: The moments, or all rows.
        step: Learning rate and penalties.
        target: What to measure the descent against.
        learning_rate_limit: Above this rate the descent diverges, float64, `[]`.
        steps: Most descent steps in one training step, int64, `[]`.
        last_iteration: The iteration to end at, int64, `[]`.
    """

    data: Moments | Rows
    step: descent.Step
    target: descent.Target
    learning_rate_limit: tf.Tensor
    steps: tf.Tensor
    last_iteration: tf.Tensor

    def loss(self, theta: tf.Tensor) -> tf.Tensor:
        """F(θ) = mean squared error + l2·‖w‖² over all rows; float64, shape `[]`."""
        return _loss(self.data, theta, self.step.l2)


def pose(
    data: Moments | Rows,
    theta: np.ndarray,
    *,
    known: tuple[Moments, Curvature] | None,
    learning_rate: float | Literal["auto"],
    momentum: descent.Momentum,
    l1: float,
    l2: float,
    tolerance: float,
    steps: int,
    last_iteration: int,
) -> Problem:
    """Puts a problem together: its rates, and what to measure the descent against.

    Args:
        data: What to step on.
        theta: Where the descent starts, `[features + 1]`.
        known: The rows' moments and H; `None` where they were not computed, and the
            rows are read instead.
        learning_rate: α, or `"auto"` for 1/L.
        momentum: Kind of momentum.
        l1: Weight of ‖w‖₁.
        l2: Weight of ‖w‖².
        tolerance: Relative excess loss to stop at.
        steps: Most descent steps in one training step.
        last_iteration: The iteration to end at.

    Raises:
        ValueError: If the rows hold NaN or infinity.
    """
    start = tf.constant(theta, tf.float64)
    smooth, gradient = _loss_and_gradient(data, start, l2)
    loss = float(smooth + descent.lasso(start, l1))
    if not math.isfinite(loss):
        raise ValueError("`x`, `y` and weights should be finite numbers.")
    if known is None:
        largest, mean = _largest_curvature_and_mean(data, len(theta), l2)
        minimiser, flat = np.full_like(theta, np.nan), np.empty((len(theta), 0))
        zero_loss = loss
    else:
        moments, curvature = known
        largest, mean = curvature.largest, curvature.mean
        zero_loss = float(moments.square / moments.weight)
        minimiser = closed_form.closed_form(moments, curvature)
        flat = curvature.flat_directions()
    tiny = float(np.finfo(np.float64).tiny)
    alpha = 1 / max(largest, tiny) if learning_rate == "auto" else learning_rate
    target = descent.Target(
        optimum=minimiser,
        flat=flat,
        mean=mean,
        resolution=max(PERFECT_FIT * zero_loss, tiny),
        # Half, so that what the certificate finds, rounded otherwise, is below it.
        tolerance=tolerance / 2,
        gradient_tolerance=math.sqrt(tolerance) * float(tf.norm(gradient)),
        loss_limit=DIVERGED * max(loss, zero_loss, tiny),
    )
    return Problem(
        data=data,
        step=descent.Step(*(tf.constant(v, tf.float64) for v in (alpha, l1, l2))),
        target=descent.Target(*(tf.constant(v, tf.float64) for v in target)),
        learning_rate_limit=tf.constant(
            descent.largest_learning_rate(max(largest, tiny), momentum), tf.float64
        ),
        steps=tf.constant(steps, tf.int64),
        last_iteration=tf.constant(last_iteration, tf.int64),
    )


def _loss(data: Moments | Rows, theta: tf.Tensor, l2: tf.Tensor | float) -> tf.Tensor:
    if isinstance(data, Moments):
        return data.mean_squared_error(theta) + descent.ridge(theta, l2)
    return row_sums.mean_squared_error(data, theta) + descent.ridge(theta, l2)


def _loss_and_gradient(
    data: Moments | Rows, theta: tf.Tensor, l2: float
) -> tuple[tf.Tensor, tf.Tensor]:
    with tf.GradientTape() as tape:
        tape.watch(theta)
        loss = _loss(data, theta, l2)
    return loss, tape.gradient(loss, theta)


def _largest_curvature_and_mean(
    data: Moments | Rows, size: int, l2: float
) -> tuple[float, np.ndarray]:
    """L and the features' means x̄, by passes over the rows."""
    _, at_zero = _loss_and_gradient(data, tf.zeros([size], tf.float64), l2)

    def product(v: np.ndarray) -> np.ndarray:
        # H·v is by how much the gradient changes from 0 to v.
        _, at_v = _loss_and_gradient(data, tf.constant(v, tf.float64), l2)
        return (at_v - at_zero).numpy()

    # The last column of H is 2·(x̄, 1).
    mean = product(np.eye(size)[-1])[:-1] / 2
    return closed_form.largest_eigenvalue(product, size), mean
