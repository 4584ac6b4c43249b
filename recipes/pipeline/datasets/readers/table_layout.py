"""The layout of a text table: its separator, header and kinds of columns.

They are detected in the first megabyte, before the table is streamed.
"""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Literal

import pyarrow as pa
import pyarrow.compute
import pyarrow.csv

from recipes.errors import InputError
from recipes.pipeline.datasets import encoding, source
from recipes.pipeline.datasets.readers import files

Kind = Literal["numeric", "categorical", "useless"]

# A cell may have spaces around it; Arrow strips them from numbers, not from markers.
NULLS = [a + text + b for text in encoding.BLANKS for a in ("", " ") for b in ("", " ")]
_HEAD_BYTES = 1 << 20
_MOST_LINES_IN_A_CELL = 100
_LONGEST_CELL = 1 << 20  # a longer one means an unclosed quotation mark


@dataclass(frozen=True)
class Layout:
    """How a table is divided into cells."""

    path: Path
    separator: str
    names: tuple[str, ...]
    header: bool  # whether the first line has names; otherwise they are x1, x2, …
    skipped_lines: int  # lines before the first row
    line_bytes: int  # length of a typical line


def detect_layout(path: Path) -> tuple[Layout, bytes]:
    """Detect a table's layout, and return it with its first megabyte of whole lines.

    Raises:
        InputError: The table has no rows, no usable names, or is not UTF-8 text.
    """
    with files.open_decompressed(path) as stream:
        head = _read_head(stream)
    try:
        text = head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = head[: error.start].count(b"\n") + 1
        raise InputError(f"{path}, line {line}: not UTF-8 text") from error
    separator = "\t" if files.detect_format(path) == ".tsv" else _detect_separator(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    lines = [(cells, reader.line_num) for cells in islice(filter(None, reader), 2)]
    if not lines:
        raise InputError(f"{path} is empty; expected a header line and rows")
    first, line = lines[0]
    header = not _is_row(path, first, lines[1][0] if len(lines) > 1 else [])
    if header and len(lines) == 1:
        raise InputError(f"{path} has a header line but no rows")
    if len(first) == 1:
        raise InputError(
            f"{path} has one column, '{first[0][:40]}'; expected two or more, "
            "separated by commas, semicolons, tabs or bars"
        )
    names = tuple(cell.strip() for cell in first)
    if header:
        _check_names(path, names)
    else:
        names = tuple(column.name for column in source.number_columns(len(first)))
        line = 0
    typical = max(len(part) for part in head.split(b"\n", 3)[:3])
    return Layout(path, separator, names, header, line, typical), head


def detect_kinds(layout: Layout, head: bytes) -> dict[str, Kind]:
    """Detect the kind of each column: numeric if half of its filled cells are numbers.

    Raises:
        pyarrow.ArrowInvalid: The rows cannot be divided into cells.
    """
    table = _read_texts(layout, head)
    return {name: _detect_kind(table[name]) for name in layout.names}


def describe_equal_codes(
    layout: Layout, kinds: Mapping[str, Kind], head: bytes
) -> Iterator[str]:
    """Note in which numeric columns texts such as 01 and 1 become equal."""
    table = _read_texts(layout, head)
    numeric = [name for name, kind in kinds.items() if kind == "numeric"]
    found = [
        f"{pair[0]} and {pair[1]} in '{name}'"
        for name in numeric
        if (pair := _find_equal_codes(table[name]))
    ]
    if found:
        yield f"read as numbers and so equal: {source.list_first_five(found)}"


def make_arrow_options(
    layout: Layout, types: dict[str, pa.DataType]
) -> dict[str, object]:
    """Return the options of Arrow's reader for the columns that `types` names."""
    return {
        "read_options": pa.csv.ReadOptions(
            column_names=list(layout.names),
            skip_rows=layout.skipped_lines,
            block_size=max(1 << 20, 16 * layout.line_bytes),
        ),
        "parse_options": pa.csv.ParseOptions(
            delimiter=layout.separator, newlines_in_values=True
        ),
        "convert_options": pa.csv.ConvertOptions(
            column_types=types,
            include_columns=list(types),
            null_values=NULLS,
            strings_can_be_null=True,
        ),
    }


def find_first_fault(layout: Layout, kinds: dict[str, Kind], target: str) -> InputError:
    """Find the first fault in a table, line by line.

    This is slow, but only needed for tables that Arrow refuses or with numbers that are
    not finite.
    """
    with files.open_decompressed(layout.path) as stream:
        text = io.TextIOWrapper(stream, "utf-8-sig", newline="")
        line = 0
        try:
            csv.field_size_limit(_LONGEST_CELL)
            for line, cells in _read_rows(text, layout):
                if fault := _find_row_fault(cells, layout, kinds, target):
                    return InputError(f"{layout.path}, line {line}{fault}")
        except UnicodeDecodeError:
            return InputError(f"{layout.path}, after line {line}: not UTF-8 text")
        except csv.Error:
            return InputError(
                f"{layout.path}, after line {line}: a quotation mark is never closed"
            )
    return InputError(f"{layout.path} cannot be read as a table")


def _read_rows(
    text: io.TextIOWrapper, layout: Layout
) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(text, delimiter=layout.separator)
    before = 0
    for cells in reader:
        if cells and reader.line_num > layout.skipped_lines:
            yield before + 1, cells
        before = reader.line_num


def _find_row_fault(
    cells: list[str], layout: Layout, kinds: dict[str, Kind], target: str
) -> str:
    if len(cells) != len(layout.names):
        return f": {len(cells)} cells, but {len(layout.names)} are expected"
    for name, cell in zip(layout.names, cells, strict=True):
        shown = f"'{' '.join(cell.split())[:40]}'"
        if encoding.is_blank(cell):
            if name == target:
                return f", column '{name}': the target is blank; remove the row"
        elif kinds[name] == "numeric":
            if not encoding.is_number(cell):
                return f", column '{name}': {shown} is not a number"
            if not abs(float(cell)) <= (1.7e308 if name == target else 3.4028235e38):
                return f", column '{name}': {shown} is not finite or too large"
    return ""


def _read_head(stream: IO[bytes]) -> bytes:
    """Read the first megabyte, or three lines if longer, up to the end of a row."""
    head = stream.read(_HEAD_BYTES)
    while head.count(b"\n") < 3 and (more := stream.read(_HEAD_BYTES)):
        head += more
    if not stream.read(1):
        return head
    end = head.rfind(b"\n") + 1
    for _ in range(_MOST_LINES_IN_A_CELL):
        if head.count(b'"', 0, end) % 2 == 0:  # outside any quoted cell
            break
        end = head.rfind(b"\n", 0, end - 1) + 1
    return head[:end]


def _detect_separator(text: str) -> str:
    first = text.lstrip().split("\n", 1)[0]
    outside = "".join(first.split('"')[::2])
    return max(",;\t|", key=outside.count)


def _is_row(path: Path, first: list[str], second: list[str]) -> bool:
    """Return whether the first line is a row, not a header.

    It is a row if all its cells are numbers, or if it has numbers in the same places as
    the second line.

    Raises:
        InputError: It has numbers in the same places, but all of them are whole: they
            might be names, such as years or codes, so guessing silently would be wrong.
    """
    numbers = [cell for cell in first if encoding.is_number(cell)]
    if len(numbers) == len(first):
        return True
    alike = len(first) == len(second) and all(
        encoding.is_blank(below)
        or encoding.is_number(cell) == encoding.is_number(below)
        for cell, below in zip(first, second, strict=True)
    )
    if not numbers or not alike:
        return False
    if all(cell.strip().isdigit() for cell in numbers):
        raise InputError(
            f"{path}: the first line has numbers in the same places as the second, so "
            "it looks like a row; add a header line with names that are not numbers"
        )
    return True


def _check_names(path: Path, names: tuple[str, ...]) -> None:
    for place, name in enumerate(names):
        if not name:
            raise InputError(
                f"{path}: column {place + 1} has no name in the header; name it, or "
                "remove it if it only numbers the rows"
            )
        if name in names[:place]:
            raise InputError(
                f"{path}: two columns are called '{name}'; rename one, or add a header "
                "line if there is none"
            )


def _read_texts(layout: Layout, head: bytes) -> pa.Table:
    types = dict.fromkeys(layout.names, pa.string())
    return pa.csv.read_csv(io.BytesIO(head), **make_arrow_options(layout, types))


def _find_equal_codes(column: pa.ChunkedArray) -> tuple[str, str] | None:
    """Return two whole numbers that differ in the zeros before them, if any."""
    texts = pa.compute.unique(pa.compute.utf8_trim_whitespace(column.drop_null()))
    whole = pa.compute.filter(
        texts, pa.compute.match_substring_regex(texts, r"^\d+$")
    ).to_pylist()
    if not any(text[0] == "0" != text for text in whole):
        return None
    known: dict[str, str] = {}
    for text in sorted(whole):
        other = known.setdefault(text.lstrip("0"), text)
        if other != text:
            return other, text
    return None


def _detect_kind(column: pa.ChunkedArray) -> Kind:
    filled = column.drop_null()
    pattern = rf"^\s*(?:{encoding.NUMBER})\s*$"
    numbers = pa.compute.match_substring_regex(filled, pattern)
    if 2 * (pa.compute.sum(numbers).as_py() or 0) >= len(filled):
        return "numeric"
    different = len(pa.compute.unique(pa.compute.utf8_trim_whitespace(filled)))
    return (
        "useless" if encoding.is_too_varied(different, len(filled)) else "categorical"
    )
