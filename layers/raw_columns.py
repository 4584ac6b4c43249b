"""The layer that gathers named raw columns into one matrix."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("descent_recipes")
class RawColumns(keras.layers.Layer):
    """Gathers a table's named columns into a matrix of numbers.

    Numeric columns pass unchanged. A categorical column holds strings; the layer maps
    each, without blanks around it, to its index in the list of levels, or to NaN if it
    is not in the list.

    Args:
        names: Names of the columns, different strings, in the order of the matrix.
        levels: The levels of each categorical column, by its name. Defaults to `None`:
            all columns are numeric.
        float64: Names of the numeric columns whose values float32 does not tell apart.
            If there are any, the output is float64. Defaults to none.
        name: Name of the layer. Defaults to `None`: Keras chooses one.
        trainable: Has no effect: there are no weights. Defaults to `True`.
        dtype: Dtype or dtype policy of the output without float64 columns; `None` for
            the global policy. Defaults to `"float32"`, because raw columns do not fit
            into float16.

    Call arguments:
        inputs: A dict with a tensor of shape `(batch,)` for every name: strings for
            categorical columns, numbers for the others.

    Returns:
        A tensor of shape `(batch, columns)`.

    Raises:
        ValueError: If there are no names, a name is repeated, or levels or float64
            are given for an unknown name; in a call, if a column is missing.

    Example:
    >>> layer = RawColumns(["age", "sex"], {"sex": ["female", "male"]})
    >>> layer({"age": tf.constant([40.0]), "sex": tf.constant(["male"])})
    array([[40.,  1.]], dtype=float32)
    """

    def __init__(
        self,
        names: Sequence[str],
        levels: Mapping[str, Sequence[str]] | None = None,
        float64: Sequence[str] = (),
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: str | keras.DTypePolicy | None = "float32",
    ) -> None:
        super().__init__(name=name, trainable=trainable, dtype=dtype, autocast=False)
        levels = {} if levels is None else levels
        if not names or len(set(names)) < len(names):
            raise ValueError(f"`names` should be different names. Received: {names=}")
        if not set(levels) <= set(names):
            raise ValueError(
                "`levels` should be given for columns in `names`. "
                f"Received: {names=}, levels of {list(levels)}"
            )
        if not set(float64) <= set(names) - set(levels):
            raise ValueError(
                "`float64` should be names of numeric columns. "
                f"Received: {names=}, levels of {list(levels)}, float64={list(float64)}"
            )
        # Tuples, because Keras wraps lists and dicts and they come back changed.
        self.names = tuple(names)
        self.float64 = tuple(float64)
        self.levels = tuple((name, tuple(levels[name])) for name in levels)
        # One attribute each: before TensorFlow 2.21, an exported model loses tables
        # that are kept in a list.
        for number, (_, words) in enumerate(self.levels):
            setattr(self, f"table_{number}", _code_table(words))

    @property
    def tables(self) -> tuple[tf.lookup.StaticHashTable, ...]:
        """The lookup tables of the categorical columns, in their order."""
        return tuple(getattr(self, f"table_{i}") for i in range(len(self.levels)))

    def build(self, input_shape: Any) -> None:
        """Mark the layer as built: it has no weights."""
        self.built = True

    def call(self, inputs: Mapping[str, Any]) -> Any:
        """Gather the columns in `inputs` into a matrix `(batch, columns)`."""
        missing = [name for name in self.names if name not in inputs]
        if missing:
            raise ValueError(
                f"`inputs` should have every column. Received: inputs without {missing}"
            )
        tables = {
            name: t for (name, _), t in zip(self.levels, self.tables, strict=True)
        }
        dtype = "float64" if self.float64 else self.compute_dtype
        columns = [
            _look_up(tables[name], inputs[name], dtype)
            if name in tables
            else keras.ops.cast(inputs[name], dtype)
            for name in self.names
        ]
        return keras.ops.stack(columns, axis=-1)

    def compute_output_shape(
        self, input_shape: Mapping[str, tuple[int | None, ...]]
    ) -> tuple[int | None, ...]:
        """Return the shape `(batch, columns)`."""
        return (*input_shape[self.names[0]], len(self.names))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "names": list(self.names),
            "levels": {name: list(words) for name, words in self.levels},
            "float64": list(self.float64),
        }


def _code_table(levels: Sequence[str]) -> tf.lookup.StaticHashTable:
    # Whole numbers, because LiteRT has tables from strings to no others.
    codes = tf.range(len(levels), dtype=tf.int64)
    keys = tf.strings.strip(tf.constant(levels, tf.string, (len(levels),)))
    return tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(keys, codes), default_value=-1
    )


def _look_up(table: tf.lookup.StaticHashTable, texts: Any, dtype: str) -> Any:
    codes = table.lookup(tf.strings.strip(texts))
    nan = tf.constant(float("nan"), dtype)
    return tf.where(codes < 0, nan, tf.cast(codes, dtype))
