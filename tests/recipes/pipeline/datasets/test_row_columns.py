"""Columns that tell something of the rows: their weights."""

import numpy as np
import pytest

from tests.recipes.pipeline.datasets.loading import loaded, refused, write_table


def write(folder, weights, name="data.csv"):
    rows = [f"{i},{i % 5},{w},{i * i}" for i, w in enumerate(weights)]
    return write_table(folder, "\n".join(["a,b,w,y", *rows, ""]), name)


def test_no_advice_is_given_on_weights(tmp_path):
    """Whole numbers with a mark are their habit, and the model does not see them."""
    path = tmp_path / "a.csv"
    path.write_text(
        "a,w,y\n"
        + "".join(
            f"{i % 3},{99999 if i > 55 else i % 3},{i * 1.7}\n" for i in range(60)
        )
    )
    notes = loaded(path, "regression", weights="w").description.notes
    assert any("taken as numbers: a (3)" in note for note in notes)
    assert not any("w (" in note or "'w'" in note for note in notes[:-1])


def test_weights_are_no_feature_and_stay_with_their_rows(tmp_path):
    path = write(tmp_path, [i + 1 for i in range(20)])
    data = loaded(path, "regression", weights="w", keep=("a",))
    assert [column.name for column in data.description.columns] == ["a", "b"]
    assert data.description.weights == "w"
    for rows in data.parts.values():
        np.testing.assert_array_equal(rows.weight, rows.features[:, 0] + 1)
        np.testing.assert_array_equal(rows.target, rows.features[:, 0] ** 2)
    x, y, weight = next(iter(data.train_dataset(4)))
    np.testing.assert_array_equal(weight, x[:, :1] + 1)
    assert y.shape == weight.shape == (4, 1)


def test_rows_of_weight_zero_are_left_out(tmp_path):
    path = write(tmp_path, [0, 1, 2, 0.5] * 5)
    data = loaded(path, "regression", weights="w", keep=("a",))
    assert "5 rows of weight 0 are left out" in data.description.notes
    rows = np.concatenate([rows.features[:, 0] for rows in data.parts.values()])
    assert sorted(rows) == [i for i in range(20) if i % 4]


def test_a_separate_test_set_has_weights_too(tmp_path):
    path = write(tmp_path, [1, 2] * 10)
    other = write(tmp_path, [3, 0, 4], "test.csv")
    data = loaded(path, "regression", weights="w", test_dataset=str(other))
    np.testing.assert_array_equal(data.test.weight, [3, 4])
    np.testing.assert_array_equal(data.train.weight, [1, 2] * 10)


def test_weights_of_an_embedded_set():
    data = loaded("wine", weights="alcohol")
    assert len(data.description.columns) == 12
    assert data.train.weight.min() > 10


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ([1, 2, -1, 3], "row 3, column 'w': -1; every row needs a number from 0"),
        ([1, "", 2, 3], "row 2, column 'w': blank; every row needs a number from 0"),
        (["x", "y", "x", "y"], "is categorical; weights are numbers"),
        ([0, 0, 0, 0], "is 0 in every row"),
    ],
)
def test_wrong_weights_are_refused(tmp_path, column, message):
    path = write(tmp_path, column * 5)
    line = refused(path, "regression", weights="w")
    assert line.startswith("--weights: ")
    assert message in line


def test_a_wrong_name_is_refused_with_a_hint(tmp_path):
    path = write(tmp_path, [1] * 20)
    assert refused(path, weights="ww") == (
        f"--weights: no column 'ww' in {path} (did you mean 'w'?)"
    )
    assert "is the target" in refused(path, weights="y")
    assert "no named columns" in refused("digits", weights="pixel_0_0")
