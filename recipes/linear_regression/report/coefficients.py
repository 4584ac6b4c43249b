"""The coefficients of a linear regression: what they are, and their section."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recipes.pipeline import report

if TYPE_CHECKING:  # datasets imports TensorFlow, which the report itself does not need
    from recipes.pipeline.datasets import Column

MAX_PLOTTED = 30  # coefficients in the plot
MAX_LISTED = 500  # and in the table
_95 = report.percent(0.95)


@dataclass(frozen=True)
class Coefficient:
    """One coefficient in original units.

    Attributes:
        name: of the column of the design matrix, such as `age` or `sex=female`.
        unit: of the column, empty where unknown.
        estimate: change of the target for one unit more.
        scale: standard deviation of the column over the training rows.
        standard_error: of `estimate`; None where there is none.
        lower: lower end of the 95 % interval; None where there is none.
        upper: upper end of the 95 % interval; None where there is none.
    """

    name: str
    unit: str
    estimate: float
    scale: float
    standard_error: float | None = None
    lower: float | None = None
    upper: float | None = None

    @property
    def effect(self) -> float:
        """Change of the target for one standard deviation more of the column."""
        return self.estimate * self.scale

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of `effect`."""
        if self.lower is None or self.upper is None:
            return None
        return self.lower * self.scale, self.upper * self.scale


@dataclass(frozen=True)
class Coefficients:
    """All coefficients of a fit.

    Attributes:
        intercept: the prediction where all columns are 0; its `scale` is not used.
        slopes: one coefficient for each column of the design matrix.
        no_errors: why standard errors are missing, as the second half of a sentence
            ("the columns are linearly dependent"); empty where none is missing.
    """

    intercept: Coefficient
    slopes: Sequence[Coefficient]
    no_errors: str = ""


def coefficient_section(target: Column, coefficients: Coefficients) -> report.Section:
    """The coefficients with their 95 % intervals, as a plot and a table.

    Args:
        target: what is predicted.
        coefficients: in original units; shown in the order of their effect's size.
    """
    slopes = sorted(coefficients.slopes, key=lambda c: -abs(c.effect))
    body: list[report.Block] = []
    if coefficients.no_errors:
        reason = f"{coefficients.no_errors.rstrip('.')}."
        body.append(
            report.Notice("No standard errors.", f"There are none since {reason}")
        )
    if slopes:
        body.append(_forest(target, slopes))
    body.append(_coefficient_table(target, coefficients.intercept, slopes))
    return report.Section("Coefficients", body)


def _coefficient_table(
    target: Column, intercept: Coefficient, slopes: Sequence[Coefficient]
) -> report.Table:
    rows = [_coefficient_row(intercept, "the prediction where every column is 0")]
    rows += [_coefficient_row(each, each.unit) for each in slopes[:MAX_LISTED]]
    unit = f", in {target.unit}" if target.unit else ""
    caption = (
        f"Change of {report.quoted(target.name)}{unit} for one unit more of a column "
        f"while the others stay, with its {_95} interval; the largest effect first."
    )
    if len(slopes) > MAX_LISTED:
        total = report.number(len(slopes))
        caption += f" The first {report.number(MAX_LISTED)} of {total}."
    header = ("Column", "Coefficient", "Std. error", "Lower", "Upper")
    return report.Table(caption, header, rows, "lrrrr")


def _coefficient_row(each: Coefficient, note: str) -> list[str | report.Cell]:
    values = (each.estimate, each.standard_error, each.lower, each.upper)
    return [report.Cell(each.name, note), *(report.number(value) for value in values)]


def _forest(target: Column, slopes: Sequence[Coefficient]) -> report.Figure:
    """Effects of one standard deviation, so that all columns share one axis."""
    shown = slopes[:MAX_PLOTTED]

    def paint(canvas: Any) -> None:
        axes = report.plot_axes(
            canvas, f"Change of {report.shorten(target.name, 22)}", ""
        )
        axes.grid(visible=False, axis="y")
        axes.axvline(0, color=report.color("muted"), linewidth=1.2)
        for place, each in enumerate(shown):
            low, high = each.interval or (0.0, each.effect)
            sure = each.interval is None or low * high > 0
            look = report.color("accent" if sure else "grey")
            axes.plot((low, high), (place, place), color=look, linewidth=2)
            axes.plot((each.effect,), (place,), "o", color=look, markersize=7)
        names = [report.shorten(each.name, 22) for each in shown]
        axes.set_yticks(range(len(shown)), names, color=report.color("ink"))
        axes.set_ylim(len(shown) - 0.4, -0.6)
        axes.spines["left"].set_visible(False)

    caption = (
        "The effect of each column: the change of the prediction for one standard "
        "deviation more of it."
    )
    if any(each.interval for each in shown):
        caption += (
            f" Bars are {_95} intervals; grey ones hold 0: it may have no effect."
        )
    if len(shown) < len(slopes):
        caption += f" The {len(shown)} largest of {report.number(len(slopes))}."
    largest = f"the largest is {shown[0].name} with {report.number(shown[0].effect)}"
    alt = f"Plot of the effects of {report.count(len(shown), 'column')}; {largest}."
    svg = report.draw(paint, height=70 + 26 * len(shown))
    return report.Figure(svg, caption, alt)
