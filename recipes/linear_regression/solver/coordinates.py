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

    Attributes, arrays and in graphs tensors:
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
        return cls(moments.mean, unit, np.zeros_like(unit), np.float64(0))

    @classmethod
    def plain(cls, moments: Moments) -> Self:
        """Return the coordinates (w, b)."""
        center, target = moments.mean[:-1], moments.mean[-1]
        return cls(moments.mean, np.ones_like(center), center, target)

    def to_centred(self, theta: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Map θ to w and a, as tensors."""
        v, last = theta[:-1], theta[-1]
        return self.unit * v, last + tf.reduce_sum(self.tilt * v) - self.shift

    def to_weights(self, theta: np.ndarray) -> np.ndarray:
        """Map θ to (w, b)."""
        w = self.unit * theta[:-1]
        level = theta[-1] + self.tilt @ theta[:-1] - self.shift
        return np.append(w, self.mean[-1] + (level - self.mean[:-1] @ w))

    def centre(self, weights: np.ndarray) -> tuple[np.ndarray, float]:
        """Map (w, b) to w and a."""
        w = weights[:-1]
        return w, weights[-1] - self.mean[-1] + self.mean[:-1] @ w

    def from_centred(self, w: np.ndarray, level: float) -> np.ndarray:
        """Map w and a to θ."""
        v = np.divide(w, self.unit, where=self.unit > 0, out=np.zeros_like(w))
        return np.append(v, level - self.tilt @ v + self.shift)

    def from_weights(self, weights: np.ndarray) -> np.ndarray:
        """Map (w, b) to θ."""
        return self.from_centred(*self.centre(weights))

    def pull_back(self, slope: np.ndarray) -> np.ndarray:
        """Map a gradient in (w, a) to that in θ."""
        return np.append(self.unit * slope[:-1] + self.tilt * slope[-1], slope[-1])
