"""What `predict` computes: x·w + b in float64, rounded once to the model's dtype."""

from typing import Any, NamedTuple

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
        deviation = tf.cast(x, tf.float64) - self.center
        return self.finish(deviation @ self.kernel)

    def finish(self, product: tf.Tensor) -> tf.Tensor:
        """Map (x − c)·w, float64, `[..., 1]`, to predictions `[..., 1]`."""
        level, rest = _add_exactly(
            self.bias, tf.linalg.matvec(self.kernel, self.center, transpose_a=True)
        )
        return tf.cast(level + (rest + product), self.dtype)


def _add_exactly(a: tf.Tensor, b: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return a + b rounded, and the rounding error (Knuth's two-sum)."""
    total = a + b
    virtual = total - a
    return total, (a - (total - virtual)) + (b - virtual)
