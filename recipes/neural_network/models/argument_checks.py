"""Checks of arguments that name something of Keras's."""

from collections.abc import Callable
from typing import Any

import keras

from recipes.errors import ArgumentError


def check_optimizer(name: str, momentum: float) -> None:
    """Raise `ArgumentError` unless it is a Keras optimiser that takes the momentum."""
    if not _is_known(name, keras.optimizers.get):
        expected = "the name of a Keras optimiser, such as 'sgd' or 'adam'"
        raise ArgumentError("optimizer", f"{expected}; `compile` takes objects", name)
    if name.lower() != "sgd" and momentum:
        raise ArgumentError(
            "momentum", f"0 with optimizer={name!r}: only 'sgd' takes it", momentum
        )


def check_activation(name: str) -> None:
    """Raise `ArgumentError` unless Keras knows an activation of that name."""
    if not _is_known(name, keras.activations.get):
        expected = "the name of a Keras activation, such as 'relu'"
        raise ArgumentError("activation", expected, name)


def _is_known(name: Any, get: Callable[[str], Any]) -> bool:
    try:
        return isinstance(name, str) and bool(get(name))
    except ValueError:
        return False
