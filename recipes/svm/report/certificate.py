"""The report's certificate: whether the machine is the optimum, and the way there."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.ticker import MaxNLocator

from recipes.pipeline import report

if TYPE_CHECKING:  # the certificate imports TensorFlow, which the section does not need
    from recipes.svm.report.initial_gap import Beginning
    from recipes.svm.solver.solution import Trace

Vector = npt.NDArray[np.float64]
_LEAST = 1e-16  # what a logarithmic axis shows for 0


def is_convex(parameters: Mapping[str, Any]) -> bool:
    """Whether the kernel makes the problem convex: then the gap proves the optimum.

    Args:
        parameters: as in `metrics.json`.
    """
    kernel = parameters["kernel"]
    if kernel == "polynomial":
        return bool(parameters["coef0"] >= 0)
    return bool(kernel != "sigmoid")


def closeness(fit: Mapping[str, Any]) -> str:
    """The relative duality gap in words; nothing where it is not a number."""
    gap = fit["relative_duality_gap"]
    if gap is None or not math.isfinite(gap):
        return ""
    return report.one_part_in(gap)


def verdict(fit: Mapping[str, Any], parameters: Mapping[str, Any]) -> str:
    """How close the machine is to the optimum, as the second half of a sentence."""
    if not fit["converged"]:
        return "SMO has not converged"
    if not is_convex(parameters):
        return "SMO has converged, with a kernel that proves no optimum"
    gap = closeness(fit)
    return f"the fit is the optimum to {gap}" if gap else "the fit is the optimum"


def highlights(
    fit: Mapping[str, Any], parameters: Mapping[str, Any], rows: int
) -> tuple[report.KeyNumber, ...]:
    """Convergence and support vectors, for the top of the page."""
    gap, label = closeness(fit), "SMO"
    if fit["converged"]:
        note = f"optimum to {gap}" if gap and is_convex(parameters) else ""
        state = report.KeyNumber(label, "Converged", note, "good")
    else:
        note = f"KKT violation {report.number(fit['max_kkt_violation'], 2)}"
        state = report.KeyNumber(label, "Not converged", note, "bad")
    vectors = fit["support_vectors"]
    share = f"{report.percent(vectors / rows)} of the training rows"
    return state, report.KeyNumber("Support vectors", report.number(vectors), share)


# For each stop reason short of the tolerance: what it means, and what to do about it.
_STOPS = {
    "max_iterations": (
        "it reached the limit of --max_iterations",
        "More iterations may help, and so may a smaller --C.",
    ),
    "stalled": (
        "no step improved it any more, which is as far as rounding lets it",
        "A larger --tolerance, a smaller --C or --precision=float64 may help.",
    ),
    "interrupted": ("it was interrupted", "Let it run to its end."),
}
_LINES = {
    "dual_objective": "What SMO makes as large as it can.",
    "primal_objective": "What the machine costs, errors and margin together: never "
    "less than the dual objective, and equal to it at the optimum.",
    "duality_gap": "The difference of the two: so far from the optimum at most.",
    "relative_duality_gap": "The gap as a share of the objective.",
    "max_kkt_violation": "How far the worst row is from the conditions of optimality "
    "(Karush, Kuhn and Tucker).",
    "support_vectors": "Rows that the machine rests on.",
    "bounded_support_vectors": "Those whose coefficient is as large as C lets it; a "
    "row counts once for each problem.",
    "problems": "Dual problems solved. The objectives are their sums, the relative gap "
    "and the violation those of the worst.",
    "iterations": "Each solves the small dual of a working set.",
    "two_variable_steps": "Each changes two coefficients, to the optimum of the two.",
    "converged": "Whether the violation came within the tolerance, over all rows.",
    "stop_reason": "Why it stopped.",
}


def certificate(
    fit: Mapping[str, Any],
    parameters: Mapping[str, Any],
    traces: Sequence[Trace],
    beginnings: Sequence[Beginning],
) -> report.Section:
    """Whether the machine is the optimum, in words, in numbers and as the way there.

    Args:
        fit: the model's `certificate`.
        parameters: as in `metrics.json`.
        traces: the model's `traces`.
        beginnings: each problem at β = 0.
    """
    told = ("converged", "stop_reason", "max_kkt_violation")
    several = fit["problems"] > 1
    table = report.certificate_table(
        fit,
        {key: _LINES[key] for key in _LINES if key != "problems" or several},
        () if fit["converged"] else told,
        "the rows and the coefficients",
        _TITLES,
    )
    body: list[report.Block] = [_plain_words(fit, parameters)]
    convex = is_convex(parameters)
    if not convex:
        body.append(
            report.Notice(
                "No proof of the optimum.",
                f"The {parameters['kernel']} kernel may make the problem one with many "
                "hollows. SMO has come to the bottom of one; the duality gap says "
                "nothing of others.",
            )
        )
    hardest = max(
        range(len(traces)),
        key=lambda i: (len(traces[i].duality_gap), beginnings[i].duality_gap),
    )
    way = _Way.of(traces[hardest], beginnings[hardest])
    tolerance = parameters["tolerance"]
    body += [
        report.Grid(
            (
                table,
                report.Grid((_objectives(way, convex), _violations(way, tolerance))),
            )
        ),
    ]
    return report.Section("Certificate", body)


_TITLES = {
    "max_kkt_violation": "Max KKT violation",
    "two_variable_steps": "Two-variable steps",
}


def _plain_words(
    fit: Mapping[str, Any], parameters: Mapping[str, Any]
) -> report.Notice:
    """The certificate in a sentence or two."""
    steps = (
        f"{report.count(fit['iterations'], 'iteration')} with "
        f"{report.count(fit['two_variable_steps'], 'two-variable step')}"
    )
    worst = report.number(fit["max_kkt_violation"], 2)
    asked = _short(parameters["tolerance"])
    gap = closeness(fit)
    if not fit["converged"]:
        reason, advice = _STOPS.get(fit["stop_reason"], (fit["stop_reason"], ""))
        text = (
            f"SMO stopped after {steps}: {reason}. A row still violates the conditions "
            f"of optimality by {worst}, where {asked} was asked for. {advice}"
        )
        return report.Notice("Not converged.", text.rstrip(), "bad")
    text = (
        f"It took SMO {steps} until no row violated the conditions of optimality by "
        f"more than {worst} ({asked} was asked for)."
    )
    if not is_convex(parameters):
        return report.Notice("Converged.", text, "good")
    if gap:
        text += (
            f" What the machine costs is proven to be within {gap} of the least "
            "possible: no other coefficients make it cheaper by more than that."
        )
    return report.Notice("This is the optimum.", text, "good")


def _short(value: float) -> str:
    """One significant digit where it is all there is, as 0.001; else two."""
    return report.number(value, 1 if float(f"{value:.0e}") == value else 2)


class _Way(NamedTuple):
    """The way of one problem, from β = 0 on; `[iterations + 1]` each."""

    dual: Vector
    gap: Vector
    violation: Vector
    name: str

    @staticmethod
    def of(trace: Trace, start: Beginning) -> _Way:
        return _Way(
            np.append(0.0, trace.dual_objective),
            np.append(start.duality_gap, trace.duality_gap),
            np.append(start.max_kkt_violation, trace.max_kkt_violation),
            f", in the problem of {start.name}" if start.name else "",
        )

    @property
    def iterations(self) -> int:
        return len(self.dual) - 1


def _objectives(way: _Way, convex: bool) -> report.Figure:
    """The dual objective that rises and the primal one that comes down to it."""
    primal = way.dual + way.gap
    end = float(way.dual[-1])

    def paint(canvas: Any) -> None:
        axes = _axes(canvas, way, "Objective")
        _line(axes, primal, "orange", "primal")
        _line(axes, way.dual, "accent", "dual")
        low = float(way.dual.min())
        reach = (end - low) or abs(end) or 1.0
        axes.set_ylim(low - 0.03 * reach, end + 0.6 * reach)
        report.legend(axes)

    caption = (
        f"The two objectives after each iteration{way.name}. SMO pushes the dual one "
        f"up until they meet; it ends at {report.number(end)}, and the primal one at "
        f"{report.number(float(primal[-1]))}."
    )
    if convex:
        caption += " At every iteration the optimum lies between them."
    if way.iterations == 1:
        caption += " So small a problem is a single working set, solved at once."
    alt = (
        f"Line plot of the dual objective, which rises from 0 to {report.number(end)} "
        f"in {report.count(way.iterations, 'iteration')}, and of the primal one."
    )
    return report.Figure(report.draw(paint), caption, alt)


def _violations(way: _Way, tolerance: float) -> report.Figure:
    """Violation and relative gap on a logarithmic axis, with the tolerance."""
    ends = abs(way.dual[-1]), abs(way.dual[-1] + way.gap[-1])
    scale = max(*ends, _LEAST * way.gap.max()) or 1.0
    gap, violation = (
        np.maximum(values, _LEAST) for values in (way.gap / scale, way.violation)
    )

    def paint(canvas: Any) -> None:
        axes = _axes(canvas, way, "")
        axes.axhline(tolerance, label="tolerance", **report.REFERENCE_LINE)
        _line(axes, gap, "orange", "relative gap")
        _line(axes, violation, "accent", "KKT violation")
        every = np.concatenate((gap, violation, [tolerance]))
        report.set_log_scale(axes)
        axes.set_ylim(
            10.0 ** math.floor(np.log10(every.min())),
            10.0 ** math.ceil(np.log10(every.max())),
        )
        report.legend(axes)

    caption = (
        "How far the worst row is from the conditions of optimality, and the duality "
        f"gap as a share of the objective{way.name}. SMO stops where the violation "
        "comes below the dashed line."
    )
    alt = (
        f"Line plot of the KKT violation, from {report.number(violation[0], 3)} to "
        f"{report.number(violation[-1], 3)} in "
        f"{report.count(way.iterations, 'iteration')}, and of the relative gap."
    )
    return report.Figure(report.draw(paint), caption, alt)


def _axes(canvas: Any, way: _Way, label: str) -> Any:
    axes = report.plot_axes(canvas, "Iteration", label)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.set_xlim(0, max(way.iterations, 1))
    return axes


def _line(axes: Any, values: Vector, hue: str, label: str) -> None:
    look = {"color": report.color(hue), "linewidth": 2, "solid_capstyle": "round"}
    axes.plot(values, label=label, **look)
    axes.plot(len(values) - 1, values[-1], "o", markersize=7, clip_on=False, **look)
