"""Helpers for tests of tables: read all rows, or get the line that refuses them."""

import io
import zipfile

import pyarrow as pa
import pyarrow.csv
import pytest

from recipes.errors import InputError
from recipes.pipeline.datasets.readers import files
from recipes.pipeline.datasets.readers.arrow_table import ArrowTable
from recipes.pipeline.datasets.readers.open_table import open_table


def open_text(path):
    """Open a text file as a table of plain cells, all of them texts."""
    with files.open_decompressed(path) as stream:
        options = pa.csv.ConvertOptions(strings_can_be_null=True)
        rows = pa.csv.read_csv(io.BytesIO(stream.read()), convert_options=options)
    return ArrowTable(
        files.strip_suffixes(path),
        str(path),
        rows.schema,
        lambda names: iter(rows.select(list(names)).to_batches()),
        name_row=lambda place: f"line {place + 2}",
    )


def opened(value, **options):
    if not isinstance(value, str) and hasattr(value, "suffix"):
        value = str(value)
    return open_table(value, "--dataset", open_text, **options)


def read(table, **types):
    """Return the columns that the types name as lists."""
    batches = list(table.read(types))
    for batch in batches:
        assert batch.schema.names == list(types)
    rows = pa.Table.from_batches(batches)
    return {name: rows[name].to_pylist() for name in types}


def refused(value, read_as=None, **options):
    """Return the one line that says what is wrong."""
    with pytest.raises(InputError) as caught:
        table = opened(value, **options)
        list(table.read(read_as or dict.fromkeys(table.names, "text")))
    message = str(caught.value)
    assert "\n" not in message
    return message


def write_zip(path, **members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path
