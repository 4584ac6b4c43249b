"""Tables with a JSON object on each line."""

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipes.pipeline.datasets.readers import json_lines
from recipes.pipeline.datasets.readers.table_source import NotNumbersError
from tests.recipes.pipeline.datasets.readers.tables import opened, read, refused


def write(folder, text, name="flats.jsonl"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(params=[8 << 20, 1])
def block(request, monkeypatch):
    """Read all lines as one block, or each as its own."""
    monkeypatch.setattr(json_lines, "_BLOCK_BYTES", request.param)


@pytest.mark.usefixtures("block")
@pytest.mark.parametrize("name", ["flats.jsonl", "flats.ndjson", "flats.txt", "flats"])
def test_fields_are_columns(tmp_path, name):
    path = write(
        tmp_path,
        '{"area": 38, "sold": "2020-01-31", "new": true}\n'
        '\n  {"area": 51.5, "sold": null}\n'
        '{"district": "süd", "area": null, "new": false}',
        name,
    )
    table = opened(path)
    assert table.name == "flats" and table.header
    assert table.names == ("area", "sold", "new", "district")
    assert read(table, district="text", sold="text", area="number", new="text") == {
        "district": [None, None, "süd"],
        "sold": ["2020-01-31", None, None],
        "area": [38.0, 51.5, None],
        "new": ["True", None, "False"],
    }
    assert table.read_head()["area"].to_pylist() == ["38", "51.5", None]
    assert table.locate("area", "51.5") == "line 3"
    assert table.locate("district", "süd") == "line 4"
    with pytest.raises(NotNumbersError) as caught:
        list(table.read({"new": "number", "area": "number"}))
    assert caught.value.columns == ("new",)


@pytest.mark.usefixtures("block")
def test_a_column_of_several_types(tmp_path):
    path = write(tmp_path, '{"x": 3}\n{"x": "?"}\n{"x": 2.0}\n{"x": null}\n')
    assert read(opened(path), x="number") == {"x": [3.0, None, 2.0, None]}
    assert read(opened(path), x="text") == {"x": ["3", "?", "2", None]}


@pytest.mark.usefixtures("block")
def test_numbers_of_any_size(tmp_path):
    large = 10**400
    path = write(tmp_path, f'{{"x": {2**70}}}\n{{"x": {large}}}\n{{"x": 1e400}}\n')
    assert read(opened(path), x="number") == {"x": [2.0**70, *[float("inf")] * 2]}


@pytest.mark.usefixtures("block")
@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ('{"a": 1}\n{"a": [1]}\n', ", line 2, column 'a': holds a list"),
        ('{"a": 1}\n\n{"a": {"b": 2}}\n', ", line 3, column 'a': holds an object"),
        ('{"a": 1}\n{"a": }\n', ", line 2: Expecting value"),
        ('{"a": 1}\n{"a": 1\n', ", line 2: "),
        ('{"a": 1}\n[1]\n', ", line 2: no object; expected an object on each line"),
        ('{"a": 1}\n7\n', ", line 2: no object"),
        ('{"a": 1} {"a": 2}\n', ", line 1: Extra data"),
        ('{"a": 1, "a": 2}\n', ", line 1: 'a' is there twice"),
        ("\n\n", " has no rows; expected an object on each line"),
        ("{}\n{}\n", " has no rows; expected an object on each line"),
        ('{"": 1}\n', ": column 1 has no name"),
    ],
)
def test_wrong_lines(tmp_path, lines, message):
    path = write(tmp_path, lines)
    assert f"{path}{message}" in refused(path)


def test_compressed(tmp_path):
    path = tmp_path / "d.jsonl.gz"
    path.write_bytes(gzip.compress(b'\xef\xbb\xbf{"x": 1}\n{"x": 2}\n'))
    assert read(opened(path), x="number") == {"x": [1.0, 2.0]}


cells = st.none() | st.integers(-(2**40), 2**40) | st.text(max_size=4) | st.booleans()


@given(st.lists(st.dictionaries(st.sampled_from("abc"), cells, min_size=1), min_size=1))
def test_both_ways_of_parsing_agree(tmp_path_factory, rows):
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path = write(tmp_path_factory.mktemp("d"), text)
    table = opened(path)
    assert table.names == tuple(dict.fromkeys(name for row in rows for name in row))
    expected = {
        name: [None if row.get(name) is None else str(row[name]) for row in rows]
        for name in table.names
    }
    assert read(table, **dict.fromkeys(table.names, "text")) == expected
