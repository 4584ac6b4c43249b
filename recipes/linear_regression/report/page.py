"""The report of a linear regression: the page and its certificate section."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from recipes.linear_regression.report.coefficients import (
    Coefficients,
    coefficient_section,
)
from recipes.pipeline import report
from recipes.pipeline.datasets import Data

Vector = npt.NDArray[np.float64]


def build_page(
    data: Data,
    metrics: Mapping[str, Any],
    predictions: tuple[npt.ArrayLike, npt.ArrayLike],
    loss_history: npt.ArrayLike,
    coefficients: Coefficients,
    command: Sequence[str],
) -> report.Page:
    """Build the report of a linear regression.

    Args:
        data: The training and test data.
        metrics: The contents of `metrics.json`; `baseline` holds the test scores of the
            training mean.
        predictions: For the training rows and the test rows, [n] or [n, 1] each.
        loss_history: Loss before the first and after every iteration.
        coefficients: The coefficients in original units.
        command: The command line that repeats the run.
    """
    target, certificate = data.description.target, metrics["certificate"]
    about = data.description
    learned = replace(
        target, name=about.learned_name, unit="" if about.target_log else target.unit
    )
    headline = report.headline("linear regression", data, metrics)
    train, test = report.pair_predictions(data, predictions)
    return report.build_page(
        f"Linear regression on {data.description.name}",
        f"{headline.outcome}; {_describe_outcome(certificate)}.",
        (*headline.highlights, *_list_highlights(certificate)),
        [
            headline.scores,
            certificate_section(certificate, loss_history),
            report.predicted_against_actual(target, train, test),
            report.residuals(target, train, test),
            coefficient_section(learned, coefficients),
        ],
        data,
        metrics,
        command,
    )


def _describe_outcome(certificate: Mapping[str, Any]) -> str:
    """Return how close the fit is to the optimum, as the end of a sentence."""
    excess = _describe_excess(certificate)
    if certificate["converged"]:
        return "the fit is the optimum" + (f" to {excess}" if excess else "")
    detail = f": the loss is {excess} above the optimum" if excess else ""
    return f"gradient descent has not converged{detail}"


def _describe_excess(certificate: Mapping[str, Any]) -> str:
    """Return the relative excess loss in words; empty if it is not finite."""
    excess = certificate["relative_excess_loss"]
    if excess is None or not math.isfinite(excess):
        return ""
    return report.one_part_in(excess)


def _list_highlights(certificate: Mapping[str, Any]) -> tuple[report.KeyNumber, ...]:
    excess = _describe_excess(certificate)
    label = "Gradient descent"
    if certificate["converged"]:
        note = f"optimum to {excess}" if excess else ""
        state = report.KeyNumber(label, "Converged", note, "good")
    else:
        note = f"loss {excess} above the optimum" if excess else ""
        state = report.KeyNumber(label, "Not converged", note, "bad")
    steps = report.number(certificate["iterations"])
    return state, report.KeyNumber("Iterations", steps, "gradient steps")


# For each stop reason other than the optimum: what happened, and what to do about it.
_STOP_REASONS = {
    "max_iterations": (
        "it reached the limit set by --max_iterations",
        "More iterations or --learning_rate=auto may help.",
    ),
    "stalled": (
        "the loss stopped falling because of rounding errors",
        "Nearly collinear columns are the usual cause; --l2 helps.",
    ),
    "epochs": ("it took the requested number of steps", "More steps may help."),
    "interrupted": ("a callback ended it", "More steps may help."),
    "precision": (
        "the coefficients are optimal, but predictions of this size are rounded too "
        "coarsely",
        "Subtracting an offset from the target helps.",
    ),
}
_EXPLANATIONS = {
    "loss": "The minimised function at the fitted coefficients.",
    "optimal_loss": "The smallest possible loss, computed separately from the fit.",
    "relative_excess_loss": "The loss minus the optimal loss, relative to the latter.",
    "gradient_norm": "The length of the gradient; 0 at the optimum.",
    "condition_number": "Largest over smallest curvature of the loss. The larger, "
    "the more iterations are needed. Nearly collinear columns make it large.",
    "iterations": "Steps taken, each with the gradient over all training rows.",
    "converged": "Whether the loss or the gradient reached the tolerance.",
    "stop_reason": "Why the descent stopped.",
}


def certificate_section(
    certificate: Mapping[str, Any], loss_history: npt.ArrayLike
) -> report.Section:
    """Build the section: whether the fit is the optimum, in words, numbers and a plot.

    Args:
        certificate: The model's `certificate`.
        loss_history: Loss before the first and after every iteration.
    """
    doubtful = ("converged", "stop_reason", "relative_excess_loss")
    table = report.certificate_table(
        certificate,
        _EXPLANATIONS,
        () if certificate["converged"] else doubtful,
        "the data and the coefficients",
    )
    curve = _plot_loss(
        np.asarray(loss_history, np.float64), certificate["optimal_loss"]
    )
    body = (_explain(certificate), report.Grid((table, curve)))
    return report.Section("Certificate", body)


def _explain(certificate: Mapping[str, Any]) -> report.Notice:
    """Explain the certificate in a sentence or two."""
    steps = report.count(certificate["iterations"], "iteration")
    excess = _describe_excess(certificate)
    if certificate["converged"]:
        text = f"Gradient descent took {steps}"
        if excess:
            text += (
                f" to bring the loss to within {excess} of the smallest possible: no "
                "other coefficients lower it by more than that"
            )
        return report.Notice("This is the optimum.", f"{text}.", "good")
    reason, advice = _STOP_REASONS.get(
        certificate["stop_reason"], (certificate["stop_reason"], "")
    )
    text = f"Gradient descent stopped after {steps}: {reason}. "
    if excess:
        text += f"The loss is still {excess} above the smallest possible. "
    text += f"Do not rely on the coefficients. {advice}"
    return report.Notice("Not converged.", text.rstrip(), "bad")


def _plot_loss(history: Vector, optimum: float) -> report.Figure:
    """Plot the excess loss per iteration on a logarithmic axis."""
    excess = _clip_excess(history, optimum)
    finite = excess[np.isfinite(excess)]
    caption = (
        f"Loss after each iteration minus the optimal loss, {report.number(optimum)}. "
        "On this logarithmic axis, a straight line means that every iteration reduces "
        "the excess by the same factor."
    )
    if finite.size < history.size:
        caption += " Where the line is missing, the loss was too large to show."
    alt = (
        f"Line plot of the loss above the optimum, from {report.number(finite[0], 3)} "
        f"to {report.number(finite[-1], 3)} in "
        f"{report.count(history.size - 1, 'iteration')}."
    )
    svg = report.draw_descent(excess, "Loss above the optimum")
    return report.Figure(svg, caption, alt)


def _clip_excess(history: Vector, optimum: float) -> Vector:
    """Return the loss above the optimum, clipped below at its rounding error.

    Losses that are not finite, or too large for an axis, become NaN.
    """
    loss = np.where(np.abs(history) < 1e200, history, np.nan)
    epsilon = float(np.finfo(np.float64).eps)
    scale = max(abs(optimum), epsilon * abs(float(history[0])))
    return np.maximum(loss - optimum, max(epsilon * scale, 1e-200))
