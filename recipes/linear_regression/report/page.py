"""The report of a linear regression: the page, and the sections that only it has."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from recipes.linear_regression.report.coefficients import (
    Coefficients,
    coefficient_section,
)
from recipes.pipeline import report

if TYPE_CHECKING:  # datasets imports TensorFlow, which the report itself does not need
    from recipes.pipeline.datasets import Data

Vector = npt.NDArray[np.float64]


def page(
    data: Data,
    metrics: Mapping[str, Any],
    predictions: tuple[npt.ArrayLike, npt.ArrayLike],
    loss_history: npt.ArrayLike,
    coefficients: Coefficients,
    command: Sequence[str],
) -> report.Page:
    """The whole report of a linear regression.

    Args:
        data: what it was trained and tested on.
        metrics: as written to `metrics.json`, with the training mean's scores on the
            test rows under `baseline`.
        predictions: of the training rows and of the test rows, [n] or [n, 1] each.
        loss_history: loss before the first and after every iteration.
        coefficients: the coefficients, in original units.
        command: the arguments of the command line that repeats the run.
    """
    target, fit = data.description.target, metrics["certificate"]
    headline = report.headline("linear regression", data, metrics)
    train, test = report.pair_predictions(data, predictions)
    return report.build_page(
        f"Linear regression on {data.description.name}",
        f"{headline.outcome}; {_verdict(fit)}.",
        (*headline.highlights, *_highlights(fit)),
        [
            headline.scores,
            certificate(fit, loss_history),
            report.predicted_against_actual(target, train, test),
            report.residuals(target, train, test),
            coefficient_section(target, coefficients),
        ],
        data,
        metrics,
        command,
    )


def _verdict(fit: Mapping[str, Any]) -> str:
    """How close the fit is to the optimum, as the second half of a sentence."""
    gap = _gap(fit)
    if fit["converged"]:
        return f"the fit is the optimum to {gap}" if gap else "the fit is the optimum"
    excess = f": the loss is {gap} above the optimum" if gap else ""
    return f"gradient descent has not converged{excess}"


def _gap(fit: Mapping[str, Any]) -> str:
    """The relative excess loss in words; nothing where it is not a number."""
    excess = fit["relative_excess_loss"]
    if excess is None or not math.isfinite(excess):
        return ""
    return report.one_part_in(excess)


def _highlights(fit: Mapping[str, Any]) -> tuple[report.KeyNumber, ...]:
    gap = _gap(fit)
    label = "Gradient descent"
    if fit["converged"]:
        note = f"optimum to {gap}" if gap else ""
        state = report.KeyNumber(label, "Converged", note, "good")
    else:
        note = f"loss {gap} above the optimum" if gap else ""
        state = report.KeyNumber(label, "Not converged", note, "bad")
    steps = report.number(fit["iterations"])
    return state, report.KeyNumber("Iterations", steps, "steps along the gradient")


# For each stop reason short of the optimum: what it means, and what to do about it.
_STOPS = {
    "max_iterations": (
        "it reached the limit of --max_iterations",
        "More iterations may help, and so may --learning_rate=auto.",
    ),
    "stalled": (
        "the loss no longer fell, which is as far as rounding lets it",
        "Columns that nearly follow from others are the usual cause; --l2 helps.",
    ),
    "epochs": ("the steps asked for were taken", "More of them may help."),
}
_LINES = {
    "loss": "What was minimised, over the training rows, at the coefficients found.",
    "optimal_loss": "The least it can be, computed apart from the fit.",
    "relative_excess_loss": "How far the loss lies above the least, as a share of it.",
    "gradient_norm": "The slope that is left; 0 at the optimum.",
    "condition_number": "How stretched the loss is: the larger, the more iterations it "
    "takes. Columns that nearly follow from others make it large.",
    "iterations": "Steps taken, each along the gradient over all training rows.",
    "converged": "Whether the loss or the gradient came within the tolerance.",
    "stop_reason": "Why it stopped.",
}


def certificate(fit: Mapping[str, Any], loss_history: npt.ArrayLike) -> report.Section:
    """Whether the fit is the optimum, in words, in numbers and as the way there.

    Args:
        fit: the model's `certificate`.
        loss_history: loss before the first and after every iteration.
    """
    told = ("converged", "stop_reason", "relative_excess_loss")
    table = report.certificate_table(
        fit,
        _LINES,
        () if fit["converged"] else told,
        "the data and the coefficients",
    )
    curve = _loss_curve(np.asarray(loss_history, np.float64), fit["optimal_loss"])
    body = (_plain_words(fit), report.Grid((table, curve)))
    return report.Section("Certificate", body)


def _plain_words(fit: Mapping[str, Any]) -> report.Notice:
    """The certificate in a sentence or two."""
    steps = report.count(fit["iterations"], "iteration")
    gap = _gap(fit)
    if fit["converged"]:
        text = f"It took {steps} of gradient descent"
        if gap:
            text += (
                f" to bring the loss to within {gap} of the least possible: no other "
                "coefficients make it smaller by more than that"
            )
        return report.Notice("This is the optimum.", f"{text}.", "good")
    reason, advice = _STOPS.get(fit["stop_reason"], (fit["stop_reason"], ""))
    text = f"Gradient descent stopped after {steps}: {reason}. "
    if gap:
        text += f"The loss is still {gap} above the least possible. "
    text += f"Do not rely on the coefficients. {advice}"
    return report.Notice("Not converged.", text.rstrip(), "bad")


def _loss_curve(history: Vector, optimum: float) -> report.Figure:
    """Excess loss per iteration on a logarithmic axis."""
    excess = _excess(history, optimum)
    finite = excess[np.isfinite(excess)]
    caption = (
        f"The loss after each iteration, less the optimum of {report.number(optimum)}. "
        "On this logarithmic axis a straight fall means that every iteration gains the "
        "same factor."
    )
    if finite.size < history.size:
        caption += " Where the line is missing the loss was too large to be shown."
    alt = (
        f"Line plot of the loss above the optimum, from {report.number(finite[0], 3)} "
        f"to {report.number(finite[-1], 3)} in "
        f"{report.count(history.size - 1, 'iteration')}."
    )
    svg = report.draw_descent(excess, "Loss above the optimum")
    return report.Figure(svg, caption, alt)


def _excess(history: Vector, optimum: float) -> Vector:
    """Loss above the optimum, fit for a logarithm: no less than rounding can tell.

    Where the loss is not finite, or so large that an axis cannot hold it, it is NaN.
    """
    loss = np.where(np.abs(history) < 1e200, history, np.nan)
    epsilon = float(np.finfo(np.float64).eps)
    scale = max(abs(optimum), epsilon * abs(float(history[0])))
    return np.maximum(loss - optimum, max(epsilon * scale, 1e-200))
