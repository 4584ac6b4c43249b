"""What `predict` computes: x·w + b in float64, rounded once to the model's dtype."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf


class Predictor(NamedTuple):
    """The affine function x·w + b, computed about a centre c.

    It is (x − c)·w + (b + c·w), where c changes nothing but the rounding errors: with c
    amid the rows, columns far from 0 keep their digits.

    Attributes:
        kernel: w, float64, `[features, 1]`.
        bias: b, float64, `[1]`.
        center: c, float64, `[features]`.
        dtype: The dtype of the predictions.
    """

    kernel: Any
    bias: Any
    center: Any
    dtype: str

    def __call__(self, x: Any) -> tf.Tensor:
        """Map rows `[..., features]` to predictions `[..., 1]`."""
        product = (tf.cast(x, tf.float64) - self.center) @ self.kernel
        level, excess = self._level
        return tf.cast(level + (product - excess), self.dtype)

    def finish_in_numpy(self) -> Callable[[np.ndarray], np.ndarray]:
        """Return what maps products (x − c)·w, float64, to predictions."""
        level, excess = (value.numpy() for value in self._level)
        dtype = tf.as_dtype(self.dtype).as_numpy_dtype
        return lambda product: (level + (product - excess)).astype(dtype)

    @property
    def _level(self) -> tuple[tf.Tensor, tf.Tensor]:
        """The rounded b + c·w, `[1]`, and by how much it is too large."""
        return _add_exactly(
            self.bias, tf.linalg.matvec(self.kernel, self.center, transpose_a=True)
        )


def _add_exactly(a: tf.Tensor, b: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return a + b rounded, and by how much that is too large (Knuth's two-sum).

    It is subtracted, as TensorFlow regroups three summands in a graph, and loses it.
    """
    total = a + b
    virtual = total - a
    return total, ((total - virtual) - a) + (virtual - b)
