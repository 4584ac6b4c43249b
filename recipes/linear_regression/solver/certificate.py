"""A proof of how close the predictions are to the optimum, in float64 from the rows."""

import math
import warnings
from typing import Any, NamedTuple

import numpy as np

from recipes.errors import ConvergenceWarning
from recipes.linear_regression.solver import row_sums
from recipes.linear_regression.solver.closed_form import Curvature
from recipes.linear_regression.solver.coordinates import Coordinates
from recipes.linear_regression.solver.objective import PERFECT_FIT, TINY, Problem
from recipes.linear_regression.solver.predictor import Predictor
from recipes.linear_regression.solver.row_sums import Moments, SquaredError
from recipes.linear_regression.solver.training_rows import TrainingRows

# Above this condition number, better columns help more than more iterations.
ILL_CONDITIONED = 1e6
# Residuals below this share of the target's spread are rounding errors.
EXACT = 1e-12
# The largest relative excess loss that rounding may cause in a converged fit.
MAX_ROUNDING = 1e-4
EPSILON = float(np.finfo(np.float64).eps)
SIGNIFICAND_BITS = {"float64": 53, "float32": 24, "float16": 11, "bfloat16": 8}


@row_sums.ignoring_overflow()
def certify(
    data: TrainingRows,
    problem: Problem,
    predictor: Predictor,
    moments: Moments,
    curvature: Curvature | None,
    *,
    l1: float,
    l2: float,
    tolerance: float,
) -> dict[str, Any]:
    """Measure how far the predictions are from the minimum of the objective.

    One pass over the rows computes, in float64, the loss of what `predict` computes and
    the gradient of the affine function f that it rounds. Without an l1 penalty the
    optimum is one Newton step from f, whose excess is ½·∂Fᵀ·H⁺·∂F. With one, the dual
    objective is a lower bound of the minimum. What the rounding adds comes on top.

    Args:
        data: The training rows.
        problem: The problem solved.
        predictor: What `predict` computes.
        moments: The moments of the rows.
        curvature: H; `None` where it was not computed: the minimum is then unknown
            without an l1 penalty.
        l1: Weight of ‖w‖₁.
        l2: Weight of ‖w‖².
        tolerance: The relative excess loss to reach.

    Returns:
        `converged`, `loss`, `optimal_loss`, `relative_excess_loss`, `gradient_norm`,
        `condition_number` and `rank`; `None` for what is unknown.
    """
    coordinates = problem.coordinates
    weights = np.append(predictor.kernel, predictor.bias)
    w, level = coordinates.centre(weights)
    error = row_sums.compute_squared_error(
        data.parts, moments.mean, w, level, predictor
    )
    gradient = error.gradient / error.weight + np.append(2 * l2 * w, 0)
    penalty = l2 * w @ w + l1 * np.abs(w).sum()
    objective = error.total / error.weight + penalty
    if l1 > 0:
        excess = _duality_gap(w, error, l1, l2)
    elif curvature is not None:
        excess = curvature.excess(gradient)
    else:
        excess = math.nan
    is_known = not math.isnan(excess)
    norm = float(np.linalg.norm(_smallest_subgradient(w, gradient, coordinates, l1)))
    proof = _judge(
        float(error.served / error.weight + penalty),
        float(objective),
        excess if is_known else 0.0,
        float(error.rounding / error.weight),
        _estimate_rounding(predictor, moments),
        float(moments.variance[-1]),
        max(tolerance, _estimate_gap_rounding(moments, l1)),
    )
    if not is_known:
        proof |= {"optimal_loss": None, "relative_excess_loss": None}
        proof["converged"] &= norm <= float(problem.rule.gradient_tolerance)
    return proof | {
        "gradient_norm": norm,
        "condition_number": curvature.condition_number if curvature else None,
        "rank": curvature.rank if curvature else None,
    }


def _duality_gap(w: np.ndarray, error: SquaredError, l1: float, l2: float) -> float:
    """Return the duality gap of the elastic net, as `descent` does, in (w, a)."""
    loss, slope = error.total / error.weight, error.gradient / error.weight
    ridge = l2 * w @ w
    # At the best level, a − slope/2.
    loss -= slope[-1] ** 2 / 4
    largest = np.abs(slope[:-1] + 2 * l2 * w).max()
    shrink = min(1.0, l1 / largest) if largest > 0 else 1.0
    # Σ r·(y − ȳ) / n = loss − w·slope / 2, as Σ r = 0 there.
    dual = 2 * shrink * (loss - w @ slope[:-1] / 2) - shrink**2 * (loss + ridge)
    primal = loss + slope[-1] ** 2 / 4 + ridge + l1 * np.abs(w).sum()
    return float(max(primal - dual, 0))


def _smallest_subgradient(
    w: np.ndarray, gradient: np.ndarray, coordinates: Coordinates, l1: float
) -> np.ndarray:
    """Return the smallest subgradient of the objective, in the descent's θ."""
    *v, last = coordinates.pull_back(gradient)
    slope, threshold = np.array(v), l1 * coordinates.unit
    at_zero = np.sign(slope) * np.maximum(np.abs(slope) - threshold, 0)
    return np.append(np.where(w == 0, at_zero, slope + threshold * np.sign(w)), last)


class _Rounding(NamedTuple):
    """Rounding errors to expect, in the target's unit.

    Attributes:
        each: Of a prediction, differing from row to row.
        level: Of the parameters, the same for all rows.
    """

    each: float
    level: float


def _estimate_rounding(predictor: Predictor, moments: Moments) -> _Rounding:
    *_, mean = moments.mean
    size = math.hypot(mean, math.sqrt(moments.variance[-1]))
    moved = np.abs(predictor.center * predictor.kernel[:, 0]).sum()
    return _Rounding(
        (2.0 ** -SIGNIFICAND_BITS[predictor.dtype] + 4 * EPSILON) * size,
        4 * EPSILON * float(np.abs(predictor.bias[0]) + moved),
    )


def _estimate_gap_rounding(moments: Moments, l1: float) -> float:
    """Return by what share of the objective rounding may change the duality gap.

    The gap is as precise as the gradient is in comparison with `l1`.
    """
    if l1 == 0:
        return 0.0
    *spread, target = np.sqrt(moments.variance)
    return min(4 * EPSILON * max(spread) * target / l1, MAX_ROUNDING)


def _judge(
    loss: float,
    objective: float,
    excess: float,
    rounding: float,
    expected: _Rounding,
    variance: float,
    tolerance: float,
) -> dict[str, Any]:
    """Return `converged`, `loss`, `optimal_loss` and `relative_excess_loss`.

    Args:
        loss: The objective of the predictions.
        objective: That of the affine function, before its predictions are rounded.
        excess: By how much it is above its minimum.
        rounding: What rounding the predictions adds to it; it may be negative.
        expected: The rounding errors to expect.
        variance: The target's.
        tolerance: The relative excess loss to reach.
    """
    loss = loss if math.isfinite(loss) else math.inf
    optimal = objective - excess
    unresolved = EXACT**2 * (variance + expected.each**2) + 4 * EPSILON * objective
    is_exact = optimal <= unresolved
    if is_exact:
        optimal = 0.0
        scale = max(PERFECT_FIT * variance, expected.each**2 / PERFECT_FIT, TINY)
        above = loss
    else:
        # Rounding may go below the optimum of functions without rounding.
        optimal = scale = min(optimal, loss)
        above = max(excess + rounding, 0) if math.isfinite(loss) else math.inf
    allowed = (
        tolerance * max(scale, PERFECT_FIT * variance)
        + 2 * expected.each * math.sqrt(optimal)
        + expected.each**2
        + expected.level**2
    )
    relative = above / scale
    is_close = is_exact or relative <= max(tolerance, MAX_ROUNDING)
    return {
        "converged": bool(above <= allowed and is_close),
        "loss": loss,
        "optimal_loss": optimal,
        "relative_excess_loss": relative,
    }


def warn_unless_converged(
    certificate: dict[str, Any], tolerance: float, dtype: str
) -> None:
    """Warn, with advice, if the loss is not within `tolerance` of its minimum."""
    if certificate["converged"]:
        return
    relative = certificate["relative_excess_loss"]
    condition = certificate["condition_number"]
    excess = "unknown" if relative is None else f"{relative:.2g}"
    advice = "allow more iterations"
    if certificate["stop_reason"] == "precision":
        advice = (
            f"the parameters are optimal, but predictions in {dtype} are too coarse "
            "for these targets: "
            + (
                "subtract an offset from them"
                if dtype == "float64"
                else 'use dtype="float64"'
            )
        )
    elif condition is not None and condition > ILL_CONDITIONED:
        advice = (
            f"the condition number is {condition:.2g}: standardise the features (as "
            'learning_rate="auto" does), add an l2 penalty, or remove columns that are '
            "nearly linear combinations of others"
        )
    warnings.warn(
        f"Gradient descent did not converge: it stopped ({certificate['stop_reason']}) "
        f"after {certificate['iterations']} iterations at a relative excess loss of "
        f"{excess}, above the tolerance of {tolerance:.2g}; {advice}.",
        ConvergenceWarning,
        stacklevel=3,
    )
