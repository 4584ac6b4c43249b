"""Platt's sigmoid, which turns decisions into probabilities, and its fit.

For decisions f and classes y ∈ {−1, +1} the sigmoid is

    P(y = +1 | f) = 1 / (1 + exp(A·f + B))

where A and B minimise the cross-entropy to targets that are shrunk from 1 and 0,

    F(A, B) = −Σᵢ wᵢ·(tᵢ·log pᵢ + (1 − tᵢ)·log(1 − pᵢ)),
    tᵢ = (N₊ + 1)/(N₊ + 2) where yᵢ = +1,    tᵢ = 1/(N₋ + 2) where yᵢ = −1,

and N₊ and N₋ are the total weights of the two classes. F is convex, and the shrunken
targets keep its minimum finite even where the decisions separate the classes. Fit it to
rows that the classifier was not trained on: its decisions for its own rows are
overconfident.

Platt, “Probabilistic outputs for support vector machines and comparisons to
regularized likelihood methods”, 1999; Lin, Lin and Weng, “A note on Platt's
probabilistic outputs for support vector machines”, Machine Learning 68, 2007.
"""

import warnings
from typing import NamedTuple

import numpy as np
import scipy.special

from recipes.errors import ConvergenceWarning, InputError

# The constants of Lin, Lin and Weng, and of LIBSVM.
MAX_ITERATIONS = 100
MIN_STEP = 1e-10
RIDGE = 1e-12
GRADIENT_TOLERANCE = 1e-5
SUFFICIENT_DECREASE = 1e-4
# Relative rounding of decisions and of F: smaller differences mean nothing.
ROUNDING = 8 * np.finfo(np.float64).eps
# Decisions that differ by less count as equal, so that A cannot overflow.
SMALLEST_SPREAD = 1e-300


class _Sample(NamedTuple):
    """The rows of positive weight: `[n]` each, float64; `positive` is bool."""

    decisions: np.ndarray
    positive: np.ndarray
    weights: np.ndarray


def fit_sigmoid(
    decisions: np.ndarray, positive: np.ndarray, weights: np.ndarray | None = None
) -> tuple[float, float]:
    """Fit A and B by Newton's method with backtracking.

    The method runs on decisions shifted and scaled to [−1, 1], and on weights scaled to
    a mean of 1. Newton's steps do not depend on these scales, but the tolerance of the
    gradient does: this way, decisions of 1e10 and of 1e−10 are fitted alike.

    Args:
        decisions: f, finite, `[n]`. A is negative where larger ones mean the positive
            class.
        positive: Whether each row is of the positive class, bool, `[n]`.
        weights: The rows' weights, not negative, `[n]`; `None` for 1 each.

    Returns:
        A and B. A is 0 if all decisions are equal, or all rows of one class.

    Raises:
        InputError: If a shape, a type or a value is not as documented, or no weight is
            positive.

    Warns:
        ConvergenceWarning: If the gradient stayed above the tolerance.
    """
    rows = _check(decisions, positive, weights)
    low, high = rows.decisions.min(), rows.decisions.max()
    center, spread = low / 2 + high / 2, high / 2 - low / 2
    if spread <= max(SMALLEST_SPREAD, ROUNDING * abs(center)):
        scaled, spread = np.zeros_like(rows.decisions), 1.0
    else:
        scaled = (rows.decisions - center) / spread
    count = [rows.weights[rows.positive == side].sum() for side in (False, True)]
    targets = np.where(
        rows.positive, (count[1] + 1) / (count[1] + 2), 1 / (count[0] + 2)
    )
    # The best (A, B) with A = 0, up to the shrinking of the targets.
    start = np.array([0.0, np.log((count[0] + 1) / (count[1] + 1))])
    slope, offset = _minimise(
        start, scaled, targets, rows.weights / rows.weights.mean()
    )
    slope /= spread
    return float(slope), float(offset - slope * center)


def _check(
    decisions: np.ndarray, positive: np.ndarray, weights: np.ndarray | None
) -> _Sample:
    decisions = np.asarray(decisions, np.float64)
    positive = np.asarray(positive)
    if weights is None:
        weights = np.ones(decisions.shape)
    weights = np.asarray(weights, np.float64)
    if decisions.ndim != 1 or not decisions.shape == positive.shape == weights.shape:
        raise InputError(
            "decisions, positive and weights should be vectors of one length, but "
            f"their shapes are {decisions.shape}, {positive.shape} and {weights.shape}"
        )
    if positive.dtype != bool:
        raise InputError(f"positive should be bool, but is {positive.dtype}")
    if not np.isfinite(decisions).all():
        raise InputError("decisions should be finite, but one is NaN or infinite")
    total = weights.sum()
    if not (np.isfinite(total) and total > 0 and (weights >= 0).all()):
        raise InputError(
            "weights should be finite and not negative, and one of them positive"
        )
    counts = weights > 0
    return _Sample(decisions[counts], positive[counts], weights[counts])


def _minimise(
    parameters: np.ndarray, f: np.ndarray, targets: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Minimise F over (A, B), starting from `parameters`; other arrays are `[n]`."""
    value = _compute_cross_entropy(parameters, f, targets, weights)
    for _ in range(MAX_ITERATIONS):
        gradient, direction = _compute_newton_step(parameters, f, targets, weights)
        if abs(gradient).max() < GRADIENT_TOLERANCE:
            return parameters
        step = 1.0
        while step >= MIN_STEP:
            candidate = parameters + step * direction
            candidate_value = _compute_cross_entropy(candidate, f, targets, weights)
            decrease = SUFFICIENT_DECREASE * step * (gradient @ direction)
            # Near the minimum the decrease is below the rounding of a long sum.
            if candidate_value <= value + decrease + ROUNDING * value:
                break
            step /= 2
        else:
            break
        parameters, value = candidate, candidate_value
    gradient, _ = _compute_newton_step(parameters, f, targets, weights)
    if abs(gradient).max() >= GRADIENT_TOLERANCE:
        warnings.warn(
            "the fit of probabilities ended with a gradient of "
            f"{abs(gradient).max():.1e}, above its tolerance {GRADIENT_TOLERANCE:.0e}",
            ConvergenceWarning,
            stacklevel=3,
        )
    return parameters


def _compute_cross_entropy(
    parameters: np.ndarray, f: np.ndarray, targets: np.ndarray, weights: np.ndarray
) -> float:
    """Compute F(A, B), in a form in which no exponential overflows."""
    z = parameters[0] * f + parameters[1]
    # −t·log p − (1 − t)·log(1 − p) = t·z + log(1 + exp(−z))
    losses = targets * z + np.maximum(-z, 0) + np.log1p(np.exp(-abs(z)))
    return float(weights @ losses)


def _compute_newton_step(
    parameters: np.ndarray, f: np.ndarray, targets: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Compute the gradient of F, `[2]`, and Newton's direction, `[2]`.

    With hᵢ = wᵢ·pᵢ·(1 − pᵢ) the Hessian is Σᵢ hᵢ·(fᵢ, 1)·(fᵢ, 1)ᵀ. Subtracting the mean
    of f under h makes it diagonal, which leaves two divisions by sums of squares: the
    direction is downhill even where rounding would spoil a determinant.
    """
    z = parameters[0] * f + parameters[1]
    p = scipy.special.expit(-z)
    residuals = weights * (targets - p)
    h = weights * p * scipy.special.expit(z)
    mean = h @ f / (h.sum() + RIDGE)
    gradient = np.array([residuals @ f, residuals.sum()])
    slope = -(residuals @ (f - mean)) / (h @ (f - mean) ** 2 + RIDGE)
    offset = -gradient[1] / (h.sum() + RIDGE)
    return gradient, np.array([slope, offset - mean * slope])
