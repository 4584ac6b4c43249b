"""The model that takes raw columns, before any scaling."""

from collections.abc import Sequence
from typing import Any, Literal

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
        float64: Whether the matrix or the images are float64, because float32 does not
            tell their values apart. Defaults to `False`.
        offset: Number that is added to the model's output; if it is not 0, the sum is
            float64. Defaults to 0.
        inverse: What is applied to the sum, in float64, because the model predicts a
            logarithm: `"exp"`, `"expm1"`, or `""` for nothing. Defaults to `""`.
        name: Name of the model. Defaults to `None`: Keras chooses one.
        trainable: Whether the weights of `model` are trained. Defaults to `True`.
        dtype: Dtype or dtype policy of the model itself, not of its parts; `None` for
            the global policy. Defaults to `"float32"`.

    Call arguments:
        inputs: A matrix of shape `(batch, num_features)`, images of shape
            `(batch, *image_shape)`, or the dict that `raw_columns` takes.

    Returns:
        What `model` returns, plus `offset`, after `inverse`.
    """

    def __init__(
        self,
        preprocessing: Any,
        model: Any,
        num_features: int,
        raw_columns: RawColumns | None = None,
        image_shape: Sequence[int] = (),
        *,
        float64: bool = False,
        offset: float = 0.0,
        inverse: Literal["", "exp", "expm1"] = "",
        name: str | None = None,
        trainable: bool = True,
        dtype: str | keras.DTypePolicy | None = "float32",
    ) -> None:
        super().__init__(name=name, trainable=trainable, dtype=dtype, autocast=False)
        self.preprocessing = preprocessing
        self.model = model
        self.num_features = num_features
        self.raw_columns = raw_columns
        self.image_shape = tuple(image_shape)
        self.float64 = float64
        self.offset = offset
        self.inverse = inverse

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
        texts = ()
        if self.raw_columns is not None:
            texts = self.raw_columns.read_texts(inputs)
            inputs = self.raw_columns(inputs)
        features = self.preprocessing(inputs, *([texts] if texts else []))
        output = self.model(features)
        if self.offset or self.inverse:
            output = keras.ops.cast(output, "float64") + self.offset
        return getattr(keras.ops, self.inverse)(output) if self.inverse else output

    def predict(self, x: Any, batch_size: int | None = None, **kwargs: Any) -> Any:
        """Predict as Keras does, but without rounding float64 inputs to float32."""
        inputs = tf.nest.flatten(self.signature())
        if any(spec.dtype == tf.float64 for spec in inputs) and not isinstance(
            x, tf.data.Dataset
        ):
            x = tf.data.Dataset.from_tensor_slices(x).batch(batch_size or 32)
            batch_size = None
        return super().predict(x, batch_size=batch_size, **kwargs)

    def signature(self) -> tf.TensorSpec | dict[str, tf.TensorSpec]:
        """Return the specification of the raw inputs, as `call` takes them."""
        if self.raw_columns is None:
            shape = self.image_shape or (self.num_features,)
            dtype = tf.float64 if self.float64 else tf.float32
            return tf.TensorSpec((None, *shape), dtype, "features")
        dtypes = {
            **dict.fromkeys(self.raw_columns.names, tf.float32),
            **dict.fromkeys(self.raw_columns.float64, tf.float64),
            **dict.fromkeys(self.raw_columns.texts, tf.string),
        }
        return {
            name: tf.TensorSpec((None,), dtype, name) for name, dtype in dtypes.items()
        }

    @property
    def tables(self) -> Sequence[tf.lookup.StaticHashTable]:
        """The lookup tables that a SavedModel must track."""
        if self.raw_columns is None:
            return ()
        texts = getattr(self.preprocessing, "texts", ())
        return (*self.raw_columns.tables, *(layer.table for layer in texts))

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
            "float64": self.float64,
            "offset": self.offset,
            "inverse": self.inverse,
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
