"""Text tables that are refused, with file, line and column."""

import pytest

from tests.recipes.pipeline.datasets import loading
from tests.recipes.pipeline.datasets.loading import ROWS, write_table


def refused(path, task="regression", **flags):
    return loading.refused(path, task, **flags)


BAD_CELLS = [
    ("1,2,3\n4,five,6\n7,8,9\n", 2, ", column 'b': 'five' is not a number"),
    ("1,2,3\n\n4,5,6\n7,8,x\n", 4, ", column 'y': 'x' is not a number"),
    ("1,2,3\n4,inf,6\n7,8,9\n", 2, ", column 'b': 'inf' is not finite or too large"),
    ("1,2,3\n4,1e39,6\n7,8,9\n", 2, ", column 'b': '1e39' is not finite or too large"),
    ("1,2,3\n4,5,-inf\n7,8,9\n", 2, ", column 'y': '-inf' is not finite or too large"),
    ("1,2,3\n4,5\n7,8,9\n", 2, ": 2 cells, but 3 are expected"),
    ("1,2,3\n4,5,6,7\n7,8,9\n", 2, ": 4 cells, but 3 are expected"),
    ('1,2,3\n4,"5,6\n7,8,9\n', 2, ": 2 cells, but 3 are expected"),
]


@pytest.mark.parametrize(("text", "line", "fault"), BAD_CELLS)
@pytest.mark.parametrize("before", [60, 100_000])
def test_bad_cells_are_named(tmp_path, text, line, fault, before):
    """In the first block, and far after it."""
    rows = "".join(f"{i % 97}.5,{i % 89}.5,{i % 83}.5\n" for i in range(before))
    path = write_table(tmp_path, f"a,b,y\n{rows}{text}")
    message = refused(path)
    assert message.startswith(f"{path}, line {1 + before + line}{fault}")


def test_a_quotation_mark_that_is_never_closed(tmp_path):
    text = 'a,b,y\n1,2,3\n4,"5,6\n' + "7,8,9\n" * 300_000
    assert "after line 2: a quotation mark is never closed" in refused(
        write_table(tmp_path, text)
    )


BAD_TABLES = [
    ("", "is empty"),
    ("\n\n", "is empty"),
    ("a,b,y\n", "has a header line but no rows"),
    ("a\n1\n2\n", "has one column"),
    ("a,b,y\n1,2,3\n", "target 'y' is 3 in every row"),
    ("a,b,y\n1,2,3\n2,3,4\n", "--test_fraction"),
    ("a,b,y\n1,2,5\n2,3,5\n3,4,5\n", "target 'y' is 5 in every row"),
    ("a,b,y\n" + ",NA,2\n,?,3\n,,4\n" * 9, "no columns to predict 'y' from: left out"),
    ("a,b,y\n1,2,\n2,3,NA\n", "target 'y' is blank in all rows"),
    ("\x00\x00\x00\n1\n", "line 1: a NUL byte"),
]


@pytest.mark.parametrize(("text", "expected"), BAD_TABLES)
def test_bad_tables(tmp_path, text, expected):
    assert expected in refused(write_table(tmp_path, text))


def test_not_the_encoding_that_is_named(tmp_path):
    path = tmp_path / "data.csv"
    path.write_bytes("a,é,y\n1,2,3\n4,5,6\n".encode("latin-1"))
    assert "line 1: not UTF-8" in refused(path, encoding="utf-8")
    path.write_bytes(b"a,c,y\n" + b"1,u,3\n" * 300_000 + b"1,\xe9,3\n")
    assert "not UTF-8" in refused(path, encoding="utf8")
    assert "--encoding=klingon: no such encoding" in refused(path, encoding="klingon")


def test_few_cells_that_are_no_numbers_are_counted(tmp_path):
    rows = "".join(f"{i}.5,{i * i}.5\n" for i in range(92))
    path = write_table(tmp_path, f"a,y\n{rows}rotary,3.25\n")
    assert refused(path) == (
        f"{path}, line 94, column 'a': 'rotary' is not a number, as 1 of 93 cells are "
        "not; correct it, or use --na_values=rotary (not known), --categorical=a or "
        "--drop=a"
    )
    data = loading.loaded(path, na_values=("rotary",))
    assert data.description.columns[0].kind == "numeric"
    about = loading.loaded(path, categorical=("a",)).description
    assert len(about.columns[0].levels) > 50


def test_missing_files(tmp_path):
    write_table(tmp_path, ROWS, "houses.csv")
    message = refused(tmp_path / "house.csv")
    assert message.startswith("--dataset: there is no file")
    assert "did you mean 'houses.csv'?" in message
    assert "unknown format" in refused(write_table(tmp_path, "\0" + ROWS, "a.dat"))
    message = refused(tmp_path / "houses.csv", test_dataset=str(tmp_path / "t.csv"))
    assert message.startswith("--test_dataset: there is no file")
