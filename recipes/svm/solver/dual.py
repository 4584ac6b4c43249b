"""The duals of all support vector machines, as data for one solver.

In signed dual variables β, where a row's coefficient in the decision function is the
sum of its variables, every one of them is

    minimise W(β) = ½ βᵀKβ + pᵀβ   subject to   l ≤ β ≤ u,   Σ β = constant per group.

C-SVC has one variable a row, β = α·y with p = −y and a box on the side of y: the
textbook's dual, ½ Σ αᵢαⱼyᵢyⱼKᵢⱼ − Σ αᵢ with Σ αᵢyᵢ = 0. The regressors have two a row,
the first for residuals above the tube and the second for those below.

References: Chang & Lin, "LIBSVM" (2011), section 2; Schölkopf et al., "New support
vector algorithms" (2000).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class Problem(NamedTuple):
    """One dual problem over n rows with V variables; variable v belongs to row v mod n.

    Attributes:
        rows: Which rows of the training matrix it is about, int64, `[n]`.
        linear: p, float64, `[V]`.
        lower: l ≤ 0, float64, `[V]`.
        upper: u ≥ 0, float64, `[V]`.
        start: A feasible β, float64, `[V]`.
        group: 0 or 1: whose sum a variable counts in, int32, `[V]`.
        groups: How many groups there are, 1 or 2.
        scaled: Whether coefficients and bias are divided by half the distance of the
            groups' multipliers, as ν-SVC wants it.
    """

    rows: npt.NDArray[np.int64]
    linear: Floats
    lower: Floats
    upper: Floats
    start: Floats
    group: npt.NDArray[np.int32]
    groups: int = 1
    scaled: bool = False

    @property
    def copies(self) -> int:
        """Variables a row."""
        return len(self.linear) // len(self.rows)


def c_svc(
    rows: npt.NDArray[np.int64], positive: npt.NDArray[np.bool_], cost: Floats
) -> Problem:
    """Classification: hinge losses weighted by `cost`, all of shape `[n]`."""
    sign = np.where(positive, 1.0, -1.0)
    return _problem(
        rows,
        linear=-sign,
        lower=np.minimum(0.0, sign * cost),
        upper=np.maximum(0.0, sign * cost),
    )


def epsilon_svr(
    rows: npt.NDArray[np.int64], target: Floats, cost: Floats, epsilon: float
) -> Problem:
    """Regression: losses |y − f(x)| − ε beyond a tube of half width ε."""
    zero = np.zeros_like(cost)
    return _problem(
        rows,
        linear=np.concatenate([epsilon - target, -epsilon - target]),
        lower=np.concatenate([zero, -cost]),
        upper=np.concatenate([cost, zero]),
    )


def nu_svc(
    rows: npt.NDArray[np.int64],
    positive: npt.NDArray[np.bool_],
    weight: Floats,
    nu: float,
) -> Problem:
    """Classification with a share ν of rows as margin errors at most.

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
                f"`nu` should be at most {most / weight.sum():.4g}, the share of rows "
                f"that the classes have in pairs. Received: nu={nu}"
            )
        start[member] = _filled(weight[member], total)
    return _problem(
        rows,
        linear=np.zeros_like(weight),
        lower=np.minimum(0.0, sign * weight),
        upper=np.maximum(0.0, sign * weight),
        start=sign * start,
        group=positive.astype(np.int32),
        scaled=True,
    )


def nu_svr(
    rows: npt.NDArray[np.int64], target: Floats, cost: Floats, nu: float
) -> Problem:
    """Regression with a tube as wide as a share ν of rows outside of it asks for."""
    zero = np.zeros_like(cost)
    start = _filled(cost, nu * cost.sum() / 2)
    return _problem(
        rows,
        linear=np.concatenate([-target, -target]),
        lower=np.concatenate([zero, -cost]),
        upper=np.concatenate([cost, zero]),
        start=np.concatenate([start, -start]),
        group=np.repeat(np.array([0, 1], np.int32), len(target)),
    )


def one_class(rows: npt.NDArray[np.int64], weight: Floats, nu: float) -> Problem:
    """The region that holds all but a share ν of the rows."""
    return _problem(
        rows,
        linear=np.zeros_like(weight),
        lower=np.zeros_like(weight),
        upper=weight,
        start=_filled(weight, nu * weight.sum()),
    )


def started_from(
    problems: Sequence[Problem], coefficients: Any, rows: int
) -> list[Problem]:
    """The problems with another start.

    Args:
        problems: The problems.
        coefficients: Each training row's β in each problem, `[rows]` or
            `[rows, problems]`, or `None` for the problems' own start.
        rows: Number of training rows.

    Raises:
        ValueError: If they have another shape, or break a problem's constraints.
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
        _started(problem, beta[problem.rows, k]) for k, problem in enumerate(problems)
    ]


def _started(problem: Problem, beta: Floats) -> Problem:
    if problem.copies == 2:
        beta = np.concatenate([np.maximum(beta, 0.0), np.minimum(beta, 0.0)])
    clipped = np.clip(beta, problem.lower, problem.upper)
    # Coefficients that went through float32 are off by so much.
    slack = 1e-6 * max(1e-300, float(np.abs(clipped).sum()))
    sums = [np.bincount(problem.group, b) for b in (clipped, problem.start)]
    if (
        problem.scaled
        or not np.abs(beta - clipped).sum() <= slack
        or not np.abs(sums[0] - sums[1]).max() <= slack
    ):
        raise ValueError(
            "`initial_dual_coefficients` should meet the problem's constraints: each "
            "between its bounds, and of the sum that they ask for."
        )
    return problem._replace(start=clipped)


def _problem(
    rows: npt.NDArray[np.int64],
    linear: Floats,
    lower: Floats,
    upper: Floats,
    start: Floats | None = None,
    group: npt.NDArray[np.int32] | None = None,
    scaled: bool = False,
) -> Problem:
    if group is None:
        group = np.zeros(len(linear), np.int32)
    return Problem(
        rows=np.asarray(rows, np.int64),
        linear=linear,
        lower=lower,
        upper=upper,
        start=np.zeros_like(linear) if start is None else start,
        group=group,
        groups=int(group.max()) + 1,
        scaled=scaled,
    )


def _filled(room: Floats, total: float) -> Floats:
    """Fills places of size `room` one after the other until `total` is used up."""
    before = np.cumsum(room) - room
    return np.clip(total - before, 0.0, room)
