"""How well a classifier's scores part the classes: ROC and precision-recall curves."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn import metrics

from recipes.pipeline.evaluation import Decisions, class_ranking
from recipes.pipeline.report import figures
from recipes.pipeline.report.blocks import Figure, Grid, Paragraph, Section
from recipes.pipeline.report.number_format import (
    number,
    percent,
    quoted,
    share,
    shorten,
)

if TYPE_CHECKING:  # datasets imports TensorFlow, which no report needs
    from matplotlib.axes import Axes

    from recipes.pipeline.datasets import Column

_COLORS = ("orange", "teal", "purple", "pink", "grey")  # of so many classes at most
_GRID = np.linspace(0, 1, 401)
_POINTS = 400  # of one curve: more than pixels

Vector = npt.NDArray[np.float64]


class Curve(NamedTuple):
    """A curve of one class against the rest, or of the mean of the classes."""

    label: str
    x: Vector
    y: Vector
    area: float


def separation(target: Column, made: Decisions) -> Section:
    """The ROC curve and the precision-recall curve.

    Two classes have one curve each, that of the second class. More have one for each
    class against the rest, the mean of all of them, and of many classes only those
    that are told apart worst.

    Args:
        target: what was predicted.
        made: the decisions on the test rows.
    """
    title = "Separation of the classes"
    present = np.unique(made.target)
    if len(present) < 2:
        name = quoted(target.levels[present[0]])
        text = f"All test rows are of {name}: there is nothing to tell it from."
        return Section(title, (Paragraph(text),))
    if len(target.levels) == 2:
        present = np.array([1])
    roc = [_roc(target.levels[i], made, i) for i in present]
    precision = [_precision_recall(target.levels[i], made, i) for i in present]
    worst = np.argsort([curve.area for curve in roc], kind="stable")[: len(_COLORS)]
    body = [
        figure(target, made, curves, np.sort(worst))
        for figure, curves in ((_roc_figure, roc), (_precision_figure, precision))
    ]
    return Section(title, (Grid(body),))


def _roc(name: str, made: Decisions, index: int) -> Curve:
    actual, rank = made.target == index, class_ranking(made, index)
    x, y, _ = metrics.roc_curve(actual, rank)
    return Curve(name, x, y, float(metrics.roc_auc_score(actual, rank)))


def _precision_recall(name: str, made: Decisions, index: int) -> Curve:
    actual, rank = made.target == index, class_ranking(made, index)
    y, x, _ = metrics.precision_recall_curve(actual, rank)
    x, y = x[::-1], y[::-1]
    if len(made.scores[0]) > 2:  # many curves in a picture: without every tooth
        x, first = np.unique(x, return_index=True)
        y = y[first]
    area = float(metrics.average_precision_score(actual, rank))
    return Curve(name, x, y, area)


def _mean(curves: list[Curve], *, steps: bool) -> Curve:
    """The mean height of curves, each a step function or not, over their range."""
    heights = [
        curve.y[np.searchsorted(curve.x, _GRID)]
        if steps
        else np.append(0, np.interp(_GRID, curve.x, curve.y))
        for curve in curves
    ]
    x = _GRID if steps else np.append(0, _GRID)
    area = float(np.mean([curve.area for curve in curves]))
    return Curve("mean of all", x, np.mean(heights, axis=0), area)


def _roc_figure(
    target: Column, made: Decisions, curves: list[Curve], shown: npt.NDArray[np.intp]
) -> Figure:
    def paint(canvas: figures.Canvas) -> None:
        axes = figures.plot_axes(canvas, "False positive rate", "True positive rate")
        axes.plot((0, 1), (0, 1), **figures.REFERENCE_LINE)
        _curves(axes, curves, shown, steps=False)
        if len(curves) == 1:
            _dot(axes, *_rates(made)[:2])

    area = share(float(np.mean([curve.area for curve in curves])))
    if len(curves) == 1:
        caption = (
            f"Going along the curve, more rows are taken for {quoted(curves[0].label)}:"
            " upwards those that are, to the right those that are not. The area under "
            f"it is {area}; that of guessing, the dashed line, 0.5. The dot is where "
            "the model decides."
        )
    else:
        caption = (
            "Each curve tells a class from all the others: going along it, more rows "
            "are taken for the class, upwards those that are, to the right those that "
            "are not. The number is the area under the curve; that of guessing, the "
            f"dashed line, is 0.5.{_left_out(curves, shown)}"
        )
    alt = f"ROC curve of {target.name}, area {area}."
    svg = figures.draw(paint, height=_height(len(shown)))
    return Figure(svg, caption, alt)


def _precision_figure(
    target: Column, made: Decisions, curves: list[Curve], shown: npt.NDArray[np.intp]
) -> Figure:
    single = len(curves) == 1
    base = float(np.mean(made.target == 1))

    def paint(canvas: figures.Canvas) -> None:
        axes = figures.plot_axes(canvas, "Recall", "Precision")
        if single:
            axes.axhline(base, **figures.REFERENCE_LINE)
        _curves(axes, curves, shown, steps=True)
        if single:
            _, recall, precision = _rates(made)
            _dot(axes, recall, precision)

    area = share(float(np.mean([curve.area for curve in curves])))
    if single:
        name = quoted(curves[0].label)
        caption = (
            f"Recall: how many of the rows of {name} are found. Precision: how many of "
            "the rows found are of it. The area under the curve, the average "
            f"precision, is {area}; that of guessing, the dashed line, "
            f"{share(base)}: {name} makes up {percent(base)} of the test rows."
        )
    else:
        caption = (
            "Recall: how many of the rows of a class are found. Precision: how many of "
            "the rows found are of it. The number is the area under the curve, the "
            f"average precision.{_left_out(curves, shown)}"
        )
    alt = f"Precision-recall curve of {target.name}, average precision {area}."
    svg = figures.draw(paint, height=_height(len(shown)))
    return Figure(svg, caption, alt)


def _height(curves: int) -> int:
    """A figure's height, with the legend that several curves have."""
    return 430 if curves == 1 else 470 + 20 * math.ceil((curves + 1) / 2)


def _curves(
    axes: Axes, curves: list[Curve], shown: npt.NDArray[np.intp], *, steps: bool
) -> None:
    """Draws the curve of two classes, or the shown ones of several and their mean."""
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    if len(curves) == 1:
        looks = [(curves[0], "accent", 2.0)]
    else:
        looks = [(curves[i], hue, 1.4) for i, hue in zip(shown, _COLORS, strict=False)]
        looks = [*reversed(looks), (_mean(curves, steps=steps), "accent", 2.5)]
    for curve, name, width in looks:
        x, y = _thinned(curve.x, curve.y)
        axes.plot(
            x,
            y,
            color=figures.color(name),
            linewidth=width,
            label=f"{shorten(curve.label, 14)} {share(curve.area)}",
            # Precision holds for all recall back to that of the point before.
            drawstyle="steps-pre" if steps else "default",
            clip_on=False,
        )
    if len(curves) > 1:
        figures.legend(axes, columns=2)


def _rates(made: Decisions) -> tuple[float, float, float]:
    """False and true positive rate, and precision, of two classes' decisions."""
    positive, found = made.target == 1, made.predicted == 1
    precision = float(positive[found].mean()) if found.any() else 1.0
    return float(found[~positive].mean()), float(found[positive].mean()), precision


def _dot(axes: Axes, x: float, y: float) -> None:
    axes.plot([x], [y], "o", markersize=8, color=figures.color("accent"), clip_on=False)


def _thinned(x: Vector, y: Vector) -> tuple[Vector, Vector]:
    """At most `_POINTS` of a curve's points, evenly along it, both ends among them."""
    if len(x) <= _POINTS:
        return x, y
    way = np.append(0, np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y))))
    chosen = np.unique(np.searchsorted(way, np.linspace(0, way[-1], _POINTS)))
    return x[chosen], y[chosen]


def _left_out(curves: list[Curve], shown: npt.NDArray[np.intp]) -> str:
    if len(shown) == len(curves):
        return ""
    return (
        f" Besides the mean of all {number(len(curves))} classes, the "
        f"{number(len(shown))} with the least area under the ROC curve are shown."
    )
