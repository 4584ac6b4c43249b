"""The layer that gathers named raw columns into one matrix."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from layers import cells
from layers.cells.levels import look_up, make_table


@keras.saving.register_keras_serializable("descent_recipes")
class RawColumns(keras.layers.Layer):
    """Gathers a table's named columns into a matrix of numbers.

    Numeric columns pass unchanged. A categorical column holds texts; the layer maps
    each to its index in the list of levels, or to NaN if it is not in the list. A
    column with a format holds texts, too, which become numbers, or days since
    1970-01-01, or NaN where they do not fit. White space and double quotes around
    texts do not matter. A column of free text is NaN in the matrix; `read_texts` has
    the texts.

    Args:
        names: Names of the columns, different strings, in the order of the matrix.
        levels: The levels of each categorical column, by its name; "" among them stands
            for blanks. Defaults to `None`: no column is categorical.
        float64: Names of the numeric columns, and of those with a format, whose values
            float32 does not tell apart. If there are any, the output is float64.
            Defaults to none.
        formats: How the texts of a column are written, by its name: an example of a
            number, such as `"$1,000.0"`, or a pattern of dates, such as
            `"%d/%m/%Y %H:%M"`; see `layers.cells`. Defaults to `None`: all columns
            without levels hold numbers.
        na_values: Texts that stand for a blank, by the column's name, besides those
            that do in all columns. In a column of numbers, they are numbers. Defaults
            to `None`: there are no others.
        free_texts: Names of the columns of free text. Defaults to none.
        name: Name of the layer. Defaults to `None`: Keras chooses one.
        trainable: Has no effect: there are no weights. Defaults to `True`.
        dtype: Dtype or dtype policy of the output without float64 columns; `None` for
            the global policy. Defaults to `"float32"`, because raw columns do not fit
            into float16.

    Call arguments:
        inputs: A dict with a tensor of shape `(batch,)` for every name: strings for
            columns with levels, a format or free text, numbers for the others.

    Returns:
        A tensor of shape `(batch, columns)`.

    Raises:
        ValueError: If there are no names, a name is repeated, an argument is given for
            a column that it does not suit, or a format does not exist; in a call, if a
            column is missing.

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
        formats: Mapping[str, str] | None = None,
        na_values: Mapping[str, Sequence[str]] | None = None,
        free_texts: Sequence[str] = (),
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: str | keras.DTypePolicy | None = "float32",
    ) -> None:
        super().__init__(name=name, trainable=trainable, dtype=dtype, autocast=False)
        levels, formats, na_values = levels or {}, formats or {}, na_values or {}
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
        if not set(formats) <= set(names) - set(levels):
            raise ValueError(
                "`formats` should be given for columns in `names` without levels. "
                f"Received: {names=}, levels of {list(levels)}, {formats=}"
            )
        if not set(na_values) <= set(names):
            raise ValueError(
                "`na_values` should be given for columns in `names`. "
                f"Received: {names=}, {na_values=}"
            )
        if not set(free_texts) <= set(names) - {*levels, *formats, *float64}:
            raise ValueError(
                "`free_texts` should be names of columns without levels or a format. "
                f"Received: {names=}, levels of {list(levels)}, {formats=}, "
                f"float64={list(float64)}, free_texts={list(free_texts)}"
            )
        for format in formats.values():
            cells.check_format(format)
        # Tuples, because Keras wraps lists and dicts and they come back changed.
        self.names = tuple(names)
        self.float64 = tuple(float64)
        self.levels = tuple((name, tuple(levels[name])) for name in levels)
        self.formats = tuple(formats.items())
        self.na_values = tuple((name, tuple(na_values[name])) for name in na_values)
        self.free_texts = tuple(free_texts)
        # One attribute each: before TensorFlow 2.21, an exported model loses tables
        # that are kept in a list.
        for number, (name, words) in enumerate(self.levels):
            table = make_table(words, na_values.get(name, ()))
            setattr(self, f"table_{number}", table)

    @property
    def tables(self) -> tuple[tf.lookup.StaticHashTable, ...]:
        """The lookup tables of the categorical columns, in their order."""
        return tuple(getattr(self, f"table_{i}") for i in range(len(self.levels)))

    @property
    def texts(self) -> tuple[str, ...]:
        """The names of the columns that hold texts."""
        return (*(name for name, _ in (*self.levels, *self.formats)), *self.free_texts)

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
        dtype = "float64" if self.float64 else self.compute_dtype
        columns = [
            keras.ops.cast(self._read(name, inputs[name]), dtype) for name in self.names
        ]
        return keras.ops.stack(columns, axis=-1)

    def read_texts(self, inputs: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return the columns of free text, `(batch,)` each, "" for a blank."""
        na_values = dict(self.na_values)
        return tuple(
            cells.blank_out(inputs[name], na_values.get(name, ()))
            for name in self.free_texts
        )

    def _read(self, name: str, column: Any) -> Any:
        """Read a column's cells as numbers, with the digits that the column has."""
        if name in self.free_texts:
            return tf.fill(tf.shape(column), float("nan"))
        tables = {
            name: t for (name, _), t in zip(self.levels, self.tables, strict=True)
        }
        if name in tables:
            return look_up(tables[name], column)
        format, na_values = dict(self.formats).get(name), dict(self.na_values)
        if format is not None:
            column = cells.parse_cells(column, format, na_values.get(name, ()))
        dtype = "float64" if name in self.float64 else self.compute_dtype
        numbers = keras.ops.cast(column, dtype)
        if format is None and name in na_values:
            numbers = _blank_out(numbers, na_values[name])
        return numbers

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
            "formats": dict(self.formats),
            "na_values": {name: list(words) for name, words in self.na_values},
            "free_texts": list(self.free_texts),
        }


def _blank_out(numbers: Any, na_values: Sequence[str]) -> Any:
    """Replace the numbers that are equal to one of the texts by NaN."""
    blanks = tf.cast(cells.parse_numbers(na_values), numbers.dtype)
    is_blank = tf.reduce_any(numbers[..., tf.newaxis] == blanks, axis=-1)
    return tf.where(is_blank, tf.constant(float("nan"), numbers.dtype), numbers)
