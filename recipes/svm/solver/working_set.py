"""The choice of variables to optimise next: those that violate optimality most."""

import tensorflow as tf

from recipes.svm.solver.smo_steps import HUGE


def compute_kkt_violation(
    gradient: tf.Tensor,
    beta: tf.Tensor,
    lower: tf.Tensor,
    upper: tf.Tensor,
    group: tf.Tensor,
    *,
    groups: int,
) -> tf.Tensor:
    """Return the KKT violation: max f[may fall] − min f[may rise], of the worst group.

    Negative where no pair can move. All arguments are float64 `[V]`, `group` int32.

    Returns:
        float64, `[]`.
    """
    rises = tf.where(beta < upper, gradient, HUGE)
    falls = tf.where(beta > lower, gradient, -HUGE)
    gaps = [
        tf.reduce_max(tf.where(group == g, falls, -HUGE))
        - tf.reduce_min(tf.where(group == g, rises, HUGE))
        for g in range(groups)
    ]
    return tf.reduce_max(tf.stack(gaps))


def choose_working_set(
    gradient: tf.Tensor,
    beta: tf.Tensor,
    lower: tf.Tensor,
    upper: tf.Tensor,
    group: tf.Tensor,
    previous: tf.Tensor,
    *,
    size: int,
    groups: int,
) -> tf.Tensor:
    """Choose the worst violators of every group; keep the newer half of the last set.

    Keeping half reuses kernel rows and prevents two working sets from undoing each
    other's work (ThunderSVM, Wen et al. 2018).

    Args:
        gradient: f, float64, `[V]`.
        beta: β, float64, `[V]`.
        lower: l, float64, `[V]`.
        upper: u, float64, `[V]`.
        group: The variables' group, int32, `[V]`.
        previous: The last working set, int32, `[size]`, or empty.
        size: Number of variables to choose, a multiple of 8, at most V.
        groups: Number of groups.

    Returns:
        int32, `[size]`: distinct variables, the new ones last.
    """
    kept = previous[size // 2 :]
    new = size - kept.shape[0]
    taken = tf.tensor_scatter_nd_update(
        tf.zeros_like(group, tf.bool), kept[:, tf.newaxis], tf.ones_like(kept, tf.bool)
    )
    per_side = new // (2 * groups)
    chosen = []
    for g in range(groups):
        for score in (
            tf.where((group == g) & (beta < upper), -gradient, -HUGE),
            tf.where((group == g) & (beta > lower), gradient, -HUGE),
        ):
            candidates = tf.where(taken, tf.constant(-2 * HUGE, tf.float64), score)
            best = tf.math.top_k(candidates, per_side, sorted=False)
            chosen.append(best.indices)
            taken = tf.tensor_scatter_nd_update(
                taken, best.indices[:, tf.newaxis], tf.ones([per_side], tf.bool)
            )
    # Interleaved, so that the half kept next time has some of each kind.
    interleaved = tf.reshape(tf.stack(chosen, axis=1), [-1])
    return tf.ensure_shape(tf.concat([kept, interleaved], 0), [size])
