"""The figures of a regression: the predictions and the tube around them."""

from typing import Any

import numpy as np
import numpy.typing as npt

from recipes.pipeline import report
from recipes.pipeline.datasets import Column, Description
from recipes.pipeline.run import Run

_CURVE_POINTS = 300

Vector = npt.NDArray[Any]


def build_tube_section(run: Run) -> report.Section:
    """Plot predictions against the target, with the tube in which errors cost nothing.

    If the only column is numeric, plot the predictions along it, too.

    Args:
        run: the run of a regression.
    """
    columns = run.data.description.columns
    body: list[report.Block] = [_plot_predictions(run)]
    is_numeric = len(columns) == 1 and columns[0].kind == "numeric"
    # Of a column of one value and blanks, only the blanks are used.
    if is_numeric and columns[0].name in run.serving_model.preprocessing.output_names:
        body.append(_plot_curve(run, columns[0]))
        return report.Section("The tube", (report.Grid(body),))
    return report.Section("The tube", body)


def _plot_predictions(run: Run) -> report.Figure:
    about, epsilon = run.data.description, run.metrics["parameters"]["epsilon"]
    target = about.target
    train, test = (
        report.pair(rows.target, predicted)
        for rows, predicted in zip(
            (run.data.train, run.data.test), run.predictions, strict=True
        )
    )

    def paint(canvas: Any) -> None:
        name = report.shorten(target.name, 30)
        axes = report.plot_axes(canvas, f"Actual {name}", f"Predicted {name}")
        every = np.concatenate([*train, *test])
        ends = np.array([every.min(), every.max()])
        _draw_tube(axes, about, ends, ends, epsilon)
        _draw_points(axes, run, train, test)
        axes.set_aspect("equal", adjustable="datalim")
        report.legend(axes)

    reach = epsilon + run.metrics["parameters"]["tolerance"]
    inside = [
        report.percent(float(np.mean(np.abs(actual - predicted) <= reach)))
        for actual, predicted in (map(about.to_learned, each) for each in (train, test))
    ]
    unit = f"in {about.learned_name}" if about.target_log else target.unit
    half, most = np.quantile(np.abs(test.actual - test.predicted), (0.5, 0.9))
    caption = (
        "Each point is a row; on the dashed line, predictions are exact. The band is "
        f"the tube: errors of up to {report.quantity(epsilon, unit, 3)} (ε) "
        f"cost nothing. {inside[0]} of the training rows and {inside[1]} of the test "
        "rows lie inside it or on its edge. Half of the test rows are predicted to "
        f"within {report.number(half, 3)} of the actual value, and "
        f"{report.percent(0.9)} to within {report.quantity(most, target.unit, 3)}."
    )
    if max(len(train.actual), len(test.actual)) > report.MAX_POINTS:
        caption += (
            f" At most {report.number(report.MAX_POINTS)} rows of each are shown."
        )
    alt = (
        f"Scatter plot of the predicted against the actual {target.name} with the tube;"
        f" {inside[1]} of the test rows lie inside it."
    )
    svg = report.draw(paint, height=470)
    return report.Figure(svg, caption, alt)


def _draw_points(axes: Any, run: Run, train: report.Pairs, test: report.Pairs) -> None:
    """Draw training rows as rings, support vectors in orange, and test rows on top."""
    chosen = report.sample(train.actual.size)
    is_vector = np.isin(chosen, run.model.support_indices)
    tested = report.sample(test.actual.size)
    size, alpha = (5, 0.8) if chosen.size < 500 else (4, 0.5)
    for label, each, rows, style in (
        ("train", train, chosen[~is_vector], ("none", "grey", 1.0)),
        ("support vector", train, chosen[is_vector], ("none", "orange", 1.0)),
        ("test", test, tested, (report.color("accent"), "accent", 0.0)),
    ):
        face, color, edge = style
        axes.plot(
            each.actual[rows],
            each.predicted[rows],
            "o",
            markersize=size,
            markerfacecolor=face,
            markeredgewidth=edge,
            color=report.color(color),
            alpha=alpha,
            label=label,
        )


def _draw_tube(
    axes: Any, about: Description, x: Vector, y: Vector, epsilon: float
) -> None:
    """Draw the tube around a line or a curve."""
    learned = about.to_learned(y)
    axes.fill_between(
        x,
        about.to_target(learned - epsilon),
        about.to_target(learned + epsilon),
        color=report.color("accent"),
        alpha=0.18,
        linewidth=0,
        label="tube",
    )
    axes.plot(x, y, **report.REFERENCE_LINE)


def _plot_curve(run: Run, column: Column) -> report.Figure:
    """Plot the predictions along the only column."""
    raw = run.data.train.features
    raw = raw.toarray() if hasattr(raw, "toarray") else raw
    values = raw[:, 0]  # blanks are not drawn
    x = np.linspace(np.nanmin(values), np.nanmax(values), _CURVE_POINTS)
    features = run.serving_model.preprocessing(x[:, np.newaxis])
    y = run.data.description.to_target(run.model(features).numpy()[:, 0])
    about, epsilon = run.data.description, run.metrics["parameters"]["epsilon"]
    target = about.target
    chosen = report.sample(len(values))
    is_vector = np.isin(chosen, run.model.support_indices)

    def paint(canvas: Any) -> None:
        axes = report.plot_axes(
            canvas, report.shorten(column.name, 30), report.shorten(target.name, 30)
        )
        _draw_tube(axes, about, x, y, epsilon)
        style: dict[str, Any] = {
            "markersize": 5,
            "markerfacecolor": "none",
            "alpha": 0.8,
        }
        for label, color, rows in (
            ("train", "grey", chosen[~is_vector]),
            ("support vector", "orange", chosen[is_vector]),
        ):
            points = values[rows], run.data.train.target[rows]
            axes.plot(*points, "o", color=report.color(color), label=label, **style)
        report.legend(axes)

    caption = (
        f"The prediction along {report.quoted(column.name)}, the only column, and the "
        "tube around it. Support vectors lie on its edges or outside."
    )
    alt = f"The predicted {target.name} along {column.name}, with the tube around it."
    return report.Figure(report.draw(paint, height=470), caption, alt)
