"""The linear layer y = x·w + b."""

from typing import Any

import keras


@keras.saving.register_keras_serializable("descent_recipes")
class Linear(keras.layers.Layer):
    """An affine map of the last axis: the model of linear regression.

    For an input `x` of shape `(..., features)` the layer computes

    ```python
    y = x @ kernel + bias  # y[..., j] = Σᵢ x[..., i]·kernel[i, j] + bias[j]
    ```

    The weights start at zero, as in the article's listing: the squared error of a
    linear model is convex, so the start changes the path to the optimum, not the
    optimum. `keras.layers.Dense` does the same and more (an activation, regularisers,
    quantisation); this layer is the equation alone.

    Args:
        units: Number of outputs, a positive integer. Defaults to `1`.
        use_bias: Whether to add `bias`. Defaults to `True`.
        kernel_initializer: Initialiser of `kernel`: a name, a config or a
            `keras.initializers.Initializer`. Defaults to `"zeros"`.
        bias_initializer: Initialiser of `bias`, likewise. Defaults to `"zeros"`.
        activity_regularizer: Penalty of the outputs: a name, a config or a
            `keras.regularizers.Regularizer`; `None` for none. Defaults to `None`.
        name: Name of the layer. Defaults to `None`: Keras chooses one.
        trainable: Whether the weights are trained. Defaults to `True`.
        dtype: Dtype or dtype policy. Defaults to `None`, the global policy.

    Attributes:
        kernel: Trainable weight of shape `(features, units)`.
        bias: Trainable weight of shape `(units,)`, or `None` without bias.

    Raises:
        ValueError: If `units` is not a positive integer, or the size of the
            input's last axis is unknown when the layer is built.

    Example:
    >>> layer = Linear(units=1, kernel_initializer="ones")
    >>> layer(keras.ops.ones((2, 3))).shape
    TensorShape([2, 1])

    Reference:
        The article, section 3.1: y = θ₀ + θ₁x₁ + … + θₙxₙ, where θ₀ is `bias` and
        θ₁ … θₙ are `kernel`.
    """

    def __init__(
        self,
        units: int = 1,
        *,
        use_bias: bool = True,
        kernel_initializer: Any = "zeros",
        bias_initializer: Any = "zeros",
        activity_regularizer: Any = None,
        name: str | None = None,
        trainable: bool = True,
        dtype: str | keras.DTypePolicy | None = None,
    ) -> None:
        super().__init__(
            activity_regularizer=activity_regularizer,
            name=name,
            trainable=trainable,
            dtype=dtype,
        )
        if not isinstance(units, int) or isinstance(units, bool) or units < 1:
            raise ValueError(
                f"`units` should be a positive integer. Received: units={units!r}"
            )
        self.units = units
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.input_spec = keras.layers.InputSpec(min_ndim=2)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create `kernel` and `bias` for inputs of `input_shape`."""
        features = input_shape[-1]
        if features is None:
            raise ValueError(
                "The last axis of the input should have a known size. "
                f"Received: input_shape={input_shape}"
            )
        self.kernel = self.add_weight(
            name="kernel",
            shape=(features, self.units),
            initializer=self.kernel_initializer,
        )
        self.bias: Any = (
            self.add_weight(
                name="bias", shape=(self.units,), initializer=self.bias_initializer
            )
            if self.use_bias
            else None
        )
        self.input_spec = keras.layers.InputSpec(min_ndim=2, axes={-1: features})
        self.built = True

    def call(self, inputs: Any) -> Any:
        """Map `inputs` of shape `(..., features)` to `(..., units)`."""
        outputs = keras.ops.matmul(inputs, self.kernel)
        return outputs if self.bias is None else outputs + self.bias

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """Return the input's shape with the last axis replaced by `units`."""
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, initialisers serialised."""
        return {
            **super().get_config(),
            "units": self.units,
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
        }
