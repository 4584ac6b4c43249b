"""The inputs of `fit` and `evaluate`: checked, then batched in a reproducible order."""

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from recipes.checks import inputs
from recipes.checks.inputs import Array, TrainingData

# Rows on which the gradient is checked, and which show the shapes.
SAMPLE_ROWS = 32


class CheckedRows(NamedTuple):
    """Checked rows to train or to evaluate on.

    Attributes:
        x: `[n, …]`, or a dataset of batches `(x, y)` or `(x, y, weight)`.
        y: `[n]`, or `[n, k]` if it has several columns; of any dtype.
        weight: `[n]`, float64, not negative, or `None`.
        sample: A few rows of x, y and weight.
        steps: Number of batches of a dataset.
        largest_feature: The largest absolute value of the features.
    """

    x: Any
    y: Array
    weight: Any
    sample: tuple[Array, Array, Any]
    steps: int
    largest_feature: float

    @property
    def row_shape(self) -> tuple[int, ...]:
        """The shape of one row."""
        return tuple(self.sample[0].shape[1:])


def check_rows(x: Any, y: Any, sample_weight: Any, dtype: str) -> CheckedRows:
    """Check arrays, or read a dataset once to check it.

    Args:
        x: `[n, d]`, `[n, h, w]` or `[n, h, w, c]`, an array, or a `tf.data.Dataset` of
            batches `(x, y)` or `(x, y, sample_weight)`.
        y: `[n]`, `[n, 1]` or `[n, k]`; `None` with a dataset.
        sample_weight: `[n]` or `[n, 1]`, or `None`.
        dtype: The dtype that an array `x` is converted to: `"float32"` or `"float64"`.

    Raises:
        ValueError: If shapes do not match, or values are not finite.
    """
    if isinstance(x, tf.data.Dataset):
        inputs.check_dataset(x, y, sample_weight)
        return _check_dataset(x)
    x, y, weight = _check_arrays(x, y, sample_weight, dtype)
    inputs.check_some_weight(weight)
    chosen = np.random.default_rng(0).permutation(len(x))[:SAMPLE_ROWS]
    sample = x[chosen], y[chosen], None if weight is None else weight[chosen]
    return CheckedRows(x, y, weight, sample, 0, _largest_magnitude(x))


def _check_dataset(dataset: tf.data.Dataset) -> CheckedRows:
    columns: list[tuple[Array, Any]] = []
    sample: Any = None
    largest_feature = 0.0
    for batch in dataset:
        x, y, weight = inputs.unpack_batch(batch)
        if x is None or y is None:
            raise ValueError("The dataset should give (x, y) or (x, y, weight).")
        if x.dtype.kind not in "fiub":
            raise ValueError(f"`x` should hold numbers. Received: {x.dtype}")
        x, y, weight = _check_arrays(x, y, weight, x.dtype)
        if sample is not None and x.shape[1:] != sample[0].shape[1:]:
            raise ValueError(
                "`x` should hold rows, or images, of one size. Received: "
                f"{list(sample[0].shape[1:])} and {list(x.shape[1:])}"
            )
        if sample is None:
            sample = tuple(p if p is None else p[:SAMPLE_ROWS] for p in (x, y, weight))
        largest_feature = max(largest_feature, _largest_magnitude(x))
        columns.append((y, weight))
    if not columns:
        raise ValueError("The dataset should hold at least one batch.")
    ys, weights = zip(*columns, strict=True)
    weight = None if weights[0] is None else np.concatenate(weights)
    y = np.concatenate(ys)
    inputs.check_some_weight(weight)
    return CheckedRows(dataset, y, weight, sample, len(columns), largest_feature)


def _check_arrays(x: Any, y: Any, sample_weight: Any, dtype: Any) -> TrainingData:
    data = inputs.check_data(
        x, y, sample_weight, dtype, axes=(2, 3, 4), takes_columns=True
    )
    inputs.check_finite("x", data.x)
    if data.y.dtype.kind == "f":
        inputs.check_finite("y", data.y)
    return data


def _largest_magnitude(x: Array) -> float:
    return float(max(x.max(), -x.min()))


def make_batches(
    arrays: tuple[Array, ...],
    batch_size: int,
    shuffle_seed: int | None = None,
    epoch: tf.Variable | None = None,
) -> tf.data.Dataset:
    """Return arrays as a dataset of batches, without copying them.

    Args:
        arrays: Arrays of equal length, `[n, …]` each.
        batch_size: Rows in a batch; the last batch may be smaller.
        shuffle_seed: The seed that, with the epoch, determines the rows' order, which
            is that of `FastFit`; `None` keeps the given order.
        epoch: int64 scalar, the number of the epoch that begins.
    """
    count = len(arrays[0])

    def load(chosen: tf.Tensor) -> tuple[tf.Tensor, ...]:
        # Captured tensors would be copies, of data that may be large.
        parts = tf.numpy_function(
            lambda rows: [array[rows] for array in arrays],
            [chosen],
            [array.dtype for array in arrays],
            stateful=False,
        )
        for part, array in zip(parts, arrays, strict=True):
            part.set_shape([None, *array.shape[1:]])
        return tuple(parts)

    def order_rows(number: Any) -> Array:
        if shuffle_seed is None:
            return np.arange(count)
        return np.random.default_rng((shuffle_seed, int(number))).permutation(count)

    def split_rows(zero: tf.Tensor) -> tf.data.Dataset:
        number = zero if epoch is None else epoch.read_value()
        rows = tf.numpy_function(order_rows, [number], tf.int64, stateful=False)
        starts = tf.data.Dataset.range(0, count, batch_size)
        return starts.map(lambda start: rows[start : start + batch_size])

    dataset = tf.data.Dataset.range(1).flat_map(split_rows)
    steps = -(-count // batch_size)
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(steps))
    return dataset.map(load).prefetch(tf.data.AUTOTUNE)
