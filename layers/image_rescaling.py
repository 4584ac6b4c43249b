"""The layer that brings images to the range from 0 to 1."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("descent_recipes")
class ImageRescaling(keras.layers.Layer):
    """Rescales images by the least and the largest value of a pixel.

    For an input `x` the layer computes

    ```python
    y = (reshape(x, (batch, *image_shape)) - least) / (largest - least)
    ```

    so that images which lie as rows, pixel after pixel, become images again. `least`
    and `largest` are weights, assigned once from training images; all pixels share
    them. Values beyond them come out below 0 or above 1.

    Args:
        image_shape: An image's shape, `(h, w)` or `(h, w, c)`.
        **kwargs: `name`, `dtype`, as in every `keras.layers.Layer`. `dtype` is
            `"float32"` by default, whatever the global policy.

    Call arguments:
        inputs: A tensor of shape `(batch, *image_shape)`, or of any other with as many
            numbers to the row.

    Returns:
        A tensor of shape `(batch, *image_shape)`.

    Attributes:
        least: Non-trainable weight of shape `()`, 0 until assigned.
        largest: Non-trainable weight of shape `()`, 1 until assigned.
        output_names: Names of the pixels, as whoever set them; not saved.
        notes: What was done to the images, in words, likewise.

    Example:
    >>> layer = ImageRescaling((1, 2))
    >>> layer.build((None, 2))
    >>> layer.largest.assign(255.0)
    >>> layer(keras.ops.array([[0.0, 51.0]]))
    array([[[0. , 0.2]]], dtype=float32)
    """

    def __init__(self, image_shape: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        self.image_shape = tuple(image_shape)
        self.output_names: tuple[str, ...] = ()
        self.notes: tuple[str, ...] = ()

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Creates `least` and `largest`."""
        self.least = self.add_weight(
            name="least", shape=(), initializer="zeros", trainable=False
        )
        self.largest = self.add_weight(
            name="largest", shape=(), initializer="ones", trainable=False
        )
        self.built = True

    def call(self, inputs: Any) -> Any:
        """Maps `inputs` of shape `(batch, …)` to `(batch, *image_shape)`."""
        images = ops.reshape(inputs, (ops.shape(inputs)[0], *self.image_shape))
        images = ops.cast(images, self.compute_dtype)
        return (images - self.least) / (self.largest - self.least)

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """The batch's size and the image's shape."""
        return (input_shape[0], *self.image_shape)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "image_shape": list(self.image_shape)}
