"""The report's learning curves: training against validation, and overfitting."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.ticker import LogLocator, MaxNLocator

from recipes.neural_network.config import Config
from recipes.neural_network.training.certificate import has_learned
from recipes.pipeline import report

Vector = npt.NDArray[np.float64]
_RISE = 0.05  # relative rise of the validation loss above its minimum: overfitting
_GAP = 1.5  # ratio of validation to training loss at the best epoch: mild overfitting
_LATE = 0.95  # a best epoch beyond this fraction of all epochs: still learning


@dataclass(frozen=True)
class LossCurves:
    """The losses after each epoch, `[epochs]`, and which epoch's weights are kept.

    Attributes:
        train: The loss on training rows.
        validation: The loss on validation rows; `None` if none were held out.
        kept: The epoch whose weights are kept, from 0.
        stopped: Whether the training ended before all epochs were done.
    """

    train: Vector
    validation: Vector | None
    kept: int
    stopped: bool

    @property
    def best(self) -> int:
        """The epoch of the lowest validation loss, from 0; else the last."""
        if self.validation is None:
            return len(self.train) - 1
        return int(np.nanargmin(self.validation))


def extract_curves(
    history: Mapping[str, Sequence[float]],
    certificate: Mapping[str, Any],
    best_kept: bool,
) -> LossCurves:
    """Extract the losses from a history.

    Args:
        history: The history of a `HistoryCallback`.
        certificate: The model's `certificate`.
        best_kept: Whether the weights are those of the best epoch, not of the last.
    """
    train, validation = np.asarray(history["train_loss"]), history.get("val_loss")
    return LossCurves(
        train,
        None if validation is None else np.asarray(validation),
        kept=certificate["best_epoch"] - 1 if best_kept else len(train) - 1,
        stopped=certificate["stop_reason"] != "epochs",
    )


def describe_failure(
    certificate: Mapping[str, Any], config: Config
) -> report.Notice | None:
    """Return a notice that nothing was learned, if that is so.

    Args:
        certificate: The model's `certificate`.
        config: The settings, which show what has been tried.
    """
    if certificate["learned"]:
        return None
    auto = "" if config.learning_rate == "auto" else "--learning_rate=auto, "
    finding = (
        "On the training rows its error is "
        f"{report.number(certificate['relative_train_loss'])} times that of the best "
        "constant prediction, which is the target's mean or the classes' shares."
    )
    if has_learned(certificate):
        finding = (
            "On the validation rows its error is above that of a constant prediction, "
            "the mean or the class shares of the training rows, by more than chance "
            "may explain."
        )
    return report.Notice(
        "It has learned nothing.",
        f"{finding} Its predictions are useless. Try more --epochs, {auto}or another "
        "--activation: units with relu can become 0 for every row.",
        "bad",
    )


def describe_overfitting(
    curves: LossCurves, config: Config, images: bool
) -> report.Notice:
    """Return a notice whether the network overfits, and what to do about it.

    Args:
        curves: The losses.
        config: The settings, which show what has not been tried yet.
        images: Whether the rows are images.
    """
    if curves.validation is None:
        return report.Notice(
            "Not monitored for overfitting.",
            "No rows were held out for validation, so only the test shows how the "
            "network does on unseen rows. --validation_fraction=0.1 holds some out.",
        )
    best, train, validation = curves.best, curves.train, curves.validation
    number = report.number
    if validation[-1] > (1 + _RISE) * validation[best] and train[-1] < train[best]:
        text = (
            f"From then to epoch {number(len(train))} the training loss falls from "
            f"{number(train[best], 3)} to {number(train[-1], 3)} while the validation "
            f"loss rises from {number(validation[best], 3)} to "
            f"{number(validation[-1], 3)}: the network memorises the training rows. "
        )
        title = f"It overfits after epoch {number(best + 1)}."
        if curves.kept != best:
            text += (
                "The weights kept are those of the last epoch; --patience=20 stops "
                "early and keeps the best. "
            )
            return report.Notice(title, text + _suggest_remedies(config, images), "bad")
        text += f"The weights kept are those of epoch {number(best + 1)}. "
        return report.Notice(title, text + _suggest_remedies(config, images))
    if best + 1 >= _LATE * len(train) and not curves.stopped:
        return report.Notice(
            "It does not overfit, and was still learning.",
            f"The validation loss was lowest at epoch {number(best + 1)} of "
            f"{number(len(train))}; --epochs={2 * config.epochs} trains for longer.",
            "good",
        )
    losses = (
        f"At epoch {number(best + 1)}, whose weights are kept, the training loss is "
        f"{number(train[best], 3)} and the validation loss "
        f"{number(validation[best], 3)}."
    )
    if validation[best] > _GAP * max(train[best], 0.0):
        return report.Notice(
            "It overfits mildly.",
            f"{losses} The network does better on the rows that it was trained on, but "
            f"not at the expense of the others. {_suggest_remedies(config, images)}",
        )
    return report.Notice(
        "It does not overfit.",
        f"{losses} The two are close: more or larger --hidden_sizes may still help.",
        "good",
    )


def _suggest_remedies(config: Config, images: bool) -> str:
    """Suggest two remedies against overfitting that are off, the likeliest first."""
    has_dropout = images if config.dropout == "auto" else config.dropout > 0
    off = [
        flag
        for flag, used in (
            ("--shift=1", config.shift or not images),
            ("--dropout=0.2", has_dropout),
            ("--l2=1e-4", config.l2 or config.weight_decay),
            ("--mixup=0.2", config.mixup),
        )
        if not used
    ][:2]
    more = "more training rows or smaller --hidden_sizes"
    return f"Try {' or '.join(off)}; else {more}." if off else f"Try {more}."


def build_learning_curves_section(
    history: Mapping[str, Sequence[float]],
    certificate: Mapping[str, Any],
    best_kept: bool,
    config: Config,
    images: bool,
) -> report.Section:
    """Plot the learning curves, and say whether the network overfits.

    Args:
        history: The history of a `HistoryCallback`.
        certificate: The model's `certificate`.
        best_kept: Whether the weights are those of the best epoch, not of the last.
        config: The settings.
        images: Whether the rows are images.
    """
    curves = extract_curves(history, certificate, best_kept)
    has_classes = "train_accuracy" in history
    figures = [_draw_loss(curves, has_classes)]
    if has_classes:
        accuracies = history["train_accuracy"], history.get("val_accuracy")
        figures.append(_draw_accuracy(curves, *accuracies))
    notice = describe_failure(certificate, config) or describe_overfitting(
        curves, config, images
    )
    return report.Section("Learning curves", (notice, report.Grid(figures)))


def _draw_loss(curves: LossCurves, has_classes: bool) -> report.Figure:
    measure = (
        "cross-entropy"
        if has_classes
        else "mean squared error relative to the target's variance"
    )
    caption = f"The loss after each epoch: {measure}, plus any --l1 and --l2 penalties."
    alt = (
        "Line plot of the loss: on training rows it ends at "
        f"{report.number(curves.train[-1], 3)}"
    )
    if curves.validation is not None:
        caption += (
            " The network overfits where the validation curve turns up while the "
            "training curve still falls."
        )
        lowest = report.number(curves.validation[curves.best], 3)
        alt += (
            f"; on validation rows it is lowest, {lowest}, at epoch {curves.best + 1}"
        )
    svg = _draw_curves(curves.kept, curves.train, curves.validation, "Loss")
    return report.Figure(svg, caption, f"{alt}.")


def _draw_accuracy(
    curves: LossCurves, train: Sequence[float], validation: Sequence[float] | None
) -> report.Figure:
    kept = f"{report.percent(train[curves.kept])} on training rows"
    if validation is not None:
        kept += f" and {report.percent(validation[curves.kept])} on validation rows"
    svg = _draw_curves(
        curves.kept,
        np.asarray(train),
        None if validation is None else np.asarray(validation),
        "Accuracy",
        logarithmic=False,
    )
    return report.Figure(
        svg,
        "The share of rows classified correctly, after each epoch. With the weights "
        f"kept it is {kept}.",
        f"Line plot of the accuracy: {kept}.",
    )


def _draw_curves(
    kept: int,
    train: Vector,
    validation: Vector | None,
    label: str,
    *,
    logarithmic: bool = True,
) -> str:
    """Draw both curves and mark the epoch whose weights are kept."""
    epochs = np.arange(1, len(train) + 1)
    curves = [("train", "accent", train)]
    if validation is not None:
        curves.append(("validation", "orange", validation))

    def paint(canvas: Any) -> None:
        axes = report.plot_axes(canvas, "Epoch", label)
        axes.axvline(kept + 1, label="weights kept", **report.REFERENCE_LINE)
        for name, hue, values in curves:
            style: dict[str, Any] = {"color": report.color(hue), "clip_on": False}
            axes.plot(epochs, values, linewidth=2, label=name, **style)
            axes.plot([kept + 1], [values[kept]], "o", markersize=7, **style)
        if logarithmic:
            _set_log_scale(axes, np.concatenate([values for *_, values in curves]))
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.set_xlim(1, max(len(train), 2))
        report.legend(axes)

    return report.draw(paint)


def _set_log_scale(axes: Any, values: Vector) -> None:
    """Set a logarithmic axis if the values span at least a factor of ten."""
    if not values.min() > 0 or values.max() < 10 * values.min():
        return
    report.set_log_scale(axes)
    decades = np.log10(values.max() / values.min())
    subs = (1, 2, 5) if decades < 2 else (1,)
    axes.yaxis.set_major_locator(LogLocator(subs=subs, numticks=12))
    axes.yaxis.set_major_formatter(_ShortTicks())


class _ShortTicks(report.PlainTicks):
    """Tick labels that are as short as possible: 0.002, 0.01, 5."""

    def format_ticks(self, values: Sequence[float]) -> list[str]:
        """Format each label independently of the others."""
        return [report.number(float(value), 1) for value in values]
