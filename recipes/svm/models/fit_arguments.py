"""What Keras's `fit` takes and a machine, trained by one descent, cannot use."""

from collections.abc import Mapping
from typing import Any

import keras

from recipes.checks.arguments import listed

# What the progress bar and the callbacks are told after each outer iteration.
LOGGED = ("dual_objective", "duality_gap", "max_kkt_violation", "support_vectors")

_ONE_DESCENT = "a fit is one descent to the optimum, which `max_iterations` limits"
_EVALUATE = "a fit is one epoch; call `evaluate` after it"
_REFUSED_ARGUMENTS = {
    "y": "a one-class machine has no labels",
    "class_weight": "there are no classes",
    "batch_size": "every step needs all rows",
    "epochs": _ONE_DESCENT,
    "initial_epoch": _ONE_DESCENT,
    "steps_per_epoch": _ONE_DESCENT,
    "shuffle": "the optimum does not depend on the order of the rows",
    "validation_data": _EVALUATE,
    "validation_split": _EVALUATE,
    "validation_steps": _EVALUATE,
    "validation_batch_size": _EVALUATE,
    "validation_freq": _EVALUATE,
}
_NO_RATE = "there is no learning rate"
_REFUSED_CALLBACKS = {
    "BackupAndRestore": "a fit is one epoch; `initial_dual_coefficients` continues one",
    "EarlyStopping": "a fit is one epoch; `tolerance` and `max_iterations` end it",
    "LearningRateScheduler": _NO_RATE,
    "ReduceLROnPlateau": _NO_RATE,
    "SwapEMAWeights": "there is no optimiser that averages weights",
}


def check_arguments(given: Mapping[str, Any]) -> None:
    """Refuse arguments of Keras's `fit`.

    Args:
        given: Those that the machine's `fit` does not have.

    Raises:
        ValueError: If it is one of Keras's.
        TypeError: If it is none.
    """
    for name in given:
        if name not in _REFUSED_ARGUMENTS:
            raise TypeError(f"fit() got an unexpected keyword argument '{name}'")
        raise ValueError(f"`{name}` should be omitted: {_REFUSED_ARGUMENTS[name]}.")


def check_callbacks(callbacks: Any) -> list[keras.callbacks.Callback]:
    """Return the callbacks of `fit` as a list.

    Args:
        callbacks: A list, one alone, or `None`.

    Raises:
        ValueError: If one is no callback, or could do nothing in a single epoch.
    """
    for callback in listed(callbacks):
        if not isinstance(callback, keras.callbacks.Callback):
            raise ValueError(
                f"`callbacks` should be Keras callbacks. Received: {callback!r}"
            )
        for base in type(callback).__mro__:
            if base.__module__.startswith("keras.") and (
                reason := _REFUSED_CALLBACKS.get(base.__name__)
            ):
                raise ValueError(
                    f"`callbacks` should hold no {base.__name__}: {reason}."
                )
        if hasattr(callback, "save_freq"):
            _check_checkpoint(callback)
    return listed(callbacks)


def _check_checkpoint(checkpoint: Any) -> None:
    name = type(checkpoint).__name__
    if checkpoint.save_freq != "epoch":
        raise ValueError(
            f'`save_freq` of {name} should be "epoch": there is no machine to save '
            f"before the end. Received: save_freq={checkpoint.save_freq!r}"
        )
    if checkpoint.save_best_only and checkpoint.monitor not in LOGGED:
        raise ValueError(
            f"`monitor` of {name} should be one of {', '.join(LOGGED)}, or "
            f"`save_best_only` False. Received: monitor={checkpoint.monitor!r}"
        )
