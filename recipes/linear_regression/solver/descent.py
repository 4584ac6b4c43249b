"""Gradient descent θ ← θ − α ∂F/∂θ: one step, its momentum, and when to stop.

θ = (w, b) is a float64 vector of `features + 1` entries, the intercept b last. The
objective is F(θ) + l1·‖w‖₁ with the smooth part

    F(θ) = 1/n Σ s·(x·w + b − y)² + l2·‖w‖².

Everything here is a pure function of tensors, eager or inside `tf.function`.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import tensorflow as tf

Momentum = Literal["none", "heavy_ball", "nesterov"]

HEAVY_BALL = 0.9


class State(NamedTuple):
    """The state of the descent.

    Attributes:
        theta: θ; float64, shape `[features + 1]`.
        previous: θ one step before; same type and shape.
        age: Steps since momentum started or restarted; float64, shape `[]`.
        iteration: Total steps taken; int64, shape `[]`.
    """

    theta: tf.Tensor
    previous: tf.Tensor
    age: tf.Tensor
    iteration: tf.Tensor


class StepSettings(NamedTuple):
    """Learning rate (the article's α), `[]`, and penalty weights, float64.

    A penalty weight is `[]`, or `[features]` where the coordinates have other units
    than the slopes that are penalised.
    """

    learning_rate: Any
    l1: Any
    l2: Any


class StoppingRule(NamedTuple):
    """When to stop: the optimum where it is known, and the tolerances; float64.

    Attributes:
        optimum: θ*, a minimiser of F, `[features + 1]`; NaN where unknown.
        flat_directions: An orthonormal basis of the directions in which F is flat, as
            columns, `[features + 1, any]`.
        mean: Feature means x̄ in the coordinates of θ, `[features]`.
        resolution: The smallest denominator of the relative excess loss, for data that
            the model fits perfectly; positive, `[]`.
        tolerance: The relative excess loss to stop at; `[]`.
        gradient_tolerance: The gradient norm to stop at where θ* is unknown; `[]`.
        loss_limit: A loss that only a diverging descent exceeds; `[]`.
    """

    optimum: Any
    flat_directions: Any
    mean: Any
    resolution: Any
    tolerance: Any
    gradient_tolerance: Any
    loss_limit: Any


class Measurement(NamedTuple):
    """Loss, excess loss and gradient at a point θ; float64 scalars and a bool.

    Attributes:
        loss: The objective.
        excess_loss: Objective minus its minimum; NaN where the minimum is unknown.
        relative_excess_loss: Excess loss divided by the minimum.
        gradient_norm: ‖∂F/∂θ‖; with an l1 penalty, that of the smallest subgradient.
        stop: Whether to stop here: within tolerance, or diverging.
    """

    loss: tf.Tensor
    excess_loss: tf.Tensor
    relative_excess_loss: tf.Tensor
    gradient_norm: tf.Tensor
    stop: tf.Tensor


def ridge_penalty(theta: tf.Tensor, l2: tf.Tensor) -> tf.Tensor:
    """Return l2·‖w‖²; the intercept is not penalised."""
    return tf.reduce_sum(l2 * tf.square(theta[:-1]))


def lasso_penalty(theta: tf.Tensor, l1: tf.Tensor) -> tf.Tensor:
    """Return l1·‖w‖₁; the intercept is not penalised."""
    return tf.reduce_sum(l1 * tf.abs(theta[:-1]))


def soft_threshold(theta: tf.Tensor, threshold: tf.Tensor) -> tf.Tensor:
    """Apply the proximal step of the l1 penalty.

    Return argmin_u ½‖u − θ‖² + threshold·‖u_w‖₁: each weight moves towards zero by
    `threshold` and stops there; the intercept stays.
    """
    w, b = theta[:-1], theta[-1:]
    shrunk = tf.sign(w) * tf.maximum(tf.abs(w) - threshold, 0)
    return tf.concat([shrunk, b], axis=0)


def evaluation_point(state: State, momentum: Momentum) -> tf.Tensor:
    """Return the point of the next gradient: θ, or a point ahead for Nesterov."""
    if momentum != "nesterov":
        return state.theta
    weight = state.age / (state.age + 3)
    return state.theta + weight * (state.theta - state.previous)


def take_step(
    state: State,
    point: tf.Tensor,
    gradient: tf.Tensor,
    settings: StepSettings,
    momentum: Momentum,
) -> State:
    """Take one step of gradient descent from `point`, where `gradient` was computed.

    Without momentum or penalty this is the article's θ ← θ − α ∂MSE/∂θ. Heavy ball
    adds 0.9 of the last step (Polyak 1964). Nesterov's step (1983; with a penalty
    Beck & Teboulle 2009) restarts when it points against the last one, which keeps the
    faster rate without knowing the condition number (O'Donoghue & Candès 2015).
    """
    theta = point - settings.learning_rate * gradient
    if momentum == "heavy_ball":
        theta += HEAVY_BALL * (state.theta - state.previous)
    theta = soft_threshold(theta, settings.learning_rate * settings.l1)
    uphill = tf.reduce_sum((point - theta) * (theta - state.theta)) > 0
    age = tf.where(uphill, tf.zeros_like(state.age), state.age + 1)
    return State(theta, state.theta, age, state.iteration + 1)


def largest_learning_rate(largest_curvature: float, momentum: Momentum) -> float:
    """Return the rate above which the descent diverges along the largest curvature L.

    The bounds follow from the two-term recurrences on a quadratic: 2/L for plain
    descent, 2·(1 + 0.9)/L for heavy ball, 4/(3·L) for Nesterov's momentum near 1.
    """
    factor = {"none": 2.0, "heavy_ball": 2 * (1 + HEAVY_BALL), "nesterov": 4 / 3}
    return factor[momentum] / largest_curvature


def measure(
    theta: tf.Tensor,
    loss: tf.Tensor,
    gradient: tf.Tensor,
    settings: StepSettings,
    rule: StoppingRule,
) -> Measurement:
    """Measure how far θ, with loss F(θ) and gradient ∂F/∂θ, is from the optimum.

    Without an l1 penalty F is quadratic with minimiser θ*, so the excess loss is
    exactly ½·∂F/∂θᵀ·(θ − θ*), without subtracting two nearly equal losses. With one, it
    is bounded from above by the duality gap of the elastic net.
    """
    objective = loss + lasso_penalty(theta, settings.l1)
    # Along flat directions the gradient is rounding noise and θ is arbitrary.
    slope = tf.linalg.matvec(rule.flat_directions, gradient, transpose_a=True)
    steep = gradient - tf.linalg.matvec(rule.flat_directions, slope)
    quadratic = tf.reduce_sum(steep * (theta - rule.optimum)) / 2
    gap = elastic_net_duality_gap(theta, loss, gradient, settings, rule.mean)
    excess = tf.where(tf.reduce_any(settings.l1 > 0), gap, quadratic)
    # Rounding can make it negative; NaN, for an unknown minimum, must stay.
    excess = tf.where(excess < 0, tf.zeros_like(excess), excess)
    relative = excess / tf.maximum(objective - excess, rule.resolution)
    norm = tf.norm(smallest_subgradient(theta, gradient, settings.l1))
    converged = tf.where(
        tf.math.is_nan(relative),
        norm <= rule.gradient_tolerance,
        relative <= rule.tolerance,
    )
    # Not `~(objective <= limit)`: TensorFlow rewrites that in graphs, wrongly for NaN.
    diverging = tf.math.is_nan(objective) | (objective > rule.loss_limit)
    return Measurement(objective, excess, relative, norm, converged | diverging)


def smallest_subgradient(
    theta: tf.Tensor, gradient: tf.Tensor, l1: tf.Tensor
) -> tf.Tensor:
    """Return the smallest subgradient of F + l1·‖w‖₁, zero at a minimum only."""
    w, slope = theta[:-1], gradient[:-1]
    at_zero = tf.sign(slope) * tf.maximum(tf.abs(slope) - l1, 0)
    smallest = tf.where(w == 0, at_zero, slope + l1 * tf.sign(w))
    return tf.concat([smallest, gradient[-1:]], axis=0)


def elastic_net_duality_gap(
    theta: tf.Tensor,
    loss: tf.Tensor,
    gradient: tf.Tensor,
    settings: StepSettings,
    mean: tf.Tensor,
) -> tf.Tensor:
    """Return primal minus dual objective of the elastic net at θ: at least the excess.

    With the ridge term as extra rows, and residuals r = y − x·w − b, the dual is

        max_u uᵀy − n/4·‖u‖²   subject to ‖xᵀu‖∞ ≤ l1, Σu = 0,

    and 2/n·r, scaled down until feasible, is a candidate (Kim et al. 2007; the gap of
    scikit-learn's coordinate descent). Σr = 0 holds once b is optimal for w, so the
    dual is evaluated at that b.

    Args:
        theta: θ.
        loss: F(θ).
        gradient: ∂F/∂θ.
        settings: The penalty weights.
        mean: Feature means x̄, `[features]`.
    """
    w, slope = theta[:-1], gradient[-1]
    penalty = ridge_penalty(theta, settings.l2)
    # The same quantities at the best intercept, b − slope/2.
    w_gradient = gradient[:-1] - mean * slope
    error = loss - penalty - tf.square(slope) / 4
    # Σ r·y / n, since Σ x·r = −n/2·(w_gradient − 2·l2·w) and Σ r = 0 there.
    residual_target = error - tf.reduce_sum(w * (w_gradient - 2 * settings.l2 * w)) / 2
    size = tf.abs(w_gradient)
    bounds = tf.where(size > settings.l1, settings.l1 / size, tf.ones_like(size))
    shrink = tf.reduce_min(bounds)
    dual = 2 * shrink * residual_target - tf.square(shrink) * (error + penalty)
    primal = loss + lasso_penalty(theta, settings.l1)
    return primal - dual


def take_steps(
    step: Callable[[State], tuple[State, Measurement, State]],
    state: State,
    steps: tf.Tensor,
    last_iteration: tf.Tensor,
) -> tuple[State, Measurement, tf.Tensor]:
    """Take steps until one signals to stop or `steps` or `last_iteration` is reached.

    Args:
        step: Maps a state to the point of its gradient, the measurement there, and the
            state after the step.
        state: The state to start from.
        steps: The maximum number of steps, int64, at least 1.
        last_iteration: The iteration to end at, int64, above the state's.

    Returns:
        The final state (the measured point itself where a step signalled to stop), the
        last measurement, and the objective at each point, `[points]`.
    """

    def body(
        k: tf.Tensor, state: State, measurement: Measurement, losses: tf.TensorArray
    ) -> tuple[tf.Tensor, State, Measurement, tf.TensorArray]:
        point, measurement, after = step(state)
        state = tf.cond(measurement.stop, lambda: point, lambda: after)
        losses = losses.write(tf.cast(k, tf.int32), measurement.loss)
        return k + 1, state, measurement, losses

    unknown = tf.constant(float("nan"), tf.float64)
    # A function that is compiled for rows of any width knows no length.
    vector = tf.TensorSpec([None], tf.float64)
    _, state, measurement, losses = tf.while_loop(
        lambda k, state, measurement, _: (
            (k < steps) & (state.iteration < last_iteration) & ~measurement.stop
        ),
        body,
        (
            tf.constant(0, tf.int64),
            state,
            Measurement(unknown, unknown, unknown, unknown, tf.constant(False)),
            tf.TensorArray(tf.float64, size=0, dynamic_size=True),
        ),
        shape_invariants=(
            None,
            State(vector, vector, None, None),
            Measurement(None, None, None, None, None),
            None,
        ),
    )
    return state, measurement, losses.stack()
