"""Tables with a JSON object on each line."""

import io
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.json
from pyarrow import types

from recipes.errors import InputError, quote
from recipes.pipeline.datasets.readers import files
from recipes.pipeline.datasets.readers.arrow_table import ArrowTable

_BLOCK_BYTES = 8 << 20
_EXPECTED = """expected an object on each line, such as {"area": 38, "rent": 520}"""


def open_json_lines(path: Path) -> ArrowTable:
    """Open a table, whose columns are the fields of any of its objects.

    A field that an object lacks has no value there. Texts stay texts, also those that
    look like dates.

    Raises:
        InputError: A line holds no object.
    """

    def scan(names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        for line, block in _read_blocks(path):
            rows = _parse(path, line, block)
            missing = pa.nulls(rows.num_rows)
            known = set(rows.column_names)
            columns = [rows[name] if name in known else missing for name in names]
            yield from pa.table(columns, names=list(names)).to_batches()

    fields: dict[str, pa.DataType] = {}  # in the order of their first appearance
    for line, block in _read_blocks(path):
        for field in _parse(path, line, block).schema:
            fields.setdefault(field.name, field.type)
    if not fields:
        raise InputError(f"{path} has no rows; {_EXPECTED}")
    return ArrowTable(
        files.strip_suffixes(path),
        str(path),
        pa.schema(list(fields.items())),
        scan,
        name_row=lambda place: f"line {_find_line(path, place)}",
    )


def _read_blocks(path: Path) -> Iterator[tuple[int, bytes]]:
    with files.open_decompressed(path) as stream:
        for line, block in files.read_whole_lines(path, stream, _BLOCK_BYTES):
            yield line, block.removeprefix(b"\xef\xbb\xbf") if line == 1 else block


def _find_line(path: Path, place: int) -> int:
    """Return the line of the row at a place, from 0: blank lines are no rows."""
    for first, block in _read_blocks(path):
        for line, text in enumerate(block.split(b"\n"), first):
            place -= bool(text.strip())
            if place < 0:
                return line
    raise IndexError


def _parse(path: Path, line: int, block: bytes) -> pa.Table:
    """Parse a block of lines, quickly if Arrow finds a type for each column."""
    try:
        rows = pa.json.read_json(io.BytesIO(block), _whole(block))
        names = rows.column_names
        dates = [f.name for f in rows.schema if types.is_timestamp(f.type)]
        if dates:  # they were texts
            texts = pa.schema([(name, pa.string()) for name in dates])
            options = pa.json.ParseOptions(explicit_schema=texts)
            rows = pa.json.read_json(io.BytesIO(block), _whole(block), options)
            rows = rows.select(names)
        if rows.num_rows == sum(map(bool, map(bytes.strip, block.split(b"\n")))):
            return rows
    except pa.ArrowInvalid:
        pass
    return _parse_lines(path, line, block)


def _whole(block: bytes) -> pa.json.ReadOptions:
    """Return options with which a block of lines is parsed as one."""
    return pa.json.ReadOptions(block_size=len(block) + 1)


def _parse_lines(path: Path, first: int, block: bytes) -> pa.Table:
    """Parse a block line by line, with columns of several types as texts.

    Raises:
        InputError: A line holds no object; the message names it.
    """
    rows = []
    for line, text in enumerate(block.split(b"\n"), first):
        if text.strip():
            try:
                row = json.loads(text, object_pairs_hook=_make_object)
                fault = "" if isinstance(row, dict) else "no object"
            except (ValueError, RecursionError) as error:
                fault = str(error).split(":")[0]
            if fault:
                raise InputError(f"{path}, line {line}: {fault}; {_EXPECTED}")
            rows.append(row)
    names = dict.fromkeys(name for row in rows for name in row)
    return pa.table(
        {name: _make_column([row.get(name) for row in rows]) for name in names}
    )


def _make_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{quote(twice)} is there twice")
    return found


def _make_column(values: list[Any]) -> pa.Array:
    kinds = {type(value) for value in values} - {type(None)}
    for nested, kind in ((dict, pa.struct([])), (list, pa.list_(pa.null()))):
        if nested in kinds:
            empty: Any = nested()
            return pa.array(
                [empty if type(v) is nested else None for v in values], kind
            )
    if kinds <= {int, float}:
        numbers = [None if value is None else _widen(value) for value in values]
        return pa.array(numbers, pa.float64())
    if len(kinds) == 1:
        return pa.array(values)
    return pa.array([None if v is None else _write(v) for v in values], pa.string())


def _widen(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _write(value: Any) -> str:
    is_whole = isinstance(value, float) and value.is_integer()
    return str(int(value) if is_whole else value)
