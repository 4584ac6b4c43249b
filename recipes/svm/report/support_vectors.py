"""The report's support vectors: how many, and which ones weigh most."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from recipes.pipeline import report
from recipes.svm.report.initial_gap import bounds

if TYPE_CHECKING:
    from recipes.pipeline.run import Run

MAX_ROWS = 10
_AT_BOUND = 1 - 1e-9  # of the bound
Vector = npt.NDArray[np.float64]


class Vectors(NamedTuple):
    """The support vectors; `[m]` each but for the coefficients.

    Attributes:
        rows: their numbers among the training rows.
        coefficients: β, `[m, problems]`.
        used: in how many problems each has a coefficient.
        bounded: in how many of them that is as large as C lets it.
        cost: how far each is on the wrong side of its margin or outside the tube, or
            of another class than its own: what decides among equal coefficients.
    """

    rows: npt.NDArray[np.int64]
    coefficients: npt.NDArray[np.float64]
    used: npt.NDArray[np.int64]
    bounded: npt.NDArray[np.int64]
    cost: Vector


def support_vectors(run: Run) -> report.Section:
    """How many rows the machine rests on, and those with the largest coefficients.

    Args:
        run: the run.
    """
    title, rows = "Support vectors", len(run.data.train.target)
    found = _found(run)
    if not len(found.rows):
        text = "No row has a coefficient: the machine predicts its bias everywhere."
        return report.Section(title, (report.Paragraph(text),))
    weight = np.abs(found.coefficients).sum(axis=1)
    order = np.lexsort((-found.cost, -weight.round(9)))[:MAX_ROWS]
    about = run.data.description
    summary = report.summarise(run.data.train.features)
    listed: list[list[str | report.Cell]] = [
        [
            report.Cell(
                _headline(run, int(found.rows[i])),
                report.describe_row(
                    about.columns, run.data.train.features, int(found.rows[i]), summary
                ),
            ),
            _coefficient(found.coefficients[i]),
            _state(run, found, int(i)),
        ]
        for i in order
    ]
    many = len(found.coefficients[0]) > 1
    header = ("Training row", "Σ|β|" if many else "β", "State")
    body = (
        report.Paragraph(" ".join(_words(run, found, rows))),
        report.Table(_caption(run, len(order)), header, listed, "lrl"),
    )
    return report.Section(title, body)


def _found(run: Run) -> Vectors:
    rows = run.model.support_indices
    size = np.abs(run.model.dual_coefficients[: len(rows)])
    bound = bounds(run)[rows][:, np.newaxis]
    return Vectors(
        rows,
        run.model.dual_coefficients[: len(rows)],
        np.count_nonzero(size, axis=1),
        np.count_nonzero(size >= _AT_BOUND * bound, axis=1),
        _cost(run)[rows],
    )


def _cost(run: Run) -> Vector:
    target, made = run.data.train.target, run.predictions[0]
    if run.data.description.task == "regression":
        return np.abs(target - np.reshape(made, -1))
    return -_lead(made.scores, target)


def _lead(scores: Vector, target: npt.NDArray[np.int64]) -> Vector:
    """The score of each row's own class above that of the best other."""
    if scores.shape[1] == 1:
        return np.where(target == 1, scores[:, 0], -scores[:, 0])
    own = np.take_along_axis(scores, target[:, np.newaxis], axis=1)
    others = scores.copy()
    np.put_along_axis(others, target[:, np.newaxis], -np.inf, axis=1)
    return own[:, 0] - others.max(axis=1)


def _words(run: Run, found: Vectors, rows: int) -> Iterator[str]:
    vectors = len(found.rows)
    yield (
        f"The machine rests on {report.number(vectors)} of the "
        f"{report.count(rows, 'training row')} "
        f"({report.percent(vectors / rows)}), its support vectors. Without the others "
        "it would be the same."
    )
    bounded = int(np.count_nonzero(found.bounded))
    free = int(np.count_nonzero(found.bounded < found.used))
    if run.data.description.task == "regression":
        yield (
            f"{report.number(bounded)} of them lie outside the tube: their coefficient "
            "is as large as C lets it. The tube's edges pass through the other "
            f"{report.number(vectors - bounded)}."
        )
    elif len(found.coefficients[0]) == 1:
        yield (
            f"{report.number(bounded)} of them lie inside the margin or on the wrong "
            "side: their coefficient is as large as C lets it. The margins pass "
            f"through the other {report.number(vectors - bounded)}."
        )
    else:
        yield (
            f"In some problem, {report.number(free)} of them lie on the margin, and "
            f"{report.number(bounded)} inside it or on the wrong side, where their "
            "coefficient is as large as C lets it."
        )


def _headline(run: Run, row: int) -> str:
    target = run.data.description.target
    value = run.data.train.target[row]
    if run.data.description.task == "regression":
        told = report.quantity(float(value), target.unit)
        return f"Row {row}: {target.name} {told}"
    return f"Row {row}: {report.quoted(target.levels[int(value)])}"


def _coefficient(beta: Vector) -> str:
    return report.number(float(np.abs(beta).sum() if len(beta) > 1 else beta[0]))


def _state(run: Run, found: Vectors, i: int) -> report.Cell:
    """Free or at the bound, and what the machine makes of the row."""
    row, bounded, used = int(found.rows[i]), int(found.bounded[i]), int(found.used[i])
    if run.data.description.task == "regression":
        residual = run.data.train.target[row] - float(np.ravel(run.predictions[0])[row])
        note = f"residual {report.number(residual, 3)}"
        return report.Cell("outside the tube" if bounded else "on its edge", note)
    made, levels = run.predictions[0], run.data.description.target.levels
    predicted = int(made.predicted[row])
    wrong = predicted != run.data.train.target[row]
    note = f"taken for {report.quoted(levels[predicted])}" if wrong else ""
    if len(found.coefficients[i]) > 1:
        share = "" if bounded == used else f" {bounded} of {used} times"
        return report.Cell(f"at the bound{share}" if bounded else "on the margin", note)
    score = f"score {report.number(float(made.scores[row, 0]), 3)}"
    if not bounded:
        return report.Cell("on the margin", score)
    return report.Cell("wrong side" if wrong else "inside the margin", score)


def _caption(run: Run, listed: int) -> str:
    about = run.data.description
    which = f"The {listed} support vectors" if listed > 1 else "The support vector"
    caption = f"{which} of the largest coefficient"
    caption += (
        ", among equal ones those that fit the least: look here for targets that "
        "are wrong and for rows that are damaged. Rows are numbered from 0 in the "
        "order of the training rows."
    )
    if about.task == "classification" and len(about.target.levels) > 2:
        caption += (
            " Σ|β| is over all problems that a row is in, and so is how often the "
            "coefficient is as large as C lets it."
        )
    if len(about.columns) > report.MAX_VALUES:
        caption += (
            f" Of each the {report.MAX_VALUES} values are told that lie furthest from "
            "the training rows' mean, in standard deviations."
        )
    return caption
