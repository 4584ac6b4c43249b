"""The report's picture of a classifier: its regions, margins and support vectors."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from layers import OneVsOne
from recipes.pipeline import report
from recipes.svm.report.projection import Plane, plane

if TYPE_CHECKING:
    from recipes.pipeline.datasets import Column
    from recipes.pipeline.run import Run

Matrix = npt.NDArray[Any]
MAX_ROWS = 600  # drawn
MAX_CLASSES = 30  # whose rows are drawn
_FINEST, _COARSEST = 160, 40  # points of the grid, a side
_WORK = 2e10  # products to compute its scores with, at most
_BATCH = 8192  # points whose scores are computed at a time
_NARROW = 1e-9  # the least lead that votes alone give
_MARGIN = 0.06  # about the rows, as a share of their spread
_HUES = ("orange", "accent", "teal", "purple", "pink", "grey")
_SHAPES = "osD^v"
_LETTER = 7.5  # pixels, of text at 13 px
_HANDLE = 36  # pixels, of a legend's entry without its text
_LEGEND = 370  # pixels, of its texts and handles in a line


class _Picture(NamedTuple):
    """What is drawn."""

    plane: Plane
    x: Matrix  # [g], the grid's first axis
    y: Matrix  # [g], its second
    leads: Matrix  # [g, g, k]
    shown: Matrix  # numbers of the rows that are drawn
    commonest: Matrix  # classes whose rows are drawn


def decision_regions(run: Run, features: Matrix) -> report.Section | None:
    """The classes' regions on a plane; None where the features are a line.

    Args:
        run: the run of a classification.
        features: the preprocessed training rows, `[n, p]`.
    """
    seen = plane(run, features)
    if seen is None:
        return None
    target, classes = run.data.train.target, run.data.description.target
    commonest = np.argsort(-np.bincount(target), kind="stable")[:MAX_CLASSES]
    shown = report.sample(len(target), MAX_ROWS)
    shown = shown[np.isin(target[shown], commonest)]
    picture = _Picture(seen, *_scored(run, seen), shown, np.sort(commonest))
    svg = _drawn(picture, classes, target, run.model.support_indices)
    caption = " ".join(_caption(run, picture))
    alt = (
        f"Map of the regions of the classes of {classes.name}, with "
        f"{report.count(len(shown), 'training row')}."
    )
    return report.Section("Decision regions", (report.Figure(svg, caption, alt),))


def _scored(run: Run, seen: Plane) -> tuple[Matrix, Matrix, Matrix]:
    """A grid over the rows, without far outliers, and the classes' leads on it."""
    low, high = np.quantile(seen.points, (0.005, 0.995), axis=0)
    spread = np.maximum(high - low, 1e-6 * np.maximum(np.abs(high), 1e-6))
    work = run.model.support_vectors.size + run.model.dual_coefficients.size
    side = int(np.clip(np.sqrt(_WORK / work), _COARSEST, _FINEST))
    x, y = np.linspace(low - _MARGIN * spread, high + _MARGIN * spread, side, axis=1)
    grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    return x, y, _leads(run, seen.lift(grid)).reshape(side, side, -1)


def _leads(run: Run, features: Matrix) -> Matrix:
    """How far each class is ahead: above 0 where the machine decides for it; `[g, k]`.

    Of two classes that is the score; of more, the least of what decides against each
    of the others.
    """
    batches = range(0, len(features), _BATCH)
    decisions = np.concatenate(
        [run.model.decisions(features[i : i + _BATCH]) for i in batches]
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
    # Where no class beats every other one, the votes decide.
    chosen = np.asarray(OneVsOne(classes)(decisions)).argmax(axis=1)
    tied = np.flatnonzero(leads.max(axis=1) <= 0)
    winner = chosen[tied]
    others = leads[tied]
    others[np.arange(len(tied)), winner] = -np.inf
    leads[tied, winner] = np.maximum(-others.max(axis=1), _NARROW)
    return leads


def _caption(run: Run, picture: _Picture) -> list[str]:
    """How to read the picture, and what it does not show."""
    seen, shown = picture.plane, picture.shown
    rows, classes = run.data.train.target, run.data.description.target.levels
    words = [seen.words]
    if seen.is_all:
        words.append("The colour is the class that the machine gives to each point.")
    else:
        here = _leads(run, seen.lift(seen.points[shown])).argmax(axis=1)
        given = run.predictions[0].predicted[shown]
        same = report.percent(float(np.mean(here == given)))
        words.append(
            "The colour is the class that the machine gives to a point of the plane, "
            "where all other components are 0; rows are drawn where they fall on it. "
            f"For {same} of those shown that is the class that they are given with all "
            "their columns: the rest is decided by what the picture cannot show."
        )
    if len(classes) == 2:
        words.append(
            "The line is where the score is 0, the dashed ones are the margins, where "
            "it is \N{MINUS SIGN}1 and 1."
        )
    words.append(
        "Rows have the colour of their own class; ringed ones are support vectors."
    )
    if len(shown) < len(rows):
        words.append(
            f"Shown are {report.number(len(shown))} of the "
            f"{report.count(len(rows), 'training row')}, drawn at random."
        )
    if len(picture.commonest) < len(classes):
        words.append(f"Rows of the {MAX_CLASSES} commonest classes only are shown.")
    ends = np.array([[picture.x[0], picture.y[0]], [picture.x[-1], picture.y[-1]]])
    points = seen.points[shown]
    beyond = int(np.any((points < ends[0]) | (points > ends[1]), axis=1).sum())
    if beyond:
        verb = "lies" if beyond == 1 else "lie"
        words.append(f"{report.count(beyond, 'row')} {verb} beyond the picture.")
    return words


def _drawn(picture: _Picture, classes: Column, target: Matrix, vectors: Matrix) -> str:
    names = [report.shorten(classes.levels[i], 14) for i in picture.commonest]
    entry = max(map(len, names)) * _LETTER + _HANDLE
    columns = int((_LEGEND - len("support vector") * _LETTER) // entry) + 1
    lines = -(-(len(names) + 1) // columns)

    def paint(canvas: Any) -> None:
        axes = report.plot_axes(
            canvas, picture.plane.labels[0], picture.plane.labels[1]
        )
        axes.grid(visible=False)
        if picture.leads.shape[-1] == 2:
            _two_regions(axes, picture)
        else:
            _regions(axes, picture)
        _rows(axes, picture, names, target, vectors)
        axes.set(xlim=(picture.x[0], picture.x[-1]), ylim=(picture.y[0], picture.y[-1]))
        report.legend(axes, columns=columns)

    return report.draw(paint, height=400 + 20 * lines)


def _look(index: int) -> dict[str, Any]:
    """Colour and shape of a class; no two of the first thirty have the same."""
    return {
        "color": report.color(_HUES[index % len(_HUES)]),
        "marker": _SHAPES[index // len(_HUES) % len(_SHAPES)],
    }


def _two_regions(axes: Any, picture: _Picture) -> None:
    """The regions of two classes, with the boundary and the margins."""
    score = picture.leads[:, :, 1]
    far = 1 + np.abs(score).max()
    hues = [report.color(hue) for hue in _HUES[:2]]
    axes.contourf(picture.x, picture.y, score, [-far, 0, far], colors=hues, alpha=0.15)
    for level, hue, dashes, width in (
        (-1.0, "muted", report.DASHES, 1.2),
        (1.0, "muted", report.DASHES, 1.2),
        (0.0, "ink", "solid", 1.8),
    ):
        if score.min() < level < score.max():
            look = {"colors": report.color(hue), "linestyles": [dashes]}
            axes.contour(picture.x, picture.y, score, [level], linewidths=width, **look)


def _regions(axes: Any, picture: _Picture) -> None:
    """The regions of several classes: where the lead on all others is positive."""
    for index in range(picture.leads.shape[-1]):
        lead = picture.leads[:, :, index]
        if lead.max() <= 0:
            continue
        hue = _look(index)["color"]
        far = 1 + lead.max()
        axes.contourf(picture.x, picture.y, lead, [0, far], colors=[hue], alpha=0.15)
        if lead.min() < 0:
            look = {"colors": report.color("muted"), "linewidths": 1.0}
            axes.contour(picture.x, picture.y, lead, [0], **look)


def _rows(
    axes: Any, picture: _Picture, names: list[str], target: Matrix, vectors: Matrix
) -> None:
    """The rows, and a ring about the support vectors among them."""
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
            **_look(int(index)),
        )
