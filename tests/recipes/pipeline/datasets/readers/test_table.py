"""Text tables that are read correctly."""

import bz2
import gzip
import io
import lzma

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from recipes.pipeline.datasets.readers.csv_table import CsvTable
from recipes.pipeline.datasets.readers.table import read
from recipes.pipeline.datasets.readers.table_options import TableOptions
from tests.recipes.pipeline.datasets import loading
from tests.recipes.pipeline.datasets.loading import ROWS, loaded, write_table


def refused(path, task="regression", **flags):
    return loading.refused(path, task, **flags)


def all_rows(data):
    """Return features and target of all rows."""
    parts = (data.train, data.test)
    return (
        np.concatenate([p.features for p in parts]),
        np.concatenate([p.target for p in parts]),
    )


def test_a_table(tmp_path):
    data = loaded(write_table(tmp_path, "a,b,price\n" + ROWS))
    about = data.description
    assert about.name == "data" and about.tabular and about.task == "regression"
    assert [c.name for c in about.columns] == ["a", "b"]
    assert about.target.name == "price"
    assert data.train.features.dtype == np.float32
    assert data.train.target.dtype == np.float64
    x, y = all_rows(data)
    np.testing.assert_array_equal(y, x[:, 0].astype(float) ** 2)


def test_target_by_name(tmp_path):
    path = write_table(tmp_path, "a,b,price\n" + ROWS)
    data = loaded(path, target="a")
    assert [c.name for c in data.description.columns] == ["b", "price"]
    message = refused(path, target="pirce")
    assert message == f"--target: no column 'pirce' in {path} (did you mean 'price'?)"


@pytest.mark.parametrize(
    ("name", "separator"),
    [("d.csv", ","), ("d.csv", ";"), ("d.csv", "\t"), ("d.csv", "|"), ("d.tsv", "\t")],
)
def test_separators(tmp_path, name, separator):
    text = "a,b,price\n" + ROWS
    data = loaded(write_table(tmp_path, text.replace(",", separator), name))
    assert data.train.features.shape == (40, 2)


def test_separator_inside_quotes_does_not_count(tmp_path):
    text = '"a,b,c";x;y\n' + "".join(f"{i}.5;{i}.5;{i * i}.5\n" for i in range(50))
    names = [c.name for c in loaded(write_table(tmp_path, text)).description.columns]
    assert names == ["a,b,c", "x"]


@pytest.mark.parametrize(
    ("suffix", "opener"), [(".gz", gzip.open), (".bz2", bz2.open), (".xz", lzma.open)]
)
def test_compressed(tmp_path, suffix, opener):
    path = tmp_path / f"data.csv{suffix}"
    with opener(path, "wt") as stream:
        stream.write("a,b,price\n" + ROWS)
    data = loaded(path)
    assert data.description.name == "data"
    assert data.train.features.shape == (40, 2)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert "truncated or damaged" in refused(path)
    path.write_bytes(b"no such thing" * 9)
    assert "truncated or damaged" in refused(path)


def test_a_file_truncated_after_the_first_block(tmp_path):
    rng = np.random.default_rng(0)
    text = "a,b\n" + "".join(f"{u},{v}\n" for u, v in rng.random((80_000, 2)))
    content = gzip.compress(text.encode())
    path = tmp_path / "data.csv.gz"
    path.write_bytes(content[: len(content) - 1000])
    assert "truncated or damaged" in refused(path)


def test_without_header(tmp_path):
    data = loaded(write_table(tmp_path, ROWS))
    assert not data.description.tabular
    assert [c.name for c in data.description.columns] == ["x1", "x2"]
    assert len(data.train.target) + len(data.test.target) == 50
    assert (
        loaded(write_table(tmp_path, ROWS), target="x2").description.target.name == "x2"
    )


def test_without_header_but_with_class_names(tmp_path):
    text = "".join(f"{i}.5,{i * i},{'abc'[i % 3]}\n" for i in range(60))
    data = loaded(write_table(tmp_path, text))
    assert not data.description.tabular
    assert data.description.target.levels == ("a", "b", "c")
    assert len(data.train.target) + len(data.test.target) == 60


def test_a_first_line_that_looks_like_a_row(tmp_path):
    """Texts that occur below, or numbers that are not whole, make it one."""
    rows = "".join(f"{'MF'[i % 2]},{i}.5,{i * i}\n" for i in range(50))
    about = loaded(write_table(tmp_path, rows)).description
    assert about.tabular and about.columns[0].levels == ("F", "M")
    rows = f"X,1,2\n{rows}"
    message = refused(write_table(tmp_path, rows))
    assert message.endswith("say --header=no or --header=yes")
    about = loaded(tmp_path / "data.csv", header="no").description
    assert about.columns[0].levels == ("F", "M", "X")
    about = loaded(tmp_path / "data.csv", header="yes").description
    assert [about.columns[0].name, about.target.name] == ["X", "2"]


def test_numbers_as_names(tmp_path):
    data = loaded(write_table(tmp_path, "2010,2011,price\n" + ROWS))
    assert [c.name for c in data.description.columns] == ["2010", "2011"]


def test_bom_and_dos_line_ends(tmp_path):
    text = "\ufeffa,b,price\n" + ROWS
    data = loaded(write_table(tmp_path, text.replace("\n", "\r\n")))
    assert [c.name for c in data.description.columns] == ["a", "b"]
    assert data.train.features.shape == (40, 2)


def test_blanks(tmp_path):
    marks = ["", "?", "NA", "N/A", "NaN", "nan", "null", "NULL", " ? ", " "]
    text = "a,b,y\n" + "".join(
        f"{mark},{i}.5, {i}.5 \n" for i, mark in enumerate(marks)
    )
    text += "".join(f"{i}.5,{i}.5,{i}.25\n" for i in range(30))
    data = loaded(write_table(tmp_path, text))
    x, _ = all_rows(data)
    assert np.isnan(x[:, 0]).sum() == len(marks)


def test_categories(tmp_path):
    text = "colour,size,y\n"
    text += "".join(f"{['red', ' blue', '?'][i % 3]},{i}.25,{i}.5\n" for i in range(60))
    data = loaded(write_table(tmp_path, text))
    colour = data.description.columns[0]
    assert (colour.kind, colour.levels) == ("categorical", ("blue", "red", ""))
    x, _ = all_rows(data)
    expected = np.array([1, 0, 2])[x[:, 1].astype(int) % 3]
    np.testing.assert_array_equal(x[:, 0], expected)


def test_categories_of_numbers_and_words(tmp_path):
    cells = ["10", "9", "unknown", "none", "some"]
    text = "a,y\n" + "".join(f"{cells[i % 5]},{i}.5\n" for i in range(60))
    column = loaded(write_table(tmp_path, text)).description.columns[0]
    assert column.levels == ("10", "9", "none", "some", "unknown")


@pytest.mark.parametrize(("rows", "levels"), [(30, 30), (300, 101)])
def test_texts_that_tell_rows_apart_are_dropped(tmp_path, rows, levels):
    text = "id,a,y\n" + "".join(f"r{i % levels},{i}.25,{i}.5\n" for i in range(rows))
    data = loaded(write_table(tmp_path, text))
    assert [c.name for c in data.description.columns] == ["a"]
    assert any(note.startswith("dropped 'id'") for note in data.description.notes)
    x, y = all_rows(data)
    np.testing.assert_array_equal(x[:, 0] + 0.25, y)
    # A test set may have the column, or not.
    for text in ("a,y,id\n1,2,r1\n", "a,y\n1,2\n"):
        test = write_table(tmp_path, text, "test.csv")
        data = loaded(tmp_path / "data.csv", test_dataset=str(test))
        np.testing.assert_array_equal(data.test.features, [[1]])


def test_texts_that_vary_after_the_first_block_are_dropped(tmp_path):
    text = "id,a,y\n" + "".join(f"same,{i}.5,{i}.75\n" for i in range(100_000))
    text += "".join(f"r{i},{i}.5,{i}.75\n" for i in range(200))
    data = loaded(write_table(tmp_path, text))
    assert [c.name for c in data.description.columns] == ["a"]
    x, y = all_rows(data)
    np.testing.assert_array_equal(x[:, 0] + 0.25, y)


def test_class_names(tmp_path):
    text = "a,y\n" + "".join(f"{i}.5,{['10', '9', '2.5'][i % 3]}\n" for i in range(60))
    data = loaded(write_table(tmp_path, text), "classification")
    assert data.description.target.levels == ("2.5", "9", "10")
    x, y = all_rows(data)
    np.testing.assert_array_equal(y, np.array([2, 1, 0])[x[:, 0].astype(int) % 3])
    assert y.dtype == np.int64
    assert loaded(write_table(tmp_path, text)).description.task == "regression"
    whole = text.replace("2.5", "2")
    assert loaded(write_table(tmp_path, whole)).description.task == "classification"
    assert (
        loaded(write_table(tmp_path, whole), "regression").description.task
        == "regression"
    )
    words = text.replace(",10", ",ten").replace(",9", ",nine").replace(",2.5", ",two")
    data = loaded(write_table(tmp_path, words))
    assert data.description.target.levels == ("nine", "ten", "two")
    assert "regression needs" in refused(write_table(tmp_path, words))


@pytest.mark.parametrize("lines", [5, 50])
def test_quoted_lines_across_the_first_block(tmp_path, lines):
    cell = '"' + "u\n" * lines + 'v"'
    text = "c,y\n" + "".join(f"{cell},{i}.5\n" for i in range(1_200_000 // len(cell)))
    data = loaded(write_table(tmp_path, text))
    assert len(data.description.columns[0].levels) == 1


def test_quoted_cells_over_lines(tmp_path):
    text = (
        'c,a,y\n"u\nv",1,2\n' + "".join(f"w,{i}.5,3\n" for i in range(40)) + "w,x,3\n"
    )
    assert "line 44, column 'a'" in refused(write_table(tmp_path, text))


@given(
    values=hnp.arrays(
        np.float64,
        hnp.array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=6),
        elements=st.floats(allow_nan=False, allow_infinity=False, width=32),
    ),
    header=st.booleans(),
    separator=st.sampled_from(",;\t|"),
)
@settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_written_tables_are_read_back(tmp_path, values, header, separator):
    out = io.StringIO()
    if header:
        out.write(separator.join(f"c{i}" for i in range(values.shape[1])) + "\n")
    for row in values.tolist():
        out.write(separator.join(map(repr, row)) + "\n")
    names = [*(f"c{i}" for i in range(9)), *(f"x{i}" for i in range(9))]
    path = write_table(tmp_path, out.getvalue())
    table = CsvTable(path)
    found = read(table, TableOptions(numeric=[n for n in names if n in table.names]))
    assert found.tabular == header
    np.testing.assert_array_equal(found.train.features, values[:, :-1].astype("f4"))
    np.testing.assert_array_equal(found.train.target, values[:, -1])


def test_california_housing(recipes_data):
    path = recipes_data / "california-housing" / "housing.csv.gz"
    data = loaded(path, target="median_house_value")
    assert data.description.name == "housing"
    names = [column.name for column in data.description.columns]
    bedrooms = all_rows(data)[0][:, names.index("total_bedrooms")]
    assert np.isnan(bedrooms).sum() == 207
    ocean = data.description.columns[-1]
    assert (ocean.name, ocean.kind, len(ocean.levels)) == (
        "ocean_proximity",
        "categorical",
        5,
    )
    _, y = all_rows(data)
    assert len(y) == 20_640
    assert y.mean() == pytest.approx(206_855.8, abs=0.1)


def test_winequality(recipes_data):
    path = recipes_data / "winequality" / "winequality-white.csv.gz"
    data = loaded(path, "regression")
    assert data.description.columns[0].name == "fixed acidity"
    assert all_rows(data)[0].shape == (4898, 11)
    assert loaded(path).description.target.levels == tuple("3456789")
