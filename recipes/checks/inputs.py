"""Checks of the data that a model's `fit` is given: arrays, or a `tf.data.Dataset`."""

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

Array = npt.NDArray[Any]


def check_dataset(dataset: tf.data.Dataset, y: Any, sample_weight: Any) -> None:
    """Checks that a dataset comes alone, and that it ends.

    Args:
        dataset: of batches `(x, y)` or `(x, y, sample_weight)`.
        y: what `fit` was given besides.
        sample_weight: likewise.

    Raises:
        ValueError: if not.
    """
    if y is not None or sample_weight is not None:
        raise ValueError(
            "`y` and `sample_weight` should be left out where `x` is a dataset, which "
            "brings its own."
        )
    if dataset.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise ValueError("The dataset should end. Received: one that repeats for ever")


def unpacked(batch: Any) -> tuple[Any, Any, Any]:
    """A dataset's batch as arrays x, y, sample_weight, `None` for what it lacks."""
    parts = keras.utils.unpack_x_y_sample_weight(batch)
    x, y, weight = (None if part is None else part.numpy() for part in parts)
    return x, y, weight


def numbers(x: Any, dtype: str, rows: str = "as many in every row") -> Array:
    """Features as one array, in the dtype asked for; sparse ones made dense.

    Raises:
        ValueError: if they are no numbers, or not as `rows` says.
    """
    if hasattr(x, "toarray"):
        x = x.toarray()
    try:
        return np.ascontiguousarray(x, dtype=dtype)
    except (TypeError, ValueError) as error:
        raise ValueError(f"`x` should hold numbers, {rows}. Received: {error}") from (
            error
        )


def column(values: Any, rows: int, name: str) -> Array:
    """Values of shape `[n]` or `[n, 1]` as `[n]`.

    Raises:
        ValueError: on another shape.
    """
    array = np.asarray(values)
    if array.shape not in ((rows,), (rows, 1)):
        raise ValueError(
            f"`{name}` should have shape [{rows}] or [{rows}, 1], as `x` has {rows} "
            f"rows. Received: {list(array.shape)}"
        )
    return array.reshape(-1)


def weights(sample_weight: Any, rows: int) -> npt.NDArray[np.float64]:
    """Rows' weights `[n]`, float64.

    Raises:
        ValueError: on another shape, and on values that are negative or not finite.
    """
    weight = column(sample_weight, rows, "sample_weight").astype(np.float64)
    if not np.isfinite(weight).all() or weight.min(initial=0) < 0:
        raise ValueError("`sample_weight` should be finite and not negative.")
    return weight


def check_some_weight(weight: Array) -> None:
    """Raises `ValueError` unless a row counts for something."""
    if not weight.any():
        raise ValueError("`sample_weight` should not be zero for all rows.")


def check_finite(name: str, values: Array) -> None:
    """Raises `ValueError` on NaN or infinity; no copy as large as good data is made."""
    with np.errstate(over="ignore", invalid="ignore"):
        total = values.sum()
    if not np.isfinite(total) and not np.isfinite(values).all():
        raise ValueError(f"`{name}` should be finite. Received: NaN or infinity")
