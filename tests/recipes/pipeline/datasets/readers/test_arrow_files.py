"""Parquet and Feather files."""

import datetime as dt
import gzip
from contextlib import suppress

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recipes.errors import InputError
from recipes.pipeline.datasets.readers.table_source import NotNumbersError
from tests.recipes.pipeline.datasets.readers.tables import (
    opened,
    read,
    refused,
    write_zip,
)

ROWS = pa.table(
    {
        "area": [38.0, None, 51.5],
        "district": ["north", "south", None],
        "a.b": [1, 2, 3],
        "built": pa.array([dt.datetime(1990, 1, day) for day in (1, 2, 3)]),
        "sold": [True, False, None],
    }
)


def write_stream(rows, path):
    with pa.ipc.new_stream(path, rows.schema) as writer:
        writer.write_table(rows)


WRITERS = {
    "flats.parquet": pq.write_table,
    "flats.feather": pa.feather.write_feather,
    "flats.arrow": write_stream,
    "flats": pq.write_table,
    "flats.dat": pa.feather.write_feather,
}


@pytest.fixture(params=WRITERS)
def path(request, tmp_path):
    WRITERS[request.param](ROWS, str(tmp_path / request.param))
    return tmp_path / request.param


def test_typed_columns(path):
    table = opened(path)
    assert table.name == "flats" and table.where == str(path) and table.header
    assert table.names == tuple(ROWS.column_names)
    assert table.notes == ()
    assert read(table, built="text", area="number", district="text") == {
        "built": ["1990-01-01", "1990-01-02", "1990-01-03"],
        "area": [38.0, None, 51.5],
        "district": ["north", "south", None],
    }
    assert read(table, **{"a.b": "text", "sold": "text"}) == {
        "a.b": ["1", "2", "3"],
        "sold": ["True", "False", None],
    }
    assert table.read_head().to_pydict() == {
        "area": ["38", None, "51.5"],
        "district": ["north", "south", None],
        "a.b": ["1", "2", "3"],
        "built": ["1990-01-01", "1990-01-02", "1990-01-03"],
        "sold": ["True", "False", None],
    }


def test_places(path):
    table = opened(path)
    assert table.locate("district", "south") == "row 2"
    assert table.locate("district", "") == "row 3"
    assert table.locate("area", "51.5") == "row 3"
    assert table.locate("area", "52") == ""


def test_all_columns_that_are_no_numbers_are_named(path):
    types = dict.fromkeys(ROWS.column_names, "number")
    with pytest.raises(NotNumbersError) as caught:
        list(opened(path).read(types))
    assert caught.value.columns == ("district", "built", "sold")


def test_compressed(path):
    content = path.read_bytes()
    packed = path.with_name(f"{path.name}.gz")
    packed.write_bytes(gzip.compress(content))
    assert read(opened(packed), area="number") == {"area": [38.0, None, 51.5]}
    packed = write_zip(path.with_name("all.zip"), **{"in/flats.parquet": content})
    if path.name == "flats.parquet":
        assert opened(packed).name == "flats"
        assert read(opened(packed), area="number") == {"area": [38.0, None, 51.5]}


def test_damaged(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    assert f"{path} is truncated or damaged" in refused(path)


@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_damage_is_refused_or_harmless(path, data):
    content = bytearray(path.read_bytes())
    places = st.integers(0, len(content) - 1)
    damage = data.draw(st.dictionaries(places, st.integers(0, 255), max_size=20))
    for place, byte in damage.items():
        content[place] = byte
    damaged = path.with_name(f"damaged{path.suffix}")
    damaged.write_bytes(content)
    with suppress(InputError):
        table = opened(damaged)
        table.read_head()
        list(table.read(dict.fromkeys(table.names, "text")))


def test_many_row_groups(tmp_path):
    path = tmp_path / "long.parquet"
    numbers = np.arange(200_000)
    texts = [f"level {i % 7}" for i in numbers]
    rows = pa.table({"x": numbers, "text": texts, "late": [*["1"] * 199_999, "one"]})
    pq.write_table(rows, path, row_group_size=30_000)
    table = opened(path)
    found = read(table, x="number", text="text")
    np.testing.assert_array_equal(found["x"], numbers)
    assert found["text"] == texts
    head = table.read_head()
    assert 10_000 < len(head) < 100_000
    assert head["x"].to_pylist() == [str(i) for i in range(len(head))]
    batches = table.read({"x": "number", "late": "number"})
    with pytest.raises(NotNumbersError):
        for batch in batches:
            assert batch.num_rows
    assert table.locate("late", "one") == "row 200000"


def test_row_numbers_of_pandas_are_left_out(tmp_path):
    path = tmp_path / "part.parquet"
    pq.write_table(pa.table({"x": [1.0], "__index_level_0__": [57]}), path)
    table = opened(path)
    assert table.names == ("x",)
    assert "__index_level_0__" in table.notes[0]
    pq.write_table(pa.table({"x": [1.0], "__index_level_0__": ["57"]}), path)
    assert opened(path).names == ("x", "__index_level_0__")


@pytest.mark.parametrize(
    ("metadata", "names"),
    [
        ('{"index_columns": ["id"]}', ("id", "x", "y")),
        ('{"index_columns": [{"kind": "range"}]}', ("x", "y", "id")),
        ("{}", ("x", "y", "id")),
        ("{", ("x", "y", "id")),
    ],
)
def test_the_index_of_pandas_comes_first(tmp_path, metadata, names):
    path = tmp_path / "d.parquet"
    rows = pa.table({"x": [1.0], "y": [2.0], "id": [57]})
    pq.write_table(rows.replace_schema_metadata({"pandas": metadata}), path)
    table = opened(path)
    assert table.names == names
    assert read(table, id="number", y="number") == {"id": [57.0], "y": [2.0]}


def test_values_that_no_column_can_hold(tmp_path):
    path = tmp_path / "d.parquet"
    pq.write_table(pa.table({"x": [1, 2], "tags": [None, ["a"]]}), path)
    assert refused(path) == (
        f"{path}, row 2, column 'tags': holds a list; store its values in columns of "
        "their own"
    )
    assert read(opened(path), x="number") == {"x": [1.0, 2.0]}
    assert opened(path).read_head()["tags"].to_pylist() == [None, "[…]"]


def test_names(tmp_path):
    path = tmp_path / "d.feather"
    twice = pa.Table.from_arrays([pa.array([1])] * 2, names=["a", "a"])
    with pa.ipc.new_file(str(path), twice.schema) as writer:
        writer.write_table(twice)
    assert "two columns are called 'a'" in refused(path)
    pa.feather.write_feather(pa.table({"a": [1], "": [2]}), str(path))
    assert "column 2 has no name" in refused(path)
    pa.feather.write_feather(pa.table({}), str(path))
    assert "has no columns" in refused(path)


def test_no_rows(tmp_path):
    path = tmp_path / "d.parquet"
    pq.write_table(ROWS.slice(0, 0), path)
    table = opened(path)
    assert table.read_head().num_rows == 0
    assert sum(batch.num_rows for batch in table.read({"area": "number"})) == 0


def test_dates_of_a_test_set_are_written_as_in_the_training_set(tmp_path):
    path = tmp_path / "test.parquet"
    pq.write_table(ROWS, path)
    table = opened(path, date_formats={"built": "%d/%m/%Y %H:%M", "other": "%Y"})
    expected = ["01/01/1990 00:00", "02/01/1990 00:00", "03/01/1990 00:00"]
    assert read(table, built="text") == {"built": expected}
