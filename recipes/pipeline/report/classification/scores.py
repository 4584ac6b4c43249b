"""How often a classifier is correct: overall, and class by class."""

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from sklearn import metrics

from recipes.pipeline.datasets import Column
from recipes.pipeline.datasets.description import Threshold
from recipes.pipeline.evaluation import Decisions
from recipes.pipeline.report.blocks import (
    Cell,
    Grid,
    KeyNumber,
    Section,
    Table,
    Terms,
    Tone,
)
from recipes.pipeline.report.number_format import (
    MISSING,
    count_rows,
    describe_weights,
    number,
    percent,
    quoted,
    share,
)

Scores = Mapping[str, float | None]
_TITLES = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "auc": "AUC",
    "log_loss": "Log loss",
}
_MAX_CONFUSED = 3  # classes listed that a class is mistaken for


def outcome(
    learner: str,
    target: Column,
    rows: int,
    test: Scores,
    baseline: Scores,
    weights: str = "",
) -> str:
    """Return what came of a classification, in one sentence without its full stop.

    Args:
        learner: such as `the support vector machine`.
        target: what was predicted.
        rows: number of test rows.
        test: the model's scores on them.
        baseline: the scores on them of always predicting the most common class of the
            training rows.
        weights: the column of the rows' weights, if they have any.
    """
    accuracy, rival = _nan_if_none(test["accuracy"]), _nan_if_none(baseline["accuracy"])
    name = quoted(target.name)
    start = f"On {count_rows(rows, weights)}, {learner} predicts {name} correctly"
    if accuracy <= rival:
        return (
            f"{start} no more often than always predicting the most common class does "
            f"({percent(accuracy)} against {percent(rival)})"
        )
    always = f"{percent(rival)} when always predicting the most common class"
    if accuracy == 1:
        return f"{start} every time ({always})"
    them = "their weight" if weights else "them"
    return f"{start} for {percent(accuracy)} of {them} ({always})"


def highlights(
    rows: int, train: Scores, test: Scores, baseline: Scores, weights: str = ""
) -> tuple[KeyNumber, ...]:
    """Return the numbers that sum up a classifier, for the top of the page.

    Args:
        rows: number of test rows.
        train: the scores on the training rows.
        test: those on the test rows.
        baseline: those on the test rows of always predicting the most common class.
        weights: the column of the rows' weights, if they have any.
    """
    accuracy, rival = _nan_if_none(test["accuracy"]), _nan_if_none(baseline["accuracy"])
    wrong, rivals = (round((1 - each) * rows) for each in (accuracy, rival))
    tone: Tone = "" if accuracy > rival else "bad"
    cards = [
        KeyNumber(
            "Accuracy on test rows",
            percent(accuracy),
            f"{percent(_nan_if_none(train['accuracy']))} on training rows",
            tone,
        ),
    ]
    if not weights:  # the scores then count rows
        cards.append(
            KeyNumber(
                "Mistakes on test rows",
                f"{number(wrong)} of {number(rows)}",
                f"{number(rivals)} when always predicting the most common class",
                tone,
            )
        )
    if test["auc"] is not None:
        cards.append(
            KeyNumber(
                "AUC on test rows",
                share(test["auc"]),
                f"{_format_score('auc', train)} on training rows",
                "" if test["auc"] > 0.5 else "bad",
            )
        )
    return tuple(cards)


def scores(
    target: Column,
    train: Scores,
    test: Scores,
    baseline: Scores,
    weights: str = "",
) -> Section:
    """Return the section with the scores, and how to read each of them."""
    several = len(target.levels) > 2
    one, other = (quoted(name) for name in reversed(target.levels[-2:]))
    readings = {
        "accuracy": "Share of the rows whose class is predicted correctly.",
        "balanced_accuracy": "The mean of that share over the classes: a rare class "
        "counts as much as a common one.",
        "auc": "Area under the ROC curve: how often "
        + (
            "a row of a class scores higher for it than a row of another class, the "
            "mean over the classes"
            if several
            else f"a row of {one} scores higher for {one} than a row of {other}"
        )
        + "; 1 is perfect, 0.5 is guessing.",
        "log_loss": "Mean of \N{MINUS SIGN}log of the probability given to the true "
        "class: 0 is perfect, and confident mistakes cost the most.",
    }
    shown = [key for key in _TITLES if (train[key], test[key]) != (None, None)]
    table = Table(
        "How good the predictions are.",
        ("Score", "Test", "Train", "Baseline"),
        [
            [
                _TITLES[key],
                *(_format_score(key, each) for each in (test, train, baseline)),
            ]
            for key in shown
        ],
        "lrrr",
    )
    terms = {_TITLES[key]: readings[key] for key in shown}
    terms["Baseline"] = (
        "The scores on the test rows of always predicting the most common class of the "
        "training rows, with the classes' shares of those as probabilities."
    )
    if weights:
        terms["Weights"] = describe_weights(weights)
    if test["auc"] is None:
        terms[MISSING] = "There is no AUC if a class has no rows."
    return Section("Scores", (Grid((table, Terms(terms))),))


def describe_threshold(target: Column, threshold: Threshold) -> str:
    """Return a sentence on what decides for the second of two classes."""
    chosen = (
        f"; this gives the best balanced accuracy on the {threshold.rows}"
        if threshold.rows
        else ""
    )
    return (
        f"A row is predicted as {quoted(target.levels[1])} if the {threshold.of} of "
        f"that class is at least {number(threshold.value)}, as "
        f"--threshold={threshold.rule} asks{chosen}."
    )


def class_by_class(target: Column, decisions: Decisions) -> Section:
    """Return a table of the precision, recall and F1 of each class.

    Args:
        target: what was predicted.
        decisions: on the test rows.
    """
    labels = np.arange(len(target.levels))
    columns = metrics.precision_recall_fscore_support(
        decisions.target, decisions.predicted, labels=labels, zero_division=np.nan
    )
    mixed = metrics.confusion_matrix(
        decisions.target, decisions.predicted, labels=labels
    )
    np.fill_diagonal(mixed, 0)
    rows: list[list[str | Cell]] = [
        [
            Cell(name, _list_confusions(target, mixed[i])),
            *(share(float(column[i])) for column in columns[:3]),
            number(int(columns[3][i])),
        ]
        for i, name in enumerate(target.levels)
    ]
    means = (
        share(float(np.mean(known))) if known.size else MISSING
        for known in (column[~np.isnan(column)] for column in columns[:3])
    )
    rows.append([Cell("Mean of the classes"), *means, number(len(decisions.target))])
    table = Table(
        "On the test rows.",
        ("Class", "Precision", "Recall", "F1", "Rows"),
        rows,
        "lrrrr",
    )
    readings = {
        "Precision": "Of the rows predicted as the class, the share that belong to it.",
        "Recall": "Of the rows that belong to the class, the share predicted as it.",
        "F1": "The harmonic mean of precision and recall: high only if both are.",
    }
    return Section("Class by class", (Grid((table, Terms(readings))),))


def _list_confusions(target: Column, mixed: npt.NDArray[np.int64]) -> str:
    """List the classes that a class is mistaken for most often."""
    order = np.argsort(-mixed, kind="stable")[:_MAX_CONFUSED]
    named = (
        f"{target.levels[i]}\N{NO-BREAK SPACE}({number(int(mixed[i]))})"
        for i in order
        if mixed[i]
    )
    return f"predicted as {', '.join(named)}" if mixed.any() else ""


def _nan_if_none(value: float | None) -> float:
    return math.nan if value is None else value


def _format_score(key: str, scores: Scores) -> str:
    """Format the log loss as a number and the others, between 0 and 1, as shares."""
    value = scores[key]
    if value is None:
        return MISSING
    return number(value) if key == "log_loss" else share(value)
