"""A column's cells, as numbers or texts for the model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf

from layers import cells
from layers.cells.levels import look_up, make_table
from recipes.errors import InputError, quote
from recipes.pipeline.datasets import Column
from recipes.pipeline.datasets.encoding import BLANKS, is_number
from recipes.pipeline.datasets.readers.table_source import NotNumbersError, Table


def to_numbers(
    name: str, values: pa.Array, dtype: Any, na_values: Sequence[str] = ()
) -> npt.NDArray[np.floating]:
    """Return a column's numbers, [n], NaN for a blank.

    Args:
        name: The column's name, for the error.
        values: Numbers, or texts in a dictionary.
        dtype: Of the result: float32 or float64.
        na_values: Texts that are blank, besides the usual ones.

    Raises:
        NotNumbersError: A cell is no number, or too large for the dtype.
    """
    if pa.types.is_dictionary(values.type):
        known = _parse(name, values.dictionary, na_values)
        found = known.to_numpy(zero_copy_only=False)
        found = np.append(found, np.nan)[_places(values)]
    else:
        found = values.to_numpy(zero_copy_only=False)
    with np.errstate(over="ignore"):
        found = found.astype(dtype, copy=False)
    found = blank_out(found, na_values)
    if np.isinf(found).any():
        raise NotNumbersError((name,))
    return np.asarray(found)


def blank_out(numbers: npt.NDArray[Any], na_values: Sequence[str]) -> npt.NDArray[Any]:
    """Replace numbers, [n], that are equal to one of the texts by NaN.

    As the model does: -999.0 is blank where -999 is.
    """
    blanks = [float(text) for text in _clean(na_values) if is_number(text)]
    is_blank = np.isin(numbers, np.array(blanks, numbers.dtype))
    return np.where(is_blank, np.nan, numbers) if is_blank.any() else numbers


def describe_fault(
    table: Table, dtypes: Mapping[str, Any], na_values: Mapping[str, Sequence[str]]
) -> InputError:
    """Find the first cell that is no number, or too large.

    Args:
        table: The table.
        dtypes: What the numbers of some columns have to fit into, by name. One of
            these columns has such a cell.
        na_values: Texts that are blank in a column, by name.
    """
    largest = {name: float(np.finfo(dtype).max) for name, dtype in dtypes.items()}
    for batch in table.read(dict.fromkeys(dtypes, "text")):
        for name in dtypes:
            blanks = {*cells.BLANKS, *na_values.get(name, ())}
            for text in batch[name].dictionary.to_pylist():
                bare = (text or "").strip()
                if bare in blanks:
                    continue
                fault = "" if is_number(bare) else "not a number"
                if not fault and abs(float(bare)) > largest[name]:
                    fault = "not finite or too large"
                if fault:
                    where = f"{table.where}, {table.locate(name, text)}"
                    return InputError(
                        f"{where}, column {quote(name)}: {quote(bare)} is {fault}"
                    )
    return InputError(f"{table.where}: a column of numbers has other cells")


@dataclass(frozen=True)
class Texts:
    """A column's cells that the model takes as texts.

    Attributes:
        tensor: What the model takes, [n]; "" for a cell without a value.
        blank: Which cells are blank, [n].
        other: Which cells are filled, but with no level of the column, or not in its
            format, [n].
        values: What the cells say, [n]: for categories the place of the level, where
            the number of levels stands for a blank and the next one for other texts;
            else numbers, NaN for blanks and others. None if the column is not known.
    """

    tensor: tf.Tensor
    blank: npt.NDArray[np.bool_]
    other: npt.NDArray[np.bool_]
    values: npt.NDArray[Any] | None


class TextColumn:
    """Reads a column's cells as the model does.

    Args:
        column: What is known of the column; None if nothing is.
    """

    def __init__(self, column: Column | None) -> None:
        self._column = column
        na_values = column.na_values if column else ()
        # As levels, placeholders such as "-" may say something.
        self._blanks = {*BLANKS, *_clean(na_values)}
        if column and column.levels:
            self._table = make_table(column.levels, na_values)

    def __call__(self, values: pa.Array) -> Texts:
        """Read cells, texts in a dictionary."""
        known = [text or "" for text in [*values.dictionary.to_pylist(), None]]
        places = _places(values)
        column = self._column
        tensor = tf.gather(tf.constant(known), places)
        if column and column.format:
            found = cells.parse_cells(known, column.format, column.na_values).numpy()
            blank = cells.is_blank(known, column.na_values).numpy()
            other = np.isnan(found) & ~blank
            return Texts(tensor, blank[places], other[places], found[places])
        blank = np.array([text in self._blanks for text in _clean(known)])
        if column is None or column.kind == "text":
            return Texts(tensor, blank[places], np.zeros(len(places), bool), None)
        levels = column.levels
        codes = look_up(self._table, known).numpy()
        is_level = ~np.isnan(codes)
        if "" in levels:
            is_level &= codes != levels.index("")
        blank, other = blank & ~is_level, ~blank & ~is_level
        codes[np.isnan(codes)] = len(levels)
        codes[other] = len(levels) + 1
        return Texts(
            tensor, blank[places], other[places], codes.astype(np.int64)[places]
        )


def _places(values: pa.Array) -> npt.NDArray[np.int32]:
    """Return each cell's place in the dictionary; a null's is behind its end."""
    return np.asarray(values.indices.fill_null(len(values.dictionary)).to_numpy())


def _clean(texts: Sequence[str]) -> list[str]:
    found = cells.clean(tf.constant(list(texts), tf.string, (len(texts),)))
    return [text.decode() for text in found.numpy()]


def _parse(name: str, texts: pa.Array, na_values: Sequence[str]) -> pa.Array:
    bare = pc.utf8_trim_whitespace(texts)
    blanks = pa.array([*cells.BLANKS, *na_values])
    filled = pc.if_else(pc.is_in(bare, blanks), None, bare)
    try:
        return filled.cast(pa.float64())
    except pa.ArrowInvalid:
        pass
    try:  # Arrow takes no plus sign
        return pc.replace_substring_regex(filled, r"^\+", "").cast(pa.float64())
    except pa.ArrowInvalid:
        raise NotNumbersError((name,)) from None
