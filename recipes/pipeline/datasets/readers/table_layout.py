"""The layout of a text table: its separator, header and kinds of columns.

They are detected in the first megabyte, before the table is streamed.
"""

import csv
import dataclasses
import io
import string
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Literal

import pyarrow as pa
import pyarrow.compute
import pyarrow.csv

from recipes.errors import InputError, quote, shorten
from recipes.pipeline.datasets import encoding, source
from recipes.pipeline.datasets.readers import files

Kind = Literal["numeric", "categorical", "useless"]

# A cell may have spaces around it; Arrow strips them from numbers, not from markers.
NULLS = [a + text + b for text in encoding.BLANKS for a in ("", " ") for b in ("", " ")]
_HEAD_BYTES = 1 << 20
_LEAST_BLOCK = 1 << 20
_LARGEST_BLOCK = 2 * files.LONGEST_LINE
# In a wrong row, a longer last one of several lines means an unclosed quotation mark.
_LONG_CELL = 1 << 20


@dataclass(frozen=True)
class Layout:
    """How a table is divided into cells."""

    path: Path
    separator: str
    names: tuple[str, ...]
    header: bool  # whether the first line has names; otherwise they are x1, x2, …
    skipped_lines: int  # lines before the first row
    block_bytes: int  # that Arrow reads at a time; a row has to fit


def detect_layout(path: Path) -> tuple[Layout, bytes]:
    """Detect a table's layout, and return it with its first megabyte of whole lines.

    Raises:
        InputError: The table has no rows, no usable names, or is not UTF-8 text.
    """
    with files.open_decompressed(path) as stream:
        head = _read_head(path, stream)
    try:
        text = head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = head[: error.start].count(b"\n") + 1
        raise InputError(f"{path}, line {line}: not UTF-8 text") from error
    separator = "\t" if files.detect_format(path) == ".tsv" else _detect_separator(text)
    with _long_cells():
        reader = csv.reader(_split_lines([head]), delimiter=separator)
        lines = [(cells, reader.line_num) for cells in islice(filter(None, reader), 2)]
    if not lines:
        raise InputError(f"{path} is empty; expected a header line and rows")
    first, line = lines[0]
    header = not _is_row(path, first, lines[1][0] if len(lines) > 1 else [])
    if header and len(lines) == 1:
        raise InputError(f"{path} has a header line but no rows")
    if len(first) == 1:
        raise InputError(
            f"{path} has one column, {quote(first[0])}; expected two or more, "
            "separated by commas, semicolons, tabs or bars"
        )
    names = tuple(cell.strip() for cell in first)
    if header:
        _check_names(path, names)
    else:
        names = tuple(column.name for column in source.number_columns(len(first)))
        line = 0
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise InputError(f"{path}, line {line}: a NUL byte; expected UTF-8 text")
    typical = max(len(part) for part in head.split(b"\n", 3)[:3])
    block = min(max(_LEAST_BLOCK, 16 * typical), _LARGEST_BLOCK)
    return Layout(path, separator, names, header, line, block), head


def widen_blocks(layout: Layout) -> Layout:
    """Return the layout with blocks that the longest row fits into."""
    return dataclasses.replace(layout, block_bytes=_LARGEST_BLOCK)


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
        f"{shorten(pair[0])} and {shorten(pair[1])} in {quote(name)}"
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
            block_size=layout.block_bytes,
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
    good = 0  # line of the last good row
    with files.open_decompressed(layout.path) as stream, _long_cells():
        blocks = files.read_whole_lines(layout.path, stream, _HEAD_BYTES)
        try:
            for line, cells in _read_rows((block for _, block in blocks), layout):
                if fault := _find_row_fault(cells, layout, kinds, target):
                    if len(cells[-1]) > _LONG_CELL and "\n" in cells[-1]:
                        raise csv.Error
                    return InputError(f"{layout.path}, line {line}{fault}")
                good = line
        except UnicodeDecodeError:
            return InputError(f"{layout.path}, after line {good}: not UTF-8 text")
        except csv.Error:
            return InputError(
                f"{layout.path}, after line {good}: a quotation mark is never closed"
            )
    return InputError(f"{layout.path} cannot be read as a table")


@contextmanager
def _long_cells() -> Iterator[None]:
    """Let the csv module read cells as long as a line may be."""
    before = csv.field_size_limit(files.LONGEST_LINE)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _split_lines(blocks: Iterable[bytes]) -> Iterator[str]:
    """Yield decoded lines with their ends, of blocks of whole lines."""
    encoding = "utf-8-sig"  # the first line may begin with a byte order mark
    for block in blocks:
        for line in block.splitlines(keepends=True):
            yield line.decode(encoding)
            encoding = "utf-8"


def _read_rows(
    blocks: Iterable[bytes], layout: Layout
) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(_split_lines(blocks), delimiter=layout.separator)
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
        largest = 1.7e308 if name == target else 3.4028235e38
        if encoding.is_blank(cell):
            fault = "the target is blank; remove the row" if name == target else ""
        elif kinds[name] == "numeric" and (what := _find_number_fault(cell, largest)):
            fault = f"{quote(cell.strip(string.whitespace))} is {what}"
        else:
            fault = ""
        if fault:
            return f", column {quote(name)}: {fault}"
    return ""


def _find_number_fault(cell: str, largest: float) -> str:
    if not encoding.is_number(cell):
        return "not a number"
    return "" if abs(float(cell)) <= largest else "not finite or too large"


def _read_head(path: Path, stream: IO[bytes]) -> bytes:
    """Read a megabyte, or three lines if longer, and on to the end of a row."""
    head: list[bytes] = []
    size = lines = quotes = 0
    for _, block in files.read_whole_lines(path, stream, _HEAD_BYTES // 4):
        head.append(block)
        size += len(block)
        lines += block.count(b"\n")
        quotes += block.count(b'"')
        ends_row = quotes % 2 == 0 or size > files.LONGEST_LINE
        if size >= _HEAD_BYTES and lines >= 3 and ends_row:
            break
    return b"".join(head)


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
    if "" in names:
        raise InputError(
            f"{path}: column {names.index('') + 1} has no name in the header; name it, "
            "or remove it if it only numbers the rows"
        )
    name, count = Counter(names).most_common(1)[0]
    if count > 1:
        raise InputError(
            f"{path}: two columns are called {quote(name)}; rename one, or add a "
            "header line if there is none"
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
