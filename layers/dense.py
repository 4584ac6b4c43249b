"""The dense layer g(x·W + b)."""

from typing import Any

import keras

from layers.linear import Linear


@keras.saving.register_keras_serializable("descent_recipes")
class Dense(Linear):
    """A layer of a neural network, from its two parameters W and b.

    For an input `x` of shape `(..., features)` the layer computes

    ```python
    z = x @ kernel + bias  # z[..., j] = Σᵢ x[..., i]·W[i, j] + b[j]
    y = activation(z)
    ```

    It equals `keras.layers.Dense` without the regularisers and constraints of weights
    and without quantisation: the layer for reading, and for models that need no more.

    Args:
        units: Number of outputs, a positive integer.
        activation: g, a name or a function that Keras knows, applied to each output;
            `None` for none. Defaults to `None`.
        use_bias: Whether to add b. Defaults to `True`.
        kernel_initializer: Initialiser of W: a name, a config or a
            `keras.initializers.Initializer`. Defaults to `"glorot_uniform"`.
        bias_initializer: Initialiser of b, likewise. Defaults to `"zeros"`.
        activity_regularizer: Penalty of the outputs: a name, a config or a
            `keras.regularizers.Regularizer`; `None` for none. Defaults to `None`.
        name: Name of the layer. Defaults to `None`: Keras chooses one.
        trainable: Whether the weights are trained. Defaults to `True`.
        dtype: Dtype or dtype policy. Defaults to `None`, the global policy.

    Attributes:
        kernel: W, trainable, shape `(features, units)`.
        bias: b, trainable, shape `(units,)`, or `None` without bias.

    Raises:
        ValueError: If `units` is not a positive integer, the activation is unknown, or
            the size of the input's last axis is unknown when the layer is built.

    Example:
    >>> layer = Dense(2, activation="relu", kernel_initializer="ones")
    >>> layer(keras.ops.array([[1.0, 2.0], [1.0, -2.0]])).numpy()
    array([[3., 3.],
           [0., 0.]], dtype=float32)

    Reference:
        The article, sections 3.3 and 4.3.
    """

    def __init__(
        self,
        units: int,
        activation: Any = None,
        *,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        activity_regularizer: Any = None,
        name: str | None = None,
        trainable: bool = True,
        dtype: str | keras.DTypePolicy | None = None,
    ) -> None:
        super().__init__(
            units,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            activity_regularizer=activity_regularizer,
            name=name,
            trainable=trainable,
            dtype=dtype,
        )
        self.activation = keras.activations.get(activation)

    def call(self, inputs: Any) -> Any:
        """Map `inputs` of shape `(..., features)` to `(..., units)`."""
        z = keras.ops.matmul(inputs, self.kernel)
        if self.bias is not None:
            z = z + self.bias
        return self.activation(z)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, objects serialised."""
        return {
            **super().get_config(),
            "activation": keras.activations.serialize(self.activation),
        }
