"""The certificate in the report: how close the model is to the optimum."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from matplotlib.ticker import MaxNLocator

from recipes.pipeline import report
from recipes.svm.report.initial_gap import InitialGap
from recipes.svm.solver.solution import Trace

Vector = npt.NDArray[np.float64]
_FLOOR = 1e-16  # shown for 0 on a logarithmic axis


def _describe_gap(fit: Mapping[str, Any]) -> str:
    """Describe the relative duality gap in words; empty if it is not a number."""
    gap = fit["relative_duality_gap"]
    if gap is None or not math.isfinite(gap):
        return ""
    return report.one_part_in(gap)


def describe_outcome(fit: Mapping[str, Any]) -> str:
    """Say how close the model is to the optimum, as the second half of a sentence."""
    if _is_stationary(fit):
        return "SMO has reached a stationary point, which its kernel may have many of"
    if not fit["converged"]:
        return "SMO has not converged"
    gap = _describe_gap(fit)
    return f"the fit is optimal to {gap}" if gap else "the fit is optimal"


def _is_stationary(fit: Mapping[str, Any]) -> bool:
    """Return whether the descent reached its tolerance, but maybe no optimum."""
    return fit["stop_reason"] == "tolerance" and not fit["convex"]


def list_key_numbers(fit: Mapping[str, Any], rows: int) -> tuple[report.KeyNumber, ...]:
    """List convergence and support vectors, for the top of the page."""
    gap, label = _describe_gap(fit), "SMO"
    if fit["converged"]:
        note = f"optimal to {gap}" if gap else ""
        state = report.KeyNumber(label, "Converged", note, "good")
    elif _is_stationary(fit):
        state = report.KeyNumber(label, "Not proven", "a stationary point", "bad")
    else:
        note = f"KKT violation {report.number(fit['max_kkt_violation'], 2)}"
        state = report.KeyNumber(label, "Not converged", note, "bad")
    vectors = fit["support_vectors"]
    share = f"{report.percent(vectors / rows)} of the training rows"
    return state, report.KeyNumber("Support vectors", report.number(vectors), share)


# For each stop reason other than the tolerance: what it means, and what may help.
_STOP_REASONS = {
    "max_iterations": (
        "it reached the limit of --max_iterations",
        "More iterations may help, and so may a smaller --C.",
    ),
    "stalled": (
        "no step improved it any further, which may be the limit of rounding",
        "A larger --tolerance, a smaller --C or --precision=float64 may help.",
    ),
    "interrupted": ("it was interrupted", "Let it run to the end."),
    "rounding": (
        "the values that the model computes are rounded by more than that",
        "A larger --tolerance may help, or columns of other units.",
    ),
}
_EXPLANATIONS = {
    "dual_objective": "What SMO maximises.",
    "primal_objective": "The model's cost, of errors and margin together: never less "
    "than the dual objective, and equal to it at the optimum.",
    "duality_gap": "The difference between the two: an upper bound on the distance to "
    "the optimum.",
    "relative_duality_gap": "The gap as a share of the objective.",
    "max_kkt_violation": "The largest violation of the conditions of optimality "
    "(Karush, Kuhn and Tucker).",
    "support_vectors": "Training rows that the model depends on.",
    "bounded_support_vectors": "Those whose coefficient is as large as C allows; a "
    "row counts once in each problem.",
    "problems": "Dual problems solved. The objectives are sums over them; the relative "
    "gap and the violation are those of the worst.",
    "iterations": "Each solves the small dual of a working set.",
    "two_variable_steps": "Each moves two coefficients to their joint optimum.",
    "max_rounding_error": "How far the values that the model computes for the training "
    "rows are from those of its coefficients in float64.",
    "converged": "Whether the violation over all rows fell below the tolerance and the "
    "gap below a hundredth of the objective: proof of the optimum if it is convex.",
    "convex": "Whether no direction was found in which the dual curves the wrong way.",
    "stop_reason": "Why SMO stopped.",
}


def build_certificate_section(
    fit: Mapping[str, Any],
    parameters: Mapping[str, Any],
    traces: Sequence[Trace],
    initial_gaps: Sequence[InitialGap],
) -> report.Section:
    """Report how close the model is to the optimum: in words, numbers and curves.

    Args:
        fit: the model's `certificate`.
        parameters: as in `metrics.json`.
        traces: the model's `traces`.
        initial_gaps: each problem at β = 0.
    """
    failures = ("converged", "convex", "stop_reason", "max_kkt_violation")
    several = fit["problems"] > 1
    explanations = {
        key: text for key, text in _EXPLANATIONS.items() if key != "problems" or several
    }
    table = report.certificate_table(
        fit,
        explanations,
        () if fit["converged"] else failures,
        "the rows and the coefficients",
        _TITLES,
    )
    body: list[report.Block] = [_summarise(fit, parameters)]
    if not fit["convex"]:
        body.append(
            report.Notice(
                "No proof of the optimum.",
                f"The {parameters['kernel']} kernel is not positive semidefinite on "
                "these rows, so that the problem may have many local minima. The "
                "duality gap speaks of the one that SMO came to; it says nothing about "
                "the others.",
            )
        )
    hardest = max(
        range(len(traces)),
        key=lambda i: (len(traces[i].duality_gap), initial_gaps[i].duality_gap),
    )
    descent = _Descent.from_trace(traces[hardest], initial_gaps[hardest])
    figures = report.Grid(
        (
            _plot_objectives(descent, fit["convex"]),
            _plot_violations(descent, parameters["tolerance"]),
        )
    )
    body.append(report.Grid((table, figures)))
    return report.Section("Certificate", body)


_TITLES = {
    "max_kkt_violation": "Max KKT violation",
    "max_rounding_error": "Max rounding error",
    "two_variable_steps": "Two-variable steps",
}


def _summarise(fit: Mapping[str, Any], parameters: Mapping[str, Any]) -> report.Notice:
    """Put the certificate into a sentence or two."""
    steps = (
        f"{report.count(fit['iterations'], 'iteration')} with "
        f"{report.count(fit['two_variable_steps'], 'two-variable step')}"
    )
    worst = report.number(fit["max_kkt_violation"], 2)
    tolerance = _format_short(parameters["tolerance"])
    gap = _describe_gap(fit)
    text = (
        f"After {steps}, no row violates the conditions of optimality by more than "
        f"{worst} (the tolerance is {tolerance})."
    )
    if _is_stationary(fit):
        return report.Notice("A stationary point.", text, "bad")
    if not fit["converged"]:
        reason, advice = _STOP_REASONS.get(fit["stop_reason"], (fit["stop_reason"], ""))
        text = (
            f"SMO stopped after {steps}: {reason}. The conditions of optimality are "
            f"still violated by {worst}; the tolerance is {tolerance}. {advice}"
        )
        return report.Notice("Not converged.", text.rstrip(), "bad")
    if gap:
        text += (
            f" The model's cost is proven to be within {gap} of the least possible: no "
            "other coefficients lower it by more than that."
        )
    return report.Notice("This is the optimum.", text, "good")


def _format_short(value: float) -> str:
    """Format with one significant digit if that is exact, as 0.001, else with two."""
    return report.number(value, 1 if float(f"{value:.0e}") == value else 2)


class _Descent(NamedTuple):
    """The course of one problem from β = 0 on; `[iterations + 1]` each."""

    dual: Vector
    gap: Vector
    violation: Vector
    name: str

    @classmethod
    def from_trace(cls, trace: Trace, start: InitialGap) -> Self:
        return cls(
            np.append(0.0, trace.dual_objective),
            np.append(start.duality_gap, trace.duality_gap),
            np.append(start.max_kkt_violation, trace.max_kkt_violation),
            f", in the problem {start.name}" if start.name else "",
        )

    @property
    def iterations(self) -> int:
        return len(self.dual) - 1


def _plot_objectives(descent: _Descent, convex: bool) -> report.Figure:
    """Plot the dual objective as it rises, and the primal as it falls to meet it."""
    primal = descent.dual + descent.gap
    end = float(descent.dual[-1])

    def paint(canvas: Any) -> None:
        axes = _make_axes(canvas, descent, "Objective")
        _draw_line(axes, primal, "orange", "primal")
        _draw_line(axes, descent.dual, "accent", "dual")
        low = float(descent.dual.min())
        reach = (end - low) or abs(end) or 1.0
        # The ends are both in the picture, where they have met and where not.
        high = max(end + 0.6 * reach, float(primal[-1]))
        axes.set_ylim(low - 0.03 * (high - low), high)
        report.legend(axes)

    caption = (
        f"The two objectives after each iteration{descent.name}. SMO raises the dual "
        f"objective until they meet; it ends at {report.number(end)}, and the primal "
        f"at {report.number(float(primal[-1]))}."
    )
    if convex:
        caption += " The optimum always lies between them."
    if descent.iterations == 1:
        caption += " A problem this small is one working set, solved in one iteration."
    alt = (
        f"Line plot of the dual objective, which rises from 0 to {report.number(end)} "
        f"in {report.count(descent.iterations, 'iteration')}, and of the primal one."
    )
    return report.Figure(report.draw(paint), caption, alt)


def _plot_violations(descent: _Descent, tolerance: float) -> report.Figure:
    """Plot violation, relative gap and tolerance on a logarithmic axis."""
    ends = abs(descent.dual[-1]), abs(descent.dual[-1] + descent.gap[-1])
    scale = max(*ends, _FLOOR * descent.gap.max()) or 1.0
    gap, violation = (
        np.maximum(values, _FLOOR)
        for values in (descent.gap / scale, descent.violation)
    )

    def paint(canvas: Any) -> None:
        axes = _make_axes(canvas, descent, "")
        axes.axhline(tolerance, label="tolerance", **report.REFERENCE_LINE)
        _draw_line(axes, gap, "orange", "relative gap")
        _draw_line(axes, violation, "accent", "KKT violation")
        every = np.concatenate((gap, violation, [tolerance]))
        report.set_log_scale(axes)
        axes.set_ylim(
            10.0 ** math.floor(np.log10(every.min())),
            10.0 ** math.ceil(np.log10(every.max())),
        )
        report.legend(axes)

    caption = (
        "The violation of the conditions of optimality, and the duality gap as a "
        f"share of the objective{descent.name}. SMO stops when the violation falls "
        "below the dashed line."
    )
    alt = (
        f"Line plot of the KKT violation, from {report.number(violation[0], 3)} to "
        f"{report.number(violation[-1], 3)} in "
        f"{report.count(descent.iterations, 'iteration')}, and of the relative gap."
    )
    return report.Figure(report.draw(paint), caption, alt)


def _make_axes(canvas: Any, descent: _Descent, label: str) -> Any:
    axes = report.plot_axes(canvas, "Iteration", label)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.set_xlim(0, max(descent.iterations, 1))
    return axes


def _draw_line(axes: Any, values: Vector, color: str, label: str) -> None:
    style = {"color": report.color(color), "linewidth": 2, "solid_capstyle": "round"}
    axes.plot(values, label=label, **style)
    axes.plot(len(values) - 1, values[-1], "o", markersize=7, clip_on=False, **style)
