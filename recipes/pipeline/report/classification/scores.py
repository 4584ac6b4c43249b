"""How often a classifier is right: in all, and class by class."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from sklearn import metrics

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
    count,
    number,
    percent,
    quoted,
    share,
)

if TYPE_CHECKING:  # datasets imports TensorFlow, which no report needs
    from recipes.pipeline.datasets import Column
    from recipes.pipeline.evaluation import Decisions

Scores = Mapping[str, float | None]
_TITLES = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "auc": "AUC",
    "log_loss": "Log loss",
}
_MIXED = 3  # classes that a class is mistaken for, told at most


def outcome(
    learner: str, target: Column, rows: int, test: Scores, baseline: Scores
) -> str:
    """What came of a classification, in one sentence without its full stop.

    Args:
        learner: such as `the support vector machine`.
        target: what was predicted.
        rows: number of test rows.
        test: the model's scores on them.
        baseline: the scores on them of always answering the commonest training class.
    """
    right, rival = _known(test["accuracy"]), _known(baseline["accuracy"])
    start = f"On {count(rows, 'test row')}, {learner} gets {quoted(target.name)} right"
    if right <= rival:
        return (
            f"{start} no more often than always answering the commonest class does "
            f"({percent(right)} against {percent(rival)})"
        )
    always = f"{percent(rival)} by always answering the commonest class"
    if right == 1:
        return f"{start} every time ({always})"
    return f"{start} in {percent(right)} of them ({always})"


def highlights(
    rows: int, train: Scores, test: Scores, baseline: Scores
) -> tuple[KeyNumber, ...]:
    """The numbers that tell a classifier's worth, for the top of the page.

    Args:
        rows: number of test rows.
        train: the scores on the training rows.
        test: those on the test rows.
        baseline: those on the test rows of always answering the commonest class.
    """
    right, rival = _known(test["accuracy"]), _known(baseline["accuracy"])
    wrong, rivals = (round((1 - each) * rows) for each in (right, rival))
    tone: Tone = "" if right > rival else "bad"
    cards = [
        KeyNumber(
            "Accuracy on test rows",
            percent(right),
            f"{percent(_known(train['accuracy']))} on training rows",
            tone,
        ),
        KeyNumber(
            "Mistakes on test rows",
            f"{number(wrong)} of {number(rows)}",
            f"{number(rivals)} by always answering the commonest class",
            tone,
        ),
    ]
    if test["auc"] is not None:
        cards.append(
            KeyNumber(
                "AUC on test rows",
                share(test["auc"]),
                f"{_told('auc', train)} on training rows",
                "" if test["auc"] > 0.5 else "bad",
            )
        )
    return tuple(cards)


def scores(target: Column, train: Scores, test: Scores, baseline: Scores) -> Section:
    """The scores beside those of the commonest class, with a line on reading each."""
    several = len(target.levels) > 2
    one, other = (quoted(name) for name in reversed(target.levels[-2:]))
    readings = {
        "accuracy": "Share of the rows whose class is right.",
        "balanced_accuracy": "The mean of that share over the classes: a rare class "
        "weighs as much as a common one.",
        "auc": "Area under the ROC curve: how often "
        + (
            "a row of a class looks more like it than a row of the others, the mean "
            "over the classes"
            if several
            else f"a row of {one} looks more like {one} than one of {other}"
        )
        + "; 1 is perfect, 0.5 is guessing.",
        "log_loss": "Mean of \N{MINUS SIGN}log of the probability that the true class "
        "was given: 0 is perfect, and being surely wrong costs most.",
    }
    shown = [key for key in _TITLES if (train[key], test[key]) != (None, None)]
    table = Table(
        "How good the predictions are.",
        ("Score", "Test", "Train", "Baseline"),
        [
            [_TITLES[key], *(_told(key, each) for each in (test, train, baseline))]
            for key in shown
        ],
        "lrrr",
    )
    terms = {_TITLES[key]: readings[key] for key in shown}
    terms["Baseline"] = (
        "The scores on the test rows of always answering the commonest class of the "
        "training rows, with the classes' shares of them for probabilities."
    )
    if test["auc"] is None:
        terms[MISSING] = "There is no AUC where a class has no row."
    return Section("Scores", (Grid((table, Terms(terms))),))


def class_by_class(target: Column, made: Decisions) -> Section:
    """A table of precision, recall and F1 of each class.

    Args:
        target: what was predicted.
        made: the decisions on the test rows.
    """
    labels = np.arange(len(target.levels))
    columns = metrics.precision_recall_fscore_support(
        made.target, made.predicted, labels=labels, zero_division=np.nan
    )
    mixed = metrics.confusion_matrix(made.target, made.predicted, labels=labels)
    np.fill_diagonal(mixed, 0)
    rows: list[list[str | Cell]] = [
        [
            Cell(name, _taken_for(target, mixed[i])),
            *(share(float(column[i])) for column in columns[:3]),
            number(int(columns[3][i])),
        ]
        for i, name in enumerate(target.levels)
    ]
    means = (
        share(float(np.mean(known))) if known.size else MISSING
        for known in (column[~np.isnan(column)] for column in columns[:3])
    )
    rows.append([Cell("Mean of the classes"), *means, number(len(made.target))])
    table = Table(
        "Over the test rows.",
        ("Class", "Precision", "Recall", "F1", "Rows"),
        rows,
        "lrrrr",
    )
    readings = {
        "Precision": "Of the rows taken for the class, the share that are of it.",
        "Recall": "Of the rows of the class, the share that are taken for it.",
        "F1": "The harmonic mean of the two: high only where both are.",
    }
    return Section("Class by class", (Grid((table, Terms(readings))),))


def _taken_for(target: Column, mixed: npt.NDArray[np.int64]) -> str:
    """The classes that a class is mistaken for most often, in small print."""
    order = np.argsort(-mixed, kind="stable")[:_MIXED]
    named = (
        f"{target.levels[i]}\N{NO-BREAK SPACE}({number(int(mixed[i]))})"
        for i in order
        if mixed[i]
    )
    return f"taken for {', '.join(named)}" if mixed.any() else ""


def _known(value: float | None) -> float:
    return math.nan if value is None else value


def _told(key: str, scores: Scores) -> str:
    """The log loss as a number, the others, which lie between 0 and 1, as shares."""
    value = scores[key]
    if value is None:
        return MISSING
    return number(value) if key == "log_loss" else share(value)
