"""The coordinates that the descent steps in, and their relation to the weights."""

from typing import Any, NamedTuple, Self

import numpy as np
import tensorflow as tf

from recipes.linear_regression.solver.row_sums import Moments


class Coordinates(NamedTuple):
    """An affine map between the descent's θ, the weights (w, b) and the centred model.

    The centred model is ȳ + (x − x̄)·w + a, as in `row_sums`. With θ = (v, c),

        w = unit·v,    a = c + tilt·v − shift,    b = ȳ + a − x̄·w.

    `standardised` makes v the slopes of standardised columns and c = a: whatever the
    units and offsets, the curvature is that of the columns' correlations. In `plain`
    coordinates θ is (w, b) itself.

    Attributes:
        mean: x̄, then ȳ; float64, `[features + 1]`.
        unit: Float64, `[features]`; 0 for a constant column, whose slope stays 0.
        tilt: Float64, `[features]`.
        shift: Float64, `[]`.
    """

    mean: Any
    unit: Any
    tilt: Any
    shift: Any

    @classmethod
    def standardised(cls, moments: Moments) -> Self:
        """Return coordinates in which all columns have mean 0 and variance 1."""
        deviation = np.sqrt(moments.variance[:-1])
        unit = np.divide(
            1, deviation, where=deviation > 0, out=np.zeros_like(deviation)
        )
        return cls._of(moments, unit, np.zeros_like(unit), 0.0)

    @classmethod
    def plain(cls, moments: Moments) -> Self:
        """Return the coordinates (w, b)."""
        *center, target = np.asarray(moments.mean)
        return cls._of(moments, np.ones(len(center)), np.array(center), target)

    @classmethod
    def _of(cls, moments: Moments, *others: Any) -> Self:
        mean = np.asarray(moments.mean)
        return cls(*(tf.constant(each, tf.float64) for each in (mean, *others)))

    def to_centred(self, theta: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Map θ to w and a."""
        v, last = theta[:-1], theta[-1]
        return self.unit * v, last + tf.reduce_sum(self.tilt * v) - self.shift

    def to_weights(self, theta: tf.Tensor) -> tf.Tensor:
        """Map θ to (w, b)."""
        w, level = self.to_centred(theta)
        moved = tf.reduce_sum(self.mean[:-1] * w)
        return tf.concat([w, [self.mean[-1] + (level - moved)]], axis=0)

    def centre(self, weights: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Map (w, b) to w and a."""
        w = weights[:-1]
        moved = tf.reduce_sum(self.mean[:-1] * w)
        return w, weights[-1] - self.mean[-1] + moved

    def from_centred(self, w: tf.Tensor, level: tf.Tensor) -> tf.Tensor:
        """Map w and a to θ."""
        v = tf.math.divide_no_nan(w, self.unit)
        last = level - tf.reduce_sum(self.tilt * v) + self.shift
        return tf.concat([v, [last]], axis=0)

    def from_weights(self, weights: tf.Tensor) -> tf.Tensor:
        """Map (w, b) to θ."""
        return self.from_centred(*self.centre(weights))
