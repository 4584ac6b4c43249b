"""Evaluation: what a model is worth on rows that it has, or has not, seen."""

import math

import numpy as np
import numpy.typing as npt
from sklearn import metrics


def regression_scores(
    target: npt.ArrayLike, prediction: npt.ArrayLike
) -> dict[str, float]:
    """Scores predictions of a number, in float64.

    Args:
        target: true values, of shape [n] or [n, 1], n ≥ 1.
        prediction: predicted values, of shape [n] or [n, 1]. The two shapes need not
            be the same, the number of rows must: nothing is broadcast.

    Returns:
        `mse` (in the target's unit squared), `rmse` and `mae` (in its unit) and `r2`
        (1 is perfect, 0 is as good as the mean of `target`, below 0 is worse). `r2`
        is NaN where `target` does not vary, since there is nothing to explain.

    Raises:
        ValueError: on other shapes, on different numbers of rows, and on values that
            are not finite.
    """
    y = _vector(target, "target")
    p = _vector(prediction, "prediction")
    if y.shape != p.shape:
        raise ValueError(
            "target and prediction should have the same number of rows. "
            f"Received: {y.size} and {p.size}"
        )
    mse = float(metrics.mean_squared_error(y, p))
    return {
        "mse": mse,
        "rmse": math.sqrt(mse),
        "mae": float(metrics.mean_absolute_error(y, p)),
        "r2": float(metrics.r2_score(y, p)) if np.ptp(y) > 0 else math.nan,
    }


def mean_baseline_scores(
    train_target: npt.ArrayLike, target: npt.ArrayLike
) -> dict[str, float]:
    """Scores the simplest rival: predicting the training mean for every row.

    Args:
        train_target: the training rows' true values, of shape [n] or [n, 1].
        target: the true values to score on, of shape [m] or [m, 1].

    Returns:
        The scores of `regression_scores`.
    """
    mean = _vector(train_target, "train_target").mean()
    y = _vector(target, "target")
    return regression_scores(y, np.full(y.shape, mean))


def _vector(values: npt.ArrayLike, name: str) -> npt.NDArray[np.float64]:
    """`values` of shape [n] or [n, 1] as a float64 array of shape [n]."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim not in (1, 2) or array.shape[1:] not in ((), (1,)) or not len(array):
        raise ValueError(
            f"{name} should have shape [n] or [n, 1] with at least one row. "
            f"Received: {list(array.shape)}"
        )
    return array.reshape(-1)
