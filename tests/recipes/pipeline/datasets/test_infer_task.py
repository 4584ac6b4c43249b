"""The task inferred from the request and the target."""

import os

import numpy as np
import pytest

from tests.recipes.pipeline.datasets.loading import loaded, refused


@pytest.mark.parametrize("name", ["breast_cancer", "digits", "iris", "wine"])
def test_classes_are_no_regression_target(name):
    assert "regression needs a numeric target" in refused(name, "regression")


def test_a_quantity_is_no_class():
    assert "too many for classes" in refused("diabetes", "classification")


def write_labels(folder, labels):
    rows = "".join(f"{i % 7}.5,{label}\n" for i, label in enumerate(labels))
    (folder / "rows.csv").write_text("a,kind\n" + rows)
    return folder / "rows.csv"


@pytest.mark.parametrize(
    ("labels", "task", "note"),
    [
        (np.arange(52 * 26) % 26 + 1, "classification", "the 26 different values of"),
        (np.arange(50 * 30) % 30, "classification", "the 30 different values of"),
        # A few rows each, a gap, another beginning, very different shares.
        (np.arange(49 * 26) % 26 + 1, "regression", "the 26 different values of"),
        ((np.arange(60 * 26) % 26) // 20 * 2 + np.arange(60 * 26) % 26, "regression",
         "the 26 different values of"),
        (np.arange(60 * 26) % 26 + 2, "regression", "the 26 different values of"),
        (np.repeat(np.arange(26), 50 + 3 * np.arange(26)), "regression",
         "the 26 different values of"),
        # A quantity, and few numbers.
        (np.arange(100), "regression", ""),
        (np.arange(200) % 20, "classification", "the 20 different values of"),
        (np.arange(60) % 2 * 2 - 1, "classification", ""),
    ],
)  # fmt: skip
def test_whole_numbers_are_classes_or_quantities(tmp_path, labels, task, note):
    path = write_labels(tmp_path, labels)
    about = loaded(path).description
    assert about.task == task
    taken, other = ("classes", "regression"), ("numbers", "classification")
    if task == "regression":
        taken, other = other, taken
    words = f"{note} 'kind' are taken as {taken[0]}; --task={taken[1]} takes them as "
    assert about.notes == ((words + other[0],) if note else ())
    assert loaded(path, "regression").description.notes == ()


def test_letters_are_classes_and_rings_are_not(recipes_data, tmp_path):
    for name, source in [
        ("letter", "letter/letter.scale.t.gz"),
        ("abalone", "abalone/abalone_scale.gz"),
    ]:
        os.symlink((recipes_data / source).resolve(), tmp_path / f"{name}.svm.gz")
    letters = loaded(str(tmp_path / "letter.svm.gz")).description
    assert letters.target.levels == tuple(map(str, range(1, 27)))
    rings = loaded(str(tmp_path / "abalone.svm.gz")).description
    assert rings.task == "regression"
    assert rings.notes[0].startswith("the 28 different values of 'y' are taken as nu")
