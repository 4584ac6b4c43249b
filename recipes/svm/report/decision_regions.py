"""The figure of a classifier: decision regions, margins and support vectors."""

import itertools
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from layers import OneVsOne
from recipes.pipeline import report
from recipes.pipeline.datasets import Column
from recipes.pipeline.run import Run
from recipes.svm.report.projection import Plane, choose_plane

Matrix = npt.NDArray[Any]
MAX_ROWS = 600  # to draw
MAX_CLASSES = 30  # whose rows are drawn
_MAX_SIDE, _MIN_SIDE = 160, 40  # of the grid, in points
_MAX_PRODUCTS = 2e10  # to compute the scores on the grid
_BATCH_SIZE = 8192  # points whose scores are computed at a time, if they fit into
_BATCH_BYTES = 32 << 20
_TIE_LEAD = 1e-9  # the least lead of a class that only the votes decide for
_PADDING = 0.06  # around the rows, as a share of their spread
_HUES = ("orange", "accent", "teal", "purple", "pink", "grey")
_SHAPES = "osD^v"
_LETTER_WIDTH = 7.5  # pixels, of text at 13 px
_HANDLE_WIDTH = 36  # pixels, of a legend entry without its text
_LEGEND_WIDTH = 370  # pixels, of the texts and handles in a line


class _Picture(NamedTuple):
    """The contents of the figure."""

    plane: Plane
    x: Matrix  # [g], the first axis of the grid
    y: Matrix  # [g], its second axis
    leads: Matrix  # [g, g, k], see `_compute_leads`
    shown: Matrix  # indices of the rows drawn
    commonest: Matrix  # classes whose rows are drawn


def build_regions_section(run: Run, features: Matrix) -> report.Section | None:
    """Draw the decision regions on a plane; None for a single feature.

    Args:
        run: the run of a classification.
        features: the preprocessed training rows, `[n, p]`.
    """
    plane = choose_plane(run, features)
    if plane is None:
        return None
    target, classes = run.data.train.target, run.data.description.target
    commonest = np.argsort(-np.bincount(target), kind="stable")[:MAX_CLASSES]
    shown = report.sample(len(target), MAX_ROWS)
    shown = shown[np.isin(target[shown], commonest)]
    picture = _Picture(plane, *_score_grid(run, plane), shown, np.sort(commonest))
    svg = _draw(picture, classes, target, run.model.support_indices)
    caption = " ".join(_write_caption(run, picture))
    alt = (
        f"Map of the decision regions of the classes of {classes.name}, with "
        f"{report.count(len(shown), 'training row')}."
    )
    return report.Section("Decision regions", (report.Figure(svg, caption, alt),))


def _score_grid(run: Run, plane: Plane) -> tuple[Matrix, Matrix, Matrix]:
    """Span a grid over the rows except outliers; compute the classes' leads on it."""
    low, high = np.quantile(plane.points, (0.005, 0.995), axis=0)
    spread = np.maximum(high - low, 1e-6 * np.maximum(np.abs(high), 1e-6))
    expansion, features = run.model.expansion, run.model.row_shape[0]
    products = expansion.num_vectors * (features + expansion.units)
    side = int(np.clip(np.sqrt(_MAX_PRODUCTS / products), _MIN_SIDE, _MAX_SIDE))
    x, y = np.linspace(low - _PADDING * spread, high + _PADDING * spread, side, axis=1)
    grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    return x, y, _compute_leads_at(run, plane, grid).reshape(side, side, -1)


def _compute_leads_at(run: Run, plane: Plane, points: Matrix) -> Matrix:
    """Compute the leads at points of the plane: `[g, 2]` → `[g, k]`."""
    step = max(1, _BATCH_BYTES // (8 * run.model.row_shape[0]))
    leads = [
        _compute_leads(run, plane.lift(points[i : i + step]))
        for i in range(0, len(points), step)
    ]
    return np.concatenate(leads)


def _compute_leads(run: Run, features: Matrix) -> Matrix:
    """Return how far each class leads: positive where the model chooses it; `[g, k]`.

    With two classes that is the score; with more, the smallest lead over any other
    class.
    """
    batches = range(0, len(features), _BATCH_SIZE)
    decisions = np.concatenate(
        [run.model.decisions(features[i : i + _BATCH_SIZE]) for i in batches]
    ).astype(np.float64)
    classes = len(run.data.description.target.levels)
    if classes == 2:
        return np.concatenate((-decisions, decisions), axis=1)
    if run.model.multiclass == "one_vs_rest":
        best = [np.delete(decisions, c, axis=1).max(axis=1) for c in range(classes)]
        return decisions - np.stack(best, axis=1)
    leads = np.full((len(features), classes), np.inf)
    pairs = itertools.combinations(range(classes), 2)
    for (first, second), values in zip(pairs, decisions.T, strict=True):
        leads[:, first] = np.minimum(leads[:, first], -values)
        leads[:, second] = np.minimum(leads[:, second], values)
    # Where no class beats all others, the votes decide.
    chosen = np.asarray(OneVsOne(classes)(decisions)).argmax(axis=1)
    tied = np.flatnonzero(leads.max(axis=1) <= 0)
    winner = chosen[tied]
    others = leads[tied]
    others[np.arange(len(tied)), winner] = -np.inf
    leads[tied, winner] = np.maximum(-others.max(axis=1), _TIE_LEAD)
    return leads


def _write_caption(run: Run, picture: _Picture) -> list[str]:
    """Explain how to read the picture, and what it does not show."""
    plane, shown = picture.plane, picture.shown
    rows, classes = run.data.train.target, run.data.description.target.levels
    threshold = run.data.description.threshold
    sentences = [plane.description]
    says = "that the score speaks for" if threshold else "that the model predicts"
    if plane.is_complete:
        sentences.append(f"The background is the class {says} there.")
    else:
        on_plane = _compute_leads_at(run, plane, plane.points[shown]).argmax(axis=1)
        predicted = run.predictions[0].predicted[shown]
        agreement = report.percent(float(np.mean(on_plane == predicted)))
        sentences.append(
            f"The background is the class {says} on the plane, where all "
            "other components are 0; rows are projected onto it. "
            f"For {agreement} of the rows shown, that is also the class predicted from "
            "all their columns; for the rest, components that the figure cannot show"
            f"{', or the threshold,' if threshold else ''} decide."
        )
    if len(classes) == 2:
        sentences.append(
            "The solid line is the decision boundary, where the score is 0; the dashed "
            "lines are the margins, where it is \N{MINUS SIGN}1 and 1."
        )
    if threshold:
        sentences.append(
            "The figure shows the score alone. With the threshold, a "
            f"{threshold.of} of {report.number(threshold.value, 3)}, the model draws "
            "the line elsewhere."
        )
    sentences.append(
        "Each row has the colour of its true class; rings mark support vectors."
    )
    if len(shown) < len(rows):
        sentences.append(
            f"The figure shows {report.number(len(shown))} of the "
            f"{report.count(len(rows), 'training row')}, chosen at random."
        )
    if len(picture.commonest) < len(classes):
        sentences.append(f"Only rows of the {MAX_CLASSES} commonest classes are shown.")
    ends = np.array([[picture.x[0], picture.y[0]], [picture.x[-1], picture.y[-1]]])
    points = plane.points[shown]
    beyond = int(np.any((points < ends[0]) | (points > ends[1]), axis=1).sum())
    if beyond:
        verb = "lies" if beyond == 1 else "lie"
        sentences.append(f"{report.count(beyond, 'row')} {verb} outside the figure.")
    return sentences


def _draw(picture: _Picture, classes: Column, target: Matrix, vectors: Matrix) -> str:
    names = [report.shorten(classes.levels[i], 14) for i in picture.commonest]
    entry = max(map(len, names)) * _LETTER_WIDTH + _HANDLE_WIDTH
    columns = int((_LEGEND_WIDTH - len("support vector") * _LETTER_WIDTH) // entry) + 1
    lines = -(-(len(names) + 1) // columns)

    def paint(canvas: Any) -> None:
        axes = report.plot_axes(
            canvas, picture.plane.labels[0], picture.plane.labels[1]
        )
        axes.grid(visible=False)
        if picture.leads.shape[-1] == 2:
            _draw_two_regions(axes, picture)
        else:
            _draw_regions(axes, picture)
        _draw_rows(axes, picture, names, target, vectors)
        axes.set(xlim=(picture.x[0], picture.x[-1]), ylim=(picture.y[0], picture.y[-1]))
        report.legend(axes, columns=columns)

    return report.draw(paint, height=400 + 20 * lines)


def _choose_marker(index: int) -> dict[str, Any]:
    """Choose colour and shape of a class, different for each of the first thirty."""
    return {
        "color": report.color(_HUES[index % len(_HUES)]),
        "marker": _SHAPES[index // len(_HUES) % len(_SHAPES)],
    }


def _draw_two_regions(axes: Any, picture: _Picture) -> None:
    """Draw the regions of two classes, with the boundary and the margins."""
    score = picture.leads[:, :, 1]
    far = 1 + np.abs(score).max()
    hues = [report.color(color) for color in _HUES[:2]]
    axes.contourf(picture.x, picture.y, score, [-far, 0, far], colors=hues, alpha=0.15)
    for level, color, dashes, width in (
        (-1.0, "muted", report.DASHES, 1.2),
        (1.0, "muted", report.DASHES, 1.2),
        (0.0, "ink", "solid", 1.8),
    ):
        if score.min() < level < score.max():
            style = {"colors": report.color(color), "linestyles": [dashes]}
            axes.contour(
                picture.x, picture.y, score, [level], linewidths=width, **style
            )


def _draw_regions(axes: Any, picture: _Picture) -> None:
    """Draw the regions of several classes: where each leads all others."""
    for index in range(picture.leads.shape[-1]):
        lead = picture.leads[:, :, index]
        if lead.max() <= 0:
            continue
        color = _choose_marker(index)["color"]
        far = 1 + lead.max()
        axes.contourf(picture.x, picture.y, lead, [0, far], colors=[color], alpha=0.15)
        if lead.min() < 0:
            style = {"colors": report.color("muted"), "linewidths": 1.0}
            axes.contour(picture.x, picture.y, lead, [0], **style)


def _draw_rows(
    axes: Any, picture: _Picture, names: list[str], target: Matrix, vectors: Matrix
) -> None:
    """Draw the rows, with rings around support vectors."""
    ringed = picture.shown[np.isin(picture.shown, vectors)]
    axes.plot(
        *picture.plane.points[ringed].T,
        "o",
        markersize=8,
        markerfacecolor="none",
        markeredgewidth=1,
        color=report.color("ink"),
        alpha=0.7,
        label="support vector",
    )
    for name, index in reversed(list(zip(names, picture.commonest, strict=True))):
        rows = picture.shown[target[picture.shown] == index]
        axes.plot(
            *picture.plane.points[rows].T,
            linestyle="none",
            markersize=4.5,
            markeredgewidth=0,
            label=name,
            **_choose_marker(int(index)),
        )
