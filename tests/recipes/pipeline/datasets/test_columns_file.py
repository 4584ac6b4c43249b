"""`columns.json`: written, read again, and refused where it is wrong."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipes.errors import InputError
from recipes.pipeline.datasets import Column
from recipes.pipeline.datasets.columns_file import (
    ColumnsFile,
    columns_text,
    read_columns,
)
from recipes.pipeline.datasets.training_distribution import Distribution

TENTHS = tuple(float(i) for i in range(11))
FILE = ColumnsFile(
    columns=(
        Column("age", unit="years", na_values=("-1", "?!")),
        Column("price", format="$1,000.0", dtype="float64"),
        Column("born", "date", format="%d.%m.%Y", dtype="float64"),
        Column('said "ü"', "categorical", levels=("", "no", "yes")),
    ),
    target=Column("kind", "categorical", levels=("a", "b")),
    training={
        "age": Distribution((0.08,) * 10, 0.2, TENTHS),
        'said "ü"': Distribution((0.2, 0.3, 0.4), 0.1, levels=("", "no", "yes")),
    },
    training_rows=50,
    table={"separator": ";", "encoding": "utf-8", "header": True},
)


def test_what_is_written_is_read(tmp_path):
    (tmp_path / "columns.json").write_text(columns_text(FILE), encoding="utf-8")
    assert read_columns(tmp_path / "columns.json") == FILE


@given(
    st.lists(
        st.builds(
            Column,
            st.text(min_size=1),
            st.just("categorical"),
            levels=st.lists(st.text(), min_size=1, unique=True).map(tuple),
            na_values=st.lists(st.text(), unique=True).map(tuple),
        ),
        min_size=1,
        unique_by=lambda column: column.name,
    )
)
def test_any_names_and_texts_are_read_as_written(tmp_path_factory, columns):
    path = tmp_path_factory.mktemp("columns") / "columns.json"
    content = ColumnsFile(tuple(columns), Column("target of none" * 9))
    path.write_text(columns_text(content), encoding="utf-8", errors="surrogatepass")
    try:
        assert read_columns(path) == content
    except InputError:  # half a character, which is no text
        with pytest.raises(UnicodeEncodeError):
            columns_text(content).encode()


def edited(tmp_path, change):
    """Return the message on the file after a change of what it holds."""
    content = json.loads(columns_text(FILE))
    changed = change(content)
    path = tmp_path / "columns.json"
    path.write_text(json.dumps(content if changed is None else changed))
    with pytest.raises(InputError) as error:
        read_columns(path)
    return str(error.value).removeprefix(f"{path}: ")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda c: [], "the file is []; it should be an object"),
        (lambda c: c.pop("target") and None, "the file lacks the entry 'target'"),
        (
            lambda c: c.update(column=[]),
            "the file has an unknown entry 'column' (did you mean 'columns'?)",
        ),
        (
            lambda c: c.update(columns={}),
            "columns is {}; it should be a list with an entry for each column",
        ),
        (
            lambda c: c["table"].update(header="yes"),
            'table.header is "yes"; it should be true or false',
        ),
        (
            lambda c: c["table"].pop("encoding") and None,
            "table lacks the entry 'encoding'",
        ),
        (
            lambda c: c.update(training_rows="many"),
            'training_rows is "many"; it should be a number of rows',
        ),
        (
            lambda c: c["columns"][0].pop("name") and None,
            "columns[0] lacks the entry 'name'",
        ),
        (
            lambda c: c["columns"][0].update(kind="numerc"),
            'columns[0].kind is "numerc" (did you mean numeric?); it should be numeric '
            "or categorical or date or text",
        ),
        (
            lambda c: c["columns"][0].update(kind=["numeric"]),
            'columns[0].kind is ["numeric"]; it should be numeric or categorical or '
            "date or text",
        ),
        (
            lambda c: c["columns"][1].update(name="age"),
            "columns[1].name is 'age', which columns[0] is called, too; names "
            "should be different",
        ),
        (
            lambda c: c["columns"][1].update(name="kind"),
            "columns[1].name is 'kind', which target is called, too; names "
            "should be different",
        ),
        (
            lambda c: c["columns"][3].update(levels=["a", "a"]),
            'columns[3].levels is ["a", "a"]; it should be a list of different texts',
        ),
        (
            lambda c: c["columns"][3].update(levels=[]),
            "columns[3].levels is missing; list the column's levels",
        ),
        (
            lambda c: c["columns"][3].update(kind="text"),
            "columns[3].levels is of no use to free text; remove it",
        ),
        (
            lambda c: c["columns"][2].update(format=""),
            "columns[2].format is missing; say how the dates are written",
        ),
        (
            lambda c: c["columns"][1].update(format="1000"),
            'columns[1].format is "1000"; it should be an example of 1000.0 or 1.0 as '
            "it is written, such as $1,000.0, or a pattern of dates, such as %d/%m/%Y",
        ),
        (
            lambda c: c["columns"][0].update(unit=3),
            "columns[0].unit is 3; it should be a text",
        ),
        (
            lambda c: c["columns"][0]["training"].update(blank_share=0.5),
            "columns[0].training: expected blank_share and 11 rising deciles and bins' "
            "shares, which add up to 1; remove the entry where the training rows do "
            "not matter",
        ),
    ],
)
def test_a_wrong_entry_is_named(tmp_path, change, expected):
    assert edited(tmp_path, change) == expected


def test_a_file_that_is_no_json_is_refused(tmp_path):
    path = tmp_path / "columns.json"
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_columns(path)
    path.write_text('{"target":\n  {,')
    with pytest.raises(InputError, match=r"json, line 2, column 4: not JSON: "):
        read_columns(path)
    path.write_bytes(b'{"\xff": 1}')
    with pytest.raises(InputError, match="not JSON in UTF-8"):
        read_columns(path)


def test_what_is_left_out_has_its_default(tmp_path):
    path = tmp_path / "columns.json"
    path.write_text('{"target": {"name": "y"}, "columns": [{"name": "x"}]}')
    assert read_columns(path) == ColumnsFile((Column("x"),), Column("y"))
    assert dataclasses.asdict(read_columns(path))["training_rows"] == 0
