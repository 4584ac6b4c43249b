"""How far a score may be off by the chance of which rows it was computed on.

The rows are resampled with replacement, as often as the interval needs, and the score
is computed anew each time (the percentile bootstrap of Efron, 1979).
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from recipes.pipeline.datasets import Task
from recipes.pipeline.evaluation import Decisions, class_ranking, row_log_losses

Rows = npt.NDArray[np.int64]  # [resamples, rows]: which rows, some more than once
Scores = npt.NDArray[np.float64]  # [resamples]
Intervals = dict[str, tuple[float, float]]

RESAMPLES = 1000
_COVERED = 0.95
# Larger sets are resampled in samples of this size, see `_interval`.
_MOST_ROWS = 10_000
_ENTRIES_AT_A_TIME = 1 << 20


def score_intervals(task: Task, target: Any, predictions: Any) -> Intervals:
    """Return the 95 % intervals of the scores of some rows.

    Args:
        task: What was predicted.
        target: The rows' true values or class indices, [n].
        predictions: As of `evaluation.predict`: [n, 1], or `Decisions`.

    Returns:
        For each score of `evaluation.score` its least and its largest plausible value;
        without scores that do not exist.
    """
    if task == "regression":
        return regression_intervals(target, predictions)
    return classification_intervals(predictions)


def regression_intervals(target: npt.ArrayLike, prediction: npt.ArrayLike) -> Intervals:
    """Return the 95 % intervals of a regression's scores.

    Args:
        target: True values, [n] or [n, 1], finite.
        prediction: Predicted values, [n] or [n, 1].

    Returns:
        For each score of `regression_scores` its least and its largest plausible
        value; without scores that do not exist.
    """
    y = np.asarray(target, np.float64).reshape(-1)
    error = np.asarray(prediction, np.float64).reshape(-1) - y
    # Differences from the mean, so that the variance's sums lose no digits.
    y = y - y.mean()
    square, absolute = error**2, abs(error)

    def compute_r2(rows: Rows) -> Scores:
        mean = y[rows].mean(axis=1)
        variance = (y**2)[rows].mean(axis=1) - mean**2
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(variance > 0, 1 - _mean(square)(rows) / variance, math.nan)

    return _intervals(
        len(y),
        {
            "mse": _mean(square),
            "rmse": lambda rows: np.sqrt(_mean(square)(rows)),
            "mae": _mean(absolute),
            "r2": compute_r2,
        },
    )


def classification_intervals(decisions: Decisions) -> Intervals:
    """Return the 95 % intervals of a classification's scores.

    Args:
        decisions: On n rows.

    Returns:
        For each score of `classification_scores` its least and its largest plausible
        value; without scores that do not exist.
    """
    y = decisions.target
    hits = (decisions.predicted == y).astype(np.float64)
    classes = max(decisions.scores.shape[1], 2)
    present = np.unique(y)
    scores: dict[str, Callable[[Rows], Scores]] = {
        "accuracy": _mean(hits),
        "balanced_accuracy": _balanced_accuracy(y, hits, classes),
    }
    losses = row_log_losses(decisions)
    if losses is not None:
        scores["log_loss"] = _mean(losses)
    if len(present) == classes:
        areas = [
            _area_under_curve(class_ranking(decisions, index), y == index)
            for index in ([1] if classes == 2 else range(classes))
        ]
        scores["auc"] = lambda rows: np.mean([area(rows) for area in areas], axis=0)
    return _intervals(len(y), scores)


def _intervals(rows: int, scores: Mapping[str, Callable[[Rows], Scores]]) -> Intervals:
    """Return each score's interval, from the same resamples.

    A set of more than `_MOST_ROWS` rows is resampled in samples of that size. Their
    scores vary more, by the square root of the ratio of sizes, so what they deviate
    from the score of all rows is divided by it (the m-out-of-n bootstrap of Bickel,
    Götze and van Zwet, 1997). The time is limited in that way.

    Args:
        rows: In the set.
        scores: Each computes a score on rows.
    """
    drawn = min(rows, _MOST_ROWS)
    step = max(1, _ENTRIES_AT_A_TIME // drawn)
    generator = np.random.default_rng(0)
    found: dict[str, list[Scores]] = {name: [] for name in scores}
    for start in range(0, RESAMPLES, step):
        size = (min(step, RESAMPLES - start), drawn)
        sample = generator.integers(0, rows, size)
        for name, compute in scores.items():
            found[name].append(compute(sample))
    everything = np.arange(rows)[None]
    return {
        name: interval
        for name, parts in found.items()
        if (
            interval := _interval(
                np.concatenate(parts),
                float(scores[name](everything)[0]),
                math.sqrt(drawn / rows),
            )
        )
    }


def _interval(
    resampled: Scores, score: float, shrinkage: float
) -> tuple[float, float] | None:
    """Return an interval's ends; None if there is no score."""
    resampled = resampled[np.isfinite(resampled)]
    if not (len(resampled) and math.isfinite(score)):
        return None
    if shrinkage < 1:
        resampled = score + shrinkage * (resampled - score)
    tail = (1 - _COVERED) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail])
    return float(low), float(high)


def _mean(values: npt.NDArray[np.float64]) -> Callable[[Rows], Scores]:
    return lambda rows: np.asarray(values[rows].mean(axis=1))


def _balanced_accuracy(
    y: npt.NDArray[np.int64], hits: npt.NDArray[np.float64], classes: int
) -> Callable[[Rows], Scores]:
    """Return what computes the mean share of hits over the classes that are drawn."""

    def compute(rows: Rows) -> Scores:
        places = y[rows] + classes * np.arange(len(rows))[:, None]
        size, shape = len(rows) * classes, (len(rows), classes)
        drawn = np.bincount(places.ravel(), minlength=size).reshape(shape)
        hit = np.bincount(places.ravel(), hits[rows].ravel(), size).reshape(shape)
        shares = hit / np.maximum(drawn, 1)
        return np.asarray(shares.sum(axis=1) / (drawn > 0).sum(axis=1))

    return compute


def _area_under_curve(
    ranking: npt.NDArray[np.float64], positive: npt.NDArray[np.bool_]
) -> Callable[[Rows], Scores]:
    """Return what computes the area under the ROC curve, NaN without both classes.

    Equal values count half. Of a large set, values next to each other are taken as
    equal, as many as change no digit that matters.
    """
    values, places = np.unique(ranking, return_inverse=True)
    bins = min(len(values), _MOST_ROWS)
    places = places * bins // len(values)
    cells = 2 * places + positive

    def compute(rows: Rows) -> Scores:
        offsets = 2 * bins * np.arange(len(rows))[:, None]
        counts = np.bincount(
            (cells[rows] + offsets).ravel(), None, 2 * bins * len(rows)
        )
        negative, chosen = np.moveaxis(counts.reshape(len(rows), bins, 2), 2, 0)
        below = negative.cumsum(axis=1) - negative / 2
        pairs = negative.sum(axis=1) * chosen.sum(axis=1)
        won = (chosen * below).sum(axis=1)
        return np.where(pairs > 0, won / np.maximum(pairs, 1), math.nan)

    return compute
