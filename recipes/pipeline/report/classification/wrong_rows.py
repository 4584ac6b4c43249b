"""The rows, or images, that a classifier is most surely wrong about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from recipes.pipeline.report.blocks import (
    Block,
    Cell,
    Paragraph,
    Pictures,
    Section,
    Table,
)
from recipes.pipeline.report.classification import wrong_images
from recipes.pipeline.report.data_section import MAX_VALUES, row_values, summarise
from recipes.pipeline.report.number_format import count, number, percent, quoted

if TYPE_CHECKING:  # datasets imports TensorFlow, which no report needs
    from recipes.pipeline.datasets import Description
    from recipes.pipeline.evaluation import Decisions

MAX_ROWS = 10
MAX_IMAGES = 24

Vector = npt.NDArray[np.float64]


def mistakes(about: Description, features: Any, made: Decisions) -> Section:
    """The test rows that are most surely wrong: a table, or pictures where they are.

    Args:
        about: the data set's description.
        features: [n, d] raw test rows, dense or CSR, as `Examples.features` holds them.
        made: the decisions on them.
    """
    title = "Most surely wrong"
    wrong = np.flatnonzero(made.predicted != made.target)
    if not wrong.size:
        return Section(title, (Paragraph("No test row is taken for a wrong class."),))
    sureness = _sureness(made)
    limit = MAX_IMAGES if about.image_shape else MAX_ROWS
    shown = wrong[np.argsort(-sureness[wrong], kind="stable")[:limit]].tolist()
    caption = f"The {count(len(wrong), 'mistake')} on the test rows, the surest first"
    if len(shown) < len(wrong):
        caption = f"The {len(shown)} surest of the {number(len(wrong))} mistakes"
    caption += (
        ", with the probability that the wrong class was given."
        if made.probabilities is not None
        else ", with the lead of the wrong class' score over the true one's."
    )
    caption += " Rows are numbered from 0 in the order of the test rows."
    build = _pictures if about.image_shape else _table
    return Section(title, build(about, features, made, shown, caption))


def _told(sureness: float, made: Decisions) -> str:
    return percent(sureness) if made.probabilities is not None else number(sureness, 3)


def _pictures(
    about: Description, features: Any, made: Decisions, shown: list[int], caption: str
) -> tuple[Block, ...]:
    """The mistakes as images, from the least to the largest value of the rows."""
    names, sureness = about.target.levels, _sureness(made)
    rows = (_dense(features, i) for i in shown)
    ends = float(features.min()), float(features.max())
    items = [
        wrong_images.picture(
            row,
            about.image_shape,
            ends,
            f"{quoted(names[made.target[i]])} taken for "
            f"{quoted(names[made.predicted[i]])}",
            f"{_told(sureness[i], made)}, row {i}",
        )
        for i, row in zip(shown, rows, strict=True)
    ]
    words = Paragraph(
        "Look here first for labels that are wrong, and for images that are damaged or "
        "that no one could tell."
    )
    pixelated = wrong_images.is_coarse(about.image_shape)
    return words, Pictures(caption, items, pixelated)


def _dense(features: Any, i: int) -> Vector:
    row = features[[i]]
    return np.asarray(row.toarray() if hasattr(row, "toarray") else row)[0]


def _table(
    about: Description, features: Any, made: Decisions, shown: list[int], caption: str
) -> tuple[Block, ...]:
    """The mistakes with their raw values."""
    names, sureness = about.target.levels, _sureness(made)
    summary = summarise(features)
    rows: list[list[str | Cell]] = []
    for i in shown:
        actual, predicted = (
            quoted(names[each[i]]) for each in (made.target, made.predicted)
        )
        rows.append(
            [
                Cell(
                    f"Row {i}: {actual} taken for {predicted}",
                    row_values(about.columns, features, i, summary),
                ),
                _told(sureness[i], made),
            ]
        )
    if len(about.columns) > MAX_VALUES:
        caption += (
            f" Of each the {MAX_VALUES} values are told that lie furthest from the "
            "test rows' mean, in standard deviations."
        )
    words = Paragraph(
        "Look here first for labels that are wrong, for rows that are damaged, and for "
        "what the columns do not tell."
    )
    last = "Probability" if made.probabilities is not None else "Lead"
    return words, Table(caption, ("Test row", last), rows, "lr")


def _sureness(made: Decisions) -> Vector:
    """How sure each decision is: its probability, or its lead over the true class."""
    rows = np.arange(len(made.target))
    if made.probabilities is not None:
        return made.probabilities[rows, made.predicted]
    if made.scores.shape[1] == 1:
        return np.abs(made.scores[:, 0])
    return made.scores[rows, made.predicted] - made.scores[rows, made.target]
