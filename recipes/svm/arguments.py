"""Checks of the constructors' arguments."""

import math
import numbers
from typing import Any


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


def check_share(**values: Any) -> None:
    """Raises `ValueError` unless all are above 0 and at most 1."""
    for name, value in values.items():
        if not _is_number(value) or not 0 < value <= 1:
            raise ValueError(
                f"`{name}` should be above 0 and at most 1. Received: {name}={value!r}"
            )


def check_count(least: int = 1, **values: Any) -> None:
    """Raises `ValueError` unless all are whole numbers of at least `least`."""
    for name, value in values.items():
        if (
            not isinstance(value, numbers.Integral)
            or isinstance(value, bool)
            or value < least
        ):
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


def _is_number(value: Any) -> bool:
    return (
        isinstance(value, numbers.Real)
        and not isinstance(value, bool)
        and math.isfinite(value)
    )
