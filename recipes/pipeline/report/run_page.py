"""What the report of every run has: how good the model is, the data, the command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from recipes.pipeline.report import classification, regression
from recipes.pipeline.report.blocks import KeyNumber, KeyNumbers, Page, Section
from recipes.pipeline.report.data_section import data_summary
from recipes.pipeline.report.regression import Pairs, pairs
from recipes.pipeline.report.reproduce import repeat

if TYPE_CHECKING:  # datasets imports TensorFlow, which no report needs
    from recipes.pipeline.datasets import Data
    from recipes.pipeline.evaluation import Decisions


class Worth(NamedTuple):
    """How good a model is: in a sentence, in key numbers, as a section."""

    outcome: str
    highlights: tuple[KeyNumber, ...]
    scores: Section


def worth(learner: str, data: Data, metrics: Mapping[str, Any]) -> Worth:
    """How good a model is, beside the simplest rival.

    Args:
        learner: such as `the support vector machine`.
        data: what it was trained and tested on.
        metrics: as written to `metrics.json`.
    """
    target, rows = data.description.target, len(data.test.target)
    scores = metrics["train"], metrics["test"], metrics["baseline"]
    if target.levels:
        return Worth(
            classification.outcome(learner, target, rows, *scores[1:]),
            classification.highlights(rows, *scores),
            classification.scores(target, *scores),
        )
    return Worth(
        regression.outcome(learner, target, rows, *scores[1:]),
        regression.highlights(target, *scores),
        regression.scores(target, *scores),
    )


def both_pairs(data: Data, predictions: Sequence[Any]) -> tuple[Pairs, Pairs]:
    """Actual and predicted values of the training and of the test rows."""
    train, test = predictions
    return pairs(data.train.target, train), pairs(data.test.target, test)


def class_sections(data: Data, made: Decisions) -> list[Section]:
    """Which classes, and which rows, a classifier gets wrong, and how sure it is.

    Args:
        data: what it was trained and tested on.
        made: what it makes of the test rows.
    """
    about = data.description
    sections = [
        classification.class_by_class(about.target, made),
        classification.confusion_matrix(about.target, made),
        classification.separation(about.target, made),
    ]
    if made.probabilities is not None:
        sections.append(classification.calibration(about.target, made))
    sections.append(classification.mistakes(about, data.test.features, made))
    return sections


def page_of_run(
    title: str,
    outcome: str,
    highlights: Sequence[KeyNumber],
    sections: Sequence[Section],
    data: Data,
    metrics: Mapping[str, Any],
    command: Sequence[str],
) -> Page:
    """A recipe's page, with what stands at the end of every one.

    Args:
        title: the page's.
        outcome: what came of the run, in one sentence with its full stop.
        highlights: the numbers at the top.
        sections: what the recipe has to tell.
        data: what it was trained and tested on.
        metrics: as written to `metrics.json`.
        command: the arguments of the command line that repeats the run.
    """
    return Page(
        title=title,
        outcome=outcome,
        opening=(KeyNumbers(tuple(highlights)),),
        sections=(*sections, data_summary(data), repeat(command, metrics)),
        footer=f"Written by Descent Recipes {metrics['versions']['recipes']}.",
    )
