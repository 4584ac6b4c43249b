"""How close a point β is to the optimum of its dual problem."""

from typing import NamedTuple

import tensorflow as tf

from recipes.svm.solver.smo_steps import HUGE
from recipes.svm.solver.working_set import compute_kkt_violation


class DualTensors(NamedTuple):
    """The constants of a `DualProblem` as tensors, `[V]` each."""

    linear: tf.Tensor
    lower: tf.Tensor
    upper: tf.Tensor
    group: tf.Tensor


class Optimality(NamedTuple):
    """How close a point is to the optimum: float64 scalars, and int32 counts.

    Attributes:
        dual_objective: −W(β), which rises to the optimum.
        duality_gap: Primal minus dual objective, at the best known bias; never
            negative.
        max_kkt_violation: max f[may fall] − min f[may rise], never negative, in units
            of the margin; see `compute_margin`.
        support_vectors: Rows with a nonzero variable.
        steps: Two-variable steps that the last iteration took.
        moved: Whether the last iteration changed β; bool.
    """

    dual_objective: tf.Tensor
    duality_gap: tf.Tensor
    max_kkt_violation: tf.Tensor
    support_vectors: tf.Tensor
    steps: tf.Tensor
    moved: tf.Tensor


def compute_multipliers(
    gradient: tf.Tensor, beta: tf.Tensor, dual: DualTensors, *, groups: int
) -> tf.Tensor:
    """Return the multiplier of each group's equality: the value of f at free variables.

    It is the mean over the variables strictly inside their box; without any, the middle
    of the interval that optimality allows, or its finite end. The bias is minus this.

    Returns:
        float64, `[groups]`.
    """
    multipliers = []
    for g in range(groups):
        member = dual.group == g
        rises = member & (beta < dual.upper)
        falls = member & (beta > dual.lower)
        free = tf.cast(rises & falls, tf.float64)
        mean = tf.math.divide_no_nan(
            tf.reduce_sum(free * gradient), tf.reduce_sum(free)
        )
        highest = tf.reduce_min(tf.where(rises, gradient, HUGE))
        lowest = tf.reduce_max(tf.where(falls, gradient, -HUGE))
        highest, lowest = (
            tf.where(highest < HUGE, highest, lowest),
            tf.where(lowest > -HUGE, lowest, highest),
        )
        middle = tf.where(tf.abs(highest) < HUGE, (highest + lowest) / 2, 0.0)
        multipliers.append(tf.where(tf.reduce_any(rises & falls), mean, middle))
    return tf.stack(multipliers)


def compute_margin(multipliers: tf.Tensor, *, unit_margin: bool) -> tf.Tensor:
    """Return the distance from the decision boundary to the margin, in units of f.

    It is 1, but for problems of unit margin: their solution is divided by this, half
    the distance between the two multipliers, to put the margins at ±1. Not positive
    where the multipliers are the wrong way round, far from the optimum.

    Args:
        multipliers: As of `compute_multipliers`, float64, `[groups]`.
        unit_margin: That of the `DualProblem`.

    Returns:
        float64, `[]`.
    """
    if not unit_margin:
        return tf.constant(1.0, tf.float64)
    return (multipliers[1] - multipliers[0]) / 2


def measure_optimality(
    product: tf.Tensor,
    beta: tf.Tensor,
    dual: DualTensors,
    steps: tf.Tensor,
    moved: tf.Tensor,
    *,
    variables_per_row: int,
    groups: int,
    unit_margin: bool,
) -> Optimality:
    """Measure how close β is to the optimum, given `product` = Kβ, float64 `[V]`."""
    gradient = product + dual.linear
    multiplier = compute_multipliers(gradient, beta, dual, groups=groups)
    slack = gradient - tf.gather(multiplier, dual.group)
    # A variable contributes to primal minus dual the most that it could still gain.
    best = tf.minimum(slack * dual.lower, slack * dual.upper)
    is_support_vector = tf.reduce_any(
        tf.reshape(beta, [variables_per_row, -1]) != 0, axis=0
    )
    worst = compute_kkt_violation(
        gradient, beta, dual.lower, dual.upper, dual.group, groups=groups
    )
    margin = compute_margin(multiplier, unit_margin=unit_margin)
    violation = tf.where(margin > 0, tf.maximum(worst, 0.0) / margin, HUGE)
    return Optimality(
        dual_objective=-tf.reduce_sum(beta * (product / 2 + dual.linear)),
        duality_gap=tf.reduce_sum(slack * beta - best),
        max_kkt_violation=violation,
        support_vectors=tf.math.count_nonzero(is_support_vector, dtype=tf.int32),
        steps=steps,
        moved=moved,
    )
