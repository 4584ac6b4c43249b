"""The support vectors in the report: how many, and which have most weight."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from recipes.pipeline import report
from recipes.pipeline.run import Run
from recipes.svm.report.initial_gap import compute_bounds

MAX_ROWS = 10
_AT_BOUND = 1 - 1e-9  # a coefficient of this share of its bound counts as at the bound
Vector = npt.NDArray[np.float64]


class _SupportVectors(NamedTuple):
    """The support vectors; `[m]` each, except for the coefficients.

    Attributes:
        rows: their indices among the training rows.
        coefficients: β, `[m, problems]`.
        used: the number of problems in which each has a coefficient.
        bounded: the number of problems in which it is as large as C allows.
        misfit: the absolute residual, or minus the lead of the row's own class; it
            decides the order among equal coefficients.
    """

    rows: npt.NDArray[np.int64]
    coefficients: npt.NDArray[np.float64]
    used: npt.NDArray[np.int64]
    bounded: npt.NDArray[np.int64]
    misfit: Vector


def build_support_vectors_section(run: Run) -> report.Section:
    """Count the support vectors, and list those with the largest coefficients.

    Args:
        run: the run.
    """
    title, rows = "Support vectors", len(run.data.train.target)
    support = _collect(run)
    if not len(support.rows):
        text = "No row has a coefficient: the model predicts its bias everywhere."
        return report.Section(title, (report.Paragraph(text),))
    weight = np.array([np.abs(row).sum() for row in support.coefficients])
    order = np.lexsort((-support.misfit, -weight.round(9)))[:MAX_ROWS]
    about = run.data.description
    summary = report.summarise(run.data.train.features)
    listed: list[list[str | report.Cell]] = [
        [
            report.Cell(
                _label_row(run, int(support.rows[i])),
                report.describe_row(
                    about.columns,
                    run.data.train.features,
                    int(support.rows[i]),
                    summary,
                ),
            ),
            _format_coefficient(support.coefficients[i]),
            _describe_state(run, support, int(i)),
        ]
        for i in order
    ]
    several = len(support.coefficients[0]) > 1
    header = ("Training row", "Σ|β|" if several else "β", "State")
    body = (
        report.Paragraph(" ".join(_summarise(run, support, rows))),
        report.Table(_write_caption(run, len(order)), header, listed, "lrl"),
    )
    return report.Section(title, body)


def _collect(run: Run) -> _SupportVectors:
    rows = run.model.support_indices
    coefficients = run.model.dual_coefficients[: len(rows)]
    bound = _AT_BOUND * compute_bounds(run)[rows][:, np.newaxis]
    return _SupportVectors(
        rows,
        coefficients,
        np.count_nonzero(coefficients, axis=1),
        # No absolute values, which would take the memory of all coefficients again.
        np.count_nonzero((coefficients >= bound) | (coefficients <= -bound), axis=1),
        _compute_misfit(run)[rows],
    )


def _compute_misfit(run: Run) -> Vector:
    target, predictions = run.data.train.target, run.predictions[0]
    if run.data.description.task == "regression":
        return np.abs(target - np.reshape(predictions, -1))
    return -_compute_lead(predictions.scores, target)


def _compute_lead(scores: Vector, target: npt.NDArray[np.int64]) -> Vector:
    """Return how far the score of each row's own class exceeds the best other one."""
    if scores.shape[1] == 1:
        return np.where(target == 1, scores[:, 0], -scores[:, 0])
    own = np.take_along_axis(scores, target[:, np.newaxis], axis=1)
    others = scores.copy()
    np.put_along_axis(others, target[:, np.newaxis], -np.inf, axis=1)
    return own[:, 0] - others.max(axis=1)


def _summarise(run: Run, support: _SupportVectors, rows: int) -> Iterator[str]:
    vectors = len(support.rows)
    yield (
        f"The model depends on {report.number(vectors)} of the "
        f"{report.count(rows, 'training row')} ({report.percent(vectors / rows)}), its "
        "support vectors. Trained without the others, it would be the same."
    )
    bounded = int(np.count_nonzero(support.bounded))
    free = int(np.count_nonzero(support.bounded < support.used))
    if run.data.description.task == "regression":
        yield (
            f"{report.number(bounded)} of them lie outside the tube: their "
            "coefficients are as large as C allows. The edges of the tube pass through "
            f"the other {report.number(vectors - bounded)}."
        )
    elif len(support.coefficients[0]) == 1:
        yield (
            f"{report.number(bounded)} of them lie inside the margin or on the wrong "
            "side: their coefficients are as large as C allows. The margins pass "
            f"through the other {report.number(vectors - bounded)}."
        )
    else:
        yield (
            f"{report.number(free)} of them lie on the margin in at least one problem; "
            f"{report.number(bounded)} lie inside it or on the wrong side in at least "
            "one, with a coefficient as large as C allows."
        )


def _label_row(run: Run, row: int) -> str:
    target = run.data.description.target
    value = run.data.train.target[row]
    if run.data.description.task == "regression":
        return f"Row {row}: {target.name} {report.quantity(float(value), target.unit)}"
    return f"Row {row}: {report.quoted(target.levels[int(value)])}"


def _format_coefficient(beta: Vector) -> str:
    return report.number(float(np.abs(beta).sum() if len(beta) > 1 else beta[0]))


def _describe_state(run: Run, support: _SupportVectors, i: int) -> report.Cell:
    """Describe where a row lies, and the model's prediction for it."""
    row, bounded, used = (
        int(support.rows[i]),
        int(support.bounded[i]),
        int(support.used[i]),
    )
    if run.data.description.task == "regression":
        residual = run.data.train.target[row] - float(np.ravel(run.predictions[0])[row])
        note = f"residual {report.number(residual, 3)}"
        return report.Cell("outside the tube" if bounded else "on its edge", note)
    predictions, levels = run.predictions[0], run.data.description.target.levels
    predicted = int(predictions.predicted[row])
    wrong = predicted != run.data.train.target[row]
    note = f"predicted as {report.quoted(levels[predicted])}" if wrong else ""
    if len(support.coefficients[i]) > 1:
        share = "" if bounded == used else f" in {bounded} of {used} problems"
        return report.Cell(f"at the bound{share}" if bounded else "on the margin", note)
    score = f"score {report.number(float(predictions.scores[row, 0]), 3)}"
    if not bounded:
        return report.Cell("on the margin", score)
    return report.Cell("wrong side" if wrong else "inside the margin", score)


def _write_caption(run: Run, listed: int) -> str:
    about = run.data.description
    which = f"The {listed} support vectors" if listed > 1 else "The support vector"
    size = "coefficients" if listed > 1 else "coefficient"
    caption = (
        f"{which} with the largest {size}; among equal ones, the worst fit comes "
        "first. Look here for wrong targets and damaged rows. Training rows are "
        "numbered from 0."
    )
    if about.task == "classification" and len(about.target.levels) > 2:
        caption += (
            " Σ|β| is the sum over all problems of a row; at the bound, a coefficient "
            "is as large as C allows."
        )
    if len(about.columns) > report.MAX_VALUES:
        caption += (
            f" For each row, the {report.MAX_VALUES} values are listed that lie "
            "furthest from the training mean, in standard deviations."
        )
    return caption
