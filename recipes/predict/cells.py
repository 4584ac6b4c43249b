"""A column's cells: as numbers or texts for the model, and what is peculiar in them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import tensorflow as tf

from recipes.errors import InputError, quote
from recipes.pipeline.datasets.encoding import BLANKS, is_blank, is_number
from recipes.pipeline.datasets.readers.table_source import NotNumbersError, Table

_BLANKS = pa.array(sorted(BLANKS))


def to_numbers(name: str, cells: pa.Array, dtype: Any) -> npt.NDArray[np.floating]:
    """Return a column's numbers, [n], NaN for a blank.

    Args:
        name: The column's name, for the error.
        cells: Numbers, or texts in a dictionary.
        dtype: Of the result: float32 or float64.

    Raises:
        NotNumbersError: A cell is no number, or too large for the dtype.
    """
    if pa.types.is_dictionary(cells.type):
        numbers = _parse(name, cells.dictionary).to_numpy(zero_copy_only=False)
        indices = cells.indices.fill_null(len(numbers)).to_numpy()
        values = np.append(numbers, np.nan)[indices]
    else:
        values = cells.to_numpy(zero_copy_only=False)
    with np.errstate(over="ignore"):
        values = values.astype(dtype, copy=False)
    if np.isinf(values).any():
        raise NotNumbersError((name,))
    return np.asarray(values)


def _parse(name: str, texts: pa.Array) -> pa.Array:
    bare = pc.ascii_trim_whitespace(texts)
    filled = pc.if_else(pc.is_in(bare, _BLANKS), None, bare)
    try:
        return filled.cast(pa.float64())
    except pa.ArrowInvalid:
        raise NotNumbersError((name,)) from None


def describe_fault(table: Table, columns: Mapping[str, Any]) -> InputError:
    """Find the first cell of columns that is no number, or too large.

    Args:
        table: The table.
        columns: The dtypes that the cells of some columns have to fit into, by name.
    """
    largest = {name: float(np.finfo(dtype).max) for name, dtype in columns.items()}
    for batch in table.read(dict.fromkeys(columns, "text")):
        for name in columns:
            for text in batch[name].dictionary.to_pylist():
                if text is None or is_blank(text):
                    continue
                fault = "" if is_number(text) else "not a number"
                if not fault and abs(float(text)) > largest[name]:
                    fault = "not finite or too large"
                if fault:
                    where = f"{table.where}, {table.locate(name, text)}"
                    return InputError(
                        f"{where}, column {quote(name)}: {quote(text.strip())} is "
                        f"{fault}"
                    )
    return InputError(f"{table.where}: columns with cells that are no numbers")


@dataclass(frozen=True)
class Texts:
    """A column of texts.

    Attributes:
        tensor: As the model takes them, [n], "" for a cell without a value.
        blank: Which cells are blank, [n].
        codes: The places of the texts among the column's levels, [n]: then the number
            of levels stands for a blank, the next one for other texts. None if the
            levels are not known.
    """

    tensor: tf.Tensor
    blank: npt.NDArray[np.bool_]
    codes: npt.NDArray[np.int64] | None


def to_texts(cells: pa.Array, levels: Sequence[str], na_values: Sequence[str]) -> Texts:
    """Return a column's texts.

    Args:
        cells: Texts in a dictionary.
        levels: The column's levels; none if they are not known.
        na_values: Texts that mean blank, besides the usual ones.
    """
    known = [text or "" for text in [*cells.dictionary.to_pylist(), None]]
    indices = cells.indices.fill_null(len(known) - 1).to_numpy()  # a null is the last
    bare = pc.ascii_trim_whitespace(pa.array(known, pa.string()))
    blank = pc.is_in(bare, pa.array([*BLANKS, *na_values])).to_numpy(
        zero_copy_only=False
    )
    codes = None
    if levels:
        places = pc.index_in(bare, pa.array(levels, pa.string()))
        codes = places.fill_null(len(levels) + 1).to_numpy().astype(np.int64)
        blank_code = levels.index("") if "" in levels else len(levels)
        codes = np.where(blank, blank_code, codes)[indices]
    return Texts(tf.gather(tf.constant(known), indices), blank[indices], codes)
