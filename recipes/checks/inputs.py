"""The data that `fit` is given, arrays or a `tf.data.Dataset`, checked and in shape."""

from typing import Any, NamedTuple

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

Array = npt.NDArray[Any]

# Shapes of `x` by their number of axes.
_SHAPES = {2: "[n, features]", 3: "[n, h, w]", 4: "[n, h, w, c]"}


class TrainingData(NamedTuple):
    """Rows to train or to evaluate on.

    Attributes:
        x: `[n, features]`, `[n, h, w]` or `[n, h, w, c]`, C-contiguous.
        y: `[n]`, or `[n, k]` if it has several columns; of any dtype.
        weight: `[n]`, float64, finite, not negative; `None` if all count the same.
    """

    x: Array
    y: Array
    weight: Any


def check_data(
    x: Any,
    y: Any,
    sample_weight: Any,
    dtype: npt.DTypeLike,
    *,
    axes: tuple[int, ...] = (2,),
    is_labelled: bool = True,
    takes_columns: bool = False,
) -> TrainingData:
    """Check arrays, and bring them to their shapes.

    Args:
        x: Features: an array, nested lists, or a SciPy sparse array, made dense.
        y: `[n]` or `[n, 1]`.
        sample_weight: `[n]` or `[n, 1]`, or `None`.
        dtype: What `x` is converted to.
        axes: The numbers of axes that `x` may have.
        is_labelled: Whether there is a `y`; zeros take its place otherwise.
        takes_columns: Whether `y` may be `[n, k]`.

    Raises:
        ValueError: If shapes do not match, `x` holds no numbers, or a weight is
            negative or not finite.
    """
    x = _as_numbers(x, dtype)
    if x.ndim not in axes or 0 in x.shape:
        shapes = " or ".join(_SHAPES[number] for number in axes)
        raise ValueError(
            f"`x` should have shape {shapes}, with at least one of each. "
            f"Received: {list(x.shape)}"
        )
    if not is_labelled:
        y = np.zeros(len(x))
    elif y is None:
        raise ValueError("`y` should be given.")
    weight = None
    if sample_weight is not None:
        weight = _as_column(sample_weight, len(x), "sample_weight").astype(np.float64)
        if not np.isfinite(weight).all() or weight.min(initial=0) < 0:
            raise ValueError("`sample_weight` should be finite and not negative.")
    return TrainingData(x, _as_column(y, len(x), "y", takes_columns), weight)


def check_dataset(dataset: tf.data.Dataset, y: Any, sample_weight: Any) -> None:
    """Check that a dataset comes alone, and that it ends.

    Args:
        dataset: Of batches `(x, y)` or `(x, y, sample_weight)`.
        y: What else `fit` was given.
        sample_weight: Likewise.

    Raises:
        ValueError: If it does not.
    """
    if y is not None or sample_weight is not None:
        raise ValueError(
            "`y` and `sample_weight` should be omitted where `x` is a dataset, which "
            "brings its own."
        )
    if dataset.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise ValueError("The dataset should end. Received: one that repeats for ever")


def unpack_batch(batch: Any) -> tuple[Any, Any, Any]:
    """Return a dataset's batch as arrays x, y, sample_weight, `None` if missing."""
    parts = keras.utils.unpack_x_y_sample_weight(batch)
    x, y, weight = (None if part is None else part.numpy() for part in parts)
    return x, y, weight


def check_some_weight(weight: Array | None) -> None:
    """Raise `ValueError` unless a row counts; with `None`, all do."""
    if weight is not None and not weight.any():
        raise ValueError("`sample_weight` should not be zero for all rows.")


def check_finite(name: str, values: Array) -> None:
    """Raise `ValueError` on NaN or infinity; good data are not copied."""
    with np.errstate(over="ignore", invalid="ignore"):
        total = values.sum()
    if not np.isfinite(total) and not np.isfinite(values).all():
        raise ValueError(f"`{name}` should be finite. Received: NaN or infinity")


def _as_numbers(x: Any, dtype: npt.DTypeLike) -> Array:
    if hasattr(x, "toarray"):
        x = x.toarray()
    try:
        return np.ascontiguousarray(x, dtype=dtype)
    except (TypeError, ValueError) as error:
        raise ValueError(
            "`x` should hold numbers, and rows, or images, of one size. "
            f"Received: {error}"
        ) from error


def _as_column(values: Any, rows: int, name: str, takes_columns: bool = False) -> Array:
    array = np.asarray(values)
    shapes = [(rows,), (rows, 1)]
    if takes_columns and array.ndim == 2 and array.shape[1] > 1:
        shapes = [(rows, array.shape[1])]
    if array.shape not in shapes:
        several = f" or [{rows}, classes]" if takes_columns else ""
        raise ValueError(
            f"`{name}` should have shape [{rows}] or [{rows}, 1]{several}, as `x` has "
            f"{rows} rows. Received: {list(array.shape)}"
        )
    return array.reshape(-1) if array.shape == (rows, 1) else array
