"""The data that models are given, arrays or a `tf.data.Dataset`, checked, in shape."""

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import keras
import numpy as np
import numpy.typing as npt
import scipy.sparse
import tensorflow as tf

from recipes.checks.labels import to_array
from recipes.checks.sparse import as_csr, get_entries

Array = npt.NDArray[Any]

# Shapes of `x` by their number of axes.
_SHAPES = {2: "[n, features]", 3: "[n, h, w]", 4: "[n, h, w, c]"}


class TrainingData(NamedTuple):
    """Rows to train or to evaluate on.

    Attributes:
        x: `[n, features]`, `[n, h, w]` or `[n, h, w, c]`, C-contiguous; or a
            `scipy.sparse.csr_array`.
        y: `[n]`, or `[n, k]` if it has several columns; of any dtype.
        weight: `[n]`, float64, finite, not negative; `None` if all count the same.
    """

    x: Any
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
    keeps_sparse: bool = False,
) -> TrainingData:
    """Check arrays, and bring them to their shapes.

    Args:
        x: Features: an array, nested lists, a data frame, or a SciPy sparse array.
        y: `[n]` or `[n, 1]`.
        sample_weight: `[n]` or `[n, 1]`, or `None`.
        dtype: What `x` is converted to.
        axes: The numbers of axes that `x` may have.
        is_labelled: Whether there is a `y`; zeros take its place otherwise.
        takes_columns: Whether `y` may be `[n, k]`.
        keeps_sparse: Whether a sparse `x` becomes a `csr_array`, not dense.

    Raises:
        ValueError: If shapes do not match, `x` holds no numbers, or a weight is
            negative or not finite.
    """
    x = _as_numbers(x, dtype, keeps_sparse)
    if x.ndim not in axes or 0 in x.shape:
        shapes = " or ".join(_SHAPES[number] for number in axes)
        raise ValueError(
            f"`x` should have shape {shapes}, with at least one of each. "
            f"Received: {list(x.shape)}"
        )
    if not is_labelled:
        y = np.zeros(x.shape[0])
    elif y is None:
        raise ValueError("`y` should be given.")
    weight = None
    if sample_weight is not None:
        weight = _as_column(sample_weight, x.shape[0], "sample_weight")
        weight = weight.astype(np.float64)
        if not np.isfinite(weight).all() or weight.min(initial=0) < 0:
            raise ValueError("`sample_weight` should be finite and not negative.")
    return TrainingData(x, _as_column(y, x.shape[0], "y", takes_columns), weight)


def check_new_rows(
    x: Any,
    row_shape: tuple[int, ...],
    dtype: npt.DTypeLike,
    *,
    keeps_sparse: bool = False,
) -> Any:
    """Check rows for a fitted model, and convert them.

    Args:
        x: `[n, *row_shape]`, in any form that `check_data` takes.
        row_shape: The shape of the rows that the model was fitted to.
        dtype: What `x` is converted to.
        keeps_sparse: Whether a sparse `x` becomes a `csr_array`, not dense.

    Raises:
        ValueError: If the shape is another, or values are not finite numbers.
    """
    x = _as_numbers(x, dtype, keeps_sparse)
    if x.shape[1:] != row_shape or not x.shape[0]:
        expected = ", ".join(["n", *map(str, row_shape)])
        raise ValueError(
            f"`x` should have shape [{expected}], as the rows that the model was "
            f"fitted to, with n of 1 or more. Received: {list(x.shape)}"
        )
    check_finite("x", x)
    return x


@contextlib.contextmanager
def checked_rows(
    x: Any, row_shape: tuple[int, ...], dtype: npt.DTypeLike
) -> Iterator[Any]:
    """Check rows for a fitted model: arrays at once, a dataset's when they are read.

    Usage: `with checked_rows(x, …) as rows: return super().predict(rows)`. What is
    wrong with a dataset's batch is raised at the end of the block.

    Args:
        x: `[n, *row_shape]`, or a `tf.data.Dataset` of batches `x` or `(x, …)`.
        row_shape: As for `check_new_rows`.
        dtype: As for `check_new_rows`.

    Yields:
        The array, or `csr_array`; or the dataset, of batches `(x, …)`.

    Raises:
        ValueError: As `check_new_rows`; or if the dataset holds no batch.
    """
    if not isinstance(x, tf.data.Dataset):
        yield check_new_rows(x, row_shape, dtype, keeps_sparse=True)
        return
    check_spec(x)
    dtype = np.dtype(dtype)
    none = ValueError("The dataset should hold at least one batch.")
    errors = [none]

    def check(batch: Array) -> Array:
        if errors == [none]:
            errors.clear()
        try:
            return check_new_rows(batch, row_shape, dtype)
        except ValueError as error:
            # Not raised here: TensorFlow would print it, and raise an error of its own.
            errors.append(error)
            return np.zeros((len(batch), *row_shape), dtype)

    def check_batch(rows: tf.Tensor, *others: Any) -> Any:
        rows = tf.numpy_function(check, [rows], dtype)
        return tf.ensure_shape(rows, [None, *row_shape]), *others

    try:
        yield x.map(check_batch)
    finally:
        for error in errors:
            raise error from None


def check_spec(dataset: tf.data.Dataset) -> None:
    """Check that a dataset gives batches whose rows are one tensor.

    Args:
        dataset: Of batches `x`, or `(x, y)` or `(x, y, sample_weight)`.

    Raises:
        ValueError: If it does not.
    """
    spec = dataset.element_spec
    rows = spec[0] if isinstance(spec, tuple) else spec
    if not isinstance(rows, tf.TensorSpec):
        kind = type(rows).__name__
        raise ValueError(
            "The dataset's `x` should be one dense tensor, [batch, features], to which "
            f"`dataset.map` may bring it. Received: a {kind}"
        )
    if rows.shape.rank is not None and rows.shape.rank < 2:
        raise ValueError(
            "The dataset should give batches of shape [batch, features], as after "
            f"`dataset.batch(32)`. Received: `x` of shape {list(rows.shape)}"
        )


def check_dataset(dataset: tf.data.Dataset, y: Any, sample_weight: Any) -> None:
    """Check that a dataset comes alone, gives batches, and ends.

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
    check_spec(dataset)


def unpack_batch(batch: Any) -> tuple[Any, Any, Any]:
    """Return a dataset's batch as arrays x, y, sample_weight, `None` if missing."""
    parts = keras.utils.unpack_x_y_sample_weight(batch)
    x, y, weight = (None if part is None else part.numpy() for part in parts)
    return x, y, weight


def check_some_weight(weight: Array | None) -> None:
    """Raise `ValueError` unless a row counts; with `None`, all do."""
    if weight is not None and not weight.any():
        raise ValueError("`sample_weight` should not be zero for all rows.")


def check_finite(name: str, values: Any) -> None:
    """Raise `ValueError` on NaN or infinity; good data are not copied."""
    values = get_entries(values)
    with np.errstate(over="ignore", invalid="ignore"):
        total = values.sum()
    if not np.isfinite(total) and not np.isfinite(values).all():
        raise ValueError(f"`{name}` should be finite. Received: NaN or infinity")


def _as_numbers(x: Any, dtype: npt.DTypeLike, keeps_sparse: bool = False) -> Any:
    if isinstance(x, Iterator | keras.utils.PyDataset):
        raise ValueError(
            "`x` should be an array or a `tf.data.Dataset`, which "
            "`tf.data.Dataset.from_generator` makes of a generator. "
            f"Received: a {type(x).__name__}"
        )
    try:
        if keeps_sparse and scipy.sparse.issparse(x) and x.ndim == 2:
            return as_csr(x, dtype)
        array = x.toarray() if hasattr(x, "toarray") else np.asanyarray(x)
        if array.dtype.kind not in "fiubO":  # NumPy would drop imaginary parts
            raise TypeError(f"dtype {array.dtype}")
        if array.dtype == object and any(
            isinstance(v, str | bytes) for v in array.flat
        ):
            raise TypeError("text")
        if np.ma.is_masked(array):
            raise TypeError("masked values")
        with np.errstate(over="ignore"):  # `check_finite` finds what is too large
            return np.asarray(array, dtype=dtype, order="C")
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(
            "`x` should hold numbers, and rows, or images, of one size. "
            f"Received: {error}"
        ) from error


def _as_column(values: Any, rows: int, name: str, takes_columns: bool = False) -> Array:
    array = to_array(values)
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
