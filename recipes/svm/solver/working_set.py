"""Which variables to work on: those that violate optimality most."""

import tensorflow as tf

from recipes.svm.solver.smo_steps import FAR


def violation(
    gradient: tf.Tensor,
    beta: tf.Tensor,
    lower: tf.Tensor,
    upper: tf.Tensor,
    group: tf.Tensor,
    *,
    groups: int,
) -> tf.Tensor:
    """How far β is from optimal: max f[may fall] − min f[may rise], of the worst group.

    Negative where no pair can move. All arguments are float64 `[V]`, `group` int32.

    Returns:
        float64, `[]`.
    """
    rises = tf.where(beta < upper, gradient, FAR)
    falls = tf.where(beta > lower, gradient, -FAR)
    gaps = [
        tf.reduce_max(tf.where(group == g, falls, -FAR))
        - tf.reduce_min(tf.where(group == g, rises, FAR))
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
    """The worst violators of every group, besides the newer half of the last ones.

    Keeping half saves kernel rows and keeps two working sets from undoing each other's
    work (ThunderSVM, Wen et al. 2018).

    Args:
        gradient: f, float64, `[V]`.
        beta: β, likewise.
        lower: l, likewise.
        upper: u, likewise.
        group: int32, `[V]`.
        previous: The last working set, int32, `[size]`, or empty.
        size: Number of variables to choose, a multiple of 8, at most V.
        groups: Number of groups.

    Returns:
        int32, `[size]`: different variables, those that are new last.
    """
    kept = previous[size // 2 :]
    new = size - kept.shape[0]
    taken = tf.tensor_scatter_nd_update(
        tf.zeros_like(group, tf.bool), kept[:, tf.newaxis], tf.ones_like(kept, tf.bool)
    )
    most = new // (2 * groups)
    chosen = []
    for g in range(groups):
        for score in (
            tf.where((group == g) & (beta < upper), -gradient, -FAR),
            tf.where((group == g) & (beta > lower), gradient, -FAR),
        ):
            free = tf.where(taken, tf.constant(-2 * FAR, tf.float64), score)
            best = tf.math.top_k(free, most, sorted=False)
            chosen.append(best.indices)
            taken = tf.tensor_scatter_nd_update(
                taken, best.indices[:, tf.newaxis], tf.ones([most], tf.bool)
            )
    # Side by side, so that the half that is kept has some of each.
    mixed = tf.reshape(tf.stack(chosen, axis=1), [-1])
    return tf.ensure_shape(tf.concat([kept, mixed], 0), [size])
