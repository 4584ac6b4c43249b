"""The report's certificate: what is proven of a network, and what cannot be."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from recipes.neural_network.training.certificate import has_learned
from recipes.pipeline import report

RIGHT = 1e-5  # an error of the gradient below this is rounding's

# For each stop reason: what happened, as the end of "the training ended …".
_STOPS = {
    "epochs": "when all epochs asked for were taken",
    "early_stopping": "early, as the loss on validation rows no longer fell",
    "diverged": "because the loss was no longer a number",
    "interrupted": "because it was interrupted",
}
_LINES = {
    "gradient_check_max_relative_error": "The gradient that the training follows, "
    "against central differences of the loss in float64, over a sample of the weights: "
    "the largest difference, as a share.",
    "gradient_check_weights": "Weights that were moved for that.",
    "gradient_check_kinks": "Further ones, left out: at their values the loss has a "
    "kink, and no derivative.",
    "final_train_loss": "The loss over the training rows, with the weights kept.",
    "relative_train_loss": "The error over the training rows, as a share of what the "
    "best constant answer gives: at 1 or more nothing was learned.",
    "epochs": "Passes through the training rows.",
    "best_epoch": "The one after which the loss on validation rows was least.",
    "converged": "Whether early stopping ended the training, as more epochs did not "
    "help, and something was learned.",
    "stop_reason": "Why it ended.",
}


def is_right(fit: Mapping[str, Any]) -> bool:
    """Whether the gradient was found right."""
    error = fit["gradient_check_max_relative_error"]
    return error is not None and error <= RIGHT


def verdict(fit: Mapping[str, Any]) -> str:
    """What the certificate says, as the second half of a sentence."""
    if not has_learned(fit):
        return "it has learned nothing: a constant answer does as well"
    if not is_right(fit):
        return "the gradient that it learned by is in doubt"
    return f"the gradient that it learned by is right {_closeness(fit)}"


def highlights(fit: Mapping[str, Any], kept: int) -> tuple[report.KeyNumber, ...]:
    """Epochs and gradient check, for the top of the page.

    Args:
        fit: the model's `certificate`.
        kept: the epoch whose weights are kept, from 1.
    """
    early = ", stopped early" if fit["stop_reason"] == "early_stopping" else ""
    epoch = report.KeyNumber(
        "Weights of epoch",
        report.number(kept),
        f"of {report.number(fit['epochs'])}{early}",
    )
    if is_right(fit):
        return epoch, report.KeyNumber("Gradient", "Right", _closeness(fit), "good")
    return epoch, report.KeyNumber("Gradient", "In doubt", _closeness(fit), "bad")


def certificate(fit: Mapping[str, Any], kept: int) -> report.Section:
    """What is proven, in words and in numbers.

    Args:
        fit: the model's `certificate`.
        kept: the epoch whose weights are kept, from 1.
    """
    sound = {
        "gradient_check_max_relative_error": is_right(fit),
        "relative_train_loss": has_learned(fit),
    }
    table = report.certificate_table(
        fit,
        _LINES,
        [key for key, is_sound in sound.items() if not is_sound],
        "the rows and the weights",
    )
    honest = report.Notice(
        "No proof of an optimum.",
        "A network with hidden layers has a loss with many hollows. Gradient descent "
        "has come into one of them: another --seed comes into another, and nothing "
        "says that none is lower. What counts is how the network does on rows that it "
        "has not seen.",
    )
    return report.Section("Certificate", (_plain_words(fit, kept), honest, table))


def _plain_words(fit: Mapping[str, Any], kept: int) -> report.Notice:
    ended = _STOPS.get(fit["stop_reason"], f"({fit['stop_reason']})")
    text = (
        f"The training ended {ended}, after {report.count(fit['epochs'], 'epoch')}; "
        f"the weights kept are those of epoch {report.number(kept)}."
    )
    if is_right(fit):
        text = (
            "For a sample of the weights, each moved a little up and down in float64, "
            "the loss changes as the gradient says, "
            f"{_closeness(fit)}: every step went down the slope of its batch. {text}"
        )
        return report.Notice("The gradient is right.", text, "good")
    text = (
        "The loss does not change as the gradient says where a weight is moved a "
        f"little: they differ by {_closeness(fit) or 'what is not a number'}. {text}"
    )
    return report.Notice("The gradient is in doubt.", text, "bad")


def _closeness(fit: Mapping[str, Any]) -> str:
    error = fit["gradient_check_max_relative_error"]
    if error is None or not math.isfinite(error):
        return ""
    if error > RIGHT:
        return report.percent(error)
    return f"to {report.one_part_in(error)}"
