"""What a table's columns hold: decided from all different texts of a column."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from layers import cells
from recipes.errors import InputError, quote, shorten
from recipes.pipeline.datasets import encoding
from recipes.pipeline.datasets.description import Kind
from recipes.pipeline.datasets.readers.date_formats import detect_date_format
from recipes.pipeline.datasets.readers.number_formats import detect_number_format

# A column that is not numbers throughout holds categories if it has few different
# texts, such as 0, 1, 2 and 3+, or if many cells are no numbers. Otherwise a cell that
# is no number is a slip of the pen.
_FEW_TEXTS = 20
_ODD_SHARE = 0.05
_DIGITS = re.compile(r"\d+(?:[.,' ]\d+)*")
_MOST_CODES = 100  # of whole numbers with zeros before them, as postcodes have

Wanted = Literal["", "numeric", "categorical"]


@dataclass(frozen=True)
class Reading:
    """How a column is read.

    Attributes:
        kind: What it holds.
        format: As in `Column.format`.
        dropped: Why it is left out; empty if it is not.
        note: What a user should know of the decision; may be empty.
        odd: Texts of a numeric column that are no numbers: mistakes.
        na_values: Texts that mean "not known", besides the usual ones.
        as_text: Whether plain numbers are to be read from the cells' texts.
    """

    kind: Kind
    format: str = ""
    dropped: str = ""
    note: str = ""
    odd: tuple[str, ...] = ()
    na_values: tuple[str, ...] = ()
    as_text: bool = False


@dataclass(frozen=True)
class Texts:
    """The different texts of a column, cleaned, with the number of their cells.

    Attributes:
        name: The column's.
        counts: By text; no blanks.
        wanted: The kind that the user names.
        decimal: The decimal sign that the user names.
        prefers_comma: As of `detect_number_format`.
        is_needed: Whether it is never left out, as the target is.
        na_values: Texts that mean "not known", besides the usual ones.
    """

    name: str
    counts: Mapping[str, int]
    wanted: Wanted = ""
    decimal: str = ""
    prefers_comma: bool = False
    is_needed: bool = False
    na_values: tuple[str, ...] = ()


def decide(column: Texts) -> Reading:
    """Decide what a column holds, and how it is read."""
    return replace(_decide(column), na_values=column.na_values)


def _decide(column: Texts) -> Reading:
    texts = list(column.counts)
    if not texts:
        return Reading("numeric", dropped="blank in all rows")
    if column.wanted == "categorical":
        return Reading("categorical")
    plain = [text for text in texts if encoding.is_number(text)]
    if len(plain) == len(texts) and column.decimal != ",":
        return _decide_numbers(column, plain)
    reading = _decide_formatted(column, texts)
    if reading:
        return reading
    if column.wanted == "numeric" or _are_slips(column, plain):
        known = set(plain)
        return Reading("numeric", odd=tuple(t for t in texts if t not in known))
    return _decide_by_most(column) or _decide_texts(column)


def _decide_numbers(column: Texts, texts: Sequence[str]) -> Reading:
    if not column.wanted and all(len(t) == 8 and t.isdigit() for t in texts):
        dated, _ = detect_date_format(column.name, texts)
        if dated:
            return Reading("date", dated, note=_describe_dates(column.name, dated))
    codes = [t for t in texts if len(t) > 1 and t[0] == "0" and t.isdigit()]
    if column.wanted or not codes:
        return Reading("numeric")
    if len(texts) <= _MOST_CODES:
        return Reading(
            "categorical",
            note=f"{quote(column.name)} has numbers such as {shorten(codes[0])}, which "
            "are names: they are taken as categories",
        )
    note = ""
    if pair := _find_equal_codes(codes, texts):
        note = f"{quote(column.name)}: {pair[0]} and {pair[1]} are equal as numbers"
    return Reading("numeric", note=note)


def _decide_formatted(column: Texts, texts: Sequence[str]) -> Reading | None:
    name = quote(column.name)
    found, is_guess = detect_number_format(
        texts, decimal=column.decimal, prefers_comma=column.prefers_comma
    )
    if found:
        note = f"{name}: numbers written as {found}"
        if is_guess:
            note += f", so {shorten(texts[0])} is {_parse(texts[0], found):.12g}; "
            note += "--decimal says which sign comes before decimals"
        return Reading("numeric", found, note=note)
    if column.wanted:
        return None
    found, other = detect_date_format(column.name, texts)
    if not found:
        return None
    return Reading("date", found, note=_describe_dates(column.name, found, other))


def _describe_dates(name: str, found: str, other: str = "") -> str:
    note = f"{quote(name)}: dates written as {found}"
    if other:
        note += f"; they may be {other} as well, which none of them tells"
        note += ": --columns changes it"
    return note


def _decide_by_most(column: Texts) -> Reading | None:
    """Decide on formatted numbers and dates of which a few are something else."""
    shapes: dict[str, list[str]] = {}
    for text in column.counts:
        shapes.setdefault(_DIGITS.sub("0", text), []).append(text)
    most = max(shapes.values(), key=len)
    if column.wanted or not _are_slips(column, most):
        return None
    reading = _decide_formatted(column, most)
    known = set(most)
    odd = tuple(text for text in column.counts if text not in known)
    return reading and replace(reading, odd=odd)


def _parse(text: str, written: str) -> float:
    return float(cells.parse_numbers([text], written).numpy()[0])


def _are_slips(column: Texts, most: Sequence[str]) -> bool:
    """Return whether all texts but most of them, which are alike, are mistakes."""
    total = sum(column.counts.values())
    numbers = sum(column.counts[text] for text in most)
    return len(column.counts) > _FEW_TEXTS and total - numbers <= max(
        1, _ODD_SHARE * total
    )


def _decide_texts(column: Texts) -> Reading:
    filled = sum(column.counts.values())
    if column.is_needed or not encoding.is_too_varied(len(column.counts), filled):
        return Reading("categorical")
    if encoding.is_prose(column.counts):
        return Reading("text")
    return Reading("categorical", dropped="too many different texts")


def _find_equal_codes(
    codes: Sequence[str], texts: Sequence[str]
) -> tuple[str, str] | None:
    """Return two whole numbers that differ in the zeros before them, if any."""
    known = set(texts)
    for code in codes:
        if (bare := code.lstrip("0") or "0") in known:
            return code, bare
    return None


def describe_slips(
    name: str,
    reading: Reading,
    counts: Mapping[str, int],
    where: str,
    place: str,
    *,
    is_target: bool,
) -> InputError:
    """Return the error for a column of numbers with cells that are none.

    Args:
        name: The column's.
        reading: With the `odd` texts.
        counts: The number of cells by text.
        where: The file.
        place: Where the first odd text stands, such as "line 57".
        is_target: Whether it is the target.
    """
    first = reading.odd[0]
    cells_in_all = sum(counts.values())
    number = sum(counts[text] for text in reading.odd)
    what = "a date" if reading.kind == "date" else "a number"
    what += f" written as {reading.format}" if reading.format else ""
    unknown = f"--na_values={shorten(first)}"
    if is_target:
        remedy = f"{unknown}, which leaves such rows out"
    else:
        name = shorten(name)
        remedy = f"{unknown} (not known), --categorical={name} or --drop={name}"
    return InputError(
        f"{where}, {place}, column {quote(name)}: {quote(first)} is not {what}, as "
        f"{number} of {cells_in_all:,} cells are not; correct it, or use {remedy}"
    )


def parse(texts: Sequence[str], reading: Reading) -> np.ndarray:
    """Return the numbers, or days since 1970-01-01, of formatted texts; NaN for blanks.

    It is what the SavedModel does.

    Args:
        texts: [n] cells as they stand in the file.
        reading: How they are read.
    """
    numbers = cells.parse_cells(list(texts), reading.format, reading.na_values)
    return np.asarray(numbers.numpy())


def are_blank(texts: Sequence[str], na_values: Sequence[str]) -> np.ndarray:
    """Return which cells are blank, [n]."""
    return np.asarray(cells.is_blank(list(texts), na_values).numpy())
