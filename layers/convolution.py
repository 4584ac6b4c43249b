"""The convolution that takes batches of any size."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("descent_recipes")
class Convolution(keras.layers.Conv2D):
    """A `keras.layers.Conv2D` that takes a batch of no images, too.

    TensorFlow's own convolution on a CPU gives such a batch the input's channels in
    place of its filters, so that the layers behind it fail. Where there are images
    nothing differs, and nothing is slower.

    Args:
        filters: As in `keras.layers.Conv2D`.
        kernel_size: As in `keras.layers.Conv2D`.
        **kwargs: Likewise.

    Call arguments:
        inputs: A tensor of shape `(batch, height, width, channels)`.
        training: Whether a step of training is taken. There are images then.

    Returns:
        A tensor of shape `(batch, new_height, new_width, filters)`.

    Attributes:
        kernel: Trainable, shape `(*kernel_size, channels, filters)`.
        bias: Trainable, shape `(filters,)`, or `None` without bias.

    Example:
    >>> layer = Convolution(16, 3)
    >>> layer(keras.ops.zeros((0, 8, 8, 1))).shape
    TensorShape([0, 6, 6, 16])
    """

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Maps `(batch, height, width, channels)` to `(batch, …, filters)`."""
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
