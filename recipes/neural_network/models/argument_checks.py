"""Checks of the arguments that only networks have."""

from collections.abc import Sequence
from typing import Any

import keras

from recipes.checks.arguments import is_count


def check_sizes(hidden_sizes: Any) -> None:
    """Raises `ValueError` unless it is a sequence of sizes from 1."""
    if (
        not isinstance(hidden_sizes, Sequence)
        or isinstance(hidden_sizes, str)
        or not all(is_count(size, 1) for size in hidden_sizes)
    ):
        raise ValueError(
            "`hidden_sizes` should hold whole numbers from 1, as in (128,). "
            f"Received: hidden_sizes={hidden_sizes!r}"
        )


def check_optimizer(name: Any, momentum: float, nesterov: bool) -> None:
    """Raises `ValueError` unless it names a Keras optimiser that takes the others."""
    try:
        known = isinstance(name, str) and bool(keras.optimizers.get(name))
    except ValueError:
        known = False
    if not known:
        raise ValueError(
            "`optimizer` should be the name of a Keras optimiser, as 'sgd' or 'adam'; "
            f"`compile` takes objects. Received: optimizer={name!r}"
        )
    if name.lower() != "sgd" and (momentum or nesterov):
        raise ValueError(
            "`momentum` and `nesterov` should be left out with another optimiser than "
            f"'sgd'. Received: optimizer={name!r}, momentum={momentum}, "
            f"nesterov={nesterov}"
        )
    if nesterov and not momentum:
        raise ValueError(
            "`nesterov` should come with a momentum, such as momentum=0.9. "
            f"Received: momentum={momentum}"
        )


def check_activation(name: Any) -> None:
    """Raises `ValueError` unless Keras knows an activation of that name."""
    try:
        known = isinstance(name, str) and bool(keras.activations.get(name))
    except ValueError:
        known = False
    if not known:
        raise ValueError(
            "`activation` should be the name of a Keras activation, as 'relu'. "
            f"Received: activation={name!r}"
        )
