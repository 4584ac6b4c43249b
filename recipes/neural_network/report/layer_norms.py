"""The report's sizes of weights and gradients, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.ticker import MaxNLocator

from recipes.pipeline import report

Matrix = npt.NDArray[np.float64]
_HUES = ("accent", "orange", "teal", "purple", "pink", "grey")
_LEAST = 1e-16  # what a logarithmic axis shows for 0


def norms(layers: Sequence[str], weights: Matrix, gradients: Matrix) -> report.Section:
    """How long each layer's weights and gradient are after each epoch.

    Args:
        layers: their names.
        weights: length of each layer's weights, `[epochs, layers]`.
        gradients: length of the loss's gradient by them, likewise.
    """
    shown = _shown(len(layers))
    names = [layers[i] for i in shown]
    left_out = len(layers) - len(shown)
    some = f" The {left_out} layers in the middle are left out." if left_out else ""
    growth = weights[-1] / np.maximum(weights[0], _LEAST)
    most = int(np.argmax(growth))
    body = report.Grid(
        (
            report.Figure(
                _drawn(weights[:, shown], names, "Length of the weights"),
                "The length of each layer's weights, √Σw², after each epoch. Long "
                "weights make a network sure and steep; --l2 and --weight_decay keep "
                f"them short.{some}",
                f"Line plot: the weights of {layers[most]} grow most, by a factor of "
                f"{report.number(float(growth[most]), 3)} from epoch 1 on.",
            ),
            report.Figure(
                _drawn(gradients[:, shown], names, "Length of the gradient", log=True),
                "The length of the gradient by each layer's weights, on training rows. "
                "It shrinks as the network settles. A layer whose line lies far below "
                "the others' hardly learns; lines that jump ask for a lower "
                f"--learning_rate.{some}",
                f"Line plot: the gradient by {layers[-1]} goes from "
                f"{report.number(float(gradients[0, -1]), 3)} to "
                f"{report.number(float(gradients[-1, -1]), 3)}.",
            ),
        )
    )
    return report.Section("Weights and gradients", (body,))


def _shown(count: int) -> list[int]:
    """All layers, or where they are many the first and the last ones."""
    half = len(_HUES) // 2
    if count <= len(_HUES):
        return list(range(count))
    return [*range(half), *range(count - half, count)]


def _drawn(values: Matrix, names: Sequence[str], label: str, log: bool = False) -> str:
    epochs = np.arange(1, len(values) + 1)

    def paint(canvas: Any) -> None:
        axes = report.plot_axes(canvas, "Epoch", label)
        # The last one first, as the legend names what is drawn last first.
        for line, name, hue in [*zip(values.T, names, _HUES, strict=False)][::-1]:
            look: dict[str, Any] = {"color": report.color(hue), "clip_on": False}
            axes.plot(epochs, np.maximum(line, _LEAST), linewidth=2, label=name, **look)
            axes.plot(epochs[-1:], np.maximum(line[-1:], _LEAST), "o", **look)
        if log:
            report.set_log_scale(axes)
        else:
            axes.set_ylim(bottom=0)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.set_xlim(1, max(len(values), 2))
        report.legend(axes, columns=1 if len(names) > 4 else 2)

    return report.draw(paint, height=340 + 20 * (len(names) // 2))
