"""The file of the predictions, which appears whole or not at all."""

import glob
import gzip
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO, Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from recipes.errors import InputError
from recipes.pipeline.run.atomic_files import errors_as_input_errors, write_atomically

_MUST_BE_QUOTED = '[",\r\n]'
_COMPRESSION = 4  # a third of the default's time for a few per cent more
_GROUP_ROWS = 1 << 17  # of Parquet


class Writer(Protocol):
    """Takes the rows of a file, part by part."""

    def write(self, part: Any, /) -> Any:
        """Write what `format_rows` has made of some rows."""


def is_text(path: Path) -> bool:
    """Return whether a file is written as text."""
    return path.suffix.lower() != ".parquet"


def format_rows(rows: pa.RecordBatch, *, as_text: bool) -> Any:
    """Return rows in the form that a writer takes, which is most of the work.

    Args:
        rows: The rows.
        as_text: Whether the file is a text.

    Returns:
        Bytes of lines, or a batch whose texts are in no dictionary.
    """
    if as_text:
        return _join([_as_texts(column) for column in rows.columns])
    return pa.RecordBatch.from_arrays(
        [
            column.dictionary_decode()
            if pa.types.is_dictionary(column.type)
            else column
            for column in rows.columns
        ],
        names=rows.schema.names,
    )


def format_header(names: list[str]) -> bytes:
    """Return the first line of a text file."""
    return _join([_quote(pa.array([name])) for name in names])


@contextmanager
def open_output(path: Path, dataset: Path) -> Iterator[Writer]:
    """Open the output; it appears at the end of the block, if that raises no error.

    Args:
        path: The file, which is replaced if it exists.
        dataset: The file that is read.

    Raises:
        InputError: It cannot be written, or is the file that is read.
    """
    path = Path(os.path.realpath(path))  # a link stays one
    _check_place(path, dataset)
    with (
        errors_as_input_errors("the predictions", path, "--output"),
        write_atomically(path) as temporary,
    ):
        if not is_text(path):
            with _ParquetWriter(temporary) as writer:
                yield writer
            return
        with open(temporary, "wb") as file:
            is_packed = path.suffix.lower() == ".gz"
            with _compress(file) if is_packed else nullcontext(file) as stream:
                yield stream


def _check_place(path: Path, dataset: Path) -> None:
    try:
        mode = path.stat().st_mode
    except OSError:
        return  # what is wrong with it, opening it tells
    if not stat.S_ISREG(mode):
        what = "a folder" if stat.S_ISDIR(mode) else "no regular file"
        raise InputError(f"--output: {path} is {what}; name a file")
    pattern = str(dataset / "*" if dataset.is_dir() else dataset)
    for each in (str(dataset), *glob.glob(pattern, recursive=True)):
        if os.path.exists(each) and os.path.samefile(path, each):
            raise InputError(f"--output: {path} is the --dataset; name another file")


def _compress(file: IO[bytes]) -> Any:
    # Without name and time, the same rows make the same bytes.
    return gzip.GzipFile("", "wb", _COMPRESSION, file, mtime=0)


class _ParquetWriter:
    """Collects rows to groups of a size that suits readers."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: Any = None
        self._pending: list[pa.RecordBatch] = []
        self._rows = 0

    def __enter__(self) -> "_ParquetWriter":
        self._stream = open(self._path, "wb")
        return self

    def write(self, rows: pa.RecordBatch) -> None:
        self._pending.append(rows)
        self._rows += rows.num_rows
        if self._rows >= _GROUP_ROWS:
            self._flush()

    def __exit__(self, kind: Any, *details: Any) -> None:
        with self._stream:
            if kind is None:
                self._flush()
            if self._file is not None:
                self._file.close()

    def _flush(self) -> None:
        if self._pending:
            table = pa.Table.from_batches(self._pending)
            if self._file is None:
                self._file = pyarrow.parquet.ParquetWriter(self._stream, table.schema)
            self._file.write_table(table)
        self._pending, self._rows = [], 0


def _join(columns: list[pa.Array]) -> bytes:
    """Join the cells of each row to a line."""
    lines = pc.binary_join_element_wise(
        *columns, ",", null_handling="replace", null_replacement=""
    )
    ended = pc.binary_join_element_wise(lines, "", "\n")
    # All texts stand one behind the other in an array's last buffer.
    return bytes(ended.buffers()[2])[: pc.sum(pc.binary_length(ended)).as_py()]


def _as_texts(column: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        quoted = _quote(column.dictionary)
        return quoted.take(column.indices)
    return _quote(column) if pa.types.is_string(column.type) else column.cast("string")


def _quote(texts: pa.Array) -> pa.Array:
    """Put texts in quotes that need them."""
    special = pc.match_substring_regex(texts, _MUST_BE_QUOTED)
    if not pc.any(special).as_py():
        return texts
    doubled = pc.replace_substring(texts, '"', '""')
    quoted = pc.binary_join_element_wise('"', doubled, '"', "")
    return pc.if_else(special, quoted, texts)
