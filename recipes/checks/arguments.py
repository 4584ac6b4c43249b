"""Checks of arguments that are no settings, and what Keras takes in many forms."""

from typing import Any

from recipes.checks.domain import Bounds, Domain
from recipes.errors import ArgumentError


def check_positive(**values: Any) -> None:
    """Raise `ArgumentError` unless all are positive, finite numbers."""
    _check(Domain(number=float, bounds=Bounds(above=0)), values)


def check_count(**values: Any) -> None:
    """Raise `ArgumentError` unless all are whole numbers of 1 or more."""
    _check(Domain(number=int, bounds=Bounds(least=1)), values)


def _check(domain: Domain, values: dict[str, Any]) -> None:
    for name, value in values.items():
        if not domain.holds(value):
            raise ArgumentError(name, domain.expected, value)


def listed(callbacks: Any) -> list[Any]:
    """Return the callbacks of `fit`, a list, one alone or `None`, as a list."""
    if callbacks is None:
        return []
    return list(callbacks) if isinstance(callbacks, list | tuple) else [callbacks]
