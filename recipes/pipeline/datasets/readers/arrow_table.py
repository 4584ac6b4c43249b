"""A table whose columns have Arrow's types, whatever holds its rows."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from recipes.errors import InputError, quote
from recipes.pipeline.datasets.readers.arrow_cells import (
    as_numbers,
    as_strings,
    as_texts,
    choose_date_format,
    describe_fault,
    is_date,
)
from recipes.pipeline.datasets.readers.table_source import (
    TEXTS,
    CellType,
    NotNumbersError,
    Table,
)

HEAD_BYTES = 1 << 20
_BATCH_CELLS = 1 << 22
_MOST_BATCH_ROWS = 1 << 16
_PANDAS_INDEX = "__index_level_0__"  # what pandas calls an index without a name


def choose_batch_rows(columns: int) -> int:
    """Return how many rows of so many columns make a batch of some megabytes."""
    return min(_MOST_BATCH_ROWS, _BATCH_CELLS // max(columns, 1) + 1)


def count_from_one(place: int) -> str:
    """Return what the row at a place, from 0, is called."""
    return f"row {place + 1}"


class ArrowTable(Table):
    """A table of typed columns.

    pandas stores an index as the last columns; here they are the first, as in its CSV
    files. The row numbers of selected rows, stored likewise, are left out.

    Args:
        name: Short name, for folders.
        where: Name in messages.
        schema: The columns' names and types.
        scan: Yields the rows' record batches with the columns of these names, each time
            anew. Types may change from batch to batch.
        name_row: What a user calls the row at a place, from 0.
        header: Whether the file has the columns' names.
        notes: What a user should know of how the rows were read.

    Attributes:
        date_formats: For each column of dates how its texts are written, as strptime
            takes it; may be replaced.

    Raises:
        InputError: Two columns have the same name, or one has none.
    """

    def __init__(
        self,
        name: str,
        where: str,
        schema: pa.Schema,
        scan: Callable[[Sequence[str]], Iterator[pa.RecordBatch]],
        *,
        name_row: Callable[[int], str] = count_from_one,
        header: bool = True,
        notes: tuple[str, ...] = (),
    ) -> None:
        self.name, self.where, self.header, self.notes = name, where, header, notes
        self.layout: Mapping[str, Any] = {}
        index = _list_index(schema)
        fields = sorted(schema, key=lambda field: field.name not in index)
        if len(fields) > 1 and any(map(_numbers_rows, fields)):
            fields = [field for field in fields if not _numbers_rows(field)]
            self.notes = (*notes, f"left out {_PANDAS_INDEX}, row numbers of pandas")
        self.names = tuple(field.name for field in fields)
        check_names(where, self.names)
        self._dates = [field.name for field in fields if _has_dates(field.type)]
        self._scan, self._name_row = scan, name_row

    @cached_property
    def date_formats(self) -> dict[str, str]:
        """How dates are written: as ISO 8601, without times that are always 0."""
        formats = dict.fromkeys(self._dates, "")
        for batch in self._scan(self._dates) if self._dates else ():
            for name in self._dates:
                found = choose_date_format(_decode(batch[name]))
                formats[name] = max(formats[name], found, key=len)
        return formats

    def read_head(self) -> pa.Table:
        """Return the first rows, about a megabyte, all cells as strings."""
        schema = pa.schema([(name, pa.string()) for name in self.names])
        head, size = [], 0
        for batch in self._scan(self.names):
            if batch.num_rows:
                row_bytes = max(1, batch.nbytes // batch.num_rows)
                part = batch.slice(0, 1 + (HEAD_BYTES - size) // row_bytes)
                size += part.nbytes
                strings = [self._as_strings(part, name) for name in self.names]
                head.append(pa.record_batch(strings, schema=schema))
            if size >= HEAD_BYTES:
                break
        return pa.Table.from_batches(head, schema)

    def read(self, types: Mapping[str, CellType]) -> Iterator[pa.RecordBatch]:
        """Read the columns that `types` names, in its order.

        Raises:
            NotNumbersError: After the last row, if cells of some columns are no
                numbers; no batch comes after the first such cell.
            InputError: The rows are damaged, or hold lists or the like.
        """
        arrow_types = {"number": pa.float64(), "text": TEXTS}
        schema = pa.schema([(name, arrow_types[cell]) for name, cell in types.items()])
        wrong: set[str] = set()
        rows = 0
        for batch in self._scan(list(types)):
            columns = []
            for name, cell in types.items():
                self._check(batch[name], name, rows)
                if cell == "text":
                    date_format = self.date_formats.get(name, "")
                    columns.append(as_texts(batch[name], date_format))
                elif name not in wrong:
                    try:
                        columns.append(as_numbers(batch[name]))
                    except pa.ArrowInvalid:
                        wrong.add(name)
            rows += batch.num_rows
            if not wrong:
                yield pa.record_batch(columns, schema=schema)
        if wrong:
            raise NotNumbersError(tuple(name for name in types if name in wrong))

    def locate(self, column: str, text: str) -> str:
        """Return where a text first stands in a column, but for blanks around it.

        Args:
            column: The column's name.
            text: The text; "" for a cell without a value, too.

        Returns:
            "row 57" or the like; "" if it stands nowhere.
        """
        rows = 0
        for batch in self._scan([column]):
            strings = self._as_strings(batch, column).fill_null("")
            place = pc.index(pc.utf8_trim_whitespace(strings), text.strip()).as_py()
            if place >= 0:
                return self._name_row(rows + place)
            rows += batch.num_rows
        return ""

    def _as_strings(self, batch: pa.RecordBatch, name: str) -> pa.Array:
        return as_strings(batch[name], self.date_formats.get(name, ""))

    def _check(self, column: pa.Array, name: str, rows: int) -> None:
        fault = describe_fault(column.type)
        if not fault or column.null_count == len(column):
            return
        place = pc.index(column.is_valid(), True).as_py()
        row = self._name_row(rows + place)
        raise InputError(f"{self.where}, {row}, column {quote(name)}: holds {fault}")


def check_names(where: str, names: Sequence[str]) -> None:
    """Check that columns have names, each its own.

    Raises:
        InputError: They have not.
    """
    if not names:
        raise InputError(f"{where} has no columns")
    if "" in names:
        raise InputError(f"{where}: column {names.index('') + 1} has no name; name it")
    name, count = Counter(names).most_common(1)[0]
    if count > 1:
        raise InputError(f"{where}: two columns are called {quote(name)}; rename one")


def _list_index(schema: pa.Schema) -> list[str]:
    """Return the names of the columns that were the index of a pandas frame."""
    try:
        index = (schema.pandas_metadata or {})["index_columns"]
        return [name for name in index if isinstance(name, str)]
    except (KeyError, TypeError, ValueError):  # anybody may have written that
        return []


def _numbers_rows(field: pa.Field) -> bool:
    return field.name == _PANDAS_INDEX and types.is_integer(field.type)


def _has_dates(kind: pa.DataType) -> bool:
    return is_date(kind.value_type if types.is_dictionary(kind) else kind)


def _decode(column: pa.Array) -> pa.Array:
    is_coded = types.is_dictionary(column.type)
    return column.dictionary_decode() if is_coded else column
