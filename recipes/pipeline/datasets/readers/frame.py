"""Data frames of pandas, polars and others, and Arrow's tables, given in Python."""

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.interchange

from recipes.errors import InputError
from recipes.pipeline.datasets.readers.arrow_table import (
    ArrowTable,
    choose_batch_rows,
)

NAME = "frame"


def open_frame(frame: Any, flag: str) -> ArrowTable:
    """Open a data frame, whose library is not imported.

    Args:
        frame: It has `__arrow_c_stream__` or `__dataframe__`, or is of pandas.
        flag: Its setting, for messages.

    Raises:
        InputError: Arrow has no type for one of its columns.
    """
    where = f"{flag} ({type(frame).__name__})"
    try:
        table = _as_arrow(frame)
    except (pa.ArrowException, AttributeError, TypeError, ValueError) as error:
        words = "; ".join(map(str, error.args))
        raise InputError(
            f"{where} cannot be read as a table: {words}; expected columns of numbers, "
            "texts, truth values or dates, each with a name of its own"
        ) from error
    _check_views(where, table)

    def scan(names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        rows = choose_batch_rows(len(names))
        yield from table.select(list(names)).to_batches(max_chunksize=rows)

    return ArrowTable(NAME, where, table.schema, scan)


def _check_views(where: str, table: pa.Table) -> None:
    """Check that this Arrow can read views of texts, in which polars holds them.

    Raises:
        InputError: It is too old.
    """
    try:
        for column in table.slice(0, 0).itercolumns():
            if "string_view" in str(column.type):
                column.cast(pa.string())
    except pa.ArrowException:
        raise InputError(
            f"{where}: its texts need a newer Arrow; pip install --upgrade pyarrow, or "
            "write it to a file, such as Parquet, and name that"
        ) from None


def _as_arrow(frame: Any) -> pa.Table:
    try:
        return pa.table(frame)
    except TypeError:
        if hasattr(frame, "__dataframe__"):
            return pa.interchange.from_dataframe(frame)
        raise
