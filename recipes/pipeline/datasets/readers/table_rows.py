"""One pass over a table: its cells as numbers and codes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from recipes.errors import InputError, quote, shorten
from recipes.pipeline.datasets.encoding import is_number
from recipes.pipeline.datasets.in_place_matrix import (
    GrowingMatrix,
    find_first_infinite,
)
from recipes.pipeline.datasets.precision import GrowingFeatures
from recipes.pipeline.datasets.readers.column_kinds import Reading, are_blank, parse
from recipes.pipeline.datasets.readers.table_source import CellType, Table
from recipes.pipeline.datasets.readers.text_codes import TextCodes

Vector = npt.NDArray[np.float64]

_LARGEST = {True: float(np.finfo(np.float64).max), False: float(np.finfo("f4").max)}


class MisfitError(Exception):
    """Cells of some columns do not have the format of the others.

    Args:
        columns: Their names.
    """

    def __init__(self, columns: tuple[str, ...]) -> None:
        super().__init__(", ".join(columns))
        self.columns = columns


@dataclass(frozen=True)
class Rows:
    """What a pass over a table finds.

    Attributes:
        names: The columns of the features.
        features: [n, d]; codes where a column is not read as numbers or dates.
        target: [n], likewise.
        texts: The texts that codes stand for, by column.
        unlabelled: The number of rows left out, as their target is blank.
    """

    names: tuple[str, ...]
    features: npt.NDArray[np.floating]
    target: Vector
    texts: Mapping[str, TextCodes]
    unlabelled: int


def read_rows(
    table: Table,
    readings: Mapping[str, Reading],
    target: str,
) -> Rows:
    """Read a table's cells.

    Args:
        table: The table.
        readings: How each column is read; those that are dropped are not.
        target: The name of the target; rows without it are left out.

    Raises:
        NotNumbersError: Columns of plain numbers have other cells.
        MisfitError: Columns of formatted numbers or dates do.
        InputError: A number is not finite or too large, or the table is malformed.
    """
    used = [name for name in table.names if not readings[name].dropped]
    names = tuple(name for name in used if name != target)
    texts = {
        name: TextCodes(readings[name].na_values)
        for name in used
        if is_coded(readings[name])
    }
    dates = np.array([readings[name].kind == "date" for name in names], bool)
    features = GrowingFeatures(len(names), exact=dates)
    labels, unlabelled = GrowingMatrix(1, np.float64), 0
    types: dict[str, CellType] = {
        name: "number" if _are_numbers(readings[name]) else "text"
        for name in (*names, target)
    }
    misfits: dict[str, None] = {}
    for batch in table.read(types):
        columns: dict[str, Vector] = {}
        for name in types:
            if name in texts:
                columns[name] = texts[name].encode(batch[name])
            else:
                columns[name], fits = _decode(batch[name], readings[name])
                misfits |= {} if fits else {name: None}
        if misfits:
            continue  # to find all of them
        label = columns.pop(target)
        block = (
            np.stack([*columns.values()], axis=1)
            if names
            else np.empty((len(label), 0))
        )
        if (place := find_first_infinite(block)) is not None:
            name = names[place[1]]
            raise _describe_infinite(table, name, readings[name], is_target=False)
        if np.isinf(label).any():
            raise _describe_infinite(table, target, readings[target], is_target=True)
        known = ~np.isnan(label)
        unlabelled += int((~known).sum())
        features.append(block if known.all() else block[known])
        labels.append(label[known])
    if misfits:
        raise MisfitError(tuple(misfits))
    return Rows(
        names, features.finish(), labels.finish().reshape(-1), texts, unlabelled
    )


def _are_numbers(reading: Reading) -> bool:
    """Return whether the table itself can read a column's cells as numbers."""
    is_plain = reading.kind == "numeric" and not (reading.format or reading.odd)
    return is_plain and not reading.as_text and all(map(is_number, reading.na_values))


def is_coded(reading: Reading) -> bool:
    """Return whether a column's texts are numbered, to be decided on at the end."""
    return reading.kind in ("categorical", "text") or bool(reading.odd)


def locate(
    table: Table, name: str, is_wrong: Callable[[list[str]], Sequence[bool]]
) -> tuple[str, str]:
    """Return the first text of a column that is wrong, and its place.

    Args:
        table: The table.
        name: The column's.
        is_wrong: Says of each of some texts whether it is wrong.
    """
    for batch in table.read({name: "text"}):
        column = batch[name]
        texts = [text or "" for text in column.dictionary.to_pylist()]
        wrong = np.append(np.asarray(is_wrong(texts), bool), False)
        places = column.indices.fill_null(len(texts)).to_numpy()
        found = np.flatnonzero(wrong[places])
        if len(found):
            text = texts[places[found[0]]]
            return text, table.locate(name, text)
    raise ValueError(f"{name} has no wrong text")


def _decode(column: Any, reading: Reading) -> tuple[Vector, bool]:
    """Return a column's numbers, NaN for a blank, and whether all texts were such."""
    fits = True
    if isinstance(column, pa.DictionaryArray):
        texts = [text or "" for text in column.dictionary.to_pylist()]
        numbers = np.append(parse(texts, reading), np.nan)
        blank = are_blank(texts, reading.na_values)
        fits = not np.any(np.isnan(numbers[:-1]) & ~blank)
        values = numbers[column.indices.fill_null(len(texts)).to_numpy()]
    else:
        values = np.asarray(column.to_numpy(zero_copy_only=False))
    marks = [float(text) for text in reading.na_values if is_number(text)]
    if marks and not reading.format:  # as the SavedModel, which gets numbers
        values = np.where(np.isin(values, marks), np.nan, values)
    return values, fits


def _describe_infinite(
    table: Table, name: str, reading: Reading, *, is_target: bool
) -> InputError:
    """Return the error for a number that a float cannot hold."""

    def is_wrong(texts: list[str]) -> Any:
        return np.abs(parse(texts, reading)) > _LARGEST[is_target]

    text, place = locate(table, name, is_wrong)
    return InputError(
        f"{table.where}, {place}, column {quote(name)}: {quote(shorten(text.strip()))} "
        "is not finite or too large"
    )
