"""Checks of the arguments that models are given, and what Keras takes in many forms."""

import math
import numbers
from typing import Any


def check_positive(**values: Any) -> None:
    """Raises `ValueError` unless all are positive, finite numbers."""
    for name, value in values.items():
        if not is_number(value) or value <= 0:
            raise ValueError(
                f"`{name}` should be a positive number. Received: {name}={value!r}"
            )


def check_not_negative(**values: Any) -> None:
    """Raises `ValueError` unless all are finite numbers of at least 0."""
    for name, value in values.items():
        if not is_number(value) or value < 0:
            raise ValueError(
                f"`{name}` should be a number of at least 0. Received: {name}={value!r}"
            )


def check_share(**values: Any) -> None:
    """Raises `ValueError` unless all are above 0 and at most 1."""
    for name, value in values.items():
        if not is_number(value) or not 0 < value <= 1:
            raise ValueError(
                f"`{name}` should be above 0 and at most 1. Received: {name}={value!r}"
            )


def check_fraction(**values: Any) -> None:
    """Raises `ValueError` unless all are at least 0 and below 1."""
    for name, value in values.items():
        if not is_number(value) or not 0 <= value < 1:
            raise ValueError(
                f"`{name}` should be at least 0 and below 1. Received: {name}={value!r}"
            )


def check_count(least: int = 1, **values: Any) -> None:
    """Raises `ValueError` unless all are whole numbers of at least `least`."""
    for name, value in values.items():
        if not is_count(value, least):
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


def check_learning_rate(value: Any) -> None:
    """Raises `ValueError` unless it is a positive number or "auto"."""
    if value != "auto" and not (is_number(value) and value > 0):
        raise ValueError(
            "`learning_rate` should be a positive number or 'auto'. "
            f"Received: learning_rate={value!r}"
        )


def is_number(value: Any) -> bool:
    """Whether it is a finite number, and not True or False."""
    return (
        isinstance(value, numbers.Real)
        and not isinstance(value, bool)
        and math.isfinite(value)
    )


def is_count(value: Any, least: int) -> bool:
    """Whether it is a whole number of at least `least`, and not True or False."""
    return (
        isinstance(value, numbers.Integral)
        and not isinstance(value, bool)
        and int(value) >= least
    )


def listed(callbacks: Any) -> list[Any]:
    """The callbacks of `fit`: a list, a single one or `None`, as Keras takes them."""
    if callbacks is None:
        return []
    return list(callbacks) if isinstance(callbacks, list | tuple) else [callbacks]
