"""The dual problem of every support vector machine, as data for one solver.

In signed dual variables β, where a row's coefficient in the decision function is the
sum of its variables, each machine solves

    minimise W(β) = ½ βᵀKβ + pᵀβ   subject to   l ≤ β ≤ u,   Σ β = constant per group.

C-SVC has one variable per row, β = α·y with p = −y and a box on the side of y: the
textbook dual, ½ Σ αᵢαⱼyᵢyⱼKᵢⱼ − Σ αᵢ with Σ αᵢyᵢ = 0. Regression has two per row, the
first for residuals above the tube and the second for those below.

References: Chang & Lin, "LIBSVM" (2011), section 2; Schölkopf et al., "New support
vector algorithms" (2000).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class DualProblem(NamedTuple):
    """One dual problem over n rows with V variables; variable v belongs to row v mod n.

    Attributes:
        rows: Indices of its rows in the training matrix, int64, `[n]`.
        linear: p, float64, `[V]`.
        lower: l ≤ 0, float64, `[V]`.
        upper: u ≥ 0, float64, `[V]`.
        start: A feasible β, float64, `[V]`.
        group: 0 or 1: the sum that each variable counts in, int32, `[V]`.
        groups: Number of groups, 1 or 2.
        unit_margin: Whether to divide coefficients and bias by half the distance
            between the groups' multipliers, which puts the margins of ν-SVC at ±1.
        origin: The target from which those of a regression are measured, to preserve
            their digits. As Σ β = 0 it changes nothing but the bias.
    """

    rows: npt.NDArray[np.int64]
    linear: Floats
    lower: Floats
    upper: Floats
    start: Floats
    group: npt.NDArray[np.int32]
    groups: int = 1
    unit_margin: bool = False
    origin: float = 0.0

    @property
    def variables_per_row(self) -> int:
        """Number of dual variables that each row has."""
        return len(self.linear) // len(self.rows)

    def sum_by_row(self, beta: Floats) -> Floats:
        """Return each row's coefficient, the sum of its variables: `[V]` → `[n]`."""
        return beta.reshape(self.variables_per_row, -1).sum(axis=0)


def c_svc(
    rows: npt.NDArray[np.int64], positive: npt.NDArray[np.bool_], cost: Floats
) -> DualProblem:
    """Return the dual of C-SVC: hinge losses weighted by `cost`; all inputs `[n]`."""
    sign = np.where(positive, 1.0, -1.0)
    return _build_problem(
        rows,
        linear=-sign,
        lower=np.minimum(0.0, sign * cost),
        upper=np.maximum(0.0, sign * cost),
    )


def epsilon_svr(
    rows: npt.NDArray[np.int64], target: Floats, cost: Floats, epsilon: float
) -> DualProblem:
    """Return the dual of ε-SVR: losses |y − f(x)| − ε outside a tube of width 2ε."""
    zero = np.zeros_like(cost)
    origin = _compute_origin(target)
    target = target - origin
    return _build_problem(
        rows,
        linear=np.concatenate([epsilon - target, -epsilon - target]),
        lower=np.concatenate([zero, -cost]),
        upper=np.concatenate([cost, zero]),
        origin=origin,
    )


def nu_svc(
    rows: npt.NDArray[np.int64],
    positive: npt.NDArray[np.bool_],
    weight: Floats,
    nu: float,
) -> DualProblem:
    """Return the dual of ν-SVC: at most a share ν of the rows are margin errors.

    Raises:
        ValueError: If the smaller class is too small for ν.
    """
    sign = np.where(positive, 1.0, -1.0)
    total = nu * weight.sum() / 2
    start = np.zeros_like(weight)
    for member in (positive, ~positive):
        if weight[member].sum() < total * (1 - 1e-12):
            most = 2 * min(weight[positive].sum(), weight[~positive].sum())
            raise ValueError(
                f"`nu` should be at most {most / weight.sum():.4g}, twice the smaller "
                f"class's share of the total weight. Received: nu={nu}"
            )
        start[member] = _fill_to_total(weight[member], total)
    return _build_problem(
        rows,
        linear=np.zeros_like(weight),
        lower=np.minimum(0.0, sign * weight),
        upper=np.maximum(0.0, sign * weight),
        start=sign * start,
        group=positive.astype(np.int32),
        unit_margin=True,
    )


def nu_svr(
    rows: npt.NDArray[np.int64], target: Floats, cost: Floats, nu: float
) -> DualProblem:
    """Return the dual of ν-SVR: the tube leaves out at most a share ν of the rows."""
    zero = np.zeros_like(cost)
    origin = _compute_origin(target)
    target = target - origin
    start = _fill_to_total(cost, nu * cost.sum() / 2)
    return _build_problem(
        rows,
        linear=np.concatenate([-target, -target]),
        lower=np.concatenate([zero, -cost]),
        upper=np.concatenate([cost, zero]),
        start=np.concatenate([start, -start]),
        group=np.repeat(np.array([0, 1], np.int32), len(target)),
        origin=origin,
    )


def one_class(rows: npt.NDArray[np.int64], weight: Floats, nu: float) -> DualProblem:
    """Return the dual of one-class SVM: a region without a share ν of the rows."""
    return _build_problem(
        rows,
        linear=np.zeros_like(weight),
        lower=np.zeros_like(weight),
        upper=weight,
        start=_fill_to_total(weight, nu * weight.sum()),
    )


def warm_start(
    problems: Sequence[DualProblem], coefficients: Any, rows: int
) -> list[DualProblem]:
    """Return the problems with the given coefficients as their starting points.

    Args:
        problems: The problems.
        coefficients: Each training row's β in each problem, `[rows]` or
            `[rows, problems]`, or `None` to keep the problems' own starts.
        rows: Number of training rows.

    Raises:
        ValueError: If their shape is wrong, or they violate a problem's constraints.
    """
    if coefficients is None:
        return list(problems)
    beta = np.asarray(coefficients, np.float64)
    if beta.ndim == 1:
        beta = beta[:, np.newaxis]
    if beta.shape != (rows, len(problems)):
        raise ValueError(
            f"`initial_dual_coefficients` should have shape [{rows}, {len(problems)}]. "
            f"Received: {list(np.shape(coefficients))}"
        )
    return [
        _warm_start_one(problem, beta[problem.rows, k])
        for k, problem in enumerate(problems)
    ]


def _warm_start_one(problem: DualProblem, beta: Floats) -> DualProblem:
    if problem.variables_per_row == 2:
        beta = np.concatenate([np.maximum(beta, 0.0), np.minimum(beta, 0.0)])
    clipped = np.clip(beta, problem.lower, problem.upper)
    # Coefficients that went through float32 are off by up to this much.
    slack = 1e-6 * max(1e-300, float(np.abs(clipped).sum()))
    sums = [np.bincount(problem.group, b) for b in (clipped, problem.start)]
    if (
        problem.unit_margin
        or not np.abs(beta - clipped).sum() <= slack
        or not np.abs(sums[0] - sums[1]).max() <= slack
    ):
        raise ValueError(
            "`initial_dual_coefficients` should satisfy the problem's constraints: "
            "each coefficient within its bounds, and their sum as required."
        )
    return problem._replace(start=clipped)


def _build_problem(
    rows: npt.NDArray[np.int64],
    linear: Floats,
    lower: Floats,
    upper: Floats,
    start: Floats | None = None,
    group: npt.NDArray[np.int32] | None = None,
    unit_margin: bool = False,
    origin: float = 0.0,
) -> DualProblem:
    if group is None:
        group = np.zeros(len(linear), np.int32)
    return DualProblem(
        rows=np.asarray(rows, np.int64),
        linear=linear,
        lower=lower,
        upper=upper,
        start=np.zeros_like(linear) if start is None else start,
        group=group,
        groups=int(group.max()) + 1,
        unit_margin=unit_margin,
        origin=origin,
    )


def _compute_origin(target: Floats) -> float:
    """Return the middle of the targets: exact where all are the same."""
    least, most = float(target.min()), float(target.max())
    return least + (most - least) / 2


def _fill_to_total(capacity: Floats, total: float) -> Floats:
    """Fill variables up to their capacities, in order, until they sum to `total`."""
    before = np.cumsum(capacity) - capacity
    return np.clip(total - before, 0.0, capacity)
