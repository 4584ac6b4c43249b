"""The layer that rescales images to the range from 0 to 1."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("descent_recipes")
class ImageRescaling(keras.layers.Layer):
    """Rescales images by the smallest and the largest pixel value.

    For an input `x` the layer computes

    ```python
    y = (reshape(x, (batch, *image_shape)) - least) / (largest - least)
    ```

    in float64, and rounds y alone, so that flattened images become images again.
    `least` and `largest` are weights, assigned once from training images and shared by
    all pixels. Values beyond them are
    mapped to below 0 or above 1.

    Args:
        image_shape: An image's shape in pixels, `(height, width)` or
            `(height, width, channels)`.
        name: Name of the layer. Defaults to `None`: Keras chooses one.
        trainable: Has no effect: no weight here is trained. Defaults to `True`.
        dtype: Dtype or dtype policy of the output; `None` for the global policy.
            Defaults to `"float32"`.

    Call arguments:
        inputs: A tensor of shape `(batch, *image_shape)`, or any other with as many
            numbers per row.

    Returns:
        A tensor of shape `(batch, *image_shape)`.

    Attributes:
        least: Non-trainable weight of shape `()`, 0 until assigned.
        largest: Non-trainable weight of shape `()`, 1 until assigned.
        output_names: Names of the pixels, for the caller to set; not saved.
        notes: A description of the rescaling in words, likewise.

    Example:
    >>> layer = ImageRescaling((1, 2))
    >>> layer.build((None, 2))
    >>> layer.largest.assign(255.0)
    >>> layer(keras.ops.array([[0.0, 51.0]]))
    array([[[0. , 0.2]]], dtype=float32)
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: str | keras.DTypePolicy | None = "float32",
    ) -> None:
        super().__init__(name=name, trainable=trainable, dtype=dtype, autocast=False)
        self.image_shape = tuple(image_shape)
        self.output_names: tuple[str, ...] = ()
        self.notes: tuple[str, ...] = ()

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create `least` and `largest`."""
        for name, initializer in (("least", "zeros"), ("largest", "ones")):
            weight = self.add_weight(
                name=name,
                shape=(),
                dtype="float64",
                initializer=initializer,
                trainable=False,
            )
            setattr(self, name, weight)
        self.built = True

    def call(self, inputs: Any) -> Any:
        """Map `inputs` of shape `(batch, …)` to `(batch, *image_shape)`."""
        images = ops.reshape(inputs, (ops.shape(inputs)[0], *self.image_shape))
        images = ops.cast(images, "float64") - self.least
        return ops.cast(images / (self.largest - self.least), self.compute_dtype)

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """Return `(batch, *image_shape)`."""
        return (input_shape[0], *self.image_shape)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "image_shape": list(self.image_shape)}
