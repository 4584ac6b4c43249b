"""Parquet and Feather files, read in batches of rows."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather
import pyarrow.ipc
import pyarrow.parquet

from recipes.errors import InputError
from recipes.pipeline.datasets.readers import files
from recipes.pipeline.datasets.readers.arrow_table import (
    ArrowTable,
    choose_batch_rows,
)

_FILE_MAGIC, _FIRST_FEATHER_MAGIC = b"ARROW1", b"FEA1"


def open_parquet(path: Path) -> ArrowTable:
    """Open a Parquet file, of which only the wanted columns are read.

    Raises:
        InputError: It is damaged.
    """

    def scan(names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        with _open(path) as source:
            file = pa.parquet.ParquetFile(source)
            for batch in file.iter_batches(
                choose_batch_rows(len(names)), columns=list(names)
            ):
                yield _select(batch, names)

    with _open(path) as source:
        schema = pa.parquet.ParquetFile(source).schema_arrow
        return ArrowTable(files.strip_suffixes(path), str(path), schema, scan)


def open_feather(path: Path) -> ArrowTable:
    """Open a Feather file, or one of Arrow's IPC formats.

    Raises:
        InputError: It is damaged.
    """

    def scan(names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        with _open(path) as source:
            for whole in _iterate(source):
                yield from _split(_select(whole, names))

    with _open(path) as source:
        schema = _read_schema(source)
        return ArrowTable(files.strip_suffixes(path), str(path), schema, scan)


def _select(batch: pa.RecordBatch, names: Sequence[str]) -> pa.RecordBatch:
    """Select columns, and check them: Arrow trusts the offsets that a file states."""
    selected = batch.select(list(names))
    selected.validate(full=True)
    return selected


def _split(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Yield a batch in pieces of some megabytes."""
    rows = choose_batch_rows(batch.num_columns)
    for start in range(0, batch.num_rows, rows):
        yield batch.slice(start, rows)


@contextmanager
def _open(path: Path) -> Iterator[pa.NativeFile]:
    """Open a file, mapped into memory unless it is compressed.

    Raises:
        InputError: It cannot be read, or the block meets damaged data.
    """
    try:
        if files.is_compressed(path):
            with files.open_seekable(path) as stream:
                yield pa.PythonFile(stream, "r")
        else:
            with pa.memory_map(os.fsencode(path)) as source:
                yield source
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        if getattr(error, "errno", None):
            raise InputError(f"{path} cannot be read: {error}") from error
        words = " ".join(str(error).split())
        raise InputError(f"{path} is truncated or damaged: {words}") from error


def _read_magic(source: pa.NativeFile) -> bytes:
    magic: bytes = source.read(len(_FILE_MAGIC))
    source.seek(0)
    return magic


def _read_schema(source: pa.NativeFile) -> pa.Schema:
    magic = _read_magic(source)
    if magic == _FILE_MAGIC:
        return pa.ipc.open_file(source).schema
    if magic.startswith(_FIRST_FEATHER_MAGIC):
        return pa.feather.read_table(source).schema
    return pa.ipc.open_stream(source).schema


def _iterate(source: Any) -> Iterator[pa.RecordBatch]:
    magic = _read_magic(source)
    if magic == _FILE_MAGIC:
        reader = pa.ipc.open_file(source)
        for number in range(reader.num_record_batches):
            yield reader.get_batch(number)
    elif magic.startswith(_FIRST_FEATHER_MAGIC):
        yield from pa.feather.read_table(source).to_batches()
    else:
        yield from pa.ipc.open_stream(source)
