"""What every report has in common: how good the model is, the data, the command."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from recipes.pipeline.datasets import Data
from recipes.pipeline.evaluation import Decisions
from recipes.pipeline.report import classification, regression
from recipes.pipeline.report.blocks import (
    KeyNumber,
    KeyNumbers,
    Notice,
    Page,
    Paragraph,
    Section,
)
from recipes.pipeline.report.data_section import data_summary
from recipes.pipeline.report.regression import Pairs, pair
from recipes.pipeline.report.reproduce import reproduce_section


class Headline(NamedTuple):
    """How good a model is: in a sentence, in key numbers and as a section."""

    outcome: str
    highlights: tuple[KeyNumber, ...]
    scores: Section


def headline(learner: str, data: Data, metrics: Mapping[str, Any]) -> Headline:
    """Compare a model with the simplest rival.

    Args:
        learner: such as `the support vector machine`.
        data: the data that the learner was trained and tested on.
        metrics: as written to `metrics.json`.
    """
    target, rows = data.description.target, len(data.test.target)
    weights = data.description.weights
    scores = metrics["train"], metrics["test"], metrics["baseline"]
    if target.levels:
        table = classification.scores(target, *scores, weights)
        if threshold := data.description.threshold:
            line = classification.describe_threshold(target, threshold)
            table = replace(table, body=(Paragraph(line), *table.body))
        return Headline(
            classification.outcome(learner, target, rows, *scores[1:], weights),
            classification.highlights(rows, *scores, weights),
            table,
        )
    return Headline(
        regression.outcome(learner, target, rows, *scores[1:], weights),
        regression.highlights(target, *scores),
        regression.scores(target, *scores, weights),
    )


def pair_predictions(data: Data, predictions: Sequence[Any]) -> tuple[Pairs, Pairs]:
    """Return actual and predicted values of the training and of the test rows."""
    train, test = predictions
    return pair(data.train.target, train), pair(data.test.target, test)


def class_sections(data: Data, decisions: Decisions) -> list[Section]:
    """Return the sections on which classes and rows a classifier gets wrong.

    Args:
        data: the data that the classifier was trained and tested on.
        decisions: on the test rows.
    """
    about = data.description
    sections = [
        classification.class_by_class(about.target, decisions),
        classification.confusion_matrix(about.target, decisions),
        classification.separation(about.target, decisions),
    ]
    if decisions.probabilities is not None:
        sections.append(classification.calibration(about.target, decisions))
    sections.append(classification.mistakes(about, data.test.features, decisions))
    return sections


def build_page(
    title: str,
    outcome: str,
    highlights: Sequence[KeyNumber],
    sections: Sequence[Section],
    data: Data,
    metrics: Mapping[str, Any],
    command: Sequence[str],
) -> Page:
    """Return a recipe's page, with the sections that end every report.

    Args:
        title: the page's title.
        outcome: what came of the run, in one sentence with its full stop.
        highlights: the numbers at the top.
        sections: the recipe's own sections.
        data: the data that the learner was trained and tested on.
        metrics: as written to `metrics.json`.
        command: the arguments of the command line that reproduces the run.
    """
    return Page(
        title=title,
        outcome=outcome,
        opening=(
            KeyNumbers(tuple(highlights)),
            Paragraph(f"Columns read: {data.description.kinds}."),
        ),
        sections=(*sections, data_summary(data), reproduce_section(command, metrics)),
        footer=f"Written by Descent Recipes {metrics['versions']['recipes']}.",
        warning=_build_warning(metrics),
    )


def _build_warning(metrics: Mapping[str, Any]) -> Notice | None:
    """Return the notice of a model that does not beat the simplest rival."""
    if "warning" not in metrics:
        return None
    title, _, text = metrics["warning"].partition(": ")
    return Notice(
        f"{title.capitalize()}.",
        f"{text.capitalize()}. The certificate below says how well the training solved "
        "its problem, not that the columns tell anything about the target. Other "
        "columns, more rows or other settings may help.",
        "bad",
    )
