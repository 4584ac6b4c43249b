"""The rows passed to `LinearRegression.fit`, checked and ready to read."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import tensorflow as tf

from recipes.checks import inputs
from recipes.checks.arguments import check_count
from recipes.linear_regression.solver import row_sums
from recipes.linear_regression.solver.row_sums import AllRows, Part

# Up to this many multiplications (0.05 s on two cores), the moments are computed in
# float64 from the start.
MAX_EXACT_MULTIPLICATIONS = 1e9

NAN = np.float64("nan")


class TrainingRows:
    """Rows in memory or in a `tf.data.Dataset`, which can be read repeatedly.

    Args:
        x: `[n, features]` array, or a `tf.data.Dataset` of `(x, y)` or
            `(x, y, sample_weight)` batches.
        y: `[n]` or `[n, 1]`; `None` for a dataset.
        sample_weight: `[n]`, not negative, or `None`.
        batch_size: Rows per batch of an array; `None` for no batches.

    Raises:
        ValueError: If a shape or a weight is wrong.
    """

    def __init__(self, x: Any, y: Any, sample_weight: Any, batch_size: int | None):
        self._arrays: tuple[np.ndarray, ...] = ()
        self._dataset: tf.data.Dataset | None = None
        if isinstance(x, tf.data.Dataset):
            inputs.check_dataset(x, y, sample_weight)
            self._dataset = _prepare_dataset(x)
            self.features = int(self._dataset.element_spec[0].shape[1])
            return
        self._arrays = _prepare_arrays(x, y, sample_weight)
        self.features = self._arrays[0].shape[1]
        if batch_size is not None:
            check_count(batch_size=batch_size)
            slices = tf.data.Dataset.from_tensor_slices(self._arrays)
            self._dataset = slices.batch(batch_size).prefetch(2)

    @property
    def parts(self) -> Iterable[Part]:
        """All rows once, in parts."""
        return (
            row_sums.iterate_parts(*self._arrays)
            if self._dataset is None
            else self._dataset
        )

    def as_all_rows(self, mean: tf.Tensor, *, exact: bool) -> AllRows:
        """Return all rows as a value that fits in an element of a `tf.data.Dataset`."""
        parts = tuple(self.parts) if self._dataset is None else self._dataset
        return AllRows(parts, tf.constant(mean, tf.float64), tf.constant(exact))

    @property
    def are_large_float32(self) -> bool:
        """Whether the moments are expensive enough to try float32 products first."""
        if not self._arrays or self._arrays[0].dtype != np.float32:
            return False
        n, features = self._arrays[0].shape
        return n * features**2 > MAX_EXACT_MULTIPLICATIONS


def batch_arrays(
    x: Any,
    y: Any,
    sample_weight: Any = None,
    batch_size: int | None = None,
    *,
    features: int,
) -> tf.data.Dataset:
    """Return checked rows as a dataset of batches, to evaluate on.

    Raises:
        ValueError: If a shape or a weight is wrong, or a value is not finite.
    """
    arrays = _prepare_arrays(x, y, sample_weight)
    inputs.check_new_rows(arrays[0], (features,), arrays[0].dtype)
    inputs.check_finite("y", arrays[1])
    return tf.data.Dataset.from_tensor_slices(arrays).batch(batch_size or 1024)


def _prepare_arrays(x: Any, y: Any, sample_weight: Any) -> tuple[np.ndarray, ...]:
    dtype = np.float32 if getattr(x, "dtype", None) == np.float32 else np.float64
    data = inputs.check_data(x, y, sample_weight, dtype)
    inputs.check_some_weight(data.weight)
    target = _as_float64(data.y)
    return (data.x, target) if data.weight is None else (data.x, target, data.weight)


def _is_real(dtype: Any) -> bool:
    return bool(dtype.is_floating or dtype.is_integer or dtype.is_bool)


def _as_float64(y: np.ndarray) -> np.ndarray:
    try:
        if y.dtype.kind not in "fiubO":
            raise TypeError(f"dtype {y.dtype}")
        return y.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"`y` should hold numbers. Received: {error}") from error


def _prepare_dataset(dataset: tf.data.Dataset) -> tf.data.Dataset:
    spec = dataset.element_spec
    if not isinstance(spec, tuple) or len(spec) not in (2, 3):
        raise ValueError(
            "The dataset should give (x, y) or (x, y, sample_weight) batches. "
            f"Received elements: {spec}"
        )
    for tensor in spec:
        if not isinstance(tensor, tf.TensorSpec) or not _is_real(tensor.dtype):
            raise ValueError(
                "The dataset's x, y and sample_weight should be tensors of real "
                f"numbers. Received: {tensor}"
            )
    shape, *others = (tensor.shape for tensor in spec)
    if shape.rank != 2 or shape[1] is None:
        raise ValueError(
            "The dataset's x should be batches of shape [batch, features] with a known "
            f"number of features. Received: {shape}"
        )
    if any(other.rank not in (1, 2) or other[1:] not in ([], [1]) for other in others):
        raise ValueError(
            "The dataset's y and sample_weight should be batches of shape [batch] or "
            f"[batch, 1]. Received: {others}"
        )

    def flatten(x: tf.Tensor, *others: tf.Tensor) -> Part:
        x = x if x.dtype in (tf.float32, tf.float64) else tf.cast(x, tf.float64)
        # One target per row: (n, 1) against (n,) would broadcast to (n, n).
        rows = [tf.shape(x)[0]]
        y, *weight = (tf.reshape(tf.cast(t, tf.float64), rows) for t in others)
        # A negative weight becomes NaN, which is rejected later.
        return x, y, *(tf.where(s < 0, NAN, s) for s in weight)

    return dataset.map(flatten, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
