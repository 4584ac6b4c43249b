"""How a text table is divided into cells: encoding, separator and header.

All of it is detected in the first megabyte, unless the user says it.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, Any

from recipes.errors import InputError, quote, shorten
from recipes.pipeline.datasets import encoding, source
from recipes.pipeline.datasets.readers import files
from recipes.pipeline.datasets.readers.table_source import name_unnamed
from recipes.pipeline.datasets.readers.text_stream import (
    UTF8,
    choose_encoding,
    detect_encoding,
    open_utf8,
)

HEAD_BYTES = 1 << 20
BLANKS_AS_SEPARATOR = " "  # any number of blanks and tabs
_SEPARATORS = (",", ";", "\t", "|")
_LEAST_BLOCK = 1 << 20
LARGEST_BLOCK = 2 * files.LONGEST_LINE
_LINES = 100  # that the layout is detected in
# A cell in quotes, or blanks between cells.
_RUN = re.compile(r'("[^"]*")|[ \t]+')


@dataclass(frozen=True)
class LayoutOptions:
    """What the user says of a text table; what is empty is detected."""

    separator: str = ""
    encoding: str = ""
    header: str = "auto"  # or yes, no

    @classmethod
    def of_table(cls, layout: Mapping[str, Any]) -> "LayoutOptions":
        """Return the layout of another table, as `CsvTable.layout` describes it."""
        if not layout:
            return cls()
        header = "yes" if layout["header"] else "no"
        return cls(layout["separator"], layout["encoding"], header)


@dataclass(frozen=True)
class Layout:
    """How a text table is divided into cells."""

    path: Path
    encoding: str
    separator: str
    names: tuple[str, ...]
    header: bool  # whether a line has names; otherwise they are x1, x2, …
    skipped_lines: int  # lines before the first row
    block_bytes: int  # that Arrow reads at a time; a row has to fit
    notes: tuple[str, ...] = field(default=())

    @property
    def settings(self) -> dict[str, Any]:
        """The separator, the encoding, and whether there is a header."""
        return {
            "separator": self.separator,
            "encoding": self.encoding,
            "header": self.header,
        }


def detect_layout(path: Path, options: LayoutOptions) -> tuple[Layout, bytes]:
    """Detect a table's layout, and return it with its first megabyte of whole lines.

    Raises:
        InputError: The table has no rows or is no text, or an option does not fit.
    """
    used, notes, head = _read_head(path, options.encoding)
    if b"\0" in head:
        line = head[: head.index(b"\0")].count(b"\n") + 1
        raise InputError(f"{path}, line {line}: a NUL byte; expected text in lines")
    separator = options.separator or detect_separator(path, head)
    lines = list(islice(read_lines([head], separator), _LINES))
    if not lines:
        raise InputError(f"{path} is empty; expected a header line and rows")
    preamble = _count_preamble([cells for _, cells in lines])
    before = lines[preamble - 1][0][1] if preamble else 0
    if preamble:
        notes += (f"skipped, as the table begins below them: {before} lines",)
    (_, end), first = lines[preamble]
    rows = [cells for _, cells in lines[preamble + 1 :]]
    header = _has_header(path, first, rows, options.header)
    if header and not rows:
        raise InputError(f"{path} has a header line but no rows")
    if len(first) == 1:
        raise InputError(
            f"{path} has one column, {quote(shorten(first[0]))}; expected two or more, "
            "separated by commas, semicolons, tabs, bars or blanks (--separator)"
        )
    if header:
        names, told = name_columns(first, rows)
        notes += told
    else:
        end = before
        names = tuple(column.name for column in source.number_columns(len(first)))
        notes += (f"no header line: x1 … x{len(first)}",)
    typical = max(len(line) for line in head.split(b"\n", 3)[:3])
    block = min(max(_LEAST_BLOCK, 16 * typical), LARGEST_BLOCK)
    return Layout(path, used, separator, names, header, end, block, notes), head


def detect_separator(path: Path, head: bytes) -> str:
    """Detect the separator: the one that divides most lines alike."""
    if files.detect_format(path) == ".tsv":
        return "\t"

    def score(separator: str) -> tuple[float, int]:
        """Return the share of lines with the commonest number of cells, and it."""
        lines = islice(read_lines([head], separator), _LINES)
        counts = Counter(len(cells) for _, cells in lines)
        if not counts:
            return 0.0, 1
        cells, number = max(counts.items(), key=lambda item: (item[1], item[0]))
        return (number / sum(counts.values()), cells) if cells > 1 else (0.0, 1)

    scores = {separator: score(separator) for separator in _SEPARATORS}
    best = max(_SEPARATORS, key=lambda separator: scores[separator])
    blanks = score(BLANKS_AS_SEPARATOR)
    # Texts have blanks, too: these separate only where no other sign but a tab does.
    if best == "\t" or scores[best][1] == 1:
        return BLANKS_AS_SEPARATOR if blanks > scores[best] else best
    return best


def read_lines(
    blocks: Iterable[bytes], separator: str
) -> Iterator[tuple[tuple[int, int], list[str]]]:
    """Yield the cells of each row that is not empty, with its first and last line.

    Args:
        blocks: Whole lines, UTF-8.
        separator: Between the cells.
    """
    lines = _split_lines(blocks)
    if separator == BLANKS_AS_SEPARATOR:
        lines = (unify_blanks(line) for line in lines)
        separator = "\t"
    with _long_cells():
        reader = csv.reader(lines, delimiter=separator)
        before = 0
        for cells in reader:
            if cells and (len(cells) > 1 or cells[0].strip()):
                yield (before + 1, reader.line_num), cells
            before = reader.line_num


def unify_blanks(line: str) -> str:
    """Put one tab wherever blanks and tabs outside quotes separate cells."""
    end = "\n" if line.endswith("\n") else ""
    return _RUN.sub(lambda run: run[1] or "\t", line.strip()) + end


def name_columns(
    first: Sequence[str], rows: Sequence[Sequence[str]]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Name columns as the header does, each differently.

    Args:
        first: The header's cells.
        rows: Some rows; if they have a cell more than the header, it is the first, as R
            writes the rows' names, or an empty last one.

    Returns:
        The names, and notes on those that had to be made.
    """
    cells = [cell.strip().strip('"').strip() for cell in first]
    if rows and all(len(row) == len(cells) + 1 for row in rows):
        is_last = all(not row[-1].strip() for row in rows)
        cells = [*cells, ""] if is_last else ["", *cells]
    names: list[str] = []
    unnamed, repeated = [], []
    for place, cell in enumerate(cells):
        name = first_choice = cell or name_unnamed(place + 1)
        number = 2
        while name in names or (name != cell and name in cells):
            name = f"{first_choice}_{number}"
            number += 1
        names.append(name)
        if not cell:
            unnamed.append(name)
        elif name != cell:
            repeated.append(name)
    notes = []
    if unnamed:
        notes.append(f"columns without a name: {source.quote_first_five(unnamed)}")
    if repeated:
        notes.append(
            f"columns of the same name told apart: {source.quote_first_five(repeated)}"
        )
    return tuple(names), tuple(notes)


def _split_lines(blocks: Iterable[bytes]) -> Iterator[str]:
    """Yield decoded lines with their ends, of blocks of whole lines."""
    encoding = "utf-8-sig"  # the first line may begin with a byte order mark
    for block in blocks:
        for line in block.splitlines(keepends=True):
            yield line.decode(encoding)
            encoding = UTF8


def _read_head(path: Path, wanted: str) -> tuple[str, tuple[str, ...], bytes]:
    """Return the encoding, notes on it, and the first megabyte as UTF-8."""
    used, notes = choose_encoding(path, wanted)
    with open_utf8(path, used) as stream:
        head = _read_first_lines(path, stream)
    try:
        head.decode(UTF8)
    except UnicodeDecodeError as error:
        if wanted:
            line = head[: error.start].count(b"\n") + 1
            raise InputError(
                f"{path}, line {line}: not UTF-8 text; --encoding names another "
                "encoding"
            ) from error
        used, notes = detect_encoding(path)
        with open_utf8(path, used) as stream:
            head = _read_first_lines(path, stream)
    return used, notes, head


def _read_first_lines(path: Path, stream: IO[bytes]) -> bytes:
    """Read a megabyte, or three lines if longer, and on to the end of a row."""
    head: list[bytes] = []
    size = lines = quotes = 0
    for _, block in files.read_whole_lines(path, stream, HEAD_BYTES // 4):
        head.append(block)
        size += len(block)
        lines += block.count(b"\n")
        quotes += block.count(b'"')
        ends_row = quotes % 2 == 0 or size > files.LONGEST_LINE
        if size >= HEAD_BYTES and lines >= 3 and ends_row:
            break
    return b"".join(head)


def _count_preamble(lines: Sequence[Sequence[str]]) -> int:
    """Count the lines of one cell before a table that has more."""
    if len(lines) < 3 or len(lines[-1]) == 1:
        return 0
    return next(n for n, cells in enumerate(lines) if len(cells) > 1)


def _has_header(
    path: Path, first: Sequence[str], rows: Sequence[Sequence[str]], wanted: str
) -> bool:
    """Return whether the first line is a header, not a row.

    It is a row if all its cells are values (numbers or blanks), if each of its
    texts occurs in the rows below it, too, or is one of many sentences, or if it has
    numbers in the same places as the second line.

    Raises:
        InputError: It has numbers in the same places, but all of them are whole: they
            might be names, such as years or codes, so guessing silently would be wrong.
    """
    if wanted != "auto":
        return wanted == "yes"
    values = [_is_value(cell) for cell in first]
    numbers = [cell for cell in first if encoding.is_number(cell)]
    if all(values) and numbers:
        return False
    if list(first) in [list(row) for row in rows] and not all(values):
        return True  # files put together, each with its header
    if rows and all(len(row) == len(first) for row in rows):
        below = list(zip(*rows, strict=True))
        occurs = [
            cell.strip() in {text.strip() for text in column}
            for cell, column in zip(first, below, strict=True)
        ]
        sentences = [
            encoding.is_prose({cell: 1}) and encoding.is_prose(Counter(column))
            for cell, column in zip(first, below, strict=True)
        ]
        cells = list(zip(values, occurs, sentences, strict=True))
        if all(is_value or again for is_value, again, _ in cells):
            return False
        has_text = any(again and not is_value for is_value, again, _ in cells)
        if has_text and all(map(any, cells)):
            return False
    second = rows[0] if rows else []
    alike = len(first) == len(second) and all(
        encoding.is_blank(under)
        or encoding.is_number(cell) == encoding.is_number(under)
        for cell, under in zip(first, second, strict=True)
    )
    if not numbers or not alike:
        return True
    if all(cell.strip().isdigit() for cell in numbers):
        raise InputError(
            f"{path}: the first line has numbers in the same places as the second, so "
            "it may be a row or have names that are numbers; say --header=no or "
            "--header=yes"
        )
    return False


def _is_value(cell: str) -> bool:
    return encoding.is_number(cell) or encoding.is_blank(cell)


@contextmanager
def _long_cells() -> Iterator[None]:
    """Let the csv module read cells as long as a line may be."""
    before = csv.field_size_limit(files.LONGEST_LINE)
    try:
        yield
    finally:
        csv.field_size_limit(before)
