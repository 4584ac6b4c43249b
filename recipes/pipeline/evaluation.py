"""Evaluation: what a model is worth on rows that it has, or has not, seen."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

import keras
import numpy as np
import numpy.typing as npt
from sklearn import metrics

from recipes.pipeline.datasets import Data, Examples, batches

Matrix: TypeAlias = npt.NDArray[np.float64]

BATCH_SIZE = 8192  # rows that are preprocessed, or predicted, at a time


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


class Decisions(NamedTuple):
    """What a classifier makes of some rows, beside the truth."""

    target: npt.NDArray[np.int64]  # [n], the true class indices
    predicted: npt.NDArray[np.int64]  # [n]
    scores: Matrix  # [n, 1] for two classes, or [n, k]
    probabilities: Matrix | None  # [n, k]


def decisions(
    target: npt.ArrayLike,
    scores: npt.ArrayLike,
    probabilities: npt.ArrayLike | None = None,
) -> Decisions:
    """Decides on a class for every row.

    Args:
        target: true class indices, integers of shape [n] or [n, 1], n ≥ 1. Classes may
            be absent.
        scores: of shape [n, 1] for two classes, index 1 being the positive one, or
            [n, k] for k ≥ 2. One column means index 1 where it is above 0, several
            mean the index of the largest, the first one of equals.
        probabilities: of shape [n, k], each row adding up to 1; None where the model
            gives none. They do not decide.

    Raises:
        ValueError: on other shapes, on different numbers of rows, on indices that are
            no class, on values that are not finite and on probabilities that are none.
    """
    f = _scores(scores)
    classes = max(f.shape[1], 2)
    y = _indices(target, classes)
    p = None if probabilities is None else _probabilities(probabilities, classes)
    for name, array in (("scores", f), ("probabilities", p)):
        if array is not None and len(array) != len(y):
            raise ValueError(
                f"target and {name} should have the same number of rows. "
                f"Received: {len(y)} and {len(array)}"
            )
    predicted = f.argmax(axis=1) if f.shape[1] > 1 else f[:, 0] > 0
    return Decisions(y, predicted.astype(np.int64), f, p)


def classification_scores(
    target: npt.ArrayLike,
    scores: npt.ArrayLike,
    probabilities: npt.ArrayLike | None = None,
) -> dict[str, float | None]:
    """Scores predictions of a class, in float64.

    Args:
        target: true class indices, as `decisions` takes them.
        scores: what decides on the class, likewise.
        probabilities: of shape [n, k], or None.

    Returns:
        `accuracy`, the share of rows whose class is right; `balanced_accuracy`, the
        mean of that share over the classes that `target` holds; `log_loss`, the mean
        of −log of the true class' probability, none of them taken for less than the
        machine epsilon of their type; `auc`, the area under the ROC curve, by the
        probabilities where there are some, else by the scores: of index 1 for two
        classes, for more the mean over each class against the rest. `log_loss` is None
        without probabilities, `auc` where `target` lacks a class.

    Raises:
        ValueError: as `decisions`.
    """
    made = decisions(target, scores, probabilities)
    y, predicted = made.target, made.predicted
    return {
        "accuracy": float(metrics.accuracy_score(y, predicted)),
        # `balanced_accuracy_score` warns of classes that are predicted only.
        "balanced_accuracy": float(
            metrics.recall_score(
                y, predicted, labels=np.unique(y), average="macro", zero_division=0
            )
        ),
        "log_loss": _log_loss(made, _epsilon(probabilities)),
        "auc": _auc(made),
    }


def majority_baseline_scores(
    train_target: npt.ArrayLike, target: npt.ArrayLike, classes: int
) -> dict[str, float | None]:
    """Scores the simplest rival: answering the commonest training class every time.

    Its probabilities are the classes' shares of the training rows.

    Args:
        train_target: the training rows' class indices, of shape [n] or [n, 1].
        target: the class indices to score on, of shape [m] or [m, 1].
        classes: number of classes, k ≥ 2.

    Returns:
        The scores of `classification_scores`.
    """
    known = _indices(train_target, classes)
    shares = np.bincount(known, minlength=classes) / len(known)
    answers = np.tile(shares, (np.size(target), 1))
    return classification_scores(target, answers, answers)


def class_ranking(made: Decisions, index: int) -> npt.NDArray[np.float64]:
    """What ranks rows by how much they look like one class.

    Args:
        made: what a classifier makes of the rows.
        index: of the class.

    Returns:
        [n], the larger the more alike: the probability where there is one, else the
        class' score, less the other's where there are two classes.
    """
    scores = made.scores
    if made.probabilities is not None:
        return made.probabilities[:, index]
    if scores.shape[1] > 2:
        return scores[:, index]
    lead = scores[:, 0] if scores.shape[1] == 1 else scores[:, 1] - scores[:, 0]
    return lead if index == 1 else -lead


def _log_loss(made: Decisions, epsilon: float) -> float | None:
    """The log loss of probabilities of at least `epsilon`, rescaled to add up to 1."""
    if made.probabilities is None:
        return None
    p = np.maximum(made.probabilities, epsilon)
    p /= p.sum(axis=1, keepdims=True)
    return float(metrics.log_loss(made.target, p, labels=np.arange(p.shape[1])))


def _auc(made: Decisions) -> float | None:
    classes = max(made.scores.shape[1], 2)
    if len(np.unique(made.target)) < classes:
        return None
    areas = [
        metrics.roc_auc_score(made.target == index, class_ranking(made, index))
        for index in ([1] if classes == 2 else range(classes))
    ]
    return float(np.mean(areas))


def _scores(values: npt.ArrayLike) -> Matrix:
    """Scores of shape [n, k] or [n, 1], checked, in float64."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(
            "scores should have shape [n, 1] or [n, k] with at least one row. "
            f"Received: {list(array.shape)}"
        )
    if not np.isfinite(array).all():
        raise ValueError("scores should be finite. Received: NaN or infinity")
    return array


def _probabilities(values: npt.ArrayLike, classes: int) -> Matrix:
    """Probabilities of shape [n, classes], checked, in float64."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != classes:
        raise ValueError(
            f"probabilities should have shape [n, {classes}], as the scores say. "
            f"Received: {list(array.shape)}"
        )
    adds_up = np.allclose(array.sum(axis=1), 1, rtol=0, atol=1e-3)
    if not adds_up or array.min(initial=0) < 0:
        raise ValueError("probabilities should be 0 or more, each row adding up to 1")
    return array


def _epsilon(values: npt.ArrayLike | None) -> float:
    """The machine epsilon of the values' own type: what a 0 among them may hide."""
    kind = np.asarray(values).dtype
    return float(np.finfo(kind if kind.kind == "f" else np.float64).eps)


def _indices(values: npt.ArrayLike, classes: int) -> npt.NDArray[np.int64]:
    """Class indices of shape [n] or [n, 1], checked, as an array of shape [n]."""
    array = np.asarray(values)
    column = _vector(array, "target")
    if array.dtype.kind not in "iu":
        raise ValueError(f"target should hold integers. Received: {array.dtype}")
    if column.min() < 0 or column.max() >= classes:
        raise ValueError(
            f"target should hold class indices from 0 to {classes - 1}. "
            f"Received: {int(column.min())} to {int(column.max())}"
        )
    return column.astype(np.int64)


def _vector(values: npt.ArrayLike, name: str) -> npt.NDArray[np.float64]:
    """`values` of shape [n] or [n, 1] as a float64 array of shape [n]."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim not in (1, 2) or array.shape[1:] not in ((), (1,)) or not len(array):
        raise ValueError(
            f"{name} should have shape [n] or [n, 1] with at least one row. "
            f"Received: {list(array.shape)}"
        )
    return array.reshape(-1)


def matrix(rows: Examples, preprocessing: Any) -> npt.NDArray[np.float32]:
    """The features of rows as one array `[n, p]`, of images `[n, h, w(, c)]`."""
    parts = batches.make_batches(rows.features, rows.target, BATCH_SIZE, None)
    return np.concatenate([preprocessing(x).numpy() for x, _ in parts])


def predict(
    inference: keras.Model, data: Data, features: Mapping[str, npt.NDArray[Any]]
) -> dict[str, Any]:
    """What a model makes of the rows of each part.

    Args:
        inference: gives predictions `[n, 1]`; for classes scores, or a dict of `scores`
            and `probabilities`.
        data: the data set.
        features: the preprocessed rows of its parts, by name.

    Returns:
        Predictions `[n, 1]` by part, or of classes `Decisions`.
    """
    answers = {
        part: inference.predict(x, batch_size=BATCH_SIZE, verbose=0)
        for part, x in features.items()
    }
    if data.description.task == "regression":
        return answers
    return {
        part: decisions(
            data.parts[part].target,
            **(answer if isinstance(answer, dict) else {"scores": answer}),
        )
        for part, answer in answers.items()
    }


def score(data: Data, answers: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Scores on each part, and those of the simplest rival on the test.

    Args:
        data: the data set.
        answers: as `predict` gives them.

    Returns:
        Scores by part, and under `baseline` those of predicting the mean, or the
        commonest class, of the training rows.
    """
    y_train, y_test = data.train.target, data.test.target
    if data.description.task == "regression":
        scores = {
            part: regression_scores(data.parts[part].target, answer)
            for part, answer in answers.items()
        }
        return scores | {"baseline": mean_baseline_scores(y_train, y_test)}
    classes = len(data.description.target.levels)
    return {
        part: classification_scores(made.target, made.scores, made.probabilities)
        for part, made in answers.items()
    } | {"baseline": majority_baseline_scores(y_train, y_test, classes)}
