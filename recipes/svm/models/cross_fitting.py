"""Cross-fitting: Platt's sigmoids fitted to decisions for held-out rows."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from sklearn.model_selection import StratifiedKFold

from layers import kernels
from recipes.svm.models.platt import fit_sigmoid
from recipes.svm.solver.dual import DualProblem
from recipes.svm.solver.float64_product import compute_kernel_product
from recipes.svm.solver.rows import Rows
from recipes.svm.solver.solution import Solution

FOLDS = 5


class Fold(NamedTuple):
    """One fold of a two-class problem.

    Attributes:
        problem: The problem without the held-out rows.
        rows: Indices of the held-out rows, int64, `[m]`.
        positive: Whether each is of the positive class, bool, `[m]`.
    """

    problem: DualProblem
    rows: np.ndarray
    positive: np.ndarray


def split_folds(
    problem: DualProblem,
    build_problem: Callable[[np.ndarray, np.ndarray], DualProblem],
    seed: int,
) -> list[Fold]:
    """Split a two-class problem into five folds, or one per row of its smaller class.

    Args:
        problem: The problem.
        build_problem: Builds a problem from rows `[m]` and whether each is positive
            `[m]`.
        seed: Seed of the random split.

    Raises:
        ValueError: If a class has a single row.
    """
    positive = problem.upper > 0
    smaller = int(min(np.count_nonzero(positive), np.count_nonzero(~positive)))
    if smaller < 2:
        raise ValueError(
            "`probability` should be False where a class has a single row: "
            "probabilities are fitted to held-out rows."
        )
    splitter = StratifiedKFold(min(FOLDS, smaller), shuffle=True, random_state=seed)
    return [
        Fold(
            build_problem(problem.rows[kept], positive[kept]),
            problem.rows[held],
            positive[held],
        )
        for kept, held in splitter.split(positive, positive)
    ]


class HeldOut(NamedTuple):
    """The rows of a problem, each decided by a machine that had not seen it.

    Attributes:
        rows: Their indices, int64, `[m]`.
        positive: Whether each is of the positive class, bool, `[m]`.
        decisions: f, float64, `[m]`.
    """

    rows: np.ndarray
    positive: np.ndarray
    decisions: np.ndarray


def decide_held_out(
    kernel: kernels.Kernel,
    x: Rows,
    folds: Sequence[Sequence[Fold]],
    solutions: Sequence[Solution],
) -> list[HeldOut]:
    """Compute the decisions for the held-out rows of each problem.

    Args:
        kernel: The kernel.
        x: All training rows, `[n, d]`.
        folds: The folds of each problem.
        solutions: The solutions of all folds, in order.
    """
    remaining = iter(solutions)
    return [
        HeldOut(
            np.concatenate([fold.rows for fold in of_problem]),
            np.concatenate([fold.positive for fold in of_problem]),
            np.concatenate(
                [
                    _compute_decisions(kernel, x, next(remaining), fold.rows)
                    for fold in of_problem
                ]
            ),
        )
        for of_problem in folds
    ]


def fit_sigmoids(
    problems: Sequence[HeldOut], weight: np.ndarray
) -> list[tuple[float, float]]:
    """Fit Platt's slope and offset for each problem.

    Args:
        problems: The held-out rows of each problem.
        weight: The weights of all training rows, `[n]`.
    """
    return [
        fit_sigmoid(each.decisions, each.positive, weight[each.rows])
        for each in problems
    ]


def _compute_decisions(
    kernel: kernels.Kernel, x: Rows, solution: Solution, rows: np.ndarray
) -> np.ndarray:
    product = compute_kernel_product(
        kernel, x, solution.problem.rows, solution.coefficients, at=rows
    )
    return product + solution.bias
