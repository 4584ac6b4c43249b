"""The confusion matrix: which class is predicted as which."""

from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.patches import Rectangle
from sklearn import metrics

from recipes.pipeline.datasets import Column
from recipes.pipeline.evaluation import Decisions
from recipes.pipeline.report import figures
from recipes.pipeline.report.blocks import Figure, Section
from recipes.pipeline.report.number_format import (
    columns,
    count,
    number,
    quoted,
    shorten,
)

MAX_CLASSES = 30  # more would be unreadable
_FEW = 5  # up to this many classes leave room for shares below the counts
_PALEST = 0.1  # alpha
_DEEPEST = 0.5  # alpha up to which the text on top keeps its contrast
_LETTER, _LINE = 7.5, 20  # pixels, of text at 13 px
_FIGURE_WIDTH = 440  # pixels

Counts = npt.NDArray[np.int64]


def confusion_matrix(target: Column, decisions: Decisions) -> Section:
    """Return a picture of how many rows of each class are predicted as which.

    Args:
        target: what was predicted; of many classes, those involved in the most mistakes
            are shown.
        decisions: on the test rows.
    """
    labels = np.arange(len(target.levels))
    counts = metrics.confusion_matrix(
        decisions.target, decisions.predicted, labels=labels
    )
    wrong = counts - np.diag(counts.diagonal())
    order = np.argsort(-(wrong.sum(0) + wrong.sum(1)), kind="stable")
    shown = np.sort(order[:MAX_CLASSES])
    caption = (
        "Each row of the matrix shows one class of the test rows, by the class "
        "predicted for them: blue on the diagonal, where the prediction is correct, "
        "orange elsewhere. The deeper the colour, the larger the share of the class."
        f"{_describe_commonest(target, wrong)}"
    )
    if len(shown) < len(labels):
        caption += (
            f" Shown are the {number(len(shown))} of {number(len(labels))} classes "
            "involved in the most mistakes."
        )
    correct = int(counts.trace())
    alt = (
        f"Confusion matrix of {target.name}: {number(correct)} of "
        f"{count(len(decisions.target), 'test row')} are correct."
        f"{_describe_commonest(target, wrong)}"
    )
    names = [shorten(target.levels[i], 14) for i in shown]
    svg = _draw_matrix(names, counts[np.ix_(shown, shown)], counts.sum(1)[shown])
    return Section("Confusion matrix", (Figure(svg, caption, alt),))


def _describe_commonest(target: Column, wrong: Counts) -> str:
    """Return the most common mistake as a sentence, if there is a mistake."""
    actual, predicted = np.unravel_index(wrong.argmax(), wrong.shape)
    times = int(wrong[actual, predicted])
    if not times:
        return ""
    one, other = quoted(target.levels[actual]), quoted(target.levels[predicted])
    return (
        f" The most common mistake: {one} predicted as {other}, {count(times, 'time')}."
    )


def _draw_matrix(names: list[str], counts: Counts, totals: Counts) -> str:
    """Draw the matrix as SVG, with cells large enough for the numbers in them.

    Args:
        names: of the k classes.
        counts: [k, k], rows of each class by the class predicted for them.
        totals: [k], all rows of each class.
    """
    k = len(names)
    longest = max(map(columns, names)) * _LETTER
    left, right, top = longest + 14, 4, 1.5 * _LINE
    digits = len(f"{counts.max():,}") * _LETTER + 8
    across = max(24, digits, (_FIGURE_WIDTH - left - right) / k)
    down = max(24, min(90, 330 / k))
    upright = longest > across
    bottom = (longest if upright else _LINE) + 1.5 * _LINE
    width, height = left + k * across + right, top + k * down + bottom

    def paint(canvas: figures.Canvas) -> None:
        canvas.set_layout_engine("none")  # the size of the cells is fixed
        axes = figures.plot_axes(canvas, "Predicted class", "Actual class")
        axes.set_position(
            (left / width, bottom / height, k * across / width, k * down / height)
        )
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        axes.set(xlim=(0, k), ylim=(k, 0))
        axes.set_xticks(np.arange(k) + 0.5, names, rotation=90 if upright else 0)
        axes.set_yticks(np.arange(k) + 0.5, names)
        look: dict[str, Any] = {
            "color": figures.color("rule"),
            "linewidth": 1,
            "clip_on": False,
        }
        axes.hlines(range(k + 1), 0, k, **look)
        axes.vlines(range(k + 1), 0, k, **look)
        for i, j in zip(*np.nonzero(counts), strict=True):
            part = counts[i, j] / totals[i]
            axes.add_patch(
                Rectangle(
                    (j, i),
                    1,
                    1,
                    color=figures.color("accent" if i == j else "orange"),
                    # The root makes small shares visible, too.
                    alpha=_PALEST + (_DEEPEST - _PALEST) * part**0.5,
                    linewidth=0,
                )
            )
            text = number(int(counts[i, j]))
            if k <= _FEW:
                text += f"\n{number(100 * part, 3)}\N{NO-BREAK SPACE}%"
            axes.text(j + 0.5, i + 0.5, text, ha="center", va="center")

    return figures.draw(paint, width=round(width), height=round(height))
