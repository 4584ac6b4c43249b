"""Sheets of Excel and LibreOffice Calc."""

import datetime
from collections.abc import Iterator, Sequence
from itertools import repeat
from pathlib import Path
from typing import Any

import pyarrow as pa

from recipes.errors import InputError, quote
from recipes.pipeline.datasets import source
from recipes.pipeline.datasets.readers import files
from recipes.pipeline.datasets.readers.arrow_table import (
    ArrowTable,
    choose_batch_rows,
    count_from_one,
)

_DATES = {datetime.date, datetime.datetime}


def open_spreadsheet(path: Path) -> ArrowTable:
    """Open the first sheet that has rows, which is read into memory.

    The first row that is not empty has the columns' names, unless it holds numbers
    only. Empty rows and columns are left out.

    Raises:
        InputError: The file is damaged, or has no such sheet; the package that reads it
            is missing.
    """
    sheet, others, rows = _read_sheet(path)
    where = f"{path}, sheet {quote(sheet)}"
    numbers = [number for number, row in enumerate(rows, 1) if _is_filled(row)]
    filled = [rows[number - 1] for number in numbers]
    header = _has_header(where, filled[0])
    titles = filled[0] if header else [""] * len(filled[0])
    body = filled[header:]
    cells = zip(*body, strict=True) if body else repeat(())
    columns = [
        (title, values)
        for title, values in zip(titles, cells, strict=False)
        if title != "" or _is_filled(values)
    ]
    table = pa.Table.from_arrays(
        [_make_column(values) for _, values in columns],
        names=[
            str(title).strip() if header else f"x{number}"
            for number, (title, _) in enumerate(columns, 1)
        ],
    )

    def scan(names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        batch_rows = choose_batch_rows(len(names))
        yield from table.select(list(names)).to_batches(max_chunksize=batch_rows)

    left_out = source.quote_first_five(others)
    notes = [f"of the sheets, {quote(sheet)} is read; left out: {left_out}"]
    return ArrowTable(
        files.strip_suffixes(path),
        where,
        table.schema,
        scan,
        name_row=lambda place: count_from_one(numbers[place + header] - 1),
        header=header,
        notes=tuple(notes if others else ()),
    )


def _read_sheet(path: Path) -> tuple[str, list[str], list[list[Any]]]:
    """Return a sheet's name, those of others with rows, and its rows from the top."""
    try:
        import python_calamine
    except ImportError:
        raise InputError(
            f"{path}: spreadsheets need the package python-calamine; "
            "pip install 'descent-recipes[xlsx]'"
        ) from None
    with files.open_seekable(path) as stream:
        try:
            book = python_calamine.CalamineWorkbook.from_filelike(stream)
            sheets = [book.get_sheet_by_name(name) for name in _list_sheets(book)]
            filled = [sheet for sheet in sheets if sheet.height]
            if not filled:
                raise InputError(f"{path} has no sheet with rows")
            rows = filled[0].to_python(skip_empty_area=False)
        except python_calamine.CalamineError as error:
            words = " ".join(str(error).split())
            raise InputError(f"{path} is damaged or no spreadsheet: {words}") from None
    return filled[0].name, [sheet.name for sheet in filled[1:]], rows


def _list_sheets(book: Any) -> list[str]:
    """Return the names of the sheets that have cells, but for hidden ones."""
    sheets = [
        each for each in book.sheets_metadata if str(each.typ).endswith("WorkSheet")
    ]
    visible = [each for each in sheets if str(each.visible).endswith(".Visible")]
    return [each.name for each in visible or sheets]


def _is_filled(cells: Sequence[Any]) -> bool:
    return any(cell != "" for cell in cells)


def _has_header(where: str, first: Sequence[Any]) -> bool:
    """Return whether the first row that is not empty has names.

    Raises:
        InputError: It has names and numbers, so may be a row as well.
    """
    texts = [isinstance(cell, str) for cell in first if cell != ""]
    if any(texts) and not all(texts):
        raise InputError(
            f"{where}: the first row holds texts and numbers, so it may be a header or "
            "not; add a row of column names, all of them texts"
        )
    return any(texts)


def _make_column(cells: Sequence[Any]) -> pa.Array:
    values = [None if cell == "" else cell for cell in cells]
    kinds = {type(value) for value in values} - {type(None)}
    if kinds <= {int, float}:
        numbers = [None if value is None else float(value) for value in values]
        return pa.array(numbers, pa.float64())
    if kinds <= _DATES:
        return pa.array(map(_as_moment, values), pa.timestamp("us"))
    if kinds == {datetime.timedelta}:
        return pa.array(values, pa.duration("us"))
    if len(kinds) == 1:
        return pa.array(values)
    return pa.array([None if v is None else _write(v) for v in values], pa.string())


def _as_moment(value: Any) -> datetime.datetime | None:
    is_day = type(value) is datetime.date
    return datetime.datetime.combine(value, datetime.time()) if is_day else value


def _write(value: Any) -> str:
    """Write a value of a column that has several types."""
    is_whole = isinstance(value, float) and value.is_integer()
    return str(int(value) if is_whole else value)
