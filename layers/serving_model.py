"""The model that takes raw columns, before any scaling."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from layers.raw_columns import RawColumns


@keras.saving.register_keras_serializable("descent_recipes")
class ServingModel(keras.Model):
    """Raw inputs → preprocessing → model, as one model.

    Args:
        preprocessing: Layer from a matrix of raw columns to the model's features.
        model: The layer or model that predicts.
        num_features: Number of raw columns, a positive integer.
        raw_columns: Layer that gathers named columns into the matrix; `None` if the
            input is the matrix itself. Defaults to `None`.
        image_shape: Shape in pixels of the images that are the input,
            `(height, width)` or `(height, width, channels)`; empty for other inputs.
            Defaults to `()`.
        name: Name of the model. Defaults to `None`: Keras chooses one.
        trainable: Whether the weights of `model` are trained. Defaults to `True`.
        dtype: Dtype or dtype policy of the model itself, not of its parts; `None` for
            the global policy. Defaults to `"float32"`.

    Call arguments:
        inputs: A matrix of shape `(batch, num_features)`, images of shape
            `(batch, *image_shape)`, or the dict that `raw_columns` takes.

    Returns:
        What `model` returns.
    """

    def __init__(
        self,
        preprocessing: Any,
        model: Any,
        num_features: int,
        raw_columns: RawColumns | None = None,
        image_shape: Sequence[int] = (),
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: str | keras.DTypePolicy | None = "float32",
    ) -> None:
        super().__init__(name=name, trainable=trainable, dtype=dtype)
        self.preprocessing = preprocessing
        self.model = model
        self.num_features = num_features
        self.raw_columns = raw_columns
        self.image_shape = tuple(image_shape)

    def build(self, input_shape: Any) -> None:
        """Build the parts that are not built yet."""
        shape: tuple[int | None, ...] = (None, self.num_features)
        for layer in (self.preprocessing, self.model):
            if not layer.built:
                layer.build(shape)
            shape = layer.compute_output_shape(shape)
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Predict from raw inputs."""
        # Keras passes `training` on to the layers that take it.
        del training
        if self.raw_columns is not None:
            inputs = self.raw_columns(inputs)
        return self.model(self.preprocessing(inputs))

    def signature(self) -> tf.TensorSpec | dict[str, tf.TensorSpec]:
        """Return the specification of the raw inputs, as `call` takes them.

        The specs of named columns are called `input_0`, `input_1`, …, because
        TensorFlow does not accept every column name.
        """
        if self.raw_columns is None:
            shape = self.image_shape or (self.num_features,)
            return tf.TensorSpec((None, *shape), tf.float32, "features")
        categorical = {name for name, _ in self.raw_columns.levels}
        return {
            name: tf.TensorSpec(
                (None,),
                tf.string if name in categorical else tf.float32,
                f"input_{number}",
            )
            for number, name in enumerate(self.raw_columns.names)
        }

    @property
    def tables(self) -> Sequence[tf.lookup.StaticHashTable]:
        """The lookup tables that a SavedModel must track."""
        return () if self.raw_columns is None else self.raw_columns.tables

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, layers serialised."""
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            "preprocessing": serialize(self.preprocessing),
            "model": serialize(self.model),
            "num_features": self.num_features,
            "raw_columns": serialize(self.raw_columns),
            "image_shape": list(self.image_shape),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "ServingModel":
        """Build the model from its config."""
        deserialize = keras.saving.deserialize_keras_object
        parts = {
            name: deserialize(config[name])
            for name in ("preprocessing", "model", "raw_columns")
        }
        return cls(**{**config, **parts})
