"""Whether a model is of any use: better than the simplest rival beyond chance.

The rival predicts the mean, or the most common class with the classes' shares as
probabilities, of the training rows. A model beats it if a score on the test rows is
better by more than two standard errors:

- for numbers, the mean square error;
- for classes, the accuracy, the log loss if there are probabilities, or the AUC. Where
  one class is rare, a useful model may well have no better accuracy.

A difference of mean errors has the standard error of the rows' differences, as both
predict the same rows. An AUC of chance, 0.5, has that of the rank sum test,
√((n₊ + n₋ + 1) / (12·n₊·n₋)).
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from recipes.pipeline.datasets import Data
from recipes.pipeline.evaluation import Decisions, area_under_curve

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
        return any(_compare_decisions(data.train.target, predictions))
    y = data.test.target
    mean = data.train.target.mean()
    predicted = np.asarray(predictions, np.float64).reshape(-1)
    return _is_positive((y - mean) ** 2 - (y - predicted) ** 2)


def _compare_decisions(known: npt.NDArray[Any], decisions: Decisions) -> Iterator[bool]:
    y = decisions.target
    classes = max(decisions.scores.shape[1], 2)
    shares = np.bincount(known, minlength=classes) / len(known)
    right = (decisions.predicted == y).astype(np.float64)
    yield _is_positive(right - (y == shares.argmax()))
    if decisions.probabilities is not None:
        given = decisions.probabilities[np.arange(len(y)), y]
        gain = np.log(np.maximum(given, _SMALLEST) / np.maximum(shares[y], _SMALLEST))
        yield _is_positive(gain)
    if (auc := area_under_curve(decisions)) is not None:
        counts = np.bincount(y, minlength=classes)
        rest = len(y) - counts
        error = np.sqrt((len(y) + 1) / (12 * counts * rest)).mean()
        yield auc > 0.5 + _STANDARD_ERRORS * error


def _is_positive(gains: Vector) -> bool:
    """Say whether the mean of the rows' gains is positive beyond chance."""
    mean = gains.mean()
    error = gains.std() / math.sqrt(len(gains))
    return bool(mean > 0 and mean > _STANDARD_ERRORS * error)
