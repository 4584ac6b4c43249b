"""Text tables, such as `.csv` and `.tsv`, streamed by Arrow."""

import csv
import dataclasses
import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute
import pyarrow.csv

from layers.cells import BLANKS
from recipes.errors import InputError
from recipes.pipeline.datasets import encoding
from recipes.pipeline.datasets.readers import files
from recipes.pipeline.datasets.readers.csv_layout import (
    BLANKS_AS_SEPARATOR,
    HEAD_BYTES,
    LARGEST_BLOCK,
    LayoutOptions,
    detect_layout,
    read_lines,
    unify_blanks,
)
from recipes.pipeline.datasets.readers.table_source import (
    TEXTS,
    CellType,
    NotNumbersError,
)
from recipes.pipeline.datasets.readers.text_stream import (
    UTF8,
    BlockStream,
    detect_encoding,
    open_utf8,
)

# A cell may have spaces around it; Arrow strips them from numbers, not from markers.
_NULLS = [a + text + b for text in BLANKS for a in ("", " ") for b in ("", " ")]
_NUMBER = rf"^\s*(?:{encoding.NUMBER})\s*$"
# In a wrong row, a longer last one of several lines means an unclosed quotation mark.
_LONG_CELL = 1 << 20


class CsvTable:
    """A text table, as `table_source.Table`.

    Args:
        path: The file.
        options: What the user says of its layout; the rest is detected.

    Raises:
        InputError: The table has no rows or is no text, or an option does not fit.
    """

    def __init__(self, path: Path, options: LayoutOptions | None = None) -> None:
        options = options or LayoutOptions()
        self._layout, self._head = detect_layout(path, options)
        self._adapts_encoding = not options.encoding
        self.name = files.strip_suffixes(path)
        self.where = str(path)
        self.names = self._layout.names
        self.header = self._layout.header
        self.notes = self._layout.notes
        self.layout: Mapping[str, Any] = self._layout.settings

    def read_head(self) -> pa.Table:
        """Return the rows of the first megabyte, all cells as strings.

        Raises:
            InputError: A row is malformed.
        """
        head: Any = io.BytesIO(self._head)
        if self._layout.separator == BLANKS_AS_SEPARATOR:
            head = BlockStream(_unify(iter([self._head])))
        types = dict.fromkeys(self.names, pa.string())
        try:
            return pa.csv.read_csv(head, **self._arrow_options(types))
        except pa.ArrowInvalid as error:
            if self._widen_blocks():
                return self.read_head()
            raise self._find_fault() from error

    def read(self, types: Mapping[str, CellType]) -> Iterator[pa.RecordBatch]:
        """Read columns, as `table_source.Table.read`."""
        arrow = {"number": pa.float64(), "text": TEXTS}
        chosen = {name: arrow[kind] for name, kind in types.items()}
        rows = 0
        try:
            for batch in self._stream(chosen):
                yield batch
                rows += batch.num_rows
        except pa.ArrowInvalid as error:
            is_cell = "conversion error" in str(error)
            if self._adapt_encoding(error) or (not is_cell and self._widen_blocks()):
                # What has been given is read once more and left out.
                yield from _skip(self.read(types), rows)
                return
            numbers = [name for name, kind in types.items() if kind == "number"]
            if wrong := self._find_other_texts(numbers):
                raise NotNumbersError(wrong) from error
            raise self._find_fault() from error

    def locate(self, column: str, text: str) -> str:
        """Return the line in which a text first stands in a column, "" if in none."""
        place = self.names.index(column)
        for line, cells in self._lines():
            if place < len(cells) and cells[place].strip() == text.strip():
                return f"line {line}"
        return ""

    def _stream(self, types: dict[str, pa.DataType]) -> Iterator[pa.RecordBatch]:
        with self._open() as stream:
            yield from pa.csv.open_csv(stream, **self._arrow_options(types))

    @contextmanager
    def _open(self) -> Iterator[IO[bytes]]:
        layout = self._layout
        with open_utf8(layout.path, layout.encoding) as stream:
            if layout.separator == BLANKS_AS_SEPARATOR:
                blocks = files.read_whole_lines(layout.path, stream, HEAD_BYTES)
                texts = BlockStream(_unify(block for _, block in blocks))
                yield io.BufferedReader(texts)
            else:
                yield stream

    def _arrow_options(self, types: dict[str, pa.DataType]) -> dict[str, Any]:
        layout = self._layout
        by_blanks = layout.separator == BLANKS_AS_SEPARATOR
        return {
            "read_options": pa.csv.ReadOptions(
                column_names=list(layout.names),
                skip_rows=layout.skipped_lines,
                block_size=layout.block_bytes,
            ),
            "parse_options": pa.csv.ParseOptions(
                delimiter="\t" if by_blanks else layout.separator,
                newlines_in_values=True,
            ),
            "convert_options": pa.csv.ConvertOptions(
                column_types=types,
                include_columns=list(types),
                null_values=_NULLS,
                strings_can_be_null=False,
            ),
        }

    def _adapt_encoding(self, error: pa.ArrowInvalid) -> bool:
        """Take another encoding if text beyond the first megabyte is not UTF-8."""
        layout = self._layout
        if "UTF8" not in str(error) or not self._adapts_encoding:
            return False
        self._adapts_encoding = False
        used, notes = detect_encoding(layout.path)
        self._layout = dataclasses.replace(layout, encoding=used)
        self.notes, self.layout = (*self.notes, *notes), self._layout.settings
        return True

    def _widen_blocks(self) -> bool:
        """Read larger blocks from now on: a row may be longer than one."""
        if self._layout.block_bytes == LARGEST_BLOCK:
            return False
        self._layout = dataclasses.replace(self._layout, block_bytes=LARGEST_BLOCK)
        return True

    def _find_other_texts(self, names: list[str]) -> tuple[str, ...]:
        """Return which columns have cells that are neither numbers nor blanks."""
        wrong: dict[str, None] = {}
        types = dict.fromkeys(names, pa.string())
        nulls = pa.array(_NULLS)
        try:
            for batch in self._stream(types):
                for name in names:
                    cells = pa.compute.unique(batch[name])
                    cells = cells.filter(
                        pa.compute.invert(pa.compute.is_in(cells, value_set=nulls))
                    )
                    fits = pa.compute.match_substring_regex(cells, _NUMBER)
                    if pa.compute.all(fits).as_py() is False:
                        wrong[name] = None
        except pa.ArrowInvalid:
            return ()  # a row is malformed
        return tuple(wrong)

    def _lines(self) -> Iterator[tuple[int, list[str]]]:
        """Yield each row's cells with the number of its first line."""
        layout = self._layout
        with open_utf8(layout.path, layout.encoding) as stream:
            blocks = files.read_whole_lines(layout.path, stream, HEAD_BYTES)
            lines = read_lines((block for _, block in blocks), layout.separator)
            for (line, _), cells in lines:
                if line > layout.skipped_lines:
                    yield line, cells

    def _find_fault(self) -> InputError:
        """Find the first malformed row, line by line, which is slow."""
        path, width = self._layout.path, len(self.names)
        good = 0  # line of the last good row
        try:
            for line, cells in self._lines():
                if len(cells) != width:
                    if len(cells[-1]) > _LONG_CELL and "\n" in cells[-1]:
                        raise csv.Error
                    found = f"{len(cells)} cells, but {width} are expected"
                    return InputError(f"{path}, line {line}: {found}")
                good = line
        except UnicodeDecodeError:
            return InputError(
                f"{path}, after line {good}: not UTF-8 text; --encoding names another "
                "encoding"
            )
        except csv.Error:
            return InputError(
                f"{path}, after line {good}: a quotation mark is never closed"
            )
        return InputError(f"{path} cannot be read as a table")


def _unify(blocks: Iterator[bytes]) -> Iterator[bytes]:
    for block in blocks:
        lines = block.decode(UTF8).splitlines(keepends=True)
        yield "".join(map(unify_blanks, lines)).encode()


def _skip(batches: Iterator[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        if rows < batch.num_rows:
            yield batch.slice(rows)
        rows = max(0, rows - batch.num_rows)
