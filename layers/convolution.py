"""The convolution that takes batches of any size."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("descent_recipes")
class Convolution(keras.layers.Conv2D):
    """A `keras.layers.Conv2D` that also takes an empty batch.

    Given no images, TensorFlow's own convolution on a CPU returns the input's channels
    instead of its filters, so that the layers after it fail. With images, this layer
    computes the same as Keras's, at the same speed.

    Args:
        filters: Number of filters, a positive integer.
        kernel_size: Height and width of the filters in pixels: an integer for both, or
            two.
        strides: Steps of the filters in pixels, likewise. Defaults to `(1, 1)`.
        padding: `"valid"` for none, `"same"` for zeros around the image such that
            steps of 1 keep its size. Defaults to `"valid"`.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for the one in the
            configuration of Keras. Defaults to `None`.
        dilation_rate: Distance in pixels between the inputs of a filter, like
            `kernel_size`. Defaults to `(1, 1)`.
        groups: Number of groups that channels and filters are divided into, each
            convolved on its own. Defaults to `1`.
        activation: A name or a function that Keras knows, applied to each output;
            `None` for none. Defaults to `None`.
        use_bias: Whether to add `bias`. Defaults to `True`.
        kernel_initializer: Initialiser of `kernel`: a name, a config or a
            `keras.initializers.Initializer`. Defaults to `"glorot_uniform"`.
        bias_initializer: Initialiser of `bias`, likewise. Defaults to `"zeros"`.
        kernel_regularizer: Penalty of `kernel`: a name, a config or a
            `keras.regularizers.Regularizer`; `None` for none. Defaults to `None`.
        bias_regularizer: Penalty of `bias`, likewise. Defaults to `None`.
        activity_regularizer: Penalty of the outputs, likewise. Defaults to `None`.
        kernel_constraint: Projection of `kernel` after each step: a name, a config or a
            `keras.constraints.Constraint`; `None` for none. Defaults to `None`.
        bias_constraint: Projection of `bias`, likewise. Defaults to `None`.
        name: Name of the layer. Defaults to `None`: Keras chooses one.
        trainable: Whether the weights are trained. Defaults to `True`.
        dtype: Dtype or dtype policy. Defaults to `None`, the global policy.

    Call arguments:
        inputs: A tensor of shape `(batch, height, width, channels)`.
        training: Whether this is a training step, which always has images. Defaults to
            `False`.

    Returns:
        A tensor of shape `(batch, new_height, new_width, filters)`.

    Attributes:
        kernel: Trainable weight of shape `(*kernel_size, channels / groups, filters)`.
        bias: Trainable weight of shape `(filters,)`, or `None` without bias.

    Example:
    >>> layer = Convolution(16, 3)
    >>> layer(keras.ops.zeros((0, 8, 8, 1))).shape
    TensorShape([0, 6, 6, 16])
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int | Sequence[int],
        strides: int | Sequence[int] = (1, 1),
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: int | Sequence[int] = (1, 1),
        groups: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: str | keras.DTypePolicy | None = None,
    ) -> None:
        super().__init__(
            filters=filters,
            kernel_size=kernel_size,
            strides=strides,
            padding=padding,
            data_format=data_format,
            dilation_rate=dilation_rate,
            groups=groups,
            activation=activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            kernel_constraint=kernel_constraint,
            bias_constraint=bias_constraint,
            name=name,
            trainable=trainable,
            dtype=dtype,
        )

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Map `(batch, height, width, channels)` to `(batch, …, filters)`."""
        convolve = super().call
        if training:
            return convolve(inputs)
        rows = ops.shape(inputs)[0]
        shape = rows, *self.compute_output_shape(inputs.shape)[1:]
        return ops.cond(
            rows > 0,
            lambda: convolve(inputs),
            lambda: ops.zeros(shape, self.compute_dtype),
        )
