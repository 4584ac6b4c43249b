"""The report's range test: how the learning rate was found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from recipes.pipeline import report

if TYPE_CHECKING:
    from recipes.neural_network.training.learning_rate import RangeTest


def range_test(found: RangeTest) -> report.Section:
    """The loss over rates that grow from step to step, and the rate chosen.

    Args:
        found: what `find_learning_rate` gave.
    """
    rates = np.asarray(found.rates, np.float64)
    losses = np.asarray(found.losses, np.float64)
    finite = np.isfinite(losses)
    # Where it diverges the loss would flatten all before.
    top = 1.5 * float(np.max(losses[: max(len(losses) // 3, 1)][: finite.sum()]))
    chosen = report.number(found.chosen, 3)

    def paint(canvas: Any) -> None:
        axes = report.plot_axes(canvas, "Learning rate", "Loss")
        label = f"chosen: {chosen}"
        axes.axvline(found.chosen, label=label, **report.REFERENCE_LINE)
        line = np.where(finite, losses, np.nan)
        axes.plot(rates, line, color=report.color("accent"), linewidth=2)
        report.set_log_scale(axes, "x")
        axes.set_xlim(rates[0], rates[-1])
        axes.set_ylim(min(0.0, float(losses[finite].min())), top)
        report.legend(axes)

    caption = (
        "Before the training, a copy of the network took steps with a rate that grew "
        "from one to the next. The loss falls where the rate is large enough to learn "
        "by, and rises again where it is too large. The rate chosen is a quarter of "
        "the one with the least loss."
    )
    alt = f"Line plot of the loss over learning rates; {chosen} is chosen."
    figure = report.Figure(report.draw(paint), caption, alt)
    words = report.Paragraph(
        f"--learning_rate=auto came to {chosen}; --learning_rate={found.chosen:.3g} "
        "repeats the training without the test."
    )
    return report.Section("Learning rate", (words, figure))
