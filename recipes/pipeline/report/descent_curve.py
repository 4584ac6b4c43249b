"""Curves over iterations, on a logarithmic axis."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.ticker import MaxNLocator

from recipes.pipeline.report import figures


def draw_descent(values: npt.ArrayLike, label: str) -> str:
    """Draw a positive quantity that descent reduces, as SVG.

    Args:
        values: the quantity before the first and after every iteration, between
            1e-200 and 1e200 or not finite, at least one of them finite.
        label: what the quantity is.

    Returns:
        SVG, with a gap where a value is not finite and a dot on the last finite one.
    """
    heights = np.asarray(values, np.float64)
    shown = np.flatnonzero(np.isfinite(heights))
    last = shown[-1]

    def paint(canvas: figures.Canvas) -> None:
        axes = figures.plot_axes(canvas, "Iteration", label)
        look: dict[str, Any] = {"color": figures.color("accent"), "clip_on": False}
        line = np.where(np.isfinite(heights), heights, np.nan)
        axes.plot(line, linewidth=2, solid_capstyle="round", **look)
        axes.plot([last], [heights[last]], "o", markersize=7, **look)
        figures.set_log_scale(axes)
        axes.set_ylim(*_decades_around(heights[shown]))
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.set_xlim(0, max(heights.size - 1, 1))

    return figures.draw(paint)


def _decades_around(heights: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Return the powers of ten around the values: at least two, to label the axis."""
    low = math.floor(np.log10(heights.min()))
    high = math.ceil(np.log10(heights.max()))
    return 10.0**low, 10.0 ** max(high, low + 1)
