"""Coefficients in original units, with standard errors and 95 % intervals.

The model is fitted to standardised columns x' = (x − center) / scale. The classical
formulas of least squares are converted to the original columns x.
"""

from typing import NamedTuple

import numpy as np
import scipy.stats

from recipes.linear_regression.solver.closed_form import Curvature
from recipes.linear_regression.solver.row_sums import Moments

CONFIDENCE = 0.95


class Estimates(NamedTuple):
    """Estimates in original units: the intercept first, then one entry per column.

    Attributes:
        value: The estimates, `[features + 1]`.
        standard_error: Their standard errors, `[features + 1]`; NaN if there are none.
        half_width: Half the width of their 95 % intervals, `[features + 1]`.
        no_errors: Why there are none, as the end of a sentence; empty if there are.
    """

    value: np.ndarray
    standard_error: np.ndarray
    half_width: np.ndarray
    no_errors: str


def to_original_units(
    theta: np.ndarray, center: np.ndarray, scale: np.ndarray
) -> np.ndarray:
    """Convert (w, b) for x' = (x − center) / scale to (intercept, slopes) for x."""
    slopes = theta[:-1] / scale
    return np.append(theta[-1] - center @ slopes, slopes)


def estimate_coefficients(
    theta: np.ndarray,
    loss: float,
    moments: Moments | None,
    curvature: Curvature | None,
    center: np.ndarray,
    scale: np.ndarray,
    *,
    penalised: bool,
    weighted: bool = False,
) -> Estimates:
    """Estimate coefficients and standard errors under the assumptions of least squares.

    The target is linear in the columns, and the errors are independent with equal
    variance σ², which n·MSE / (n − features − 1) estimates.

    Args:
        theta: The fitted (w, b), `[features + 1]`.
        loss: The mean squared error over the training rows.
        moments: Moments of the standardised training rows, each of weight 1.
        curvature: H of the standardised training rows.
        center: The value subtracted from each column, `[features]`.
        scale: The divisor of each centred column, `[features]`.
        penalised: Whether the objective had a penalty.
        weighted: Whether the rows have weights, of which the formulas would have to
            know whether they count rows or say how precise these are.
    """
    value = to_original_units(theta, center, scale)
    reason = _explain_missing_errors(moments, curvature, penalised, weighted)
    if reason:
        unknown = np.full_like(value, np.nan)
        return Estimates(value, unknown, unknown, reason)
    assert moments is not None and curvature is not None  # noqa: S101, for mypy
    n = moments.weight
    degrees_of_freedom = n - len(value)
    variance = n * loss / degrees_of_freedom
    slopes = 2 / n * variance * curvature.inverse() / np.outer(scale, scale)
    mean = center + scale * moments.mean[:-1]
    intercept = variance / n + mean @ slopes @ mean
    error = np.sqrt(np.append(intercept, np.diag(slopes)))
    quantile = scipy.stats.t.ppf((1 + CONFIDENCE) / 2, degrees_of_freedom)
    return Estimates(value, error, quantile * error, "")


def _explain_missing_errors(
    moments: Moments | None,
    curvature: Curvature | None,
    penalised: bool,
    weighted: bool,
) -> str:
    if moments is None or curvature is None:
        return "there are too many columns"
    if weighted:
        return "the rows have weights"
    if penalised:
        return "a penalty biases the estimates"
    if curvature.rank < len(curvature.scale):
        return "the columns are linearly dependent"
    if moments.weight <= len(curvature.scale) + 1:
        return "there are no more rows than coefficients"
    return ""
