"""The coefficients of a linear regression and their section of the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from recipes.pipeline import report
from recipes.pipeline.datasets import Column

MAX_PLOTTED = 30  # coefficients in the plot
MAX_LISTED = 500  # coefficients in the table
_CONFIDENCE = report.percent(0.95)


@dataclass(frozen=True)
class Coefficient:
    """One coefficient in original units.

    Attributes:
        name: Name of the design-matrix column, such as `age` or `sex=female`.
        unit: Unit of the column, empty if unknown.
        estimate: Change of the prediction per unit of the column.
        scale: Standard deviation of the column over the training rows.
        standard_error: Standard error of `estimate`; None if there is none.
        lower: Lower end of the 95 % interval; None if there is none.
        upper: Upper end of the 95 % interval; None if there is none.
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
        """Change of the prediction per standard deviation of the column."""
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
        intercept: The prediction if all columns are 0; its `scale` is not used.
        slopes: One coefficient per column of the design matrix.
        no_errors: Why standard errors are missing, as the end of a sentence ("the
            columns are linearly dependent"); empty if none is missing.
    """

    intercept: Coefficient
    slopes: Sequence[Coefficient]
    no_errors: str = ""

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Coefficients:
        """Read what `dataclasses.asdict` has made of one."""
        return cls(
            Coefficient(**content["intercept"]),
            [Coefficient(**slope) for slope in content["slopes"]],
            content["no_errors"],
        )


def coefficient_section(target: Column, coefficients: Coefficients) -> report.Section:
    """Build the section: coefficients and 95 % intervals, as a plot and a table.

    Args:
        target: The target column.
        coefficients: Coefficients in original units, shown in order of effect size.
    """
    slopes = sorted(coefficients.slopes, key=lambda c: -abs(c.effect))
    body: list[report.Block] = []
    if coefficients.no_errors:
        reason = f"{coefficients.no_errors.rstrip('.')}."
        body.append(
            report.Notice("No standard errors.", f"They do not exist because {reason}")
        )
    if slopes:
        body.append(_plot_effects(target, slopes))
    body.append(_tabulate(target, coefficients.intercept, slopes))
    return report.Section("Coefficients", body)


def _tabulate(
    target: Column, intercept: Coefficient, slopes: Sequence[Coefficient]
) -> report.Table:
    rows = [_table_row(intercept, "the prediction if every column is 0")]
    rows += [_table_row(each, each.unit) for each in slopes[:MAX_LISTED]]
    unit = f", in {target.unit}" if target.unit else ""
    caption = (
        f"Change of the predicted {report.quoted(target.name)}{unit} when a column "
        "increases by one unit and the others stay fixed, with its "
        f"{_CONFIDENCE} interval. The largest effects come first."
    )
    if len(slopes) > MAX_LISTED:
        total = report.number(len(slopes))
        caption += f" Shown: the first {report.number(MAX_LISTED)} of {total}."
    header = ("Column", "Coefficient", "Std. error", "Lower", "Upper")
    return report.Table(caption, header, rows, "lrrrr")


def _table_row(each: Coefficient, note: str) -> list[str | report.Cell]:
    values = (each.estimate, each.standard_error, each.lower, each.upper)
    return [report.Cell(each.name, note), *(report.number(value) for value in values)]


def _plot_effects(target: Column, slopes: Sequence[Coefficient]) -> report.Figure:
    """Plot effects per standard deviation, so that all columns share one axis."""
    shown = slopes[:MAX_PLOTTED]

    def plot(canvas: Any) -> None:
        axes = report.plot_axes(
            canvas, f"Change of {report.shorten(target.name, 22)}", ""
        )
        axes.grid(visible=False, axis="y")
        axes.axvline(0, color=report.color("muted"), linewidth=1.2)
        for row, each in enumerate(shown):
            low, high = each.interval or (0.0, each.effect)
            excludes_zero = each.interval is None or low * high > 0
            color = report.color("accent" if excludes_zero else "grey")
            axes.plot((low, high), (row, row), color=color, linewidth=2)
            axes.plot((each.effect,), (row,), "o", color=color, markersize=7)
        names = [report.shorten(each.name, 22) for each in shown]
        axes.set_yticks(range(len(shown)), names, color=report.color("ink"))
        axes.set_ylim(len(shown) - 0.4, -0.6)
        axes.spines["left"].set_visible(False)

    caption = (
        "Effect of each column: the change of the prediction when the column increases "
        "by one standard deviation."
    )
    if any(each.interval for each in shown):
        caption += (
            f" Bars are {_CONFIDENCE} intervals. Grey bars contain 0: "
            "the column may have no effect."
        )
    if len(shown) < len(slopes):
        caption += f" Shown: the {len(shown)} largest of {report.number(len(slopes))}."
    largest = (
        f"the largest is that of {shown[0].name}, {report.number(shown[0].effect)}"
    )
    alt = f"Plot of the effects of {report.count(len(shown), 'column')}; {largest}."
    svg = report.draw(plot, height=70 + 26 * len(shown))
    return report.Figure(svg, caption, alt)
