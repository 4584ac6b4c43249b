"""Evaluation: predictions and scores on rows that a model has or has not seen."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

import keras
import numpy as np
import numpy.typing as npt
import scipy.sparse
import tensorflow as tf
from sklearn import metrics

from recipes.checks import memory
from recipes.checks.sparse import make_batches
from recipes.errors import InputError
from recipes.pipeline.datasets import Data, Examples, batches
from recipes.pipeline.datasets.description import FeatureMatrix

Matrix: TypeAlias = npt.NDArray[np.float64]
Weight: TypeAlias = npt.NDArray[np.float64] | None

BATCH_SIZE = 8192  # rows that are preprocessed or predicted at a time
EPSILON = float(np.finfo(np.float64).eps)
_BATCH_BYTES = 64 << 20  # of the raw rows that are preprocessed at a time, in float64


def regression_scores(
    target: npt.ArrayLike,
    prediction: npt.ArrayLike,
    weight: Weight = None,
) -> dict[str, float]:
    """Score predictions of a number, in float64.

    Args:
        target: true values, of shape [n] or [n, 1], n ≥ 1.
        prediction: predicted values, of shape [n] or [n, 1]. The number of rows must
            be the same, the shapes need not be: nothing is broadcast.
        weight: of the rows, [n], positive; None: all count the same.

    Returns:
        `mse` (in the target's unit squared), `rmse` and `mae` (in its unit) and `r2`
        (1 is perfect, 0 is as good as the mean of `target`, below 0 is worse). `r2`
        is NaN if `target` does not vary, as there is nothing to explain.

    Raises:
        ValueError: if the shapes are different, the numbers of rows differ, or values
            are not finite.
    """
    y = _as_vector(target, "target")
    p = _as_vector(prediction, "prediction")
    if y.shape != p.shape:
        raise ValueError(
            "target and prediction should have the same number of rows. "
            f"Received: {y.size} and {p.size}"
        )
    mse = float(metrics.mean_squared_error(y, p, sample_weight=weight))
    return {
        "mse": mse,
        "rmse": math.sqrt(mse),
        "mae": float(metrics.mean_absolute_error(y, p, sample_weight=weight)),
        "r2": float(metrics.r2_score(y, p, sample_weight=weight))
        if np.ptp(y) > 0
        else math.nan,
    }


def mean_baseline_scores(
    train_target: npt.ArrayLike,
    target: npt.ArrayLike,
    train_weight: Weight = None,
    weight: Weight = None,
) -> dict[str, float]:
    """Score the simplest rival: predicting the training mean for every row.

    Args:
        train_target: the training rows' true values, of shape [n] or [n, 1].
        target: the true values to score on, of shape [m] or [m, 1].
        train_weight: of the training rows, [n], or None.
        weight: of the rows to score on, [m], or None.

    Returns:
        The scores of `regression_scores`.
    """
    known = _as_vector(train_target, "train_target")
    mean = np.average(known, weights=train_weight)
    y = _as_vector(target, "target")
    return regression_scores(y, np.full(y.shape, mean), weight)


class Decisions(NamedTuple):
    """A classifier's predictions for some rows, and the truth."""

    target: npt.NDArray[np.int64]  # [n], the true class indices
    predicted: npt.NDArray[np.int64]  # [n]
    scores: Matrix  # [n, 1] for two classes, or [n, k]
    probabilities: Matrix | None  # [n, k]
    weight: Weight = None  # [n], of the rows


def decide(
    target: npt.ArrayLike,
    scores: npt.ArrayLike,
    probabilities: npt.ArrayLike | None = None,
    weight: Weight = None,
) -> Decisions:
    """Decide on a class for every row.

    Args:
        target: true class indices, integers of shape [n] or [n, 1], n ≥ 1. Classes may
            be absent.
        scores: of shape [n, 1] for two classes, of which index 1 is the positive one,
            or [n, k] for k ≥ 2. A single column decides for index 1 if it is above 0,
            several decide for the index of the largest, the first of equals.
        probabilities: of shape [n, k], each row adding up to 1; None if the model gives
            none. They do not affect the decision.
        weight: of the rows, [n], positive; None: all count the same.

    Raises:
        ValueError: if the shapes are different, the numbers of rows differ, an index is
            not that of a class, values are not finite, or probabilities are invalid.
    """
    f = _check_scores(scores)
    classes = max(f.shape[1], 2)
    y = _check_indices(target, classes)
    p = None if probabilities is None else _check_probabilities(probabilities, classes)
    for name, array in (("scores", f), ("probabilities", p)):
        if array is not None and len(array) != len(y):
            raise ValueError(
                f"target and {name} should have the same number of rows. "
                f"Received: {len(y)} and {len(array)}"
            )
    predicted = f.argmax(axis=1) if f.shape[1] > 1 else f[:, 0] > 0
    return Decisions(y, predicted.astype(np.int64), f, p, weight)


def classification_scores(
    target: npt.ArrayLike,
    scores: npt.ArrayLike,
    probabilities: npt.ArrayLike | None = None,
    weight: Weight = None,
) -> dict[str, float | None]:
    """Score predictions of a class, in float64.

    Args:
        target: true class indices, as in `decide`.
        scores: what decides on the class, as in `decide`.
        probabilities: of shape [n, k], or None.
        weight: as in `decide`; "rows" below means their weight.

    Returns:
        `accuracy`, the share of rows whose class is predicted correctly;
        `balanced_accuracy`, the mean of that share over the classes in `target`;
        `log_loss`, the mean of −log of the true class's probability, raised to the
        machine epsilon of its type if it is smaller; `auc`, the area under the ROC
        curve, computed from the probabilities if there are any, else from the scores:
        of index 1 for two classes, and for more the mean over each class against the
        rest. `log_loss` is None without probabilities, and `auc` if `target` lacks a
        class.

    Raises:
        ValueError: as in `decide`.
    """
    return score_decisions(
        decide(target, scores, probabilities, weight), _machine_epsilon(probabilities)
    )


def score_decisions(
    decisions: Decisions, epsilon: float = EPSILON
) -> dict[str, float | None]:
    """Score decisions, as in `classification_scores`.

    Args:
        decisions: on the rows.
        epsilon: what smaller probabilities are raised to.
    """
    y, predicted, weight = decisions.target, decisions.predicted, decisions.weight
    return {
        "accuracy": float(metrics.accuracy_score(y, predicted, sample_weight=weight)),
        # `balanced_accuracy_score` warns if a class is predicted but absent.
        "balanced_accuracy": float(
            metrics.recall_score(
                y,
                predicted,
                labels=np.unique(y),
                average="macro",
                sample_weight=weight,
                zero_division=0,
            )
        ),
        "log_loss": _log_loss(decisions, epsilon),
        "auc": area_under_curve(decisions),
    }


def majority_baseline_scores(
    train_target: npt.ArrayLike,
    target: npt.ArrayLike,
    classes: int,
    train_weight: Weight = None,
    weight: Weight = None,
) -> dict[str, float | None]:
    """Score the simplest rival: always predicting the most common training class.

    As probabilities it gives the classes' shares of the training rows.

    Args:
        train_target: the training rows' class indices, of shape [n] or [n, 1].
        target: the class indices to score on, of shape [m] or [m, 1].
        classes: number of classes, k ≥ 2.
        train_weight: of the training rows, [n], or None.
        weight: of the rows to score on, [m], or None.

    Returns:
        The scores of `classification_scores`.
    """
    known = _check_indices(train_target, classes)
    counts = np.bincount(known, train_weight, minlength=classes)
    answers = np.tile(counts / counts.sum(), (np.size(target), 1))
    return classification_scores(target, answers, answers, weight)


def class_ranking(decisions: Decisions, index: int) -> npt.NDArray[np.float64]:
    """Return values that rank rows by how likely they belong to a class.

    Args:
        decisions: on the rows.
        index: of the class.

    Returns:
        [n]: the class's probability if there is one, else its score, minus that of the
        other class if there are two.
    """
    scores = decisions.scores
    if decisions.probabilities is not None:
        return decisions.probabilities[:, index]
    if scores.shape[1] > 2:
        return scores[:, index]
    lead = scores[:, 0] if scores.shape[1] == 1 else scores[:, 1] - scores[:, 0]
    return lead if index == 1 else -lead


def row_log_losses(
    decisions: Decisions, epsilon: float = float(np.finfo(np.float64).eps)
) -> Matrix | None:
    """Return each row's log loss, [n]; None if there are no probabilities.

    Args:
        decisions: on the rows.
        epsilon: what probabilities are raised to, before they are renormalised.
    """
    if decisions.probabilities is None:
        return None
    p = np.maximum(decisions.probabilities, epsilon)
    true = np.take_along_axis(p, decisions.target[:, None], axis=1)[:, 0]
    return np.asarray(np.log(p.sum(axis=1)) - np.log(true))


def _log_loss(decisions: Decisions, epsilon: float) -> float | None:
    losses = row_log_losses(decisions, epsilon)
    if losses is None:
        return None
    return float(np.average(losses, weights=decisions.weight))


def area_under_curve(decisions: Decisions) -> float | None:
    """Return the area under the ROC curve, as `classification_scores` does."""
    classes = max(decisions.scores.shape[1], 2)
    if len(np.unique(decisions.target)) < classes:
        return None
    areas = [
        metrics.roc_auc_score(
            decisions.target == index,
            class_ranking(decisions, index),
            sample_weight=decisions.weight,
        )
        for index in ([1] if classes == 2 else range(classes))
    ]
    return float(np.mean(areas))


def _check_scores(values: npt.ArrayLike) -> Matrix:
    """Return scores of shape [n, k] or [n, 1] in float64, or raise an error."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(
            "scores should have shape [n, 1] or [n, k] with at least one row. "
            f"Received: {list(array.shape)}"
        )
    if not np.isfinite(array).all():
        raise ValueError("scores should be finite. Received: NaN or infinity")
    return array


def _check_probabilities(values: npt.ArrayLike, classes: int) -> Matrix:
    """Return probabilities of shape [n, classes] in float64, or raise an error."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != classes:
        raise ValueError(
            f"probabilities should have shape [n, {classes}], like the scores. "
            f"Received: {list(array.shape)}"
        )
    adds_up = np.allclose(array.sum(axis=1), 1, rtol=0, atol=1e-3)
    if not adds_up or array.min(initial=0) < 0:
        raise ValueError("probabilities should be 0 or more, each row adding up to 1")
    return array


def _machine_epsilon(values: npt.ArrayLike | None) -> float:
    """Return the machine epsilon of the values' own type, which a 0 may stand for."""
    kind = np.asarray(values).dtype
    return float(np.finfo(kind if kind.kind == "f" else np.float64).eps)


def _check_indices(values: npt.ArrayLike, classes: int) -> npt.NDArray[np.int64]:
    """Return class indices as an array of shape [n], or raise an error."""
    array = np.asarray(values)
    column = _as_vector(array, "target")
    if array.dtype.kind not in "iu":
        raise ValueError(f"target should hold integers. Received: {array.dtype}")
    if column.min() < 0 or column.max() >= classes:
        raise ValueError(
            f"target should hold class indices from 0 to {classes - 1}. "
            f"Received: {int(column.min())} to {int(column.max())}"
        )
    return column.astype(np.int64)


def _as_vector(values: npt.ArrayLike, name: str) -> npt.NDArray[np.float64]:
    """Return `values` of shape [n] or [n, 1] as a float64 array of shape [n]."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim not in (1, 2) or array.shape[1:] not in ((), (1,)) or not len(array):
        raise ValueError(
            f"{name} should have shape [n] or [n, 1] with at least one row. "
            f"Received: {list(array.shape)}"
        )
    return array.reshape(-1)


def preprocess(rows: Examples, preprocessing: Any) -> FeatureMatrix:
    """Return preprocessed features as one array `[n, p]`, or `[n, h, w(, c)]`.

    A sparse matrix that is only scaled stays a `csr_array`; it becomes dense otherwise.
    The words of free texts become one if the preprocessing's `sparse_output` is set.
    """
    if scipy.sparse.issparse(rows.features) and preprocessing.keeps_zeros:
        return preprocessing.scale_sparse(rows.features)
    width = max(rows.features.shape[1], len(preprocessing.output_names))
    blocks = (preprocessing(x).numpy() for x in _cut(rows.features, width))
    if getattr(preprocessing, "sparse_output", False):
        return scipy.sparse.vstack([scipy.sparse.csr_array(x) for x in blocks], "csr")
    return np.concatenate([*blocks])


def check_memory(data: Data, preprocessing: Any, rows_at_a_time: int = 0) -> None:
    """Check that there is memory for preprocessed rows.

    Args:
        data: The data set.
        preprocessing: Its preprocessing.
        rows_at_a_time: The most rows that are dense at a time. Defaults to 0: all
            rows, unless they stay sparse.

    Raises:
        InputError: There is not.
    """
    rows = sum(part.features.shape[0] for part in data.parts.values())
    if rows_at_a_time:
        rows = min(rows, rows_at_a_time)
    elif scipy.sparse.issparse(data.train.features) and preprocessing.keeps_zeros:
        return
    width = len(preprocessing.output_names)
    if getattr(preprocessing, "sparse_output", False):
        width -= preprocessing.num_terms  # their words take no more than the texts
    what = f"{rows:,} preprocessed rows of {width:,} columns"
    memory.require(4 * rows * width, f"{data.description.source}: {what}")


def _cut(features: FeatureMatrix, width: int) -> tf.data.Dataset:
    """Return rows in dense batches of limited size, for so many numbers in a row."""
    row_bytes = 8 * width
    size = max(1, min(BATCH_SIZE, _BATCH_BYTES // row_bytes))
    nothing = np.zeros(features.shape[0], np.float32)
    return batches.make_batches(features, nothing, size, None).map(lambda x, _: x)


def predict(
    inference: keras.Model, data: Data, features: Mapping[str, FeatureMatrix]
) -> dict[str, Any]:
    """Predict the rows of each part.

    Args:
        inference: a model that returns predictions `[n, 1]`, or for classes scores, or
            a dict of `scores` and `probabilities`.
        data: the data set.
        features: the preprocessed rows of its parts, by name.

    Returns:
        For each part predictions `[n, 1]`, or for classes `Decisions`.
    """
    outputs = {
        part: inference.predict(make_batches(x, BATCH_SIZE), verbose=0)
        if scipy.sparse.issparse(x)
        else inference.predict(x, batch_size=BATCH_SIZE, verbose=0)
        for part, x in features.items()
    }
    if data.description.task == "regression":
        return restore_offset(data, outputs)
    return {
        part: decide(
            data.parts[part].target,
            **(output if isinstance(output, dict) else {"scores": output}),
            weight=data.parts[part].weight,
        )
        for part, output in outputs.items()
    }


def restore_offset(data: Data, outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return a regression's predictions in the target's unit.

    Args:
        data: the data set.
        outputs: by part, what the learner predicts, `[n, 1]`.

    Raises:
        InputError: A logarithm is predicted that no float64 is the logarithm of.
    """
    with np.errstate(over="ignore"):
        restored = {
            part: data.description.to_target(output) for part, output in outputs.items()
        }
    for part, prediction in restored.items():
        if data.description.target_log and not np.isfinite(prediction).all():
            raise InputError(
                f"--log_target: {data.description.learned_name} is predicted as "
                f"{np.max(outputs[part]):.4g} for a {part} row, too large for a "
                "number; omit it, or leave out the columns with extreme values"
            )
    return restored


def score(data: Data, predictions: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Score the predictions of each part, and the simplest rival's on the test rows.

    Args:
        data: the data set.
        predictions: as returned by `predict`.

    Returns:
        Scores by part, and under `baseline` those of predicting the mean, or the most
        common class, of the training rows.
    """
    known = data.train.target, data.test.target
    weights = data.train.weight, data.test.weight
    if data.description.task == "regression":
        scores = {
            part: regression_scores(rows.target, predictions[part], rows.weight)
            for part, rows in data.parts.items()
            if part in predictions
        }
        return scores | {"baseline": mean_baseline_scores(*known, *weights)}
    classes = len(data.description.target.levels)
    return {
        part: score_decisions(decisions) for part, decisions in predictions.items()
    } | {"baseline": majority_baseline_scores(*known, classes, *weights)}
