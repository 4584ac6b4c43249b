"""Two-variable steps in many small duals at once, one in each.

The step is that of `smo_steps`. There an operation is one on the long vectors of a
problem; here the problems are short, and an operation is one on all of them.
"""

from typing import Any

import tensorflow as tf

from recipes.svm.solver.smo_steps import SMALLEST_CURVATURE
from recipes.svm.solver.working_set import HUGE

# Violations are cut to this, whose square is a number.
LARGEST_VIOLATION = 1e150


@tf.function(jit_compile=True, autograph=False, reduce_retracing=False)
def solve_blocks(
    kernel: tf.Tensor,
    gradient: tf.Tensor,
    beta: tf.Tensor,
    lower: tf.Tensor,
    upper: tf.Tensor,
    group: tf.Tensor,
    tolerance: tf.Tensor,
    max_steps: tf.Tensor,
    *,
    groups: int,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Minimise W of each of p problems of m variables by two-variable steps.

    It compiles once for each shape. Variables with `lower == upper` never move, so they
    may pad a problem.

    Args:
        kernel: K of each problem's variables, float64, `[p, m, m]`.
        gradient: f at `beta`, float64, `[p, m]`.
        beta: β, float64, `[p, m]`.
        lower: l, float64, `[p, m]`.
        upper: u, float64, `[p, m]`.
        group: The variables' group, int32, `[p, m]`.
        tolerance: Each problem is solved if no pair violates optimality by more;
            float64, `[p]`.
        max_steps: Maximum number of steps of a problem, int32, `[]`.
        groups: Number of groups.

    Returns:
        β, in which a variable at its bound equals it exactly, `[p, m]`; f at that β,
        `[p, m]`; and the numbers of steps, int32, `[p]`.
    """
    diagonal = tf.linalg.diag_part(kernel)
    members = [group == g for g in range(groups)]
    indices = tf.range(kernel.shape[1])[tf.newaxis]
    least = SMALLEST_CURVATURE * tf.reduce_max(tf.abs(diagonal), axis=1, keepdims=True)
    least = tf.where(least > 0, least, SMALLEST_CURVATURE)

    def step(f: tf.Tensor, beta: tf.Tensor, steps: tf.Tensor, _: tf.Tensor) -> Any:
        falls = tf.where(beta > lower, f, -HUGE)
        gain, length = tf.zeros_like(f), tf.zeros_like(f)
        first = tf.zeros_like(group)
        for member in members:
            # In each group the variable with the least f rises,
            rises = tf.where(member & (beta < upper), f, HUGE)
            own = tf.argmin(rises, axis=1, output_type=tf.int32)[:, tf.newaxis]
            violation = tf.minimum(falls - _at(rises, own), LARGEST_VIOLATION)
            curvature = diagonal + _at(diagonal, own) - 2 * _row(kernel, own)
            best = violation / tf.maximum(curvature, least)
            wanted = member & (violation > tolerance[:, tf.newaxis])
            gain = tf.where(wanted, violation * best, gain)
            length = tf.where(wanted, best, length)
            first = tf.where(member, own, first)
        # and over all groups the one falls that gains most with its group's first.
        j = tf.argmax(gain, axis=1, output_type=tf.int32)[:, tf.newaxis]
        i = _at(first, j)
        moved = _at(gain, j) > 0
        room_i = _at(upper, i) - _at(beta, i)
        room_j = _at(beta, j) - _at(lower, j)
        t = tf.minimum(_at(length, j), tf.minimum(room_i, room_j))
        t = tf.where(moved, t, 0.0)
        # The bound itself, not β + t, which may miss it by rounding.
        beta_i = tf.where(t == room_i, _at(upper, i), _at(beta, i) + t)
        beta_j = tf.where(t == room_j, _at(lower, j), _at(beta, j) - t)
        beta = tf.where(indices == i, beta_i, tf.where(indices == j, beta_j, beta))
        f += t * (_row(kernel, i) - _row(kernel, j))
        return f, beta, steps + tf.cast(moved[:, 0], tf.int32), tf.reduce_any(moved)

    f, beta, steps, _ = tf.while_loop(
        lambda f, beta, steps, moved: moved & (tf.reduce_max(steps) < max_steps),
        step,
        (gradient, beta, tf.zeros_like(group[:, 0]), True),
    )
    return beta, f, steps


def _at(values: tf.Tensor, place: tf.Tensor) -> tf.Tensor:
    """Return one number of each problem: `[p, m]`, `[p, 1]` → `[p, 1]`."""
    return tf.gather(values, place, axis=1, batch_dims=1)


def _row(kernel: tf.Tensor, place: tf.Tensor) -> tf.Tensor:
    """Return one row of K of each problem: `[p, m, m]`, `[p, 1]` → `[p, m]`."""
    return tf.gather(kernel, place, axis=1, batch_dims=1)[:, 0]
