"""How close a point β is to the optimum of its dual problem.

All functions take one problem, with arrays `[V]`, or many side by side, `[p, V]`.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from recipes.svm.solver.working_set import HUGE, compute_kkt_violation

Floats = npt.NDArray[np.float64]


class Dual(NamedTuple):
    """The constants of a `DualProblem`, or of many of the same length."""

    linear: Floats
    lower: Floats
    upper: Floats
    group: npt.NDArray[np.int32]


class Optimality(NamedTuple):
    """How close a point is to the optimum: numbers, or arrays `[p]`.

    Attributes:
        dual_objective: −W(β), which rises to the optimum.
        duality_gap: Primal minus dual objective, at the best known bias; never
            negative.
        max_kkt_violation: max f[may fall] − min f[may rise], never negative, in units
            of the margin; see `compute_margin`.
        support_vectors: Rows with a nonzero variable.
        steps: Two-variable steps that the last iteration took.
        moved: Whether the last iteration changed β.
    """

    dual_objective: Any
    duality_gap: Any
    max_kkt_violation: Any
    support_vectors: Any
    steps: Any = 0
    moved: Any = False


def compute_multipliers(
    gradient: Floats, beta: Floats, dual: Any, *, groups: int
) -> Floats:
    """Return the multiplier of each group's equality: the value of f at free variables.

    It is the mean over the variables strictly inside their box; without any, the middle
    of the interval that optimality allows, or its finite end. The bias is minus this.

    Args:
        gradient: f, `[V]`.
        beta: β, `[V]`.
        dual: A `DualProblem` or `Dual`.
        groups: Number of groups.

    Returns:
        float64, `[groups]`.
    """
    multipliers = []
    for g in range(groups):
        member = dual.group == g
        rises = member & (beta < dual.upper)
        falls = member & (beta > dual.lower)
        free = rises & falls
        count = free.sum(axis=-1)
        mean = np.where(free, gradient, 0.0).sum(axis=-1) / np.maximum(count, 1)
        highest = np.where(rises, gradient, HUGE).min(axis=-1)
        lowest = np.where(falls, gradient, -HUGE).max(axis=-1)
        highest, lowest = (
            np.where(highest < HUGE, highest, lowest),
            np.where(lowest > -HUGE, lowest, highest),
        )
        middle = np.where(np.abs(highest) < HUGE, (highest + lowest) / 2, 0.0)
        multipliers.append(np.where(count > 0, mean, middle))
    return np.stack(multipliers, axis=-1)


def compute_margin(multipliers: Floats, *, unit_margin: bool) -> Any:
    """Return the distance from the decision boundary to the margin, in units of f.

    It is 1, but for problems of unit margin: their solution is divided by this, half
    the distance between the two multipliers, to put the margins at ±1. Not positive
    where the multipliers are the wrong way round, far from the optimum.

    Args:
        multipliers: As of `compute_multipliers`, float64, `[groups]`.
        unit_margin: That of the `DualProblem`.

    Returns:
        A number.
    """
    if not unit_margin:
        return np.ones(multipliers.shape[:-1])
    return (multipliers[..., 1] - multipliers[..., 0]) / 2


def measure_optimality(
    product: Floats,
    beta: Floats,
    dual: Any,
    *,
    groups: int,
    unit_margin: bool,
) -> tuple[Optimality, Floats]:
    """Measure how close β is to the optimum.

    Args:
        product: Kβ of the rows, float64, `[n]`.
        beta: β, float64, `[V]`.
        dual: A `DualProblem` or `Dual`.
        groups: Number of groups.
        unit_margin: That of the problem.

    Returns:
        The optimality, and the multipliers, `[groups]`.
    """
    by_row = (*product.shape[:-1], -1, product.shape[-1])
    # Values beyond float64 are infinite, and are reported as such.
    with np.errstate(over="ignore", invalid="ignore"):
        product = np.broadcast_to(
            product[..., np.newaxis, :], beta.reshape(by_row).shape
        ).reshape(beta.shape)
        gradient = product + dual.linear
        multipliers = compute_multipliers(gradient, beta, dual, groups=groups)
        slack = gradient - np.take_along_axis(multipliers, dual.group, axis=-1)
        # A variable contributes to primal minus dual the most it could still gain.
        best = np.minimum(slack * dual.lower, slack * dual.upper)
        worst = compute_kkt_violation(gradient, beta, dual, groups=groups)
        margin = compute_margin(multipliers, unit_margin=unit_margin)
        worst = np.maximum(worst, 0.0)
        # Where there is no margin, no violation is small.
        violation = np.divide(
            worst, margin, where=margin > 0, out=np.full(worst.shape, HUGE)
        )
        optimality = Optimality(
            dual_objective=-(beta * (product / 2 + dual.linear)).sum(axis=-1),
            duality_gap=(slack * beta - best).sum(axis=-1),
            max_kkt_violation=violation,
            support_vectors=(beta.reshape(by_row) != 0).any(axis=-2).sum(axis=-1),
        )
    return optimality, multipliers
