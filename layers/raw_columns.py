"""The layer that gathers named raw columns into one matrix."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("descent_recipes")
class RawColumns(keras.layers.Layer):
    """Gathers a table's named columns into a matrix of numbers.

    Numeric columns pass as they are. A categorical column holds strings; the layer
    gives the string's place in the list of levels, or NaN for one that is not in it.

    Args:
        names: The columns' names, any strings, in the matrix's order.
        levels: The levels of each categorical column, by its name.
        **kwargs: `name`, `dtype`, as in every `keras.layers.Layer`. `dtype` is
            `"float32"` by default, whatever the global policy: raw columns do not fit
            into float16.

    Call arguments:
        inputs: A dict with a tensor of shape `(batch,)` for every name: strings for
            categorical columns, numbers for the others.

    Returns:
        A tensor of shape `(batch, columns)`.

    Raises:
        ValueError: If there are no names, or one twice, or levels of an unknown name;
            in a call, if a column is missing.

    Example:
    >>> layer = RawColumns(["age", "sex"], {"sex": ["female", "male"]})
    >>> layer({"age": tf.constant([40.0]), "sex": tf.constant(["male"])})
    array([[40.,  1.]], dtype=float32)
    """

    def __init__(
        self,
        names: Sequence[str],
        levels: Mapping[str, Sequence[str]] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        levels = {} if levels is None else levels
        if not names or len(set(names)) < len(names):
            raise ValueError(f"`names` should be different names. Received: {names=}")
        if not set(levels) <= set(names):
            raise ValueError(
                "`levels` should be of columns in `names`. "
                f"Received: {names=}, levels of {list(levels)}"
            )
        # Tuples, since Keras wraps lists and dicts and they come back changed.
        self.names = tuple(names)
        self.levels = tuple((name, tuple(levels[name])) for name in levels)
        # One attribute each: an exported model that keeps them in a list loses them
        # before TensorFlow 2.21.
        for number, (_, words) in enumerate(self.levels):
            setattr(self, f"table_{number}", _code_table(words))

    @property
    def tables(self) -> tuple[tf.lookup.StaticHashTable, ...]:
        """The lookup tables of the categorical columns, in their order."""
        return tuple(getattr(self, f"table_{i}") for i in range(len(self.levels)))

    def build(self, input_shape: Any) -> None:
        """Creates nothing: there are no weights."""
        self.built = True

    def call(self, inputs: Mapping[str, Any]) -> Any:
        """Gathers the columns in `inputs` into a matrix `(batch, columns)`."""
        missing = [name for name in self.names if name not in inputs]
        if missing:
            raise ValueError(f"`inputs` should have every column. Missing: {missing}")
        tables = {
            name: t for (name, _), t in zip(self.levels, self.tables, strict=True)
        }
        columns = [
            tables[name].lookup(inputs[name]) if name in tables else inputs[name]
            for name in self.names
        ]
        dtype = self.compute_dtype
        return keras.ops.stack([keras.ops.cast(c, dtype) for c in columns], axis=-1)

    def compute_output_shape(
        self, input_shape: Mapping[str, tuple[int | None, ...]]
    ) -> tuple[int | None, ...]:
        """The shape `(batch, columns)`."""
        return (*input_shape[self.names[0]], len(self.names))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "names": list(self.names),
            "levels": {name: list(words) for name, words in self.levels},
        }


def _code_table(levels: Sequence[str]) -> tf.lookup.StaticHashTable:
    codes = tf.range(len(levels), dtype=tf.float32)
    keys = tf.constant(levels, dtype=tf.string, shape=(len(levels),))
    return tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(keys, codes), default_value=float("nan")
    )
