"""Coefficients in the data's own units, with standard errors and 95 % intervals.

The model is fitted to standardised columns x' = (x − center) / scale. These are the
classical formulas of least squares, carried over to the columns x as they came.
"""

from typing import NamedTuple

import numpy as np
import scipy.stats

from recipes.linear_regression.solver.closed_form import Curvature
from recipes.linear_regression.solver.row_sums import Moments

CONFIDENCE = 0.95


class Estimates(NamedTuple):
    """The intercept first, then one entry for each column, in original units.

    Attributes:
        value: The estimates, `[features + 1]`.
        standard_error: Their standard errors, likewise; NaN where there are none.
        half_width: Half the length of their 95 % intervals, likewise.
        no_errors: Why there are none, as the end of a sentence; empty where there are.
    """

    value: np.ndarray
    standard_error: np.ndarray
    half_width: np.ndarray
    no_errors: str


def in_original_units(
    theta: np.ndarray, center: np.ndarray, scale: np.ndarray
) -> np.ndarray:
    """Rewrites (w, b) for x' = (x − center) / scale as (intercept, slopes) for x."""
    slopes = theta[:-1] / scale
    return np.append(theta[-1] - center @ slopes, slopes)


def estimates(
    theta: np.ndarray,
    loss: float,
    moments: Moments | None,
    curvature: Curvature | None,
    center: np.ndarray,
    scale: np.ndarray,
    *,
    penalised: bool,
) -> Estimates:
    """Estimates and their precision under the usual assumptions of least squares.

    Those are: the target is linear in the columns, and errors are independent, with
    the same variance σ² everywhere. σ² is estimated by n·MSE / (n − features − 1).

    Args:
        theta: The fitted (w, b), `[features + 1]`.
        loss: Its mean squared error over the training rows.
        moments: Moments of the standardised training rows, each of weight 1.
        curvature: H of the same.
        center: What was taken off each column, `[features]`.
        scale: What each column was then divided by, `[features]`.
        penalised: Whether the objective had a penalty.
    """
    value = in_original_units(theta, center, scale)
    reason = _why_no_errors(moments, curvature, penalised)
    if reason:
        unknown = np.full_like(value, np.nan)
        return Estimates(value, unknown, unknown, reason)
    assert moments is not None and curvature is not None  # noqa: S101, for mypy
    n = float(moments.weight)
    freedom = n - len(value)
    variance = n * loss / freedom
    slopes = 2 / n * variance * curvature.inverse() / np.outer(scale, scale)
    mean = center + scale * curvature.mean
    intercept = variance / n + mean @ slopes @ mean
    error = np.sqrt(np.append(intercept, np.diag(slopes)))
    quantile = scipy.stats.t.ppf((1 + CONFIDENCE) / 2, freedom)
    return Estimates(value, error, quantile * error, "")


def _why_no_errors(
    moments: Moments | None, curvature: Curvature | None, penalised: bool
) -> str:
    if moments is None or curvature is None:
        return "there are too many columns"
    if penalised:
        return "a penalty biases the estimates"
    if curvature.rank < len(curvature.scale):
        return "the columns are linearly dependent"
    if float(moments.weight) <= len(curvature.scale) + 1:
        return "there are no more rows than coefficients"
    return ""
