"""Several files with the same columns, read as one table."""

from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa

from recipes.errors import InputError
from recipes.pipeline.datasets import source
from recipes.pipeline.datasets.readers.arrow_table import HEAD_BYTES, ArrowTable
from recipes.pipeline.datasets.readers.table_source import (
    CellType,
    NotNumbersError,
    Table,
)


class ManyTables(Table):
    """The rows of several tables, one after another.

    Args:
        name: Short name, for folders.
        where: Name in messages.
        tables: At least one. They have the same columns, in any order.
        notes: What a user should know of the choice of tables.

    Attributes:
        tables: The tables.

    Raises:
        InputError: The columns differ; the message says in which file.
    """

    def __init__(
        self, name: str, where: str, tables: Sequence[Table], notes: tuple[str, ...]
    ) -> None:
        first = tables[0]
        for table in tables[1:]:
            _check_same_columns(first, table)
        self.name, self.where, self.tables = name, where, tables
        self.names, self.header = first.names, first.header
        self.layout = first.layout
        found = (note for table in tables for note in table.notes)
        self.notes = (f"{len(tables)} files", *notes, *dict.fromkeys(found))
        _write_dates_alike([t for t in tables if isinstance(t, ArrowTable)])

    def read_head(self) -> pa.Table:
        """Return the first rows, about a megabyte, all cells as strings."""
        heads: list[pa.Table] = []
        for table in self.tables:
            heads.append(table.read_head().select(list(self.names)))
            if sum(head.nbytes for head in heads) >= HEAD_BYTES:
                break
        return pa.concat_tables(heads)

    def read(self, types: Mapping[str, CellType]) -> Iterator[pa.RecordBatch]:
        """Read the columns that `types` names, in its order.

        Raises:
            NotNumbersError: After the last file.
            InputError: A file is malformed; the message says which.
        """
        wrong: set[str] = set()
        for table in self.tables:
            try:
                for batch in table.read(types):
                    if not wrong:
                        yield batch
            except NotNumbersError as error:
                wrong.update(error.columns)
        if wrong:
            raise NotNumbersError(tuple(name for name in types if name in wrong))

    def locate(self, column: str, text: str) -> str:
        """Return in which file a text first stands in a column, and where there."""
        for table in self.tables:
            if place := table.locate(column, text):
                return f"{table.where}, {place}"
        return ""


def _check_same_columns(first: Table, other: Table) -> None:
    """Check that two tables have the same columns, in any order."""
    missing = [name for name in first.names if name not in set(other.names)]
    extra = [name for name in other.names if name not in set(first.names)]
    faults = []
    if missing:
        faults.append(f"lacks {source.quote_first_five(missing)}")
    if extra:
        faults.append(f"has {source.quote_first_five(extra)} besides")
    if faults:
        raise InputError(
            f"{other.where} differs in its columns from {first.where}: it "
            + " and ".join(faults)
        )


def _write_dates_alike(tables: Sequence[ArrowTable]) -> None:
    """Write each column's dates in all tables as the longest format in one does."""
    longest: dict[str, str] = {}
    for table in tables:
        for name, found in table.date_formats.items():
            longest[name] = max(longest.get(name, ""), found, key=len)
    for table in tables:
        table.date_formats.update({name: longest[name] for name in table.date_formats})
