"""Columns of free text."""

import csv

import numpy as np
import pytest

from recipes.pipeline.datasets.columns_file import (
    ColumnsFile,
    columns_text,
    read_columns,
)
from recipes.pipeline.datasets.readers import text_codes
from tests.recipes.pipeline.datasets.loading import loaded, refused

WORDS = [
    "sun",
    "rain",
    "snow",
    "wind",
    "road",
    "house",
    "tree",
    "river",
    "stone",
    "fire",
    "cloud",
    "bird",
]


def sentences(rows, words=6, seed=0):
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, words)) for _ in range(rows)]


def write(path, texts, first="note"):
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow([first, "size", "y"])
        rows.writerows([text, i % 7, i % 5 + 0.5] for i, text in enumerate(texts))
    return path


def texts_of(data, part):
    (place,) = (p for p, c in enumerate(data.description.columns) if c.name == "note")
    texts = (*data.description.columns[place].texts, None)
    codes = np.nan_to_num(part.features[:, place], nan=len(texts) - 1)
    return [texts[int(code)] for code in codes]


def test_every_cell_is_kept(tmp_path):
    odd = ['He said "no",\nthen yes, so they left', "über  東京 to the north of Oslo"]
    blanks = ["", "NA", " ? "]
    texts = [*sentences(120), *odd, *blanks]
    data = loaded(write(tmp_path / "a.csv", texts))
    assert [c.kind for c in data.description.columns] == ["text", "numeric"]
    assert data.description.columns[0].levels == ()
    assert data.description.kinds == "1 numeric, 1 text"
    found = texts_of(data, data.train) + texts_of(data, data.test)
    expected = [None if text in blanks else text for text in texts]
    assert sorted(found, key=str) == sorted(expected, key=str)
    assert "note" not in " ".join(data.description.notes)


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (sentences(120, 5), "text"),
        (sentences(120, 4), None),  # as long as names and addresses
        ([f"Braund, Mr. Owen {i} Harris" for i in range(120)], "text"),
        ([f"Braund, Mr. Owen {i}" for i in range(120)], None),
        ([f"A/5 {i}" for i in range(120)], None),
        (sentences(20) * 6, "categorical"),
        (sentences(30), "text"),
    ],
)
def test_sentences_are_told_from_names_and_categories(tmp_path, texts, kind):
    data = loaded(write(tmp_path / "a.csv", texts))
    kinds = {c.name: c.kind for c in data.description.columns}
    assert kinds.get("note") == kind
    dropped = "dropped 'note': too many different texts" in data.description.notes
    assert dropped is (kind is None)


def test_flags_overrule(tmp_path):
    path = write(tmp_path / "a.csv", sentences(120))
    data = loaded(path, categorical=("note",))
    assert data.description.columns[0].kind == "categorical"
    data = loaded(path, drop=("note",))
    assert [c.name for c in data.description.columns] == ["size"]


def test_na_values_and_placeholders(tmp_path):
    texts = [*sentences(120), "nothing to report at all here", "None", "-"]
    path = write(tmp_path / "a.csv", texts)
    data = loaded(path, na_values=("nothing to report at all here", "-"))
    found = texts_of(data, data.train) + texts_of(data, data.test)
    assert found.count(None) == 2 and found.count("None") == 1
    column = data.description.columns[0]
    assert column.na_values == ("nothing to report at all here", "-")


def test_a_target_of_sentences_is_no_free_text(tmp_path):
    path = write(tmp_path / "a.csv", [*sentences(5) * 20, *sentences(25, seed=1)])
    message = refused(path, target="note")  # not left out
    assert "'note'" in message and "too many for classes" in message


def test_a_test_set_has_its_own_texts(tmp_path):
    train, test = sentences(120), [*sentences(40, seed=1), "short"]
    data = loaded(
        write(tmp_path / "a.csv", train),
        test_dataset=str(write(tmp_path / "b.csv", test)),
    )
    assert texts_of(data, data.train) == train
    assert texts_of(data, data.test) == test


def test_columns_json_says_that_it_is_text(tmp_path):
    path = write(tmp_path / "a.csv", sentences(120))
    about = loaded(path).description
    saved = tmp_path / "columns.json"
    saved.write_text(columns_text(ColumnsFile(about.columns, about.target)))
    assert WORDS[0] not in saved.read_text()
    assert read_columns(saved).columns[0].kind == "text"
    few = write(tmp_path / "few.csv", ["sun", "rain"] * 30)
    data = loaded(few, columns=str(saved))
    assert data.description.columns[0].kind == "text"
    assert set(texts_of(data, data.train)) == {"sun", "rain"}


def test_more_texts_than_categories_may_have(tmp_path, monkeypatch):
    monkeypatch.setattr(text_codes, "_MOST_TEXTS", 110)
    texts = sentences(150)
    data = loaded(write(tmp_path / "a.csv", texts))
    assert len(data.description.columns[0].texts) == len(set(texts))


def test_texts_that_take_too_much_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(text_codes, "_MOST_SENTENCES", 110)
    path = write(tmp_path / "a.csv", sentences(150))
    data = loaded(path)
    assert "dropped 'note': more than 256 MB of text" in data.description.notes
    assert [c.name for c in data.description.columns] == ["size"]
    small = write(tmp_path / "small.csv", sentences(105))
    message = refused(small, test_dataset=str(path))
    assert f"{path}, column 'note': more than 256 MB of text" in message
