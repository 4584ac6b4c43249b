"""How well scores separate the classes: ROC and precision-recall curves."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from sklearn import metrics

from recipes.pipeline.datasets import Column
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

_COLORS = ("orange", "teal", "purple", "pink", "grey")  # one for each class shown
_GRID = np.linspace(0, 1, 401)
_MAX_POINTS = 400  # of one curve: more than pixels

Vector = npt.NDArray[np.float64]


class Curve(NamedTuple):
    """A curve of one class against the rest, or of the mean of the classes."""

    label: str
    x: Vector
    y: Vector
    area: float


def separation(target: Column, decisions: Decisions) -> Section:
    """Return the ROC curves and the precision-recall curves.

    With two classes each figure shows one curve, that of the second class. With more
    it shows the mean of all classes, each against the rest, and the curves of the
    classes that are separated worst.

    Args:
        target: what was predicted.
        decisions: on the test rows.
    """
    title = "Separation of the classes"
    present = np.unique(decisions.target)
    if len(present) < 2:
        name = quoted(target.levels[present[0]])
        text = f"All test rows are of {name}: there is no class to separate it from."
        return Section(title, (Paragraph(text),))
    if len(target.levels) == 2:
        present = np.array([1])
    roc = [_roc(target.levels[i], decisions, i) for i in present]
    precision = [_precision_recall(target.levels[i], decisions, i) for i in present]
    worst = np.argsort([curve.area for curve in roc], kind="stable")[: len(_COLORS)]
    body = [
        figure(target, decisions, curves, np.sort(worst))
        for figure, curves in ((_roc_figure, roc), (_precision_figure, precision))
    ]
    return Section(title, (Grid(body),))


def _roc(name: str, decisions: Decisions, index: int) -> Curve:
    actual, rank = decisions.target == index, class_ranking(decisions, index)
    weight = decisions.weight
    x, y, _ = metrics.roc_curve(actual, rank, sample_weight=weight)
    area = metrics.roc_auc_score(actual, rank, sample_weight=weight)
    return Curve(name, x, y, float(area))


def _precision_recall(name: str, decisions: Decisions, index: int) -> Curve:
    actual, rank = decisions.target == index, class_ranking(decisions, index)
    weight = decisions.weight
    y, x, _ = metrics.precision_recall_curve(actual, rank, sample_weight=weight)
    x, y = x[::-1], y[::-1]
    if len(decisions.scores[0]) > 2:  # many curves in one figure: drop the teeth
        x, first = np.unique(x, return_index=True)
        y = y[first]
    area = metrics.average_precision_score(actual, rank, sample_weight=weight)
    return Curve(name, x, y, float(area))


def _average(curves: list[Curve], *, steps: bool) -> Curve:
    """Return the mean height of curves, as step functions or not, over their range."""
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
    target: Column,
    decisions: Decisions,
    curves: list[Curve],
    shown: npt.NDArray[np.intp],
) -> Figure:
    def paint(canvas: figures.Canvas) -> None:
        axes = figures.plot_axes(canvas, "False positive rate", "True positive rate")
        axes.plot((0, 1), (0, 1), **figures.REFERENCE_LINE)
        _plot_curves(axes, curves, shown, steps=False)
        if len(curves) == 1:
            _plot_dot(axes, *_operating_point(decisions)[:2])

    area = share(float(np.mean([curve.area for curve in curves])))
    if len(curves) == 1:
        caption = (
            "Along the curve, more rows are predicted as "
            f"{quoted(curves[0].label)}: it goes up with those that are and right with "
            f"those that are not. The area under it is {area}; that of guessing, the "
            "dashed line, is 0.5. The dot marks the model's own decisions."
        )
    else:
        caption = (
            "Each curve separates one class from all the others. Along it, more rows "
            "are predicted as the class: it goes up with those that are and right with "
            "those that are not. The number is the area under the curve; that of "
            f"guessing, the dashed line, is 0.5.{_note_on_selection(curves, shown)}"
        )
    alt = f"ROC curve of {target.name}, area {area}."
    svg = figures.draw(paint, height=_figure_height(len(shown)))
    return Figure(svg, caption, alt)


def _precision_figure(
    target: Column,
    decisions: Decisions,
    curves: list[Curve],
    shown: npt.NDArray[np.intp],
) -> Figure:
    single = len(curves) == 1
    base = float(np.average(decisions.target == 1, weights=decisions.weight))

    def paint(canvas: figures.Canvas) -> None:
        axes = figures.plot_axes(canvas, "Recall", "Precision")
        if single:
            axes.axhline(base, **figures.REFERENCE_LINE)
        _plot_curves(axes, curves, shown, steps=True)
        if single:
            _, recall, precision = _operating_point(decisions)
            _plot_dot(axes, recall, precision)

    area = share(float(np.mean([curve.area for curve in curves])))
    if single:
        name = quoted(curves[0].label)
        caption = (
            f"Recall: the share of the rows of {name} that are found. Precision: the "
            f"share of the rows found that are {name}. The area under the curve, the "
            f"average precision, is {area}; that of guessing, the dashed line, is "
            f"{share(base)}: {name} makes up {percent(base)} of the test rows."
        )
    else:
        caption = (
            "Recall: the share of the rows of a class that are found. Precision: the "
            "share of the rows found that are of the class. The number is the area "
            "under the curve, the average precision."
            f"{_note_on_selection(curves, shown)}"
        )
    alt = f"Precision-recall curve of {target.name}, average precision {area}."
    svg = figures.draw(paint, height=_figure_height(len(shown)))
    return Figure(svg, caption, alt)


def _figure_height(curves: int) -> int:
    """Return a figure's height, with room for the legend of several curves."""
    return 430 if curves == 1 else 470 + 20 * math.ceil((curves + 1) / 2)


def _plot_curves(
    axes: Axes, curves: list[Curve], shown: npt.NDArray[np.intp], *, steps: bool
) -> None:
    """Plot the curve of two classes, or the selected ones of more and their mean."""
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    if len(curves) == 1:
        looks = [(curves[0], "accent", 2.0)]
    else:
        looks = [(curves[i], hue, 1.4) for i, hue in zip(shown, _COLORS, strict=False)]
        looks = [*reversed(looks), (_average(curves, steps=steps), "accent", 2.5)]
    for curve, name, width in looks:
        x, y = _thin(curve.x, curve.y)
        axes.plot(
            x,
            y,
            color=figures.color(name),
            linewidth=width,
            label=f"{shorten(curve.label, 14)} {share(curve.area)}",
            # A precision holds back to the recall of the previous point.
            drawstyle="steps-pre" if steps else "default",
            clip_on=False,
        )
    if len(curves) > 1:
        figures.legend(axes, columns=2)


def _operating_point(decisions: Decisions) -> tuple[float, float, float]:
    """Return false and true positive rate and precision, for two classes."""
    positive, found = decisions.target == 1, decisions.predicted == 1
    precision = float(positive[found].mean()) if found.any() else 1.0
    return float(found[~positive].mean()), float(found[positive].mean()), precision


def _plot_dot(axes: Axes, x: float, y: float) -> None:
    axes.plot([x], [y], "o", markersize=8, color=figures.color("accent"), clip_on=False)


def _thin(x: Vector, y: Vector) -> tuple[Vector, Vector]:
    """Keep at most `_MAX_POINTS` points of a curve, evenly along it, and its ends."""
    if len(x) <= _MAX_POINTS:
        return x, y
    way = np.append(0, np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y))))
    chosen = np.unique(np.searchsorted(way, np.linspace(0, way[-1], _MAX_POINTS)))
    return x[chosen], y[chosen]


def _note_on_selection(curves: list[Curve], shown: npt.NDArray[np.intp]) -> str:
    if len(shown) == len(curves):
        return ""
    return (
        f" Besides the mean of all {number(len(curves))} classes, the figure shows the "
        f"{number(len(shown))} with the smallest area under the ROC curve."
    )
