"""The rows that a classifier is most surely wrong about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from recipes.pipeline.report.blocks import Cell, Paragraph, Section, Table
from recipes.pipeline.report.data import MAX_VALUES, row_values, summarise
from recipes.pipeline.report.numbers import count, number, percent, quoted

if TYPE_CHECKING:  # datasets imports TensorFlow, which no report needs
    from recipes.pipeline.datasets import Description
    from recipes.pipeline.evaluation import Decisions

MAX_ROWS = 10

Vector = npt.NDArray[np.float64]


def mistakes(about: Description, features: Any, made: Decisions) -> Section:
    """A table of the test rows that are most surely wrong, with their raw values.

    Args:
        about: the data set's description.
        features: [n, d] raw test rows, dense or CSR, as `Rows.features` holds them.
        made: the decisions on them.
    """
    title = "Most surely wrong"
    wrong = np.flatnonzero(made.predicted != made.target)
    if not wrong.size:
        return Section(title, (Paragraph("No test row is taken for a wrong class."),))
    sureness = _sureness(made)
    shown = wrong[np.argsort(-sureness[wrong], kind="stable")[:MAX_ROWS]].tolist()
    summary = summarise(features)
    names = [quoted(name) for name in about.target.levels]
    probable = made.probabilities is not None
    rows: list[list[str | Cell]] = []
    for i in shown:
        actual, predicted = names[made.target[i]], names[made.predicted[i]]
        rows.append(
            [
                Cell(
                    f"Row {i}: {actual} taken for {predicted}",
                    row_values(about.columns, features, i, summary),
                ),
                percent(sureness[i]) if probable else number(sureness[i], 3),
            ]
        )
    caption = f"The {count(len(wrong), 'mistake')} on the test rows, the surest first"
    if len(shown) < len(wrong):
        caption = f"The {len(shown)} surest of the {number(len(wrong))} mistakes"
    caption += (
        ", with the probability that the wrong class was given."
        if probable
        else ", with the lead of the wrong class' score over the true one's."
    )
    caption += " Rows are numbered from 0 in the order of the test rows."
    if len(about.columns) > MAX_VALUES:
        caption += (
            f" Of each the {MAX_VALUES} values are told that lie furthest from the "
            "test rows' mean, in standard deviations."
        )
    words = Paragraph(
        "Look here first for labels that are wrong, for rows that are damaged, and for "
        "what the columns do not tell."
    )
    last = "Probability" if probable else "Lead"
    table = Table(caption, ("Test row", last), rows, "lr")
    return Section(title, (words, table))


def _sureness(made: Decisions) -> Vector:
    """How sure each decision is: its probability, or its lead over the true class."""
    rows = np.arange(len(made.target))
    if made.probabilities is not None:
        return made.probabilities[rows, made.predicted]
    if made.scores.shape[1] == 1:
        return np.abs(made.scores[:, 0])
    return made.scores[rows, made.predicted] - made.scores[rows, made.target]
