"""The layer that fills missing values."""

from typing import Any

import keras


@keras.saving.register_keras_serializable("descent_recipes")
class MedianImputation(keras.layers.Layer):
    """Replaces the missing values (NaN) of each column by that column's median.

    For an input `x` of shape `(..., columns)` the layer computes

    ```python
    y[..., j] = median[j] if isnan(x[..., j]) else x[..., j]
    ```

    The medians are a weight, so that they are saved with the model, but training does
    not change them. They are assigned once, from the training rows. A column whose
    median is NaN keeps its missing values.

    Args:
        name: Name of the layer. Defaults to `None`: Keras chooses one.
        trainable: Has no effect: no weight here is trained. Defaults to `True`.
        dtype: Dtype or dtype policy. Defaults to `None`, the global policy.

    Attributes:
        median: Non-trainable weight of shape `(columns,)`, zeros until assigned.

    Raises:
        ValueError: If the size of the input's last axis is unknown when the layer is
            built.

    Example:
    >>> layer = MedianImputation()
    >>> layer.build((None, 2))
    >>> layer.median.assign([1.0, 5.0])
    >>> layer(keras.ops.array([[float("nan"), 7.0]]))
    array([[1., 7.]], dtype=float32)
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
        """Create `median` for inputs of `input_shape`."""
        columns = input_shape[-1]
        if columns is None:
            raise ValueError(
                "The last axis of the input should have a known size. "
                f"Received: input_shape={input_shape}"
            )
        self.median = self.add_weight(
            name="median", shape=(columns,), initializer="zeros", trainable=False
        )
        self.built = True

    def call(self, inputs: Any) -> Any:
        """Fill the missing values of `inputs` of shape `(..., columns)`."""
        return keras.ops.where(keras.ops.isnan(inputs), self.median, inputs)

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """Return the input's shape."""
        return input_shape

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "MedianImputation":
        """Build the layer from its config."""
        # Files of earlier versions also hold defaults of other arguments of Keras.
        own = ("name", "trainable", "dtype")
        return super().from_config({key: config[key] for key in own if key in config})
