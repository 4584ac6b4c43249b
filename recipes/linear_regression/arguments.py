"""Checks of the constructor's arguments."""

import math
from typing import Any


def check_learning_rate(value: Any) -> None:
    """Raises `ValueError` unless it is a positive number or "auto"."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if value != "auto" and not (number and 0 < value < math.inf):
        raise ValueError(
            "`learning_rate` should be a positive number or 'auto'. "
            f"Received: learning_rate={value!r}"
        )


def check_not_negative(**values: float) -> None:
    """Raises `ValueError` unless all are finite and at least 0."""
    for name, value in values.items():
        if not 0 <= value < math.inf:
            raise ValueError(
                f"`{name}` should be a finite number, not negative. "
                f"Received: {name}={value!r}"
            )


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Raises `ValueError` unless it is one of the choices."""
    if value not in choices:
        raise ValueError(f"`{name}` should be one of {choices}. Received: {value!r}")


def check_count(name: str, value: int) -> None:
    """Raises `ValueError` unless it is a whole number of at least 1."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(
            f"`{name}` should be a whole number from 1. Received: {name}={value!r}"
        )
