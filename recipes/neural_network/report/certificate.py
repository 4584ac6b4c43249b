"""The report's certificate: what was verified of a network, and what cannot be."""

import math
from collections.abc import Mapping
from typing import Any

from recipes.pipeline import report

ROUNDING = 1e-5  # a relative error of the gradient up to this is rounding

# How the training ended, for each stop reason: the end of "The training ended …".
_ENDINGS = {
    "epochs": "when all epochs were done",
    "early_stopping": "early, as the validation loss no longer fell",
    "diverged": "because the loss was no longer a finite number",
    "interrupted": "because it was interrupted",
}
_NOTES = {
    "gradient_check_max_relative_error": "The largest relative difference, over a "
    "sample of the weights, between the gradient that the training follows and central "
    "differences of the loss in float64.",
    "gradient_check_weights": "The number of weights in that sample.",
    "gradient_check_kinks": "The number of further weights left out because the loss "
    "has a kink there, and so no derivative.",
    "final_train_loss": "The loss over the training rows with the weights kept.",
    "relative_train_loss": "The error over the training rows, relative to that of the "
    "best constant prediction: at 1 or more, nothing was learned.",
    "epochs": "Passes through the training rows.",
    "best_epoch": "The epoch after which the validation loss was lowest.",
    "converged": "Whether early stopping ended the training because further epochs did "
    "not help, and the network has learned something.",
    "learned": "Whether the network beats the best constant prediction on the training "
    "rows and, if its weights are the best on the validation rows, is not worse there "
    "than the training rows' constant by more than chance may explain.",
    "stop_reason": "Why the training ended.",
}


def is_gradient_correct(certificate: Mapping[str, Any]) -> bool:
    """Return whether the gradient check found no more than rounding errors."""
    error = certificate["gradient_check_max_relative_error"]
    return error is not None and error <= ROUNDING


def state_verdict(certificate: Mapping[str, Any]) -> str:
    """Return the certificate's verdict, as the second half of a sentence."""
    if not certificate["learned"]:
        return "it has learned nothing: a constant prediction does as well"
    if not is_gradient_correct(certificate):
        return "the gradient that it was trained with is in doubt"
    accuracy = _format_accuracy(certificate)
    return f"the gradient that it was trained with is correct {accuracy}"


def build_key_numbers(
    certificate: Mapping[str, Any], kept_epoch: int
) -> tuple[report.KeyNumber, ...]:
    """Return the epochs and the gradient check for the top of the page.

    Args:
        certificate: The model's `certificate`.
        kept_epoch: The epoch whose weights are kept, from 1.
    """
    early = ", stopped early" if certificate["stop_reason"] == "early_stopping" else ""
    epoch = report.KeyNumber(
        "Weights of epoch",
        report.number(kept_epoch),
        f"of {report.number(certificate['epochs'])}{early}",
    )
    accuracy = _format_accuracy(certificate)
    if is_gradient_correct(certificate):
        return epoch, report.KeyNumber("Gradient", "Correct", accuracy, "good")
    return epoch, report.KeyNumber("Gradient", "In doubt", accuracy, "bad")


def build_certificate_section(
    certificate: Mapping[str, Any], kept_epoch: int
) -> report.Section:
    """Return what was verified, in words and in numbers.

    Args:
        certificate: The model's `certificate`.
        kept_epoch: The epoch whose weights are kept, from 1.
    """
    sound = {
        "gradient_check_max_relative_error": is_gradient_correct(certificate),
        "learned": certificate["learned"],
    }
    table = report.certificate_table(
        certificate,
        _NOTES,
        [key for key, is_sound in sound.items() if not is_sound],
        "the rows and the weights",
    )
    caveat = report.Notice(
        "No proof of an optimum.",
        "The loss of a network with hidden layers has many local minima. Training "
        "leads towards one of them, with another --seed often towards another, and a "
        "lower one may exist. What counts is how the network does on rows that it has "
        "not seen.",
    )
    body = (_describe_gradient_check(certificate, kept_epoch), caveat, table)
    return report.Section("Certificate", body)


def _describe_gradient_check(
    certificate: Mapping[str, Any], kept_epoch: int
) -> report.Notice:
    reason = certificate["stop_reason"]
    ending = (
        f"The training ended {_ENDINGS.get(reason, f'({reason})')}, after "
        f"{report.count(certificate['epochs'], 'epoch')}; the weights kept are those "
        f"of epoch {report.number(kept_epoch)}."
    )
    accuracy = _format_accuracy(certificate)
    if is_gradient_correct(certificate):
        return report.Notice(
            "The gradient is correct.",
            "When a weight is moved slightly up and down, the loss changes in float64 "
            f"as the gradient predicts, {accuracy}, for each of a sample of the "
            "weights: every step followed the gradient of the loss on its batch. "
            f"{ending}",
            "good",
        )
    return report.Notice(
        "The gradient is in doubt.",
        "When a weight is moved slightly up and down, the loss does not change as the "
        f"gradient predicts: they differ by {accuracy or 'NaN or infinity'}. {ending}",
        "bad",
    )


def _format_accuracy(certificate: Mapping[str, Any]) -> str:
    error = certificate["gradient_check_max_relative_error"]
    if error is None or not math.isfinite(error):
        return ""
    if error > ROUNDING:
        return report.percent(error)
    return f"to {report.one_part_in(error)}"
