"""Checks of the constructors' arguments."""

import math
import numbers
from collections.abc import Sequence
from typing import Any

import keras


def check_positive(**values: Any) -> None:
    """Raises `ValueError` unless all are positive, finite numbers."""
    for name, value in values.items():
        if not _is_number(value) or value <= 0:
            raise ValueError(
                f"`{name}` should be a positive number. Received: {name}={value!r}"
            )


def check_not_negative(**values: Any) -> None:
    """Raises `ValueError` unless all are finite numbers of at least 0."""
    for name, value in values.items():
        if not _is_number(value) or value < 0:
            raise ValueError(
                f"`{name}` should be a number of at least 0. Received: {name}={value!r}"
            )


def check_fraction(**values: Any) -> None:
    """Raises `ValueError` unless all are at least 0 and below 1."""
    for name, value in values.items():
        if not _is_number(value) or not 0 <= value < 1:
            raise ValueError(
                f"`{name}` should be at least 0 and below 1. Received: {name}={value!r}"
            )


def check_count(least: int = 1, **values: Any) -> None:
    """Raises `ValueError` unless all are whole numbers of at least `least`."""
    for name, value in values.items():
        if not _is_count(value, least):
            raise ValueError(
                f"`{name}` should be a whole number from {least}. "
                f"Received: {name}={value!r}"
            )


def check_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    """Raises `ValueError` unless it is one of the choices."""
    if value not in choices:
        raise ValueError(
            f"`{name}` should be one of {choices}. Received: {name}={value!r}"
        )


def check_sizes(hidden_sizes: Any) -> None:
    """Raises `ValueError` unless it is a sequence of sizes from 1."""
    if (
        not isinstance(hidden_sizes, Sequence)
        or isinstance(hidden_sizes, str)
        or not all(_is_count(size, 1) for size in hidden_sizes)
    ):
        raise ValueError(
            "`hidden_sizes` should hold whole numbers from 1, as in (128,). "
            f"Received: hidden_sizes={hidden_sizes!r}"
        )


def check_learning_rate(value: Any) -> None:
    """Raises `ValueError` unless it is a positive number or "auto"."""
    if value != "auto" and not (_is_number(value) and value > 0):
        raise ValueError(
            "`learning_rate` should be a positive number or 'auto'. "
            f"Received: learning_rate={value!r}"
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


def _is_number(value: Any) -> bool:
    return (
        isinstance(value, numbers.Real)
        and not isinstance(value, bool)
        and math.isfinite(value)
    )


def _is_count(value: Any, least: int) -> bool:
    return (
        isinstance(value, numbers.Integral)
        and not isinstance(value, bool)
        and int(value) >= least
    )
