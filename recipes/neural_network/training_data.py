"""What `fit` and `evaluate` are given, checked, as batches in a reproducible order."""

from typing import Any, NamedTuple

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

Array = npt.NDArray[Any]
# Rows that the gradient is checked on, and that show the shapes.
SAMPLE = 32


class Rows(NamedTuple):
    """Rows to train or to be judged on.

    Attributes:
        x: `[n, …]`, or a dataset of batches `(x, y)` or `(x, y, weight)`.
        y: `[n]`, or `[n, k]` where it has several columns; of any dtype.
        weight: `[n]`, float64, not negative, or `None`.
        sample: Some rows of `x`, y and weight.
        steps: Number of batches of a dataset.
        largest: The features' largest absolute value.
    """

    x: Any
    y: Array
    weight: Any
    sample: tuple[Array, Array, Any]
    steps: int
    largest: float

    @property
    def row_shape(self) -> tuple[int, ...]:
        """The shape of one row."""
        return tuple(self.sample[0].shape[1:])


def gather(x: Any, y: Any, sample_weight: Any, dtype: str) -> Rows:
    """Checks arrays, or reads a dataset once to check it.

    Args:
        x: `[n, d]`, `[n, h, w]` or `[n, h, w, c]`, an array, or a `tf.data.Dataset` of
            batches `(x, y)` or `(x, y, sample_weight)`.
        y: `[n]`, `[n, 1]` or `[n, k]`; `None` with a dataset.
        sample_weight: `[n]` or `[n, 1]`, or `None`.
        dtype: What an array `x` becomes: `"float32"` or `"float64"`.

    Raises:
        ValueError: If shapes do not fit, or values are not finite.
    """
    if isinstance(x, tf.data.Dataset):
        if y is not None or sample_weight is not None:
            raise ValueError(
                "`y` and `sample_weight` should be left out where `x` is a dataset, "
                "which brings its own."
            )
        return _of_dataset(x)
    if hasattr(x, "toarray"):
        x = x.toarray()
    try:
        x = np.ascontiguousarray(x, dtype=dtype)
    except (TypeError, ValueError) as error:
        raise ValueError(
            "`x` should hold numbers, and rows, or images, of one size. "
            f"Received: {error}"
        ) from error
    if y is None:
        raise ValueError("`y` should be given.")
    x, y, weight = _checked(x, y, sample_weight)
    chosen = np.random.default_rng(0).permutation(len(x))[:SAMPLE]
    sample = x[chosen], y[chosen], None if weight is None else weight[chosen]
    return Rows(x, y, _useful(weight), sample, 0, _largest(x))


def _of_dataset(dataset: tf.data.Dataset) -> Rows:
    if dataset.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise ValueError("The dataset should end. Received: one that repeats for ever")
    columns: list[tuple[Array, Any]] = []
    sample: Any = None
    largest = 0.0
    for batch in dataset:
        parts = keras.utils.unpack_x_y_sample_weight(batch)
        x, y, weight = (None if part is None else part.numpy() for part in parts)
        if x is None or y is None:
            raise ValueError("The dataset should give (x, y) or (x, y, weight).")
        x, y, weight = _checked(x, y, weight)
        if sample is not None and x.shape[1:] != sample[0].shape[1:]:
            raise ValueError(
                "`x` should hold rows, or images, of one size. Received: "
                f"{list(sample[0].shape[1:])} and {list(x.shape[1:])}"
            )
        if sample is None:
            sample = tuple(p if p is None else p[:SAMPLE] for p in (x, y, weight))
        largest = max(largest, _largest(x))
        columns.append((y, weight))
    if not columns:
        raise ValueError("The dataset should hold at least one batch.")
    ys, weights = zip(*columns, strict=True)
    weight = None if weights[0] is None else np.concatenate(weights)
    y = np.concatenate(ys)
    return Rows(dataset, y, _useful(weight), sample, len(columns), largest)


def _checked(x: Array, y: Any, sample_weight: Any) -> tuple[Array, Array, Any]:
    if x.ndim not in (2, 3, 4) or 0 in x.shape:
        raise ValueError(
            "`x` should have shape [n, features], [n, h, w] or [n, h, w, c], with at "
            f"least one of each. Received: {list(x.shape)}"
        )
    y = np.asarray(y)
    if y.ndim not in (1, 2) or len(y) != len(x) or 0 in y.shape:
        raise ValueError(
            f"`y` should have shape [{len(x)}], [{len(x)}, 1] or [{len(x)}, classes], "
            f"as `x` has {len(x)} rows. Received: {list(y.shape)}"
        )
    y = y.reshape(-1) if y.ndim == 2 and y.shape[1] == 1 else y
    if x.dtype.kind not in "fiub":
        raise ValueError(f"`x` should hold numbers. Received: {x.dtype}")
    with np.errstate(over="ignore", invalid="ignore"):
        total = x.sum()  # no copy as large as the data where it is finite
    if not np.isfinite(total) and not np.isfinite(x).all():
        raise ValueError("`x` should be finite. Received: NaN or infinity")
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        raise ValueError("`y` should be finite. Received: NaN or infinity")
    if sample_weight is None:
        return x, y, None
    weight = np.asarray(sample_weight, np.float64)
    if weight.shape not in ((len(x),), (len(x), 1)):
        raise ValueError(
            f"`sample_weight` should have shape [{len(x)}] or [{len(x)}, 1], as `x` "
            f"has {len(x)} rows. Received: {list(weight.shape)}"
        )
    if not np.isfinite(weight).all() or weight.min() < 0:
        raise ValueError("`sample_weight` should be finite and not negative.")
    return x, y, weight.reshape(-1)


def _useful(weight: Any) -> Any:
    if weight is not None and not weight.any():
        raise ValueError("`sample_weight` should not be zero for all rows.")
    return weight


def _largest(x: Array) -> float:
    return float(max(x.max(), -x.min()))


def batches(
    arrays: tuple[Array, ...],
    batch_size: int,
    shuffle_seed: int | None = None,
    epoch: tf.Variable | None = None,
) -> tf.data.Dataset:
    """Arrays as a dataset of batches, without a second copy of them.

    Args:
        arrays: Of equal length, `[n, …]` each.
        batch_size: Rows in a batch; the last holds what is left over.
        shuffle_seed: What, with the epoch, the rows' order is drawn by, the same one
            as `FastFit`'s; `None`: as they are.
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

    def drawn(number: Any) -> Array:
        if shuffle_seed is None:
            return np.arange(count)
        return np.random.default_rng((shuffle_seed, int(number))).permutation(count)

    def order(zero: tf.Tensor) -> tf.data.Dataset:
        number = zero if epoch is None else epoch.read_value()
        rows = tf.numpy_function(drawn, [number], tf.int64, stateful=False)
        starts = tf.data.Dataset.range(0, count, batch_size)
        return starts.map(lambda start: rows[start : start + batch_size])

    dataset = tf.data.Dataset.range(1).flat_map(order)
    steps = -(-count // batch_size)
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(steps))
    return dataset.map(load).prefetch(tf.data.AUTOTUNE)
