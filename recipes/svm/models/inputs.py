"""The data that `fit` is given, as arrays; labels as classes."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from layers import kernels
from recipes.checks import inputs, labels
from recipes.checks.inputs import TrainingData
from recipes.checks.sparse import get_entries
from recipes.svm.solver.rows import Rows


def check_training_data(
    x: Any,
    y: Any,
    sample_weight: Any,
    dtype: str,
    kernel: Any,
    *,
    is_labelled: bool = True,
) -> TrainingData:
    """Check arrays, or a dataset's batches, which are concatenated.

    Args:
        x: `[n, d]`: an array, a SciPy sparse array, or a `tf.data.Dataset` of batches
            `(x, y)` or `(x, y, sample_weight)`.
        y: `[n]` or `[n, 1]`; `None` with a dataset.
        sample_weight: `[n]`, or `None`.
        dtype: The least precise dtype that `x` is converted to: `"float32"` keeps
            float64 rows, too, unless all their values are float32 numbers.
        kernel: The model's kernel: `"precomputed"` requires a square `x`. Sparse rows
            stay sparse if it takes them; see `kernels.Kernel.takes_sparse`.
        is_labelled: Whether there is a `y`; zeros take its place otherwise.

    Returns:
        The data; `weight` is never `None`, and `x` a `csr_array` if it stays sparse.

    Raises:
        ValueError: If shapes do not match, or values are not finite.
    """
    if isinstance(x, tf.data.Dataset):
        inputs.check_dataset(x, y, sample_weight)
        x, y, sample_weight = _concatenate(x)
    is_single = getattr(x, "dtype", None) in (np.float32, tf.float32)
    data = inputs.check_data(
        x,
        y,
        sample_weight,
        dtype if is_single else "float64",
        is_labelled=is_labelled,
        keeps_sparse=kernels.get(kernel).takes_sparse,
    )
    rows, columns = data.x.shape
    if kernel == "precomputed" and rows != columns:
        raise ValueError(
            "`x` should be the square matrix of the kernel's values of all rows, as "
            f'kernel="precomputed". Received: {[rows, columns]}'
        )
    inputs.check_finite("x", data.x)
    inputs.check_some_weight(data.weight)
    return TrainingData(
        _shorten(data.x, dtype),
        data.y,
        np.ones(rows) if data.weight is None else data.weight,
    )


def _shorten(x: Rows, dtype: str) -> Rows:
    """Return `x` as `dtype` if that loses nothing, and as it is otherwise."""
    with np.errstate(over="ignore"):
        short = x.astype(dtype, copy=False)
    is_same = get_entries(short) == get_entries(x)
    return short if is_same.all() else x


def as_labels(y: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return labels as integers or strings, whichever they are.

    Raises:
        ValueError: If they are neither.
    """
    return labels.as_labels(y, "SupportVectorRegressor")


def index_classes(
    y: npt.NDArray[Any], weight: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    """Return the labels in ascending order `[k]`, and which one each row has `[n]`.

    Raises:
        ValueError: If they are no labels, or fewer than two count.
    """
    y = as_labels(y)
    classes, index = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(
            f"`y` should have at least two classes. Received: {classes.tolist()} alone"
        )
    without = np.bincount(index, weight, minlength=len(classes)) == 0
    if without.any():
        raise ValueError(
            "`sample_weight` should leave some weight to every class. "
            f"Received: none for {classes[without].tolist()}"
        )
    return classes, index.astype(np.int64)


def weigh_rows(
    class_weight: Mapping[Any, float] | str | None,
    classes: npt.NDArray[Any],
    index: npt.NDArray[np.int64],
    weight: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Return the rows' weights times those of their classes.

    Args:
        class_weight: `{label: weight}`, where omitted labels count 1; `"balanced"`
            for n / (classes · rows of the class), as scikit-learn's SVC: every row
            counts once, whatever its weight; `None`.
        classes: The labels.
        index: Each row's class, `[n]`.
        weight: Each row's weight, `[n]`.

    Raises:
        ValueError: If a label is unknown, or a weight not a positive, finite number.
    """
    counts = np.bincount(index, minlength=len(classes))
    factors = labels.class_factors(class_weight, classes, counts)
    return weight * factors[index]


def _concatenate(dataset: tf.data.Dataset) -> tuple[Any, Any, Any]:
    batches = [inputs.unpack_batch(batch) for batch in dataset]
    if not batches:
        raise ValueError("The dataset should hold at least one batch.")
    columns = list(zip(*batches, strict=True))
    x, y, weight = (
        None if column[0] is None else np.concatenate(column) for column in columns
    )
    return x, y, weight
