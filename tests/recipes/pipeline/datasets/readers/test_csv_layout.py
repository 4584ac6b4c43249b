"""How text tables are divided into cells, as people write them."""

import codecs

import numpy as np
import pytest

from recipes.pipeline.datasets.columns_file import ColumnsFile, columns_text
from recipes.pipeline.datasets.readers.csv_layout import LayoutOptions
from recipes.pipeline.datasets.readers.csv_table import CsvTable
from tests.recipes.pipeline.datasets.loading import loaded, refused, write_table

NUMBERS = [(i + 0.5, i % 7 + 0.25, 3 * i + 0.125) for i in range(40)]


def written(rows, separator=","):
    return "".join(separator.join(map(str, row)) + "\n" for row in rows)


def features(data):
    return np.concatenate([data.train.features, data.test.features])


def test_columns_between_blanks(tmp_path):
    """As in many files of the UCI repository; texts stand in quotes."""
    lines = [f'  {a}   {b}\t"u {i % 3}"  {c}' for i, (a, b, c) in enumerate(NUMBERS)]
    path = write_table(tmp_path, "\n".join(lines) + "\n")
    about = loaded(path).description
    assert [c.kind for c in about.columns] == ["numeric", "numeric", "categorical"]
    assert about.columns[2].levels == ("u 0", "u 1", "u 2")
    # Texts with blanks do not make a table of blanks.
    text = "name,y\n" + "".join(f"a b c,{i}.5\n" for i in range(40))
    assert CsvTable(write_table(tmp_path, text)).names == ("name", "y")


@pytest.mark.parametrize(
    ("header", "row", "names", "dropped"),
    [
        ("a,,y", "{a},{i},{c}", ["a"], "column_2"),
        (",a,y", "{i},{a},{c}", ["a"], "column_1"),
        ("a,y", "r{i},{a},{c}", ["a"], "column_1"),  # as R writes rows' names
        ("a,y,", "{a},{c},", ["a"], "column_3"),
        ("a,y", "{a},{c},", ["a"], "column_3"),
        ("a,b,y", "{a},,{c}", ["a"], "b"),
    ],
)
def test_columns_without_a_name_or_without_values(
    tmp_path, header, row, names, dropped
):
    rows = [row.format(i=i, a=a, c=c) for i, (a, _, c) in enumerate(NUMBERS)]
    data = loaded(write_table(tmp_path, "\n".join([header, *rows, ""])))
    about = data.description
    assert ([c.name for c in about.columns], about.target.name) == (names, "y")
    assert any(n.startswith(f"dropped '{dropped}': ") for n in about.notes)
    assert sorted(features(data)[:, 0]) == [a for a, _, _ in NUMBERS]


def test_names_that_occur_twice(tmp_path):
    path = write_table(tmp_path, "a,a,a_2,y\n" + written((*r, r[0]) for r in NUMBERS))
    about = loaded(path).description
    assert [c.name for c in about.columns] == ["a", "a_3", "a_2"]
    assert "columns of the same name told apart: 'a_3'" in about.notes


def test_lines_before_the_table(tmp_path):
    path = write_table(tmp_path, "Sales 2020\nin euros\na,b,y\n" + written(NUMBERS))
    about = loaded(path).description
    assert [c.name for c in about.columns] == ["a", "b"]
    assert "skipped, as the table begins below them: 2 lines" in about.notes


@pytest.mark.parametrize(
    "encoding",
    ["utf-8-sig", "utf-16", "utf-16-le", "cp1252", "cp1251", "shift_jis", "latin-1"],
)
def test_encodings(tmp_path, encoding):
    words = {"cp1251": "Москва", "shift_jis": "東京", "latin-1": "Köln"}
    word = words.get(encoding, "Tromsø")
    text = "stadt,y\n" + "".join(f"{('x', word)[i % 2]},{i}.5\n" for i in range(60))
    path = tmp_path / "data.csv"
    bom = codecs.BOM_UTF16_LE if encoding == "utf-16-le" else b""
    path.write_bytes(bom + text.encode(encoding))
    about = loaded(path).description
    assert set(about.columns[0].levels) == {"x", word}
    assert any("not UTF-8" in note for note in about.notes) == (
        not encoding.startswith("utf")
    )
    about = loaded(path, encoding=encoding.replace("-le", "")).description
    assert set(about.columns[0].levels) == {"x", word}


def test_an_encoding_that_shows_after_the_first_megabyte(tmp_path):
    path = tmp_path / "data.csv"
    rows = "".join(f"{'uv'[i % 2]},{i % 1000}.5\n" for i in range(200_000))
    path.write_bytes(f"c,y\n{rows}é,1.5\n".encode("cp1252"))
    data = loaded(path, test_fraction=1e-5)
    assert len(data.train.target) + len(data.test.target) == 200_001
    assert "é" in data.description.columns[0].levels
    assert any("not UTF-8 (line 200002)" in note for note in data.description.notes)


@pytest.mark.parametrize(
    ("first", "is_header"),
    [
        ("5.1,?,2.2", False),
        ("a b,c d,e f", True),
        ("5.1,u,2.2", False),
        ("w,v,y", True),
        ("u,v,1.5", False),  # as below
    ],
)
def test_header_or_row(tmp_path, first, is_header):
    rows = "".join(f"{'uw'[i % 2]},{'uv'[i % 2]},{i}.5\n" for i in range(40))
    if first.startswith("5.1"):
        rows = "".join(f"{i}.5,{'uv'[i % 2]},{i}.5\n" for i in range(40))
    assert CsvTable(write_table(tmp_path, f"{first}\n{rows}")).header == is_header


def test_what_the_user_says(tmp_path):
    path = write_table(tmp_path, "1~2~3\n" + written(NUMBERS, "~"))
    table = CsvTable(path, LayoutOptions(separator="~", header="yes"))
    assert table.names == ("1", "2", "3")
    table = CsvTable(path, LayoutOptions(separator="~", header="no"))
    assert (table.names, table.header) == (("x1", "x2", "x3"), False)
    assert len(loaded(path, separator="~", header="no").train.target) == 33
    assert "--separator=~~" in refused(path, separator="~~")


FLAGS = "age,city,code,income,note,y\n" + "".join(
    f'{i % 60}.5,{"uvw"[i % 3]},{i % 4},"{i % 50},5",t{i},{i % 9}.75\n'
    for i in range(200)
)


@pytest.mark.parametrize(
    ("flags", "kinds"),
    [
        ({}, {"age": "numeric", "city": "categorical", "code": "numeric",
              "income": "numeric"}),
        ({"drop": ["age", "city"]}, {"code": "numeric", "income": "numeric"}),
        ({"features": ["code"]}, {"code": "numeric"}),
        ({"features": ["code"], "categorical": ["code"]}, {"code": "categorical"}),
        ({"features": ["age"], "na_values": ["59.5"]}, {"age": "numeric"}),
    ],
)  # fmt: skip
def test_flags(tmp_path, flags, kinds):
    about = loaded(write_table(tmp_path, FLAGS), **flags).description
    assert {column.name: column.kind for column in about.columns} == kinds


def test_numbers_that_mean_not_known(tmp_path):
    path = write_table(tmp_path, FLAGS)
    data = loaded(path, features=("age", "city"), na_values=("0.50", "w"))
    rows = features(data)
    assert np.isnan(rows[:, 0]).sum() == 4
    assert data.description.columns[0].na_values == ("0.50", "w")
    assert "w" not in data.description.columns[1].levels


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({"drop": ["aeg"]}, "--drop: no column 'aeg' in "),
        ({"categorical": ["x"]}, "; there are 'age', 'city'"),
        ({"drop": ["age"], "features": ["age"]}, "both name 'age'"),
        ({"numeric": ["age"], "categorical": ["age"]}, "both name 'age'"),
        ({"drop": ["y"], "target": "y"}, "--drop: 'y' is the target"),
        ({"features": ["note"]}, "no columns to predict 'y' from: left out are "),
        ({"numeric": ["city"]}, "line 2, column 'city': 'u' is not a number"),
    ],
)
def test_flags_that_do_not_fit(tmp_path, flags, expected):
    assert expected in refused(write_table(tmp_path, FLAGS), **flags)


def test_flags_of_tables_need_a_table():
    assert (
        refused("iris", drop=("x",))
        == "--drop: only tables have it; --dataset=iris is none"
    )


@pytest.mark.parametrize("first", [0, 1, 2000])
def test_what_the_cells_are_is_known_by_all_of_them(tmp_path, first):
    """Times are exact, and words for blanks among numbers are, wherever they stand."""
    rows = [(f"{i}.5", f"2020-01-02 {i % 24:02}:{i % 60:02}:07") for i in range(3000)]
    rows[first] = ("unknown", "")
    path = write_table(
        tmp_path,
        "a,time,y\n" + written((*row, f"{i % 97}.5") for i, row in enumerate(rows)),
    )
    for flags in ({}, {"test_fraction": 0.5}):
        data = loaded(path, na_values=("unknown",), **flags)
        assert [c.kind for c in data.description.columns] == ["numeric", "date"]
        seconds = np.unique(np.rint(features(data)[:, 1] * 86400) % 60)
        assert seconds[~np.isnan(seconds)].tolist() == [7]
        assert np.isnan(features(data)).sum(axis=0).tolist() == [1, 1]


def test_what_the_first_rows_do_not_show(tmp_path):
    """Kinds are decided over the file: codes, categories, dates and odd cells."""
    rows = [
        (f"{i % 997}.5", f"t{i}" if i < 1000 else "", f"{i % 12 + 1}/{i % 12 + 1}/2020")
        for i in range(60_000)
    ]
    rows = [
        (a, f"t{i % 50}" if i % 40 == 0 else "", d) for i, (a, _, d) in enumerate(rows)
    ]
    rows[50_000] = ("0.5", "t3", "13/1/2020")
    text = "a,rare,day,y\n" + written((*row, f"{i}.5") for i, row in enumerate(rows))
    about = loaded(write_table(tmp_path, text)).description
    assert [(c.kind, c.format) for c in about.columns] == [
        ("numeric", ""),
        ("categorical", ""),
        ("date", "%d/%m/%Y"),
    ]
    assert len(about.columns[1].levels) == 7
    text = text.replace("\n0.5,t3,13/1/2020", "\nnone,t3,1/13/2020")
    path = write_table(tmp_path, text)
    assert f"{path}, line 50002, column 'a': 'none' is not a number" in refused(path)
    about = loaded(path, na_values=("none",)).description
    assert about.columns[2].format == "%m/%d/%Y"


@pytest.mark.parametrize(
    ("first", "is_header"),
    [
        ("ham\tGo until jurong point crazy", False),
        ("kind\tthe words of the message itself", True),
        ("ham\tmessage", True),
        ("2020\tthe words of the message itself", True),
    ],
)
def test_a_sentence_above_sentences_is_no_name(tmp_path, first, is_header):
    rows = [f"{'ham' if i % 3 else 'spam'}\tcall {i} to win it now" for i in range(9)]
    path = write_table(tmp_path, "\n".join([first, *rows, ""]))
    assert CsvTable(path).header == is_header


@pytest.mark.parametrize("cell", ["   NA", "\t?", " -  ", '"""7.5"""', "\u00a07.5"])
def test_cells_that_only_the_model_reads(tmp_path, cell):
    """White space and quotes around a number or a blank, in training and in a test."""
    rows = "".join(f"{i}.5,{i % 11}.5\n" for i in range(40))
    path = write_table(tmp_path, f"a,y\n{rows}{cell},0.5\n")
    expected = [np.nan] if "7" not in cell else [7.5]
    data = loaded(path)
    assert data.description.columns[0].kind == "numeric"
    x, y = features(data)[:, 0], np.concatenate([p.target for p in data.parts.values()])
    assert len(y) == 41
    assert np.isnan(x).sum() == np.isnan(expected).sum()
    test = write_table(tmp_path, f"a,y\n{cell},0.5\n", "test.csv")
    (tmp_path / "data.csv").write_text(f"a,y\n{rows}")
    data = loaded(path, test_dataset=str(test))
    np.testing.assert_array_equal(data.test.features, [expected])


def test_a_target_of_many_numbers_that_begins_blank(tmp_path):
    rows = ["0.5,"] * 1000 + [f"{i % 97}.5,{i}.0625" for i in range(100_100)]
    data = loaded(write_table(tmp_path, "\n".join(["x,y", *rows, ""])))
    y = np.concatenate([part.target for part in data.parts.values()])
    np.testing.assert_array_equal(np.sort(y), np.arange(100_100) + 0.0625)
    assert data.description.notes[0].startswith("left out 1,000 rows")


def test_files_put_together_with_their_headers(tmp_path):
    text = "a,city,y\n" + "".join(f"{i}.5,{'uv'[i % 2]},{i % 7}.5\n" for i in range(30))
    path = write_table(tmp_path, text * 2)
    assert refused(path) == (
        f"{path}, line 32, column 'a': 'a' is not a number, as 1 of 61 cells are not; "
        "correct it, or use --na_values=a (not known), --categorical=a or --drop=a"
    )


def test_numbers_too_large_for_floats(tmp_path):
    rows = "".join(f"{i} kg,{i}.5\n" for i in range(40))
    path = write_table(tmp_path, f"a,y\n{rows}{'9' * 400} kg,0.5\n")
    assert "line 42, column 'a': '999" in refused(path)


def test_columns_for_weights_and_groups_are_kept(tmp_path):
    rows = "".join(f"{i}.5,{i % 5},s{i},{i % 3}.5\n" for i in range(60))
    path = write_table(tmp_path, "a,w,shop,y\n" + rows)
    flags = {"features": ("a",), "weights": "w", "split": "group:shop"}
    about = loaded(path, **flags).description
    assert [column.name for column in about.columns] == ["a"]
    text = columns_text(ColumnsFile(about.columns, about.target, table=about.layout))
    file = write_table(tmp_path, text, "columns.json")
    again = loaded(path, columns=str(file), weights="w", split="group:shop").description
    assert again.columns == about.columns


def test_a_text_column_is_kept_on_request(tmp_path):
    path = write_table(tmp_path, FLAGS)
    assert "dropped 'note': too many different texts" in loaded(path).description.notes
    about = loaded(path, keep=("note",)).description
    assert "note" in [column.name for column in about.columns]
