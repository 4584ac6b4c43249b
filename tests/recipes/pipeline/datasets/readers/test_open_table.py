"""Tables named by a folder or a pattern, and data frames."""

import datetime as dt

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from recipes.pipeline.datasets.readers.many_tables import ManyTables
from recipes.pipeline.datasets.readers.open_table import names_many
from recipes.pipeline.datasets.readers.table_source import NotNumbersError
from tests.recipes.pipeline.datasets.readers.tables import opened, read, refused


class Frame:
    """What a library of data frames has in common with Arrow."""

    def __init__(self, table):
        self._table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self._table.__arrow_c_stream__(requested_schema)


class OlderFrame:
    def __init__(self, table):
        self._table = table

    def __dataframe__(self, **options):
        return self._table.__dataframe__(**options)


ROWS = pa.table({"x": [1.0, None, 2.5], "level": ["a", "b", None]})


@pytest.mark.parametrize("wrap", [lambda rows: rows, Frame, OlderFrame])
def test_data_frames(wrap):
    table = opened(wrap(ROWS))
    assert table.name == "frame"
    assert table.where == f"--dataset ({type(wrap(ROWS)).__name__})"
    assert read(table, level="text", x="number") == {
        "level": ["a", "b", None],
        "x": [1.0, None, 2.5],
    }
    assert table.locate("level", "b") == "row 2"


def test_views_of_texts():
    if not hasattr(pa, "string_view"):
        pytest.skip("this Arrow cannot make them")
    column = pa.array(["a", None]).cast(pa.string_view())
    rows = pa.table({"x": column, "level": column.dictionary_encode()})
    expected = {"x": ["a", None], "level": ["a", None]}
    assert read(opened(Frame(rows)), x="text", level="text") == expected


def test_no_data_frame():
    assert "--dataset (object) cannot be read as a table" in refused(object())


@pytest.fixture
def folder(tmp_path):
    """A folder of tables in several formats, with other files."""
    folder = tmp_path / "sales"
    folder.mkdir()
    (folder / "part-2.csv").write_text("x,level,day\n2,b,2020-01-02\n")
    (folder / "part-10.csv").write_text("x,level,day\n10,c,2020-01-10\n")
    first = pa.table({"day": [dt.datetime(2020, 1, 1)], "x": [1], "level": ["a"]})
    pq.write_table(first, folder / "part-1.parquet")
    (folder / "part-3.jsonl").write_text('{"level": "a", "day": null, "x": 3.5}\n')
    for name in ("README.md", "_SUCCESS", ".hidden.csv"):
        (folder / name).write_text("x\n1\n")
    return folder


def test_a_folder(folder):
    assert names_many(str(folder))
    table = opened(folder)
    assert isinstance(table, ManyTables)
    assert table.name == "sales" and table.where == str(folder) and table.header
    assert table.names == ("day", "x", "level")
    assert table.notes == ("4 files", "left out, no tables by their names: 'README.md'")
    assert read(table, x="number", level="text", day="text") == {
        "x": [1.0, 2.0, 3.5, 10.0],
        "level": ["a", "b", "a", "c"],
        "day": ["2020-01-01", "2020-01-02", None, "2020-01-10"],
    }
    assert table.read_head()["x"].to_pylist() == ["1", "2", "3.5", "10"]
    assert table.locate("level", "c") == f"{folder / 'part-10.csv'}, line 2"
    assert table.locate("x", "3.5") == f"{folder / 'part-3.jsonl'}, line 1"
    assert table.locate("x", "7") == ""
    with pytest.raises(NotNumbersError) as caught:
        list(table.read({"level": "number", "x": "number", "day": "number"}))
    assert caught.value.columns == ("level", "day")


def test_a_pattern(folder, monkeypatch):
    table = opened(f"{folder}/part-[23].*")
    assert table.name == "part"
    assert read(table, x="number") == {"x": [2.0, 3.5]}
    assert opened(f"{folder.parent}/**/part-1.par*").name == folder.parent.name
    monkeypatch.chdir(folder)
    assert opened("*.csv").name == "sales"
    strange = folder / "what[1].csv"
    strange.write_text("x\n1\n")
    assert not names_many(str(strange))
    assert read(opened(strange), x="number") == {"x": [1.0]}


def test_dates_are_written_alike_in_all_files(tmp_path):
    for name, hour in (("a", 0), ("b", 13)):
        rows = pa.table({"at": [dt.datetime(2020, 1, 1, hour)]})
        pq.write_table(rows, tmp_path / f"{name}.parquet")
    expected = ["2020-01-01 00:00:00", "2020-01-01 13:00:00"]
    assert read(opened(tmp_path), at="text") == {"at": expected}
    days = opened(tmp_path, date_formats={"at": "%Y-%m-%d"})
    assert read(days, at="text") == {"at": ["2020-01-01"] * 2}


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("x,level", "it lacks 'day'"),
        ("x,level,day,y", "it has 'y' besides"),
        ("x,level,days", "it lacks 'day' and has 'days' besides"),
    ],
)
def test_other_columns(folder, header, message):
    (folder / "part-4.csv").write_text(f"{header}\n")
    wrong, first = folder / "part-4.csv", folder / "part-1.parquet"
    (folder / "part-10.csv").unlink()
    assert refused(folder) == (
        f"{wrong} differs in its columns from {first}: {message}"
    )


def test_nothing_to_read(tmp_path):
    assert f"--dataset: {tmp_path} has no tables" in refused(tmp_path)
    pattern = f"{tmp_path}/*.csv"
    assert f"--dataset: {pattern} matches no file" in refused(pattern)
    assert "matches no file" in refused("*/" * 50_000 + "*")
    assert "there is no file" in refused(f"{tmp_path}/a[1.csv")
    (tmp_path / "a.npz").write_bytes(b"PK")
    assert "is no table" in refused(f"{tmp_path}/*.npz")
    (tmp_path / "b").write_bytes(bytes(100))
    assert "has an unknown format" in refused(tmp_path / "b")
