"""Whether a classifier's probabilities can be taken at their word."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from matplotlib.ticker import MaxNLocator

from recipes.pipeline.report import figures
from recipes.pipeline.report.blocks import Figure, Grid, Section
from recipes.pipeline.report.number_format import (
    count,
    number,
    percent,
    quoted,
    shorten,
)

if TYPE_CHECKING:  # datasets imports TensorFlow, which no report needs
    from recipes.pipeline.datasets import Column
    from recipes.pipeline.evaluation import Decisions

_BINS = 10
_NORMAL_95 = 1.96

Vector = npt.NDArray[np.float64]


def calibration(target: Column, made: Decisions) -> Section:
    """How often events happen that are given a probability, and which are given.

    The event is for two classes that a row is of the second one; for more that the
    predicted class is right.

    Args:
        target: what was predicted.
        made: the decisions on the test rows, with probabilities.

    Raises:
        ValueError: there are no probabilities.
    """
    if made.probabilities is None:
        raise ValueError("calibration needs probabilities. Received: None")
    if len(target.levels) == 2:
        probability, happened = made.probabilities[:, 1], made.target == 1
        event = quoted(target.levels[1])
        names = shorten(target.levels[1], 20), shorten(target.levels[0], 20)
        axis = f"Probability of {names[0]}"
    else:
        probability = made.probabilities[np.arange(len(made.target)), made.predicted]
        happened = made.predicted == made.target
        event, names = "the predicted class", ("right", "wrong")
        axis = "Probability of the predicted class"
    body = (
        _reliability(probability, happened, event, axis),
        _histogram(probability, happened, names, axis),
    )
    return Section("Calibration", (Grid(body),))


def _reliability(
    probability: Vector, happened: npt.NDArray[np.bool_], event: str, axis: str
) -> Figure:
    """The share that happened against the mean probability, in bins of equal width."""
    place = np.minimum((probability * _BINS).astype(int), _BINS - 1)
    sizes = np.bincount(place, minlength=_BINS)
    filled = sizes > 0
    n = sizes[filled]
    mean = np.bincount(place, probability, _BINS)[filled] / n
    observed = np.bincount(place, happened, _BINS)[filled] / n
    low, high = _interval(observed, n)

    def paint(canvas: figures.Canvas) -> None:
        axes = figures.plot_axes(canvas, axis, "Share of the rows")
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
        axes.plot((0, 1), (0, 1), **figures.REFERENCE_LINE)
        look: dict[str, Any] = {"color": figures.color("accent"), "clip_on": False}
        axes.vlines(mean, low, high, linewidth=6, alpha=0.3, **look)
        axes.plot(mean, observed, "o-", markersize=6, linewidth=1.5, **look)

    off = float((n * np.abs(observed - mean)).sum() / n.sum())
    points = number(100 * off, 2)
    caption = (
        f"Among the test rows where {event} is given about this probability, the share "
        "where that is so. On the dashed line probabilities can be taken at their "
        "word; below it they promise too much. On average they are off by "
        f"{points} percentage points, the expected calibration error. The bars are "
        "95\N{NO-BREAK SPACE}% intervals: long where rows are few."
    )
    alt = (
        f"Calibration curve of {event}: on average the probabilities are off by "
        f"{points} percentage points."
    )
    return Figure(figures.draw(paint, height=430), caption, alt)


def _interval(observed: Vector, n: npt.NDArray[np.int64]) -> tuple[Vector, Vector]:
    """Wilson's 95 % interval of a share observed on n rows."""
    z = _NORMAL_95**2 / n
    middle = (observed + z / 2) / (1 + z)
    half = np.sqrt(z * observed * (1 - observed) + z**2 / 4) / (1 + z)
    return middle - half, middle + half


def _histogram(
    probability: Vector,
    happened: npt.NDArray[np.bool_],
    names: tuple[str, str],
    axis: str,
) -> Figure:
    """How many rows are given which probability, by what came true."""
    edges = np.linspace(0, 1, 2 * _BINS + 1)
    whole, _ = np.histogram(probability, edges)
    against, _ = np.histogram(probability[~happened], edges)

    def paint(canvas: figures.Canvas) -> None:
        axes = figures.plot_axes(canvas, axis, "Test rows")
        axes.grid(visible=False, axis="x")
        axes.set_xlim(0, 1)
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        areas = (
            (against, 0, names[1], "orange"),
            (whole, against, names[0], "accent"),
        )
        for heights, base, name, hue in areas:
            axes.stairs(
                heights,
                edges,
                baseline=base,
                fill=True,
                color=figures.color(hue),
                alpha=0.6,
                label=name,
            )
        figures.legend(axes)

    sure = float(np.mean(np.maximum(probability, 1 - probability) >= 0.9))
    caption = (
        "How many test rows are given which probability, one colour upon the other. "
        f"The model is at least 90\N{NO-BREAK SPACE}% sure of {percent(sure)} of them."
    )
    alt = (
        f"Histogram of the probabilities of {count(probability.size, 'test row')}, "
        f"split into {names[0]} and {names[1]}."
    )
    return Figure(figures.draw(paint, height=430), caption, alt)
