"""Whether a model is of any use: better than the simplest rival beyond chance.

The rival predicts the mean, or the most common class with the classes' shares as
probabilities, of the training rows.

A regression beats it if its mean square error is smaller, or its mean absolute error is
smaller than that of the training median, and if larger predictions go with larger
targets: if the rank correlation on the test rows is above two of the standard errors
that it has by chance, 1/√(n − 1).

A classification beats it if a score on the test rows is better by more than two
standard errors: the accuracy, the log loss if there are probabilities, or the AUC.
Where one class is rare, a useful model may well have no better accuracy. A difference
of mean scores has the standard error of the rows' differences, as both predict the same
rows. An AUC of chance, 0.5, has that of the rank sum test,
√((n₊ + n₋ + 1) / (12·n₊·n₋)).
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.stats

from recipes.pipeline.datasets import Data, Examples
from recipes.pipeline.evaluation import Decisions, Weight, area_under_curve

Vector = npt.NDArray[np.float64]

_STANDARD_ERRORS = 2.0
_SMALLEST = float(np.finfo(np.float32).eps)  # stands for a probability of 0


def beats_baseline(data: Data, predictions: Any) -> bool:
    """Say whether predictions of the test rows are better than the simplest rival's.

    Args:
        data: The data set.
        predictions: `[n, 1]`, or for classes `Decisions`.
    """
    if isinstance(predictions, Decisions):
        return any(_compare_decisions(data.train, predictions))
    predicted = np.asarray(predictions, np.float64).reshape(-1)
    return _correlates(data.test, predicted) and _is_closer(data, predicted)


def describe_failure(data: Data) -> str:
    """Return in one sentence that a model does not beat the simplest rival."""
    is_class = data.description.task == "classification"
    rows = len(data.test.target)
    rival = "most common class" if is_class else "training mean"
    return (
        f"no better than always predicting the {rival}: no score on the {rows:,} test "
        f"row{'s' * (rows != 1)} is better by more than chance may explain"
    )


def _compare_decisions(known: Examples, decisions: Decisions) -> Iterator[bool]:
    y, weight = decisions.target, decisions.weight
    classes = max(decisions.scores.shape[1], 2)
    counts = np.bincount(known.target, known.weight, minlength=classes)
    shares = counts / counts.sum()
    right = (decisions.predicted == y).astype(np.float64)
    yield is_positive(right - (y == shares.argmax()), weight)
    if decisions.probabilities is not None:
        given = decisions.probabilities[np.arange(len(y)), y]
        gain = np.log(np.maximum(given, _SMALLEST) / np.maximum(shares[y], _SMALLEST))
        yield is_positive(gain, weight)
    if (auc := area_under_curve(decisions)) is not None:
        sizes = [
            (_count_effective(y == index, weight), _count_effective(y != index, weight))
            for index in range(classes)
        ]
        errors = [math.sqrt((a + b + 1) / (12 * a * b)) for a, b in sizes]
        yield bool(auc > 0.5 + _STANDARD_ERRORS * np.mean(errors))


def _is_closer(data: Data, predicted: Vector) -> bool:
    """Say whether the mean square or absolute error is below the simplest rival's."""
    known, (y, weight) = data.train, (data.test.target, data.test.weight)
    mean = np.average(known.target, weights=known.weight)
    median = _find_median(known.target, known.weight)
    error = np.abs(y - predicted)
    gains = (y - mean) ** 2 - error**2, np.abs(y - median) - error
    return any(np.average(each, weights=weight) > 0 for each in gains)


def _correlates(rows: Examples, predicted: Vector) -> bool:
    ranks = [scipy.stats.rankdata(each) for each in (rows.target, predicted)]
    n = _count_effective(np.full(len(predicted), True), rows.weight)
    if n <= 1 or min(map(np.ptp, ranks)) == 0:
        return False
    (a, c), (_, b) = np.cov(np.stack(ranks), aweights=rows.weight)
    return bool(c / math.sqrt(a * b) > _STANDARD_ERRORS / math.sqrt(n - 1))


def is_positive(gains: Vector, weight: Weight) -> bool:
    """Say whether the mean of the rows' gains is positive beyond chance.

    Args:
        gains: `[n]`.
        weight: The rows' weights, `[n]`; `None`: all the same.

    Returns:
        Whether it is above two of its standard errors.
    """
    mean = np.average(gains, weights=weight)
    variance = np.average((gains - mean) ** 2, weights=weight)
    rows = _count_effective(np.full(len(gains), True), weight)
    return bool(mean > 0 and mean > _STANDARD_ERRORS * math.sqrt(variance / rows))


def _find_median(values: Vector, weight: Weight) -> float:
    order = np.argsort(values)
    below = np.cumsum(np.ones(len(values)) if weight is None else weight[order])
    return float(values[order[np.searchsorted(below, below[-1] / 2)]])


def _count_effective(chosen: npt.NDArray[np.bool_], weight: Weight) -> float:
    """Return how many rows of equal weight tell as much: (Σw)² / Σw², after Kish."""
    w = chosen.astype(np.float64) if weight is None else weight[chosen]
    return float(w.sum() ** 2 / (w @ w))
