"""The sections of every regression: scores, predictions, residuals."""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from recipes.pipeline.datasets import Column
from recipes.pipeline.report import figures
from recipes.pipeline.report.blocks import (
    Figure,
    Grid,
    KeyNumber,
    Section,
    Table,
    Terms,
)
from recipes.pipeline.report.number_format import (
    count,
    count_rows,
    describe_weights,
    number,
    percent,
    quantity,
    quoted,
    share,
    shorten,
)

Scores = Mapping[str, float]
_RESIDUAL = "Residual: actual \N{MINUS SIGN} predicted"
Vector = npt.NDArray[np.float64]


class Pairs(NamedTuple):
    """Actual and predicted values of the same rows, float64 of shape [n]."""

    actual: Vector
    predicted: Vector


def pair(actual: npt.ArrayLike, predicted: npt.ArrayLike) -> Pairs:
    """Pair arrays of shape [n] or [n, 1].

    Raises:
        ValueError: if they have different numbers of rows.
    """
    vectors = [
        np.asarray(values, np.float64).reshape(-1) for values in (actual, predicted)
    ]
    if vectors[0].shape != vectors[1].shape:
        raise ValueError(
            "actual and predicted should have the same number of rows. "
            f"Received: {vectors[0].size} and {vectors[1].size}"
        )
    return Pairs(*vectors)


def outcome(
    learner: str,
    target: Column,
    rows: int,
    test: Scores,
    baseline: Scores,
    weights: str = "",
) -> str:
    """Return what came of a regression, in one sentence without its full stop.

    Args:
        learner: such as `linear regression`.
        target: what was predicted.
        rows: number of test rows.
        test: the model's scores on them.
        baseline: the scores on them of predicting the training mean.
        weights: the column of the rows' weights, if they have any.
    """
    name = quoted(target.name)
    error = f"root mean square error {quantity(test['rmse'], target.unit, 3)}"
    start = f"On {count_rows(rows, weights)}, {learner}"
    r2 = test["r2"]
    if math.isnan(r2):
        return f"{start} predicts {name} with a {error}"
    if test["rmse"] >= baseline["rmse"]:
        rival = quantity(baseline["rmse"], target.unit, 3)
        return (
            f"{start} predicts {name} no better than the training mean does "
            f"({error} against {rival})"
        )
    if r2 <= 0:
        return f"{start} explains none of the variance of {name} ({error})"
    return f"{start} explains {percent(r2, 2)} of the variance of {name} ({error})"


def highlights(
    target: Column, train: Scores, test: Scores, baseline: Scores
) -> tuple[KeyNumber, ...]:
    """Return the two numbers that sum up a regression, for the top of the page."""
    beaten = test["rmse"] < baseline["rmse"]
    return (
        KeyNumber(
            "R² on test rows",
            share(test["r2"]),
            f"{share(train['r2'])} on training rows",
            "" if test["r2"] > 0 or math.isnan(test["r2"]) else "bad",
        ),
        KeyNumber(
            "RMSE on test rows",
            quantity(test["rmse"], target.unit, 3),
            f"{number(baseline['rmse'], 3)} when always predicting the training mean",
            "" if beaten else "bad",
        ),
    )


def scores(
    target: Column,
    train: Scores,
    test: Scores,
    baseline: Scores,
    weights: str = "",
) -> Section:
    """Return the section with the scores, and how to read each of them."""
    unit = target.unit or "the unit of the target"
    readings = {
        "R²": "Share of the variance that is explained: 1 is perfect, 0 is no better "
        "than the mean of the rows, below 0 is worse.",
        "RMSE": f"Root mean square error, in {unit}: the typical error; a few large "
        "errors weigh more than many small ones.",
        "MAE": f"Mean absolute error, in {unit}: how far off a prediction is on "
        "average.",
        "MSE": "Mean square error: the square of the RMSE.",
        "Baseline": "The scores of predicting the mean of the training rows for every "
        "test row. A model is useful only if it beats them.",
    }
    table = Table(
        "How good the predictions are.",
        ("Score", "Test", "Train", "Baseline"),
        [
            [
                title,
                *(
                    _format_score(each, title.lower())
                    for each in (test, train, baseline)
                ),
            ]
            for title in ("R²", "RMSE", "MAE", "MSE")
        ],
        "lrrr",
    )
    if weights:
        readings["Weights"] = describe_weights(weights)
    return Section("Scores", (Grid((table, Terms(readings))),))


def _format_score(scores: Scores, title: str) -> str:
    """Give R², a share, three decimals, and the others four digits."""
    if title == "r²":
        return share(scores["r2"])
    return number(scores[title])


def predicted_against_actual(target: Column, train: Pairs, test: Pairs) -> Section:
    """Return a scatter plot of the predictions, with the line of exact ones."""

    def paint(canvas: figures.Canvas) -> None:
        label = shorten(target.name, 30)
        axes = figures.plot_axes(canvas, f"Actual {label}", f"Predicted {label}")
        points = np.concatenate([*_sample_pairs(train), *_sample_pairs(test)])
        ends = points.min(), points.max()
        axes.plot(ends, ends, **figures.REFERENCE_LINE)
        _plot_points(axes, train, test, lambda each: each)
        axes.set_aspect("equal", adjustable="datalim")
        figures.legend(axes)

    half, most = np.quantile(np.abs(test.actual - test.predicted), (0.5, 0.9))
    caption = (
        "Each point is a row. On the dashed line the prediction is exact, above it too "
        "high, below it too low. Half of the test rows are predicted to within "
        f"{number(half, 3)} of the actual value, nine in ten to within "
        f"{quantity(most, target.unit, 3)}.{_note_on_sample(train, test)}"
    )
    alt = (
        f"Scatter plot of the predicted against the actual {target.name}, "
        f"{count(test.actual.size, 'test row')} and "
        f"{count(train.actual.size, 'training row')}."
    )
    svg = figures.draw(paint, height=440)
    return Section("Predicted against actual", (Figure(svg, caption, alt),))


def residuals(target: Column, train: Pairs, test: Pairs) -> Section:
    """Return the residuals, against the prediction and as a histogram."""
    body = (_residual_scatter(target, train, test), _residual_histogram(target, test))
    return Section("Residuals", (Grid(body),))


def _residual_scatter(target: Column, train: Pairs, test: Pairs) -> Figure:
    def paint(canvas: figures.Canvas) -> None:
        label = f"Predicted {shorten(target.name, 30)}"
        axes = figures.plot_axes(canvas, label, _RESIDUAL)
        points = np.concatenate(
            (_sample_pairs(train).predicted, _sample_pairs(test).predicted)
        )
        ends = points.min(), points.max()
        axes.plot(ends, (0, 0), **figures.REFERENCE_LINE)
        _plot_points(axes, train, test, lambda e: (e.predicted, e.actual - e.predicted))
        figures.legend(axes)

    caption = (
        "A good fit leaves a level band without structure. A bend shows that the model "
        "misses a trend; a fan, that large values are harder to predict."
        f"{_note_on_sample(train, test)}"
    )
    alt = (
        f"Scatter plot of the residuals of {target.name} against its prediction, "
        f"{count(test.actual.size, 'test row')} and "
        f"{count(train.actual.size, 'training row')}."
    )
    return Figure(figures.draw(paint), caption, alt)


def _residual_histogram(target: Column, test: Pairs) -> Figure:
    values = test.actual - test.predicted
    mean, deviation = float(values.mean()), float(values.std())
    edges = _histogram_edges(values)
    outside = int(np.sum((values < edges[0]) | (values > edges[-1])))

    def paint(canvas: figures.Canvas) -> None:
        axes = figures.plot_axes(canvas, _RESIDUAL, "Test rows")
        axes.grid(visible=False, axis="x")
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        heights, _ = np.histogram(values, edges)
        axes.stairs(
            heights, edges, fill=True, color=figures.color("accent"), alpha=0.45
        )
        axes.axvline(0, **figures.REFERENCE_LINE)
        if deviation > 0:
            x = np.linspace(edges[0], edges[-1], 200)
            bell = np.exp(-0.5 * ((x - mean) / deviation) ** 2)
            scale = (
                values.size * (edges[1] - edges[0]) / deviation / math.sqrt(2 * math.pi)
            )
            label = "normal distribution"
            axes.plot(
                x, bell * scale, color=figures.color("orange"), linewidth=2, label=label
            )
            figures.legend(axes)

    spread = quantity(deviation, target.unit, 3)
    caption = (
        f"The residuals of the {count(values.size, 'test row')}: their mean is "
        f"{number(mean, 3)}, their standard deviation {spread}. The curve is the "
        "normal distribution with the same mean and standard deviation."
    )
    if outside:
        verb = "lies" if outside == 1 else "lie"
        caption += f" {count(outside, 'row')} {verb} outside the plot."
    alt = f"Histogram of the residuals of {target.name} with a normal curve."
    return Figure(figures.draw(paint), caption, alt)


def _histogram_edges(values: Vector) -> Vector:
    """Return the edges of 10 to 50 bins that cover all but far outliers."""
    low, first, third, high = np.quantile(values, (0, 0.25, 0.75, 1))
    reach = 4 * (third - first)
    if reach > 0:
        low, high = max(low, first - reach), min(high, third + reach)
    if high <= low:
        half = max(abs(low), 1.0) / 2
        low, high = low - half, high + half
    size = (
        math.ceil((high - low) / (reach / 2) * values.size ** (1 / 3))
        if reach > 0
        else 10
    )
    return np.linspace(low, high, min(max(size, 10), 50) + 1)


def _plot_points(
    axes: Axes,
    train: Pairs,
    test: Pairs,
    place: Callable[[Pairs], tuple[Vector, Vector]],
) -> None:
    """Plot training rows as grey rings, and on top of them test rows as blue discs."""
    looks: dict[str, dict[str, Any]] = {
        "train": {"markerfacecolor": "none", "color": figures.color("grey")},
        "test": {"markeredgewidth": 0, "color": figures.color("accent")},
    }
    for (name, look), each in zip(looks.items(), (train, test), strict=True):
        x, y = place(_sample_pairs(each))
        size, alpha = (5, 0.8) if x.size < 500 else (4, 0.5)
        axes.plot(x, y, "o", markersize=size, alpha=alpha, label=name, **look)


def _sample_pairs(rows: Pairs) -> Pairs:
    """Return the rows that a scatter plot shows."""
    chosen = figures.sample(rows.actual.size)
    return Pairs(rows.actual[chosen], rows.predicted[chosen])


def _note_on_sample(train: Pairs, test: Pairs) -> str:
    """Return how many rows a scatter plot shows, if it does not show all of them."""
    parts = [
        f"{number(figures.MAX_POINTS)} of the {count(each.actual.size, noun)}"
        for each, noun in ((train, "training row"), (test, "test row"))
        if each.actual.size > figures.MAX_POINTS
    ]
    return f" Shown are {' and '.join(parts)}, chosen at random." if parts else ""
