"""Decisions of rows that were held out, and the sigmoids fitted to them."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from sklearn.model_selection import StratifiedKFold

from layers import kernels
from recipes.svm.models.platt import fit_sigmoid
from recipes.svm.solver.dual import Problem
from recipes.svm.solver.float64_product import kernel_product
from recipes.svm.solver.solution import Solution

FOLDS = 5


class Fold(NamedTuple):
    """One fold of a problem of two classes.

    Attributes:
        problem: The problem without the fold's rows.
        rows: The fold's rows, int64, `[m]`.
        positive: Whether they are of the positive class, bool, `[m]`.
    """

    problem: Problem
    rows: np.ndarray
    positive: np.ndarray


def folds(
    problem: Problem, pose: Callable[[np.ndarray, np.ndarray], Problem], seed: int
) -> list[Fold]:
    """Cuts a problem of two classes into five, or as many as its smaller class has.

    Args:
        problem: The problem.
        pose: Makes a problem of some of its rows `[m]`, positive or not `[m]`.
        seed: What the folds are drawn by.

    Raises:
        ValueError: If a class has a single row.
    """
    positive = problem.upper > 0
    smaller = int(min(np.count_nonzero(positive), np.count_nonzero(~positive)))
    if smaller < 2:
        raise ValueError(
            "`probability` should be False where a class has a single row: "
            "probabilities are fitted to rows that were held out."
        )
    cut = StratifiedKFold(min(FOLDS, smaller), shuffle=True, random_state=seed)
    return [
        Fold(
            pose(problem.rows[kept], positive[kept]), problem.rows[held], positive[held]
        )
        for kept, held in cut.split(positive, positive)
    ]


def sigmoids(
    kernel: kernels.Kernel,
    x: np.ndarray,
    weight: np.ndarray,
    cut: Sequence[Sequence[Fold]],
    solutions: Sequence[Solution],
) -> list[tuple[float, float]]:
    """Platt's slope and offset for each problem.

    Args:
        kernel: The kernel.
        x: All training rows, `[n, d]`.
        weight: Their weights, `[n]`.
        cut: The folds of each problem.
        solutions: The folds' solutions, one after the other.
    """
    rest = iter(solutions)
    found = []
    for each in cut:
        decisions = [_decisions(kernel, x, next(rest), fold.rows) for fold in each]
        rows = np.concatenate([fold.rows for fold in each])
        positive = np.concatenate([fold.positive for fold in each])
        found.append(fit_sigmoid(np.concatenate(decisions), positive, weight[rows]))
    return found


def _decisions(
    kernel: kernels.Kernel, x: np.ndarray, solution: Solution, rows: np.ndarray
) -> np.ndarray:
    product = kernel_product(
        kernel, x, solution.problem.rows, solution.coefficients, at=rows
    )
    return product + solution.bias
