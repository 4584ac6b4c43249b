"""Texts that are nearly equal stay different, or it is said that they are not."""

import numpy as np
import pytest
import tensorflow as tf

from recipes.pipeline.datasets.readers import tfds
from tests.recipes.pipeline.datasets.loading import loaded, write_table

ROWS = 60
BLANKS = "blanks around texts are ignored in "


def table_of(folder, texts, name="data.csv"):
    """Write a table with the texts as a column and as the target."""
    lines = [
        f"{i}.5,{texts[i % len(texts)]},{texts[i % len(texts)]}" for i in range(ROWS)
    ]
    return write_table(folder, "\n".join(["n,city,label", *lines, ""]), name)


def arrays_of(folder, texts, kind=str):
    path = folder / "data.npz"
    y = np.array([texts[i % len(texts)] for i in range(ROWS)], kind)
    np.savez(path, x=np.arange(2.0 * ROWS).reshape(-1, 2), y=y)
    return path


@pytest.mark.parametrize(
    "texts",
    [
        ("1", "01", "1.0", "one", "two", "I", "i"),
        ("a", "A", "á", "a\u0301", "a\u00a0a"),
        ("+", "-"),
        ("True", "true", "TRUE"),
        ("None", "none", "Nan"),
        ("1e3", "1000", "x", "y", "z"),
    ],
)
@pytest.mark.parametrize("write", [table_of, arrays_of])
def test_different_texts_are_different_classes(tmp_path, texts, write):
    about = loaded(write(tmp_path, texts)).description
    assert sorted(about.target.levels) == sorted(texts)
    if write is table_of:
        assert sorted(about.columns[1].levels) == sorted(texts)
    assert not any(BLANKS in note or "equal" in note for note in about.notes)


@pytest.mark.parametrize("texts", [("a", " a", "b"), ("a ", "b"), ('"\ta"', "b")])
def test_blanks_that_are_stripped_are_told(tmp_path, texts):
    about = loaded(table_of(tmp_path, texts)).description
    assert about.target.levels == about.columns[1].levels == ("a", "b")
    assert f"{BLANKS}'city', 'label'" in about.notes


@pytest.mark.parametrize("kind", [str, bytes])
def test_blanks_in_arrays_are_told(tmp_path, kind):
    about = loaded(arrays_of(tmp_path, ("a", " a", "b"), kind)).description
    assert about.target.levels == ("a", "b")
    assert f"{BLANKS}'y'" in about.notes


def test_blanks_of_a_test_set_are_told(tmp_path):
    train = table_of(tmp_path, ("a", "b"))
    test = table_of(tmp_path, ("a", "b", " b"), "test.csv")
    about = loaded(train, test_dataset=str(test)).description
    assert f"{BLANKS}'city', 'label'" in about.notes


def test_bytes_that_are_no_text_stay_different(tmp_path):
    about = loaded(arrays_of(tmp_path, (b"\xff", b"\xfe", b"a"), bytes)).description
    assert len(about.target.levels) == 3
    info = {"x": np.float32, "y": str}
    features = {name: Feature(kind) for name, kind in info.items()}
    rows = {"x": np.arange(60.0), "y": np.array([b"\xff", b"\xfe", b" a"] * 20, object)}
    splits = {"train": tf.data.Dataset.from_tensor_slices(rows)}
    found = tfds.read_splits(splits, features, ("x", "y"), "", "tfds:odd")
    assert len(found.target.levels) == 3
    assert f"{BLANKS}'y'" in found.notes


class Feature:
    """A feature's description as TFDS gives it."""

    shape = ()

    def __init__(self, kind):
        self.np_dtype = object if kind is str else kind


@pytest.mark.parametrize(
    "texts", [("1", "01", "2"), ("007", "7", "8"), ("0", "00", "3"), ("05", "06")]
)
def test_numbers_with_zeros_before_them_are_names(tmp_path, texts):
    about = loaded(table_of(tmp_path, texts)).description
    assert sorted(about.target.levels) == sorted(about.columns[1].levels)
    assert sorted(about.target.levels) == sorted(texts)
    assert any("which are names" in note for note in about.notes)


def test_many_numbers_with_zeros_before_them_are_numbers(tmp_path):
    rows = "".join(f"{i % 150:03},{i}.5\n" for i in range(300))
    about = loaded(write_table(tmp_path, f"code,y\n{rows}140,1\n40,2\n")).description
    assert about.columns[0].kind == "numeric"
    assert "'code': 040 and 40 are equal as numbers" in about.notes


@pytest.mark.parametrize("texts", [("1", "1.0", "2"), ("0.5", "0.50", "2")])
def test_other_spellings_of_numbers_are_not_worth_telling(tmp_path, texts):
    about = loaded(table_of(tmp_path, texts), "classification").description
    assert not any("equal" in note for note in about.notes)


@pytest.mark.parametrize("form", ["csv", "npz"])
def test_labels_too_large_for_float64_are_told(tmp_path, form):
    labels = np.array([2**53, 2**53 + 1, 2**53 + 4] * 20)
    path = tmp_path / f"data.{form}"
    if form == "npz":
        np.savez(path, x=np.arange(60.0)[:, None], y=labels)
    else:
        path.write_text("x,y\n" + "".join(f"{i}.5,{y}\n" for i, y in enumerate(labels)))
    about = loaded(path, "classification").description
    assert len(about.target.levels) == 2
    assert any("classes that are neighbours become one" in n for n in about.notes)
