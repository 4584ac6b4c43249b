"""A table from whatever names it: a file, a folder, a pattern or a data frame."""

import glob
import os
import re
from collections.abc import Callable, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any

from recipes.errors import InputError, as_one_line
from recipes.pipeline.datasets import source
from recipes.pipeline.datasets.readers import files, frame
from recipes.pipeline.datasets.readers.arrow_files import open_feather, open_parquet
from recipes.pipeline.datasets.readers.arrow_table import ArrowTable
from recipes.pipeline.datasets.readers.json_lines import open_json_lines
from recipes.pipeline.datasets.readers.many_tables import ManyTables
from recipes.pipeline.datasets.readers.spreadsheet import open_spreadsheet
from recipes.pipeline.datasets.readers.table_source import Table

_SUFFIXES = ".csv .tsv .parquet .feather .jsonl .xlsx"
_WILD = re.compile(r"[*?]|\[[^]]+\]")


def names_many(value: str) -> bool:
    """Return whether a value names several files: a folder, or a pattern of names."""
    return os.path.isdir(value) or (
        not os.path.lexists(value) and _WILD.search(value) is not None
    )


def open_table(
    value: Any,
    flag: str,
    open_text: Callable[[Path], Table],
    date_formats: Mapping[str, str] | None = None,
) -> Table:
    """Open a table.

    Args:
        value: A file, a folder, a pattern such as `sales/*.parquet`, or a data frame.
        flag: The flag that it is a value of, for messages.
        open_text: Opens a text file.
        date_formats: For a test set: how dates are written in the training set, as
            strptime takes it. Dates that are texts in the file stay as they are.

    Raises:
        InputError: There is no such table, or it cannot be read.
    """
    if not isinstance(value, str):
        table: Table = frame.open_frame(value, flag)
    elif names_many(value):
        table = _open_many(value, flag, open_text)
    else:
        files.check_file(flag, Path(value))
        table = _open_file(Path(value), flag, open_text)
    for part in table.tables if isinstance(table, ManyTables) else (table,):
        if isinstance(part, ArrowTable) and date_formats:
            known = part.date_formats.keys() & date_formats.keys()
            part.date_formats.update({name: date_formats[name] for name in known})
    return table


def _open_file(path: Path, flag: str, open_text: Callable[[Path], Table]) -> Table:
    openers: dict[str, Callable[[Path], Table]] = {
        files.CSV: open_text,
        files.TSV: open_text,
        files.PARQUET: open_parquet,
        files.FEATHER: open_feather,
        files.JSON_LINES: open_json_lines,
        files.SPREADSHEET: open_spreadsheet,
    }
    file_format = files.detect_format(path)
    if file_format not in openers:
        raise InputError(
            f"{flag}: {as_one_line(str(path))} is no table; expected {_SUFFIXES} or a "
            "text in columns"
        )
    return openers[file_format](path)


def _open_many(value: str, flag: str, open_text: Callable[[Path], Table]) -> Table:
    paths, others = _list_folder(value) if os.path.isdir(value) else _match(value)
    shown = as_one_line(value)
    if not paths:
        what = "has no tables" if os.path.isdir(value) else "matches no file"
        raise InputError(
            f"{flag}: {shown} {what}; expected files such as {_SUFFIXES}, or a pattern "
            "of their names such as 'sales/*.parquet'"
        )
    paths.sort(key=lambda path: _split_numbers(str(path)))
    for path in paths:
        files.check_file(flag, path)
    left_out = source.quote_first_five(sorted(path.name for path in others))
    notes = (f"left out, no tables by their names: {left_out}",) if others else ()
    tables = [_open_file(path, flag, open_text) for path in paths]
    return ManyTables(_choose_name(value), shown, tables, notes)


def _list_folder(folder: str) -> tuple[list[Path], list[Path]]:
    """Return the tables of a folder, by their suffixes, and what is left out.

    What begins with a dot or an underscore is hidden, or a mark that a writer left.
    """
    shown = [p for p in Path(folder).iterdir() if not p.name.startswith((".", "_"))]
    tables = [path for path in shown if path.is_file() and _has_table_suffix(path)]
    return tables, [path for path in shown if path not in set(tables)]


def _has_table_suffix(path: Path) -> bool:
    return files.known_format(path) in files.TABLES


def _match(pattern: str) -> tuple[list[Path], list[Path]]:
    try:
        found = map(Path, glob.glob(pattern, recursive=True))
    except RecursionError:  # of thousands of folders
        return [], []
    return [path for path in found if not path.is_dir()], []


def _split_numbers(name: str) -> list[tuple[str, int]]:
    """Return a key that sorts file 9 before file 10."""
    parts = re.split(r"(\d+)", name, flags=re.ASCII)
    return [
        (text, int(digits or -1))
        for text, digits in zip_longest(parts[::2], parts[1::2], fillvalue="")
    ]


def _choose_name(value: str) -> str:
    """Return the folder's name, or what comes before the first wild card."""
    fixed = _WILD.split(os.path.abspath(value) if os.path.isdir(value) else value)[0]
    folder, start = os.path.split(fixed)
    named = start.strip("-_. ") or os.path.basename(os.path.abspath(folder))
    return named or "tables"
