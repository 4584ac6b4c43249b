"""What is known of a dual problem at a point β."""

from typing import NamedTuple

import tensorflow as tf

from recipes.svm.solver.smo_steps import FAR
from recipes.svm.solver.working_set import violation


class Dual(NamedTuple):
    """The constants of a dual problem as tensors, see `problem.Problem`; `[V]` each."""

    linear: tf.Tensor
    lower: tf.Tensor
    upper: tf.Tensor
    group: tf.Tensor


class Progress(NamedTuple):
    """Where the descent stands; float64 scalars but for the counts, int32.

    Attributes:
        dual_objective: −W(β), which rises to the optimum.
        duality_gap: Primal minus dual objective, at the best bias known; not negative.
        max_kkt_violation: max f[may fall] − min f[may rise], not negative.
        support_vectors: Rows with a variable that is not zero.
        steps: Two-variable steps taken in the last iteration.
        moved: Whether β changed in the last iteration; bool.
    """

    dual_objective: tf.Tensor
    duality_gap: tf.Tensor
    max_kkt_violation: tf.Tensor
    support_vectors: tf.Tensor
    steps: tf.Tensor
    moved: tf.Tensor


def multipliers(
    gradient: tf.Tensor, beta: tf.Tensor, dual: Dual, *, groups: int
) -> tf.Tensor:
    """The multiplier of each group's equality: what f is at free variables.

    The mean over variables strictly inside their box; with none, the middle of the
    interval that optimality allows, or its finite end. The bias is minus this.

    Returns:
        float64, `[groups]`.
    """
    found = []
    for g in range(groups):
        member = dual.group == g
        rises = member & (beta < dual.upper)
        falls = member & (beta > dual.lower)
        free = tf.cast(rises & falls, tf.float64)
        mean = tf.math.divide_no_nan(
            tf.reduce_sum(free * gradient), tf.reduce_sum(free)
        )
        most = tf.reduce_min(tf.where(rises, gradient, FAR))
        least = tf.reduce_max(tf.where(falls, gradient, -FAR))
        most, least = (
            tf.where(most < FAR, most, least),
            tf.where(least > -FAR, least, most),
        )
        middle = tf.where(tf.abs(most) < FAR, (most + least) / 2, 0.0)
        found.append(tf.where(tf.reduce_any(rises & falls), mean, middle))
    return tf.stack(found)


def measure(
    product: tf.Tensor,
    beta: tf.Tensor,
    dual: Dual,
    steps: tf.Tensor,
    moved: tf.Tensor,
    *,
    copies: int,
    groups: int,
) -> Progress:
    """Measures β from `product` = Kβ at every variable, float64 `[V]`."""
    gradient = product + dual.linear
    multiplier = multipliers(gradient, beta, dual, groups=groups)
    slack = gradient - tf.gather(multiplier, dual.group)
    # Every variable's share of primal minus dual is the most that it could still gain.
    best = tf.minimum(slack * dual.lower, slack * dual.upper)
    of_rows = tf.reduce_any(tf.reshape(beta, [copies, -1]) != 0, axis=0)
    gap = violation(gradient, beta, dual.lower, dual.upper, dual.group, groups=groups)
    return Progress(
        dual_objective=-tf.reduce_sum(beta * (product / 2 + dual.linear)),
        duality_gap=tf.reduce_sum(slack * beta - best),
        max_kkt_violation=tf.maximum(gap, 0.0),
        support_vectors=tf.math.count_nonzero(of_rows, dtype=tf.int32),
        steps=steps,
        moved=moved,
    )
