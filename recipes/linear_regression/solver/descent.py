"""Gradient descent θ ← θ − α ∂F/∂θ: one step, its momentum, and when to stop.

θ = (w, b) is a float64 vector of `features + 1` entries, the intercept b last. The
objective is F(θ) + l1·‖w‖₁ with the smooth part

    F(θ) = 1/n Σ s·(x·w + b − y)² + l2·‖w‖².

Everything here is a pure function of tensors, eager or inside `tf.function`.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import tensorflow as tf

Momentum = Literal["none", "heavy_ball", "nesterov"]

HEAVY_BALL = 0.9


class State(NamedTuple):
    """Where the descent stands.

    Attributes:
        theta: θ; shape `[features + 1]`, float64.
        previous: θ one step before; likewise.
        age: Steps since momentum began or was restarted; float64, shape `[]`.
        iteration: Steps taken in all; int64, shape `[]`.
    """

    theta: tf.Tensor
    previous: tf.Tensor
    age: tf.Tensor
    iteration: tf.Tensor


class Step(NamedTuple):
    """The descent's settings; float64 scalars. `learning_rate` is the article's α."""

    learning_rate: tf.Tensor
    l1: tf.Tensor
    l2: tf.Tensor


class Target(NamedTuple):
    """What the descent is measured against; float64.

    Attributes:
        optimum: θ*, a minimiser of F, `[features + 1]`; NaN where it is not known.
        flat: An orthonormal basis of the directions in which F is flat, as columns,
            `[features + 1, any]`.
        mean: The features' means x̄, `[features]`.
        resolution: What the excess loss is compared with where the minimum is smaller
            still, as it is of data that the model fits perfectly; positive, `[]`.
        tolerance: The relative excess loss to stop at; `[]`.
        gradient_tolerance: The gradient norm to stop at where θ* is not known; `[]`.
        loss_limit: A loss that only a diverging descent reaches; `[]`.
    """

    optimum: tf.Tensor
    flat: tf.Tensor
    mean: tf.Tensor
    resolution: tf.Tensor
    tolerance: tf.Tensor
    gradient_tolerance: tf.Tensor
    loss_limit: tf.Tensor


class Progress(NamedTuple):
    """What is known at a point θ.

    Attributes:
        loss: The objective, float64, `[]`.
        excess_loss: How far it lies above its minimum; NaN where that is not known.
        relative_excess_loss: The same in shares of the minimum.
        gradient_norm: ‖∂F/∂θ‖, with an l1 penalty of the smallest subgradient.
        stop: Whether to stop here: within tolerance, or diverging; bool.
    """

    loss: tf.Tensor
    excess_loss: tf.Tensor
    relative_excess_loss: tf.Tensor
    gradient_norm: tf.Tensor
    stop: tf.Tensor


def ridge(theta: tf.Tensor, l2: tf.Tensor) -> tf.Tensor:
    """l2·‖w‖²; the intercept is not penalised."""
    return l2 * tf.reduce_sum(tf.square(theta[:-1]))


def lasso(theta: tf.Tensor, l1: tf.Tensor) -> tf.Tensor:
    """l1·‖w‖₁; the intercept is not penalised."""
    return l1 * tf.reduce_sum(tf.abs(theta[:-1]))


def soft_threshold(theta: tf.Tensor, threshold: tf.Tensor) -> tf.Tensor:
    """The proximal step of the l1 penalty.

    argmin_u ½‖u − θ‖² + threshold·‖u_w‖₁: each weight moves towards zero by
    `threshold` and stops there; the intercept stays.
    """
    w, b = theta[:-1], theta[-1:]
    shrunk = tf.sign(w) * tf.maximum(tf.abs(w) - threshold, 0)
    return tf.concat([shrunk, b], axis=0)


def evaluation_point(state: State, momentum: Momentum) -> tf.Tensor:
    """Where the next gradient is taken: at θ, or for Nesterov ahead of it."""
    if momentum != "nesterov":
        return state.theta
    ahead = state.age / (state.age + 3)
    return state.theta + ahead * (state.theta - state.previous)


def advance(
    state: State,
    point: tf.Tensor,
    gradient: tf.Tensor,
    step: Step,
    momentum: Momentum,
) -> State:
    """One step of gradient descent from `point`, where the gradient was taken.

    Without momentum and penalty this is the article's θ ← θ − α ∂MSE/∂θ. Heavy ball
    adds 0.9 of the last step (Polyak 1964). Nesterov's step (1983; with a penalty
    Beck & Teboulle 2009) restarts when it runs against the last one, which keeps the
    faster rate without knowing the condition number (O'Donoghue & Candès 2015).
    """
    theta = point - step.learning_rate * gradient
    if momentum == "heavy_ball":
        theta += HEAVY_BALL * (state.theta - state.previous)
    theta = soft_threshold(theta, step.learning_rate * step.l1)
    uphill = tf.tensordot(point - theta, theta - state.theta, axes=1) > 0
    age = tf.where(uphill, tf.zeros_like(state.age), state.age + 1)
    return State(theta, state.theta, age, state.iteration + 1)


def largest_learning_rate(largest_curvature: float, momentum: Momentum) -> float:
    """Above this rate the descent diverges along the direction of largest curvature L.

    The bounds are those of the two-term recurrences on a quadratic: 2/L; with a heavy
    ball 2·(1 + 0.9)/L; with Nesterov's momentum near 1, 4/(3·L).
    """
    factor = {"none": 2.0, "heavy_ball": 2 * (1 + HEAVY_BALL), "nesterov": 4 / 3}
    return factor[momentum] / largest_curvature


def measure(
    theta: tf.Tensor, loss: tf.Tensor, gradient: tf.Tensor, step: Step, target: Target
) -> Progress:
    """Measures a point θ with F(θ) = `loss` and ∂F/∂θ = `gradient` against `target`.

    Without an l1 penalty F is quadratic with minimiser θ*, so the excess loss is
    ½·∂F/∂θᵀ·(θ − θ*), exactly and without subtracting two nearly equal losses. With
    one it is the duality gap of the elastic net, an upper bound.
    """
    objective = loss + lasso(theta, step.l1)
    # Along flat directions a gradient is rounding, and θ may be anywhere.
    slope = tf.linalg.matvec(target.flat, gradient, transpose_a=True)
    steep = gradient - tf.linalg.matvec(target.flat, slope)
    quadratic = tf.tensordot(steep, theta - target.optimum, axes=1) / 2
    gap = elastic_net_gap(theta, loss, gradient, step, target.mean)
    excess = tf.where(step.l1 > 0, gap, quadratic)
    # Below zero by rounding; NaN, where the minimum is not known, stays.
    excess = tf.where(excess < 0, tf.zeros_like(excess), excess)
    relative = excess / tf.maximum(objective - excess, target.resolution)
    norm = tf.norm(smallest_subgradient(theta, gradient, step.l1))
    arrived = tf.where(
        tf.math.is_nan(relative),
        norm <= target.gradient_tolerance,
        relative <= target.tolerance,
    )
    # Not `~(objective <= limit)`, which TensorFlow's graphs rewrite, wrongly for NaN.
    diverging = tf.math.is_nan(objective) | (objective > target.loss_limit)
    return Progress(objective, excess, relative, norm, arrived | diverging)


def smallest_subgradient(
    theta: tf.Tensor, gradient: tf.Tensor, l1: tf.Tensor
) -> tf.Tensor:
    """The subgradient of F + l1·‖w‖₁ of smallest norm; zero just at the minimum."""
    w, slope = theta[:-1], gradient[:-1]
    at_zero = tf.sign(slope) * tf.maximum(tf.abs(slope) - l1, 0)
    smallest = tf.where(w == 0, at_zero, slope + l1 * tf.sign(w))
    return tf.concat([smallest, gradient[-1:]], axis=0)


def elastic_net_gap(
    point: tf.Tensor,
    loss: tf.Tensor,
    gradient: tf.Tensor,
    step: Step,
    mean: tf.Tensor,
) -> tf.Tensor:
    """Primal minus dual objective of the elastic net at θ; never below the excess.

    With the ridge term as extra rows, and residuals r = y − x·w − b, the dual is

        max_u uᵀy − n/4·‖u‖²   subject to ‖xᵀu‖∞ ≤ l1, Σu = 0,

    and 2/n·r, scaled down until it is feasible, is a candidate (Kim et al. 2007; the
    gap of scikit-learn's coordinate descent). Σr = 0 holds once b is optimal for w,
    so the dual is taken at that b.

    Args:
        point: θ.
        loss: F(θ).
        gradient: ∂F/∂θ.
        step: The penalties' weights.
        mean: The features' means x̄, `[features]`.
    """
    w, slope = point[:-1], gradient[-1]
    penalty = ridge(point, step.l2)
    # The same quantities at the best intercept, b − slope/2.
    best = gradient[:-1] - mean * slope
    error = loss - penalty - tf.square(slope) / 4
    # Σ r·y / n, since Σ x·r = −n/2·(best − 2·l2·w) and Σ r = 0 there
    residual_target = error - tf.tensordot(w, best - 2 * step.l2 * w, axes=1) / 2
    largest = tf.reduce_max(tf.abs(best))
    shrink = tf.minimum(tf.math.divide_no_nan(step.l1, largest), 1)
    shrink = tf.where(largest > 0, shrink, tf.ones_like(shrink))
    dual = 2 * shrink * residual_target - tf.square(shrink) * (error + penalty)
    primal = loss + step.l1 * tf.reduce_sum(tf.abs(w))
    return primal - dual


def repeat(
    step: Callable[[State], tuple[State, Progress, State]],
    state: State,
    steps: tf.Tensor,
    last_iteration: tf.Tensor,
) -> tuple[State, Progress, tf.Tensor]:
    """Takes steps until one says to stop, or `steps` or `last_iteration` is reached.

    Args:
        step: Maps a state to the point where it took the gradient, what it found
            there, and the state after the step.
        state: Where to start.
        steps: Most steps to take now, int64, at least 1.
        last_iteration: The iteration to end at, int64, above the state's.

    Returns:
        The state at the end (the point itself where a step said to stop), what the last
        step found, and the objective at each point seen, `[points]`.
    """

    def body(
        k: tf.Tensor, state: State, progress: Progress, losses: tf.TensorArray
    ) -> tuple[tf.Tensor, State, Progress, tf.TensorArray]:
        here, progress, stepped = step(state)
        state = tf.cond(progress.stop, lambda: here, lambda: stepped)
        losses = losses.write(tf.cast(k, tf.int32), progress.loss)
        return k + 1, state, progress, losses

    unknown = tf.constant(float("nan"), tf.float64)
    _, state, progress, losses = tf.while_loop(
        lambda k, state, progress, _: (
            (k < steps) & (state.iteration < last_iteration) & ~progress.stop
        ),
        body,
        (
            tf.constant(0, tf.int64),
            state,
            Progress(unknown, unknown, unknown, unknown, tf.constant(False)),
            tf.TensorArray(tf.float64, size=0, dynamic_size=True),
        ),
    )
    return state, progress, losses.stack()
