"""Checks of the kernels' parameters, and gamma from the data."""

import math
import numbers
from typing import Any

import numpy as np

_CHUNK_ROWS = 4096


def positive_number(name: str, value: Any) -> float:
    """Return `value` as a float if it is a positive finite number.

    Raises:
        ValueError: If it is not.
    """
    if not _is_finite(value) or value <= 0:
        raise ValueError(
            f"`{name}` should be a positive number. Received: {name}={value!r}"
        )
    return float(value)


def finite_number(name: str, value: Any) -> float:
    """Return `value` as a float if it is a finite number.

    Raises:
        ValueError: If it is not.
    """
    if not _is_finite(value):
        raise ValueError(
            f"`{name}` should be a finite number. Received: {name}={value!r}"
        )
    return float(value)


def positive_integer(name: str, value: Any) -> int:
    """Return `value` as an int if it is a positive integer.

    Raises:
        ValueError: If it is not.
    """
    if not _is_finite(value) or value != int(value) or value < 1:
        raise ValueError(
            f"`{name}` should be a positive integer. Received: {name}={value!r}"
        )
    return int(value)


def resolve_gamma(gamma: Any, x: Any) -> float:
    """Return the number that `gamma` stands for, given the training rows.

    Args:
        gamma: `"scale"` for 1 / (features · variance), with the variance of all entries
            of `x`, or 1 if that variance is zero; `"auto"` for 1 / features; or a
            positive number, which is returned unchanged.
        x: The training rows, shape `(rows, features)`: an array, a tensor or a SciPy
            sparse array, whose missing entries count as zeros.

    Returns:
        A positive number.

    Raises:
        ValueError: If `gamma` is none of these, or `x` has no entries, contains values
            that are not finite, or is so small or large that its variance or `gamma`
            is beyond float64.
    """
    if not isinstance(gamma, str):
        return positive_number("gamma", gamma)
    if gamma not in ("scale", "auto"):
        raise ValueError(
            '`gamma` should be "scale", "auto" or a positive number. '
            f"Received: gamma={gamma!r}"
        )
    if not hasattr(x, "tocsr"):
        x = np.asarray(x)
    if x.ndim != 2 or 0 in x.shape:
        raise ValueError(
            "`x` should have two axes, neither of them empty. "
            f"Received: x of shape {tuple(x.shape)}"
        )
    features = x.shape[1]
    if gamma == "auto":
        return 1 / features
    entries = np.asarray(x.tocsr().data if hasattr(x, "tocsr") else x)
    zero = [0.0] if entries.size < math.prod(x.shape) else []
    extremes = [*zero, *([entries.min(), entries.max()] if entries.size else [])]
    least, most = np.min(extremes), np.max(extremes)
    if not (math.isfinite(least) and math.isfinite(most)):
        raise ValueError("`x` should be finite. Received: x with NaN or infinity")
    if least == most:
        return 1.0
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        scale = float(1 / (features * np.float64(_variance(x, entries))))
    if not 0 < scale < math.inf:
        raise ValueError(
            '`x` should be scaled, or `gamma` be a number: gamma="scale" is beyond '
            f"float64. Received: x from {least:.3g} to {most:.3g}"
        )
    return scale


def _variance(x: Any, entries: np.ndarray) -> float:
    """Return the variance of all entries, in float64 without a float64 copy of `x`."""
    size = math.prod(x.shape)
    mean = float(entries.sum(dtype=np.float64)) / size
    absent = size - entries.size
    total = absent * np.square(np.float64(mean))
    step = _CHUNK_ROWS * (x.shape[1] if entries.ndim == 1 else 1)
    for start in range(0, len(entries), step):
        part = entries[start : start + step].astype(np.float64) - mean
        total += float(np.vdot(part, part))
    return total / size


def _is_finite(value: Any) -> bool:
    return (
        isinstance(value, numbers.Real)
        and not isinstance(value, bool)
        and math.isfinite(value)
    )
