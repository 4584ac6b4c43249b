"""The layer that turns decision values into probabilities."""

from typing import Any

import keras


@keras.saving.register_keras_serializable("descent_recipes")
class PlattScaling(keras.layers.Layer):
    """The probability of the positive class: a sigmoid of the decision value.

    For decision values `f` of shape `(..., units)` the layer computes

    ```python
    p[..., j] = 1 / (1 + exp(slope[j] * f[..., j] + offset[j]))
    ```

    The sign is Platt's: where larger decision values favour the positive class, `slope`
    is negative. The units are independent: one for two classes, one per pair of
    several. Where the exponential overflows, the probability is 0 or 1, never NaN.

    A new layer is the logistic function, `slope = -1` and `offset = 0`. The weights
    are those of a logistic regression, so cross-entropy can train them; a support
    vector classifier assigns them from its decision values on rows held out of its
    training.

    Args:
        name: Name of the layer. Defaults to `None`: Keras chooses one.
        trainable: Whether the weights are trained. Defaults to `True`.
        dtype: Dtype or dtype policy. Defaults to `None`, the global policy.

    Attributes:
        slope: Trainable weight of shape `(units,)`: Platt's A.
        offset: Trainable weight of shape `(units,)`: Platt's B.

    Raises:
        ValueError: If the size of the input's last axis is unknown when the layer is
            built.

    Example:
    >>> layer = PlattScaling()
    >>> layer(keras.ops.array([[0.0], [1000.0]]))
    array([[0.5], [1. ]], dtype=float32)

    References:
        Platt, “Probabilistic outputs for support vector machines and comparisons to
        regularized likelihood methods”, 1999.
        Lin, Lin and Weng, “A note on Platt's probabilistic outputs for support vector
        machines”, Machine Learning 68, 2007.
    """

    def __init__(
        self,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: str | keras.DTypePolicy | None = None,
    ) -> None:
        super().__init__(name=name, trainable=trainable, dtype=dtype)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create `slope` and `offset` for inputs of `input_shape`."""
        units = input_shape[-1]
        if units is None:
            raise ValueError(
                "The last axis of the input should have a known size. "
                f"Received: input_shape={input_shape}"
            )
        self.slope = self.add_weight(
            name="slope", shape=(units,), initializer=keras.initializers.Constant(-1)
        )
        self.offset = self.add_weight(
            name="offset", shape=(units,), initializer="zeros"
        )
        self.input_spec = keras.layers.InputSpec(min_ndim=2, axes={-1: units})
        self.built = True

    def call(self, inputs: Any) -> Any:
        """Map decision values of shape `(..., units)` to probabilities, likewise."""
        return keras.ops.sigmoid(-(self.slope * inputs + self.offset))

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """Return the input's shape."""
        return input_shape

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "PlattScaling":
        """Build the layer from its config."""
        # Files of earlier versions also hold defaults of other arguments of Keras.
        own = ("name", "trainable", "dtype")
        return super().from_config({key: config[key] for key in own if key in config})
