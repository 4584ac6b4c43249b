"""The choice of variables to optimise next: those that violate optimality most."""

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

# Larger than any gradient, but not infinity: that minus itself is NaN.
HUGE = 1e300


def compute_kkt_violation(
    gradient: Floats, beta: Floats, dual: Any, *, groups: int
) -> Any:
    """Return the KKT violation: max f[may fall] − min f[may rise], of the worst group.

    Negative where no pair can move.

    Args:
        gradient: f, `[V]`, or `[p, V]` of p problems.
        beta: β, likewise.
        dual: A `DualProblem` or an `optimality.Dual`.
        groups: Number of groups.

    Returns:
        A number, or `[p]`.
    """
    rises, falls = beta < dual.upper, beta > dual.lower
    gaps = [
        np.where(falls & (dual.group == g), gradient, -HUGE).max(axis=-1)
        - np.where(rises & (dual.group == g), gradient, HUGE).min(axis=-1)
        for g in range(groups)
    ]
    return np.max(gaps, axis=0)


def choose_working_set(
    gradient: Floats,
    beta: Floats,
    dual: Any,
    previous: Indices,
    *,
    size: int,
    groups: int,
) -> Indices:
    """Choose the worst violators of every group; keep the newer half of the last set.

    Keeping half reuses kernel rows and prevents two working sets from undoing each
    other's work (ThunderSVM, Wen et al. 2018).

    Args:
        gradient: f, `[V]`.
        beta: β, `[V]`.
        dual: A `DualProblem`.
        previous: The last working set, `[size]`, or empty.
        size: Number of variables to choose, a multiple of 8, at most V.
        groups: Number of groups.

    Returns:
        `[size]`: distinct variables, the new ones last.
    """
    kept = previous[size // 2 :]
    taken = np.zeros(len(beta), bool)
    taken[kept] = True
    each = (size - len(kept)) // (2 * groups)
    chosen = []
    for g in range(groups):
        member = dual.group == g
        for may_move, score in (
            (member & (beta < dual.upper), -gradient),
            (member & (beta > dual.lower), gradient),
        ):
            score = np.where(may_move, score, -HUGE)
            score[taken] = -2 * HUGE
            best = np.argpartition(score, len(score) - each)[len(score) - each :]
            chosen.append(best)
            taken[best] = True
    # Interleaved, so that the half kept next time has some of each kind.
    return np.concatenate([kept, np.stack(chosen, axis=1).ravel()])
