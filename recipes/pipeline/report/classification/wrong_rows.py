"""The most confident mistakes of a classifier, as rows or as images."""

from typing import Any

import numpy as np
import numpy.typing as npt

from recipes.pipeline.datasets import Description
from recipes.pipeline.evaluation import Decisions
from recipes.pipeline.report.blocks import (
    Block,
    Cell,
    Paragraph,
    Pictures,
    Section,
    Table,
)
from recipes.pipeline.report.classification import wrong_images
from recipes.pipeline.report.data_section import MAX_VALUES, describe_row, summarise
from recipes.pipeline.report.number_format import count, number, percent, quoted

MAX_ROWS = 10
MAX_IMAGES = 24

Vector = npt.NDArray[np.float64]


def mistakes(about: Description, features: Any, decisions: Decisions) -> Section:
    """Return the most confident mistakes on the test rows: a table, or the images.

    Args:
        about: the data set's description.
        features: [n, d] raw test rows, dense or CSR, as in `Examples.features`.
        decisions: on these rows.
    """
    title = "Most confident mistakes"
    wrong = np.flatnonzero(decisions.predicted != decisions.target)
    if not wrong.size:
        return Section(title, (Paragraph("No test row is misclassified."),))
    confidence = _confidence(decisions)
    limit = MAX_IMAGES if about.image_shape else MAX_ROWS
    shown = wrong[np.argsort(-confidence[wrong], kind="stable")[:limit]].tolist()
    caption = (
        f"The {count(len(wrong), 'mistake')} on the test rows, the most confident first"
    )
    if len(shown) < len(wrong):
        caption = (
            f"The {len(shown)} most confident of the {number(len(wrong))} mistakes"
        )
    caption += (
        ", with the probability given to the wrong class."
        if decisions.probabilities is not None
        else ", with the lead of the wrong class's score over the true class's."
    )
    caption += " Test rows are numbered from 0."
    build = _pictures if about.image_shape else _table
    return Section(title, build(about, features, decisions, shown, caption))


def _format_confidence(confidence: float, decisions: Decisions) -> str:
    return (
        percent(confidence)
        if decisions.probabilities is not None
        else number(confidence, 3)
    )


def _pictures(
    about: Description,
    features: Any,
    decisions: Decisions,
    shown: list[int],
    caption: str,
) -> tuple[Block, ...]:
    """Show the mistakes as images, black and white being the extremes of all rows."""
    names, confidence = about.target.levels, _confidence(decisions)
    rows = (_dense_row(features, i) for i in shown)
    ends = float(features.min()), float(features.max())
    items = [
        wrong_images.picture(
            row,
            about.image_shape,
            ends,
            f"{quoted(names[decisions.target[i]])} predicted as "
            f"{quoted(names[decisions.predicted[i]])}",
            f"{_format_confidence(confidence[i], decisions)}, row {i}",
        )
        for i, row in zip(shown, rows, strict=True)
    ]
    words = Paragraph(
        "Look here first for wrong labels, and for images that are damaged or that "
        "nobody could recognise."
    )
    pixelated = wrong_images.is_coarse(about.image_shape)
    return words, Pictures(caption, items, pixelated)


def _dense_row(features: Any, i: int) -> Vector:
    row = features[[i]]
    return np.asarray(row.toarray() if hasattr(row, "toarray") else row)[0]


def _table(
    about: Description,
    features: Any,
    decisions: Decisions,
    shown: list[int],
    caption: str,
) -> tuple[Block, ...]:
    """Show the mistakes with their raw values."""
    names, confidence = about.target.levels, _confidence(decisions)
    summary = summarise(features)
    rows: list[list[str | Cell]] = []
    for i in shown:
        actual, predicted = (
            quoted(names[each[i]]) for each in (decisions.target, decisions.predicted)
        )
        rows.append(
            [
                Cell(
                    f"Row {i}: {actual} predicted as {predicted}",
                    describe_row(about.columns, features, i, summary),
                ),
                _format_confidence(confidence[i], decisions),
            ]
        )
    if len(about.columns) > MAX_VALUES:
        caption += (
            f" Of each row, the {MAX_VALUES} values furthest from the test rows' mean, "
            "in standard deviations, are shown."
        )
    words = Paragraph(
        "Look here first for wrong labels, for damaged rows, and for what the columns "
        "do not capture."
    )
    last = "Probability" if decisions.probabilities is not None else "Lead"
    return words, Table(caption, ("Test row", last), rows, "lr")


def _confidence(decisions: Decisions) -> Vector:
    """Return each decision's probability, or else its lead over the true class."""
    rows = np.arange(len(decisions.target))
    if decisions.probabilities is not None:
        return decisions.probabilities[rows, decisions.predicted]
    if decisions.scores.shape[1] == 1:
        return np.abs(decisions.scores[:, 0])
    return (
        decisions.scores[rows, decisions.predicted]
        - decisions.scores[rows, decisions.target]
    )
