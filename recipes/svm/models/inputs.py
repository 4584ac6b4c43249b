"""What `fit` was given, as arrays."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from recipes.checks import inputs, labels


class TrainingData(NamedTuple):
    """Rows to train on.

    Attributes:
        x: `[n, d]`, float32 or float64.
        y: `[n]`, of any dtype.
        weight: `[n]`, float64, not negative.
    """

    x: npt.NDArray[Any]
    y: npt.NDArray[Any]
    weight: npt.NDArray[np.float64]


def gather(
    x: Any,
    y: Any,
    sample_weight: Any,
    dtype: str,
    kernel: Any,
    *,
    labelled: bool = True,
) -> TrainingData:
    """Gathers arrays, or a dataset's batches, and checks them.

    Args:
        x: `[n, d]`: an array, a SciPy sparse array, or a `tf.data.Dataset` of batches
            `(x, y)` or `(x, y, sample_weight)`.
        y: `[n]` or `[n, 1]`; `None` with a dataset.
        sample_weight: `[n]`, or `None`.
        dtype: What `x` becomes: `"float32"` or `"float64"`.
        kernel: The model's kernel: `"precomputed"` wants a square `x`.
        labelled: Whether there is a `y`; zeros take its place.

    Raises:
        ValueError: If shapes do not fit, or values are not finite.
    """
    if isinstance(x, tf.data.Dataset):
        inputs.check_dataset(x, y, sample_weight)
        x, y, sample_weight = _of_dataset(x)
    x = inputs.numbers(x, dtype)
    if x.ndim != 2 or 0 in x.shape:
        raise ValueError(
            "`x` should have shape [n, features] with at least one row and feature. "
            f"Received: {list(x.shape)}"
        )
    if kernel == "precomputed" and x.shape[0] != x.shape[1]:
        raise ValueError(
            "`x` should be the square matrix of the kernel's values of all rows, as "
            f'kernel="precomputed". Received: {list(x.shape)}'
        )
    if not labelled:
        y = np.zeros(len(x))
    elif y is None:
        raise ValueError("`y` should be given.")
    y = inputs.column(y, len(x), "y")
    inputs.check_finite("x", x)
    weight = np.ones(len(x))
    if sample_weight is not None:
        weight = inputs.weights(sample_weight, len(x))
        inputs.check_some_weight(weight)
    return TrainingData(x, y, weight)


def as_labels(y: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Labels as integers or strings, whichever they are.

    Raises:
        ValueError: If they are neither.
    """
    return labels.as_labels(y, "SupportVectorRegressor")


def class_index(
    y: npt.NDArray[Any], weight: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    """The labels in ascending order `[k]`, and which one each row has `[n]`.

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


def class_weights(
    class_weight: Mapping[Any, float] | str | None,
    classes: npt.NDArray[Any],
    index: npt.NDArray[np.int64],
    weight: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Rows' weights times those of their classes.

    Args:
        class_weight: `{label: weight}`, where labels left out count 1; `"balanced"`
            for n / (classes · rows of the class), rows counted by `weight`; `None`.
        classes: The labels.
        index: Each row's class, `[n]`.
        weight: Each row's weight, `[n]`.

    Raises:
        ValueError: If a label is unknown, or a weight not a positive, finite number.
    """
    counts = np.bincount(index[weight > 0], minlength=len(classes))
    factors = labels.class_factors(class_weight, classes, counts)
    return weight * factors[index]


def _of_dataset(dataset: tf.data.Dataset) -> tuple[Any, Any, Any]:
    batches = [inputs.unpacked(batch) for batch in dataset]
    if not batches:
        raise ValueError("The dataset should hold at least one batch.")
    columns = list(zip(*batches, strict=True))
    x, y, weight = (
        None if column[0] is None else np.concatenate(column) for column in columns
    )
    return x, y, weight
