"""The report's range test: how the learning rate was chosen."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from recipes.neural_network.training.attempt import Failure
from recipes.neural_network.training.learning_rate import RangeTest
from recipes.pipeline import report


def build_range_test_section(
    test: RangeTest, failures: Sequence[Failure] = ()
) -> report.Section:
    """Plot the loss against the learning rate, and mark the rate chosen.

    Args:
        test: The range test, with the rate of the network kept.
        failures: The other attempts, at larger rates or smaller ones.
    """
    rates = np.asarray(test.rates, np.float64)
    losses = np.asarray(test.losses, np.float64)
    finite = np.isfinite(losses)
    # A diverging loss would flatten everything before it.
    top = 1.5 * float(np.max(losses[: max(len(losses) // 3, 1)][: finite.sum()]))
    rate = max([test.chosen, *(each.learning_rate for each in failures)])
    chosen = report.number(rate, 3)

    def paint(canvas: Any) -> None:
        axes = report.plot_axes(canvas, "Learning rate", "Loss")
        label = f"chosen: {chosen}"
        axes.axvline(rate, label=label, **report.REFERENCE_LINE)
        curve = np.where(finite, losses, np.nan)
        axes.plot(rates, curve, color=report.color("accent"), linewidth=2)
        report.set_log_scale(axes, "x")
        axes.set_xlim(rates[0], rates[-1])
        axes.set_ylim(min(0.0, float(losses[finite].min())), top)
        report.legend(axes)

    caption = (
        "The loss after each step of a trial run in which the learning rate grew from "
        "step to step, the median of three runs; their steps were then undone. The "
        "loss falls once the rate is large enough, and rises again when it is too "
        "large. The rate chosen is a tenth of that at which, in the first of the three "
        "runs, it had risen by half of its fall."
    )
    alt = f"Line plot of the loss against the learning rate; {chosen} is chosen."
    figure = report.Figure(report.draw(paint), caption, alt)
    used = (
        f" The network kept was trained at {report.number(test.chosen, 3)}."
        if test.chosen < rate
        else ""
    )
    summary = report.Paragraph(
        f"--learning_rate=auto chose {chosen}.{used} "
        f"--learning_rate={test.chosen:.3g} repeats the training without the test."
    )
    notices = (
        report.Notice(
            f"The training {each.outcome} at {report.number(each.learning_rate, 3)}.",
            "It was started again at a tenth of that rate."
            if each.learning_rate > test.chosen
            else "The network of the larger rate was kept.",
        )
        for each in failures
    )
    return report.Section("Learning rate", (summary, *notices, figure))
