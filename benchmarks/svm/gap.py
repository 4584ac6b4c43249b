"""The true quality of a support vector machine's solution, from any program.

Computed in float64 NumPy from the dual coefficients alone, independently of the
recipe's code. With signed coefficients β (Σβ = 0, f(x) = Σ βᵢ k(xᵢ, x) + b) the dual is

    maximise  −(½ βᵀKβ + pᵀβ)  subject to  l ≤ β ≤ u,

and with g = Kβ + p its KKT gap is max g[β > l] − min g[β < u], which a solver that
stops at a tolerance promises to be no larger.
"""

from itertools import combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
TILE_BYTES = 2**26


class Answer(NamedTuple):
    """The solution of a program.

    Attributes:
        support: Training rows with a nonzero coefficient, `[m]`.
        coefficients: β of each dual problem, float64, `[m, problems]`; for classes
            those of the pairs (0, 1), (0, 2), …, positive where the second is correct.
    """

    support: npt.NDArray[np.int64]
    coefficients: Floats


class Truth(NamedTuple):
    """The largest gap of the problems, and the sum of their objectives."""

    kkt_gap: float
    dual_objective: float


def of_classes(
    x: np.ndarray, y: np.ndarray, answer: Answer, C: float, gamma: float
) -> Truth:
    """Measure a C-SVC with two classes, or one-vs-one.

    Args:
        x: Training rows, `[n, d]`.
        y: Their labels, `[n]`.
        answer: β.
        C: Cost.
        gamma: γ of the rbf kernel.

    Raises:
        ValueError: If β is outside its bounds.
    """
    products = kernel_products(x, answer, gamma)
    classes = np.unique(y)
    truths = []
    for k, (first, second) in enumerate(combinations(classes, 2)):
        rows = np.flatnonzero((y == first) | (y == second))
        beta = np.zeros(len(x))
        beta[answer.support] = answer.coefficients[:, k]
        if np.any(beta[(y != first) & (y != second)]):
            raise ValueError(f"rows of other classes have coefficients in pair {k}")
        sign = np.where(y[rows] == second, 1.0, -1.0)
        truths.append(
            _truth(
                products[rows, k],
                beta[rows],
                -sign,
                np.minimum(0, C * sign),
                np.maximum(0, C * sign),
            )
        )
    return Truth(max(t.kkt_gap for t in truths), sum(t.dual_objective for t in truths))


def of_regression(
    x: np.ndarray,
    y: np.ndarray,
    answer: Answer,
    C: float,
    gamma: float,
    epsilon: float,
) -> Truth:
    """Measure an ε-SVR; β of a row belongs to the variable above or below the tube."""
    product = kernel_products(x, answer, gamma)[:, 0]
    beta = np.zeros(len(x))
    beta[answer.support] = answer.coefficients[:, 0]
    zero, target = np.zeros(len(x)), np.asarray(y, np.float64)
    return _truth(
        np.tile(product, 2),
        np.concatenate([np.maximum(beta, 0), np.minimum(beta, 0)]),
        np.concatenate([epsilon - target, -epsilon - target]),
        np.concatenate([zero, zero - C]),
        np.concatenate([zero + C, zero]),
    )


def kernel_products(x: np.ndarray, answer: Answer, gamma: float) -> Floats:
    """Compute Σⱼ βⱼ exp(−γ |xᵢ − xⱼ|²), tile by tile: `[n, problems]`."""
    vectors = x[answer.support].astype(np.float64)
    squares = np.square(vectors).sum(axis=1)
    products = np.empty((len(x), answer.coefficients.shape[1]))
    step = max(1, TILE_BYTES // (8 * max(1, len(vectors))))
    for i in range(0, len(x), step):
        tile = x[i : i + step].astype(np.float64)
        distances = tile @ vectors.T
        distances *= -2
        distances += squares
        distances += np.square(tile).sum(axis=1)[:, np.newaxis]
        np.maximum(distances, 0, out=distances)
        distances *= -gamma
        products[i : i + step] = np.exp(distances, out=distances) @ answer.coefficients
    return products


def pairwise(dual_coef: np.ndarray, support_class: np.ndarray) -> Floats:
    """Convert scikit-learn's `dual_coef_` to coefficients of pairs.

    Its row j − 1 holds the coefficients of class i against class j > i, row i those
    of class j against class i, with the sign of the pair's first class.

    Args:
        dual_coef: `[1, m]` of two classes, `[classes − 1, m]` of more.
        support_class: The support vectors' classes from 0, `[m]`.

    Returns:
        `[m, pairs]`, as in `Answer`.
    """
    dual_coef = np.asarray(dual_coef, np.float64)
    if len(dual_coef) == 1:
        return dual_coef.T.copy()
    pairs = list(combinations(range(len(dual_coef) + 1), 2))
    coefficients = np.zeros((len(support_class), len(pairs)))
    for k, (i, j) in enumerate(pairs):
        for own, row in ((i, j - 1), (j, i)):
            member = support_class == own
            coefficients[member, k] = -dual_coef[row, member]
    return coefficients


def _truth(
    product: Floats, beta: Floats, linear: Floats, lower: Floats, upper: Floats
) -> Truth:
    if np.any(beta < lower) or np.any(beta > upper):
        raise ValueError("a coefficient is outside its bounds")
    gradient = product + linear
    falls, rises = gradient[beta > lower], gradient[beta < upper]
    gap = falls.max() - rises.min() if len(falls) and len(rises) else 0.0
    return Truth(max(float(gap), 0.0), -float(beta @ (product / 2 + linear)))
