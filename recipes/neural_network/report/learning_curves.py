"""The report's learning curves: train against validation, and whether it overfits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from matplotlib.ticker import LogLocator, MaxNLocator

from recipes.neural_network.training.certificate import has_learned
from recipes.pipeline import report

if TYPE_CHECKING:
    from recipes.neural_network.config import Config

Vector = npt.NDArray[np.float64]
_RISE = 0.05  # of the validation loss beyond its least: it overfits
_GAP = 1.5  # validation loss to training loss, at the best epoch: it does a little
_LATE = 0.95  # a best epoch beyond this share of all: it was still learning


@dataclass(frozen=True)
class Curves:
    """Losses after each epoch, `[epochs]`, and which epoch's weights are kept.

    Attributes:
        train: of training rows.
        validation: of the validation rows; None where none were held out.
        kept: the epoch whose weights are kept, from 0.
        stopped: whether it ended before all epochs were taken.
    """

    train: Vector
    validation: Vector | None
    kept: int
    stopped: bool

    @property
    def best(self) -> int:
        """The epoch of the least validation loss, from 0; else the last."""
        if self.validation is None:
            return len(self.train) - 1
        return int(np.nanargmin(self.validation))


def curves(
    history: Mapping[str, Sequence[float]], fit: Mapping[str, Any], best_kept: bool
) -> Curves:
    """The losses as they were recorded.

    Args:
        history: a `Course`'s.
        fit: the model's certificate.
        best_kept: whether the weights are those of the best epoch, not of the last.
    """
    train, validation = np.asarray(history["train_loss"]), history.get("val_loss")
    return Curves(
        train,
        None if validation is None else np.asarray(validation),
        kept=fit["best_epoch"] - 1 if best_kept else len(train) - 1,
        stopped=fit["stop_reason"] != "epochs",
    )


def nothing_learned(fit: Mapping[str, Any]) -> report.Notice | None:
    """That the training came to nothing, in words, if it did.

    Args:
        fit: the model's certificate.
    """
    if has_learned(fit):
        return None
    return report.Notice(
        "It has learned nothing.",
        "On the rows that it was trained on its error is "
        f"{report.number(fit['relative_train_loss'])} times that of the best constant "
        "answer: the training rows' mean, or their classes' shares. Its predictions "
        "are of no use. Try more --epochs, --learning_rate=auto, or another "
        "--activation: units of relu may be 0 for every row.",
        "bad",
    )


def overfitting(seen: Curves, config: Config, images: bool) -> report.Notice:
    """Whether the network overfits, in words, and what to do about it.

    Args:
        seen: the losses.
        config: the settings, for what has not been tried yet.
        images: whether the rows are images.
    """
    if seen.validation is None:
        return report.Notice(
            "Not watched for overfitting.",
            "No rows were held out for validation, so nothing says how the network does"
            " on rows it has not seen but the test; --validation_fraction=0.1 does.",
        )
    best, train, held_out = seen.best, seen.train, seen.validation
    number = report.number
    if held_out[-1] > (1 + _RISE) * held_out[best] and train[-1] < train[best]:
        text = (
            f"From there to epoch {number(len(train))} the loss on training rows falls "
            f"from {number(train[best], 3)} to {number(train[-1], 3)}, and that on "
            f"validation rows rises from {number(held_out[best], 3)} to "
            f"{number(held_out[-1], 3)}: it learns the training rows by heart. "
        )
        title = f"It overfits after epoch {number(best + 1)}."
        if seen.kept != best:
            text += (
                "The weights are those of the last epoch; --patience=20 stops early and"
                " keeps the best. "
            )
            return report.Notice(title, text + _remedies(config, images), "bad")
        text += f"The weights kept are those of epoch {number(best + 1)}, before that. "
        return report.Notice(title, text + _remedies(config, images))
    if best + 1 >= _LATE * len(train) and not seen.stopped:
        return report.Notice(
            "It does not overfit, and was still learning.",
            f"The loss on validation rows was least at epoch {number(best + 1)} of "
            f"{number(len(train))}; --epochs={2 * config.epochs} lets it go on.",
            "good",
        )
    at = (
        f"At epoch {number(best + 1)}, whose weights are kept, the loss is "
        f"{number(train[best], 3)} on training rows and {number(held_out[best], 3)} on "
        "validation rows."
    )
    if held_out[best] > _GAP * max(train[best], 0.0):
        return report.Notice(
            "It overfits mildly.",
            f"{at} It knows the rows that it has seen better than others, but what it "
            f"learned of them does no harm to the others. {_remedies(config, images)}",
        )
    return report.Notice(
        "It does not overfit.",
        f"{at} They are close: more, or larger, --hidden_sizes may still gain.",
        "good",
    )


def _remedies(config: Config, images: bool) -> str:
    """The flags against overfitting that are off, the likeliest first."""
    off = [
        flag
        for flag, used in (
            ("--shift=1", config.shift or not images),
            ("--dropout=0.2", config.dropout),
            ("--l2=1e-4", config.l2 or config.weight_decay),
            ("--mixup=0.2", config.mixup),
        )
        if not used
    ][:2]
    more = "more training rows or smaller --hidden_sizes"
    return f"Try {' or '.join(off)}; else {more}." if off else f"Try {more}."


def learning_curves(
    history: Mapping[str, Sequence[float]],
    fit: Mapping[str, Any],
    best_kept: bool,
    config: Config,
    images: bool,
) -> report.Section:
    """Loss and accuracy after each epoch, with a word on overfitting.

    Args:
        history: a `Course`'s.
        fit: the model's certificate.
        best_kept: whether the weights are those of the best epoch, not of the last.
        config: the settings.
        images: whether the rows are images.
    """
    seen = curves(history, fit, best_kept)
    classes = "train_accuracy" in history
    figures = [_loss_figure(seen, classes)]
    if classes:
        right = history["train_accuracy"], history.get("val_accuracy")
        figures.append(_accuracy_figure(seen, *right))
    notice = nothing_learned(fit) or overfitting(seen, config, images)
    body = (notice, report.Grid(figures))
    return report.Section("Learning curves", body)


def _loss_figure(seen: Curves, classes: bool) -> report.Figure:
    measure = (
        "the cross-entropy"
        if classes
        else "the mean squared error, as a share of the target's variance"
    )
    caption = (
        f"The loss after each epoch, {measure}, with the penalties that were asked for."
    )
    if seen.validation is not None:
        caption += (
            " Where the line of the validation rows turns up while that of the training"
            " rows goes on falling, the network overfits."
        )
    alt = f"The loss on training rows falls to {report.number(seen.train[-1], 3)}"
    if seen.validation is not None:
        least = report.number(seen.validation[seen.best], 3)
        alt += f", that on validation rows to {least} at epoch {seen.best + 1}"
    lines = seen.train, seen.validation
    return report.Figure(_drawn(seen, *lines, "Loss"), caption, f"{alt}.")


def _accuracy_figure(
    seen: Curves, train: Sequence[float], validation: Sequence[float] | None
) -> report.Figure:
    held_out = None if validation is None else np.asarray(validation)
    caption = "The share of rows whose class is right, after each epoch."
    told = f"{report.percent(train[seen.kept])} of the training rows"
    if held_out is not None:
        told += f" and {report.percent(held_out[seen.kept])} of the validation rows"
    caption += f" With the weights kept it is {told}."
    svg = _drawn(seen, np.asarray(train), held_out, "Accuracy", logarithmic=False)
    return report.Figure(svg, caption, f"Line plot of the accuracy: {told}.")


def _drawn(
    seen: Curves,
    train: Vector,
    validation: Vector | None,
    label: str,
    *,
    logarithmic: bool = True,
) -> str:
    """Both lines, and the epoch whose weights are kept."""
    epochs = np.arange(1, len(train) + 1)
    kept = seen.kept

    def paint(canvas: Any) -> None:
        axes = report.plot_axes(canvas, "Epoch", label)
        axes.axvline(kept + 1, label="weights kept", **report.REFERENCE_LINE)
        for values, hue, name in (
            (train, "accent", "train"),
            (validation, "orange", "validation"),
        ):
            if values is None:
                continue
            look: dict[str, Any] = {"color": report.color(hue), "clip_on": False}
            axes.plot(epochs, values, linewidth=2, label=name, **look)
            axes.plot([kept + 1], [values[kept]], "o", markersize=7, **look)
        if logarithmic:
            _scale(axes, np.concatenate([train, *_given(validation)]))
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.set_xlim(1, max(len(train), 2))
        report.legend(axes)

    return report.draw(paint)


def _given(values: Vector | None) -> list[Vector]:
    return [] if values is None else [values]


def _scale(axes: Any, values: Vector) -> None:
    """A logarithmic axis where the values differ by factors."""
    if not values.min() > 0 or values.max() < 10 * values.min():
        return
    report.set_log_scale(axes)
    decades = np.log10(values.max() / values.min())
    subs = (1, 2, 5) if decades < 2 else (1,)
    axes.yaxis.set_major_locator(LogLocator(subs=subs, numticks=12))
    axes.yaxis.set_major_formatter(_Numbers())


class _Numbers(report.PlainTicks):
    """Each tick as short as it can be: 0.002, 0.01, 5."""

    def format_ticks(self, values: Sequence[float]) -> list[str]:
        """The labels, each apart from the others."""
        return [report.number(float(value), 1) for value in values]
