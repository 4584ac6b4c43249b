"""The report's norms of weights and gradients, layer by layer."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.ticker import MaxNLocator

from recipes.pipeline import report

Matrix = npt.NDArray[np.float64]
_HUES = ("accent", "orange", "teal", "purple", "pink", "grey")
_SMALLEST = 1e-16  # the value that a logarithmic axis shows for 0


def build_norms_section(
    layer_names: Sequence[str], weight_norms: Matrix, gradient_norms: Matrix
) -> report.Section:
    """Plot the norms of each layer's weights and gradient after each epoch.

    Args:
        layer_names: The layers' names.
        weight_norms: The norm of each layer's weights, `[epochs, layers]`.
        gradient_norms: The norm of the loss's gradient by them, `[epochs, layers]`.
    """
    shown = _choose_layers(len(layer_names))
    names = [layer_names[i] for i in shown]
    omitted = len(layer_names) - len(shown)
    note = f" The {omitted} layers in the middle are omitted." if omitted else ""
    growth = weight_norms[-1] / np.maximum(weight_norms[0], _SMALLEST)
    most = int(np.argmax(growth))
    body = report.Grid(
        (
            report.Figure(
                _draw_norms(weight_norms[:, shown], names, "Norm of the weights"),
                "The Euclidean norm of each layer's weights, √Σw², after each epoch. "
                "Large weights make the network's output sensitive to small changes of "
                f"its input; --l2 and --weight_decay keep them small.{note}",
                "Line plot of the norms of each layer's weights: from the first epoch "
                f"to the last, those of {layer_names[most]} change by the largest "
                f"factor, {report.number(float(growth[most]), 3)}.",
            ),
            report.Figure(
                _draw_norms(
                    gradient_norms[:, shown], names, "Norm of the gradient", log=True
                ),
                "The norm of the gradient by each layer's weights, on training rows. "
                "It shrinks as the training converges. A layer whose curve lies far "
                "below the others hardly learns; erratic curves call for a lower "
                f"--learning_rate.{note}",
                "Line plot of the norms of each layer's gradient: that of "
                f"{layer_names[-1]} goes from "
                f"{report.number(float(gradient_norms[0, -1]), 3)} to "
                f"{report.number(float(gradient_norms[-1, -1]), 3)}.",
            ),
        )
    )
    return report.Section("Weights and gradients", (body,))


def _choose_layers(count: int) -> list[int]:
    """Return all layers or, if there are too many, the first and the last ones."""
    half = len(_HUES) // 2
    if count <= len(_HUES):
        return list(range(count))
    return [*range(half), *range(count - half, count)]


def _draw_norms(
    values: Matrix, names: Sequence[str], label: str, log: bool = False
) -> str:
    epochs = np.arange(1, len(values) + 1)

    def paint(canvas: Any) -> None:
        axes = report.plot_axes(canvas, "Epoch", label)
        # In reverse, as the legend lists first what is drawn last.
        for line, name, hue in [*zip(values.T, names, _HUES, strict=False)][::-1]:
            style: dict[str, Any] = {"color": report.color(hue), "clip_on": False}
            axes.plot(
                epochs, np.maximum(line, _SMALLEST), linewidth=2, label=name, **style
            )
            axes.plot(epochs[-1:], np.maximum(line[-1:], _SMALLEST), "o", **style)
        if log:
            report.set_log_scale(axes)
        else:
            axes.set_ylim(bottom=0)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.set_xlim(1, max(len(values), 2))
        report.legend(axes, columns=1 if len(names) > 4 else 2)

    return report.draw(paint, height=340 + 20 * (len(names) // 2))
