"""The rows passed to `LinearRegression.fit`, checked and ready to read."""

import itertools
import weakref
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from recipes.checks import inputs
from recipes.linear_regression.solver import row_sums
from recipes.linear_regression.solver.row_sums import Part, SquaredError

NAN = np.float64("nan")


class TrainingRows:
    """Rows in memory or in a `tf.data.Dataset`, which can be read repeatedly.

    Args:
        x: `[n, features]` array, or a `tf.data.Dataset` of `(x, y)` or
            `(x, y, sample_weight)` batches.
        y: `[n]` or `[n, 1]`; `None` for a dataset.
        sample_weight: `[n]`, not negative, or `None`.

    Raises:
        ValueError: If a shape or a weight is wrong.
    """

    def __init__(self, x: Any, y: Any, sample_weight: Any):
        self._arrays: tuple[np.ndarray, ...] = ()
        self._dataset: tf.data.Dataset | None = None
        if isinstance(x, tf.data.Dataset):
            inputs.check_dataset(x, y, sample_weight)
            self._dataset = _prepare_dataset(x)
            self.features = int(self._dataset.element_spec[0].shape[1])
            return
        self._arrays = _prepare_arrays(x, y, sample_weight)
        self.features = self._arrays[0].shape[1]

    @property
    def parts(self) -> Iterable[Part]:
        """All rows once, in parts."""
        if self._dataset is None:
            return [self._arrays]
        return self._dataset.as_numpy_iterator()

    def as_all_rows(self, mean: np.ndarray) -> "AllRows":
        """Return all rows as a value that fits in an element of a `tf.data.Dataset`."""
        handle = next(_handles)
        _by_handle[handle] = self
        return AllRows(np.int64(handle), mean)


# The rows that graphs read: a graph that held them would be traced for each.
_by_handle: weakref.WeakValueDictionary[int, TrainingRows] = (
    weakref.WeakValueDictionary()
)
_handles = itertools.count()


class AllRows(NamedTuple):
    """All rows of a data set, the alternative to their `Moments`.

    Attributes, arrays and in graphs tensors:
        handle: Stands for `TrainingRows` that exist; int64, shape `[]`.
        mean: x̄, then ȳ: the centre; float64, `[features + 1]`.
    """

    handle: Any
    mean: Any

    def mean_squared_error(self, w: tf.Tensor, level: tf.Tensor) -> tf.Tensor:
        """Return 1/n Σ s·r², with its gradient for a `GradientTape`.

        Both come from the same pass: a tape's own gradient would read every row twice
        and keep every residual.
        """

        @tf.custom_gradient
        def loss(
            w: tf.Tensor, level: tf.Tensor
        ) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]]:
            types = [tf.float64, tf.float64]
            value, slope = tf.numpy_function(
                _compute_loss, [self.handle, self.mean, w, level], types
            )
            slope.set_shape([None])
            value.set_shape([])
            return value, lambda upstream: (
                upstream * slope[:-1],
                upstream * slope[-1],
            )

        return loss(w, level)

    def squared_error(self, w: np.ndarray, level: float) -> SquaredError:
        """Return the squared error of (w, a) over the rows."""
        parts = _by_handle[int(self.handle)].parts
        return row_sums.compute_squared_error(parts, self.mean, w, level)


def _compute_loss(
    handle: np.int64, mean: np.ndarray, w: np.ndarray, level: np.float64
) -> tuple[np.float64, np.ndarray]:
    """Return the mean squared error and its gradient in (w, a), `[features + 1]`."""
    error = AllRows(handle, mean).squared_error(w, float(level))
    return np.float64(error.total / error.weight), error.gradient / error.weight


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

    return dataset.map(
        flatten, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
    ).rebatch(row_sums.rows_per_task(int(shape[1])))
