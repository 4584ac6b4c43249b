"""Tables that are read as another one was."""

import json

import numpy as np
import pytest

from recipes.pipeline.datasets.columns_file import ColumnsFile, columns_text
from tests.recipes.pipeline.datasets.loading import loaded, refused, write_table

HEADER = "id;sold;price;code;city;y\n"
ROWS = "".join(
    f"{i};{i % 28 + 1}/{i % 12 + 1}/2020;{i % 40},5;{i % 4};{'uvw'[i % 3]};{i}.5\n"
    for i in range(60)
)
# One by one these would be read otherwise: a month first, a plain number.
TOMORROW = "".join(f"7;{i % 12 + 1}/1/2021;{i};{i % 4};u;{i}.5\n" for i in range(60))


@pytest.fixture
def saved(tmp_path):
    """Return a table and its columns.json."""
    path = write_table(tmp_path, HEADER + ROWS)
    about = loaded(path, categorical=("code",)).description
    text = columns_text(ColumnsFile(about.columns, about.target, table=about.layout))
    return path, write_table(tmp_path, text, "columns.json")


def kinds(about):
    return [(c.name, c.kind, c.format) for c in about.columns]


def test_a_table_is_read_as_before(saved):
    path, columns = saved
    data, again = (
        loaded(path, categorical=("code",)),
        loaded(path, columns=str(columns)),
    )
    assert (
        kinds(data.description)
        == kinds(again.description)
        == [
            ("sold", "date", "%d/%m/%Y"),
            ("price", "numeric", "1,0"),
            ("code", "categorical", ""),
            ("city", "categorical", ""),
        ]
    )
    assert data.description.columns == again.description.columns
    np.testing.assert_array_equal(data.train.features, again.train.features)


def test_another_table_is_read_as_before(tmp_path, saved):
    path = write_table(tmp_path, HEADER + TOMORROW, "tomorrow.csv")
    about = loaded(path, columns=str(saved[1])).description
    assert kinds(about)[0] == ("sold", "date", "%d/%m/%Y")
    assert "dropped 'id': not in --columns" in about.notes


def test_it_may_be_edited(tmp_path, saved):
    path, columns = saved
    content = json.loads(columns.read_text())
    content["columns"] = content["columns"][:1]
    content["columns"][0]["format"] = "%m/%d/%Y"
    columns.write_text(json.dumps(content))
    path = write_table(tmp_path, HEADER + TOMORROW, "tomorrow.csv")
    about = loaded(path, columns=str(columns)).description
    assert kinds(about) == [("sold", "date", "%m/%d/%Y")]


def test_what_does_not_fit(tmp_path, saved):
    path, columns = saved
    flags = {"columns": str(columns)}
    rows = ROWS.replace("0,5;", "new;", 1)
    other = write_table(tmp_path, HEADER + rows, "other.csv")
    assert refused(other, **flags).endswith(
        "line 2, column 'price': 'new' is not a number written as 1,0, as in --columns"
    )
    other = write_table(tmp_path, (HEADER + ROWS).replace("price", "prize"), "o.csv")
    assert "has no column 'price', which --columns has (did you mean 'prize'?)" in (
        refused(other, **flags)
    )
    assert "--drop: --columns=" in refused(path, drop=("city",), **flags)
    assert "but the target of" in refused(path, target="price", **flags)
