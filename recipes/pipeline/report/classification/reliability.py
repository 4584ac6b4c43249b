"""Whether a classifier's probabilities can be taken at face value."""

from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.ticker import MaxNLocator

from recipes.pipeline.datasets import Column
from recipes.pipeline.evaluation import Decisions
from recipes.pipeline.report import figures
from recipes.pipeline.report.blocks import Figure, Grid, Section
from recipes.pipeline.report.number_format import (
    count,
    number,
    percent,
    quoted,
    shorten,
)

_BINS = 10
_NORMAL_95 = 1.96

Vector = npt.NDArray[np.float64]


def calibration(target: Column, decisions: Decisions) -> Section:
    """Return how often events of a given probability happen, and a histogram.

    With two classes the event is that a row belongs to the second one; with more, that
    the predicted class is correct.

    Args:
        target: what was predicted.
        decisions: on the test rows, with probabilities.

    Raises:
        ValueError: if there are no probabilities.
    """
    if decisions.probabilities is None:
        raise ValueError("calibration needs probabilities. Received: None")
    if len(target.levels) == 2:
        probability, happened = decisions.probabilities[:, 1], decisions.target == 1
        event = quoted(target.levels[1])
        names = shorten(target.levels[1], 20), shorten(target.levels[0], 20)
        axis = f"Probability of {names[0]}"
    else:
        probability = decisions.probabilities[
            np.arange(len(decisions.target)), decisions.predicted
        ]
        happened = decisions.predicted == decisions.target
        event, names = "the predicted class", ("correct", "wrong")
        axis = "Probability of the predicted class"
    body = (
        _reliability(probability, happened, event, axis),
        _histogram(probability, happened, names, axis),
    )
    return Section("Calibration", (Grid(body),))


def _reliability(
    probability: Vector, happened: npt.NDArray[np.bool_], event: str, axis: str
) -> Figure:
    """Plot the observed share against the mean probability, in bins of equal width."""
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
        f"How often {event} is correct among the test rows for which the model gives "
        "it about this probability. On the dashed line the probabilities can be taken "
        "at face value; below it they promise too much. On average they are off by "
        f"{points} percentage points, the expected calibration error. The bars are "
        "95\N{NO-BREAK SPACE}% intervals: long where there are few rows."
    )
    alt = (
        f"Calibration curve of {event}: on average the probabilities are off by "
        f"{points} percentage points."
    )
    return Figure(figures.draw(paint, height=430), caption, alt)


def _interval(observed: Vector, n: npt.NDArray[np.int64]) -> tuple[Vector, Vector]:
    """Return Wilson's 95 % interval of a share observed on n rows."""
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
    """Plot how many rows get which probability, stacked by outcome."""
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
        "How many test rows get which probability, stacked by outcome. The model is at "
        f"least 90\N{NO-BREAK SPACE}% sure of {percent(sure)} of them."
    )
    alt = (
        f"Histogram of the probabilities of {count(probability.size, 'test row')}, "
        f"split into {names[0]} and {names[1]}."
    )
    return Figure(figures.draw(paint, height=430), caption, alt)
