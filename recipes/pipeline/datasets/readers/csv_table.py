"""A text table as a stream of rows."""

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.csv

from recipes.errors import InputError
from recipes.pipeline.datasets.readers import files, table_layout
from recipes.pipeline.datasets.readers.table_source import (
    TEXTS,
    CellType,
    NotNumbersError,
)

_CELLS = {"number": pa.float64(), "text": TEXTS}


class CsvTable:
    """A `.csv` or `.tsv` file as a `Table`."""

    def __init__(self, path: Path) -> None:
        self._layout, self._head = table_layout.detect_layout(path)
        self.name = files.strip_suffixes(path)
        self.where = str(path)
        self.names, self.header = self._layout.names, self._layout.header
        self.notes: tuple[str, ...] = ()
        self._position = 0.0

    @property
    def share_read(self) -> float:
        """The share of the file that the last `read` has read so far, from 0 to 1."""
        return self._position / max(1, self._layout.path.stat().st_size)

    def read_head(self) -> pa.Table:
        """Return the first rows, all cells as strings."""
        return table_layout._read_texts(self._layout, self._head)

    def read(self, types: Mapping[str, CellType]) -> Iterator[pa.RecordBatch]:
        """Read the columns that `types` names, in its order."""
        layout = self._layout
        cells = {name: _CELLS[kind] for name, kind in types.items()}
        options = table_layout.make_arrow_options(layout, cells)
        options["convert_options"].strings_can_be_null = False  # type: ignore[attr-defined]
        try:
            with files.open_decompressed(layout.path) as stream:
                raw = getattr(stream, "fileobj", stream)
                for batch in pa.csv.open_csv(stream, **options):
                    yield batch
                    self._position = float(raw.tell())
        except pa.ArrowInvalid as error:
            numbers = [name for name, kind in types.items() if kind == "number"]
            if "conversion error" in str(error):
                raise NotNumbersError(tuple(numbers)) from error
            raise table_layout.find_first_fault(
                layout, dict.fromkeys(layout.names, "categorical"), ""
            ) from error

    def locate(self, column: str, text: str) -> str:
        """Return where a text first stands in a column."""
        place = self.names.index(column)
        with files.open_decompressed(self._layout.path) as stream:
            blocks = files.read_whole_lines(self._layout.path, stream, 1 << 20)
            rows = table_layout._read_rows((block for _, block in blocks), self._layout)
            try:
                for line, cells in rows:
                    if cells[place] == text:
                        return f"line {line}"
            except csv.Error as error:
                raise InputError(f"{self.where}: {error}") from error
        return "somewhere"
