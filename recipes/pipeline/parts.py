"""The parts of a data set (training rows, test rows): features, predictions, scores."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from recipes.pipeline import evaluation
from recipes.pipeline.datasets import Data, Rows, stream

BATCH_SIZE = 8192  # rows that are preprocessed, or predicted, at a time


def matrix(rows: Rows, preprocessing: Any) -> npt.NDArray[np.float32]:
    """The features of rows as one array `[n, p]`, of images `[n, h, w(, c)]`."""
    batches = stream.batches(rows.features, rows.target, BATCH_SIZE, None)
    return np.concatenate([preprocessing(x).numpy() for x, _ in batches])


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
        Predictions `[n, 1]` by part, or of classes `evaluation.Decisions`.
    """
    answers = {
        part: inference.predict(x, batch_size=BATCH_SIZE, verbose=0)
        for part, x in features.items()
    }
    if data.description.task == "regression":
        return answers
    return {
        part: evaluation.decisions(
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
            part: evaluation.regression_scores(data.parts[part].target, answer)
            for part, answer in answers.items()
        }
        return scores | {"baseline": evaluation.mean_baseline_scores(y_train, y_test)}
    classes = len(data.description.target.levels)
    return {
        part: evaluation.classification_scores(
            made.target, made.scores, made.probabilities
        )
        for part, made in answers.items()
    } | {"baseline": evaluation.majority_baseline_scores(y_train, y_test, classes)}
