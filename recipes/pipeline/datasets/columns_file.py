"""`columns.json`: what a run knows of its table's columns, to be read by other runs.

It says how each column is read, and how its values are distributed over the training
rows. People may edit it, so whatever it holds is checked.
"""

import dataclasses
import json
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from layers import cells
from recipes.checks.suggestions import suggest
from recipes.errors import InputError, quote, shorten
from recipes.pipeline.datasets.description import Column
from recipes.pipeline.datasets.training_distribution import Distribution

NAME = "columns.json"
# How a text table is divided into cells; all or nothing.
_LAYOUT = {
    "separator": (str, "a character"),
    "encoding": (str, "the name of an encoding"),
    "header": (bool, "true or false"),
}
_KEYS = ("table", "target", "training_rows", "columns")
# The texts are rows, not what is known of them.
_FIELDS = tuple(f.name for f in dataclasses.fields(Column) if f.name != "texts")
# The fields whose values are words, each with those that it may have.
_WORDS = {
    name: typing.get_args(hint)
    for name, hint in typing.get_type_hints(Column).items()
    if typing.get_origin(hint) is typing.Literal
}


@dataclass(frozen=True)
class ColumnsFile:
    """The content of `columns.json`.

    Attributes:
        columns: The input columns, in the order of the table.
        target: The target column; its levels are the classes.
        training: The distribution of each column's values over the training rows, by
            name; columns may be absent.
        training_rows: Rows that the distributions are of.
        table: How the table was read.
    """

    columns: tuple[Column, ...]
    target: Column
    training: Mapping[str, Distribution] = dataclasses.field(default_factory=dict)
    training_rows: int = 0
    table: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def columns_text(content: ColumnsFile) -> str:
    """Return the text of `columns.json`, an entry a line."""
    entries = []
    for column in content.columns:
        entry = _as_entry(column)
        if column.name in content.training:
            entry["training"] = content.training[column.name].to_json()
        entries.append(f"    {_as_json(entry)}")
    listed = ",\n".join(entries)
    return (
        f'{{\n  "table": {_as_json(content.table)},\n'
        f'  "target": {_as_json(_as_entry(content.target))},\n'
        f'  "training_rows": {content.training_rows},\n'
        f'  "columns": [\n{listed}\n  ]\n}}\n'
    )


def read_columns(path: Path) -> ColumnsFile:
    """Read a `columns.json`, which a user may have edited.

    Raises:
        InputError: It cannot be read, or an entry is wrong; the message names the file
            and the entry.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise InputError(f"{path}, {where}: not JSON: {error.msg}") from None
    except (ValueError, RecursionError):
        raise InputError(f"{path}: not JSON in UTF-8") from None
    try:
        return _read_content(content)
    except _EntryError as error:
        raise InputError(f"{path}: {error}") from None


class _EntryError(Exception):
    """An entry is wrong: which one, what it is, and what it should be."""


def _read_content(content: Any) -> ColumnsFile:
    _check_keys(content, "the file", _KEYS, ("target", "columns"))
    rows, table = content.get("training_rows", 0), content.get("table", {})
    if type(rows) is not int or rows < 0:
        raise _wrong("training_rows", rows, "a number of rows")
    if not isinstance(table, dict):
        raise _wrong("table", table, "an object")
    if table:
        _check_keys(table, "table", tuple(_LAYOUT), tuple(_LAYOUT))
    for key, (kind, expected) in _LAYOUT.items():
        if table and not isinstance(table[key], kind):
            raise _wrong(f"table.{key}", table[key], expected)
    listed = content["columns"]
    if not isinstance(listed, list) or not listed:
        raise _wrong("columns", listed, "a list with an entry for each column")
    target = _read_column(content["target"], "target")
    columns, training = [], {}
    names = {target.name: "target"}
    for place, entry in enumerate(listed):
        where = f"columns[{place}]"
        others = dict(entry) if isinstance(entry, dict) else entry
        values = others.pop("training", None) if isinstance(entry, dict) else None
        column = _read_column(others, where)
        if other := names.get(column.name):
            raise _EntryError(
                f"{where}.name is {quote(column.name)}, which {other} is called, too; "
                "names should be different"
            )
        names[column.name] = where
        columns.append(column)
        if values is not None:
            try:
                training[column.name] = Distribution.from_json(values, column.levels)
            except ValueError as error:
                raise _EntryError(f"{where}.training: {error}") from None
    return ColumnsFile(tuple(columns), target, training, rows, table)


def _read_column(entry: Any, where: str) -> Column:
    """Read a column's entry; what it leaves out has its default.

    Raises:
        _EntryError: A value is wrong, or the entry has no name.
    """
    _check_keys(entry, where, _FIELDS, ("name",))
    values = {}
    for name, value in entry.items():
        place = f"{where}.{name}"
        if name in _WORDS:
            if not isinstance(value, str) or value not in _WORDS[name]:
                raise _wrong(place, value, " or ".join(_WORDS[name]), _WORDS[name])
        elif name in ("levels", "na_values"):
            if not _are_different_texts(value):
                raise _wrong(place, value, "a list of different texts")
            value = tuple(value)
        elif not isinstance(value, str):
            raise _wrong(place, value, "a text")
        values[name] = value
    column = Column(**values)
    try:
        cells.check_format(column.format)
    except ValueError:
        raise _wrong(
            f"{where}.format",
            column.format,
            "an example of 1000.0 or 1.0 as it is written, such as $1,000.0, or a "
            "pattern of dates, such as %d/%m/%Y",
        ) from None
    if not column.name:
        raise _wrong(f"{where}.name", "", "the column's name")
    if column.kind == "categorical" and not column.levels:
        raise _EntryError(f"{where}.levels is missing; list the column's levels")
    for name in ("levels", "format"):
        if column.kind == "text" and getattr(column, name):
            raise _EntryError(f"{where}.{name} is of no use to free text; remove it")
    if column.kind == "date" and not column.format:
        raise _EntryError(f"{where}.format is missing; say how the dates are written")
    return column


def _check_keys(
    entry: Any, where: str, known: tuple[str, ...], needed: tuple[str, ...]
) -> None:
    if not isinstance(entry, dict):
        raise _wrong(where, entry, "an object")
    for key in entry:
        if key not in known:
            hint = suggest(key, known, "'{}'") or f"; known: {' '.join(known)}"
            raise _EntryError(f"{where} has an unknown entry {quote(key)}{hint}")
    for key in needed:
        if key not in entry:
            raise _EntryError(f"{where} lacks the entry {quote(key)}")


def _are_different_texts(value: Any) -> bool:
    return (
        isinstance(value, list)
        and all(isinstance(text, str) for text in value)
        and len(set(value)) == len(value)
    )


def _wrong(
    where: str, value: Any, expected: str, words: tuple[str, ...] = ()
) -> _EntryError:
    near = suggest(value, words) if isinstance(value, str) else ""
    shown = shorten(_as_json(value))
    return _EntryError(f"{where} is {shown}{near}; it should be {expected}")


def _as_entry(column: Column) -> dict[str, Any]:
    return {name: getattr(column, name) for name in _FIELDS}


def _as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
