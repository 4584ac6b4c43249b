"""Codes of levels, learned from the training rows."""

import numpy as np
import pytest

from recipes.pipeline.datasets.description import Column
from recipes.pipeline.datasets.encoding import Levels, encode_features

NAN = np.nan
COLUMNS = (Column("a"), Column("c", "categorical", levels=("z", "x", "y")))


def encoded(train, test):
    """Encode codes of "c", 0 to 2 for "z", "x" and "y"."""
    rows = [np.stack([np.full(len(c), NAN), c], axis=1) for c in (train, test)]
    columns, notes = encode_features(COLUMNS, *rows)
    assert columns[0] == COLUMNS[0]
    assert all(np.isnan(part[:, 0]).all() for part in rows)
    return columns[1].levels, *(part[:, 1].tolist() for part in rows), notes


def test_levels_are_those_of_the_training_rows_in_natural_order():
    levels, train, test, notes = encoded([0.0, 1, 0], [1.0, 0])
    assert (levels, train, test, notes) == (("x", "z"), [1, 0, 1], [0, 1], [])


def test_blanks_are_the_last_level():
    levels, train, test, notes = encoded([0.0, NAN, 1], [NAN, 1, 0])
    assert levels == ("x", "z", "")
    assert (train, test, notes) == ([1, 2, 0], [2, 0, 1], [])


@pytest.mark.parametrize("blank", [0, NAN])
def test_a_text_that_only_test_rows_have_is_no_level(blank):
    levels, _, test, notes = encoded([0.0, blank, 1], [2.0, 2, 0])
    assert levels == (("x", "z") if blank == 0 else ("x", "z", ""))
    assert np.isnan(test[:2]).all() and test[2] == 1
    (note,) = notes
    assert note.startswith("in 2 test rows 'c' is a text that no training row has")


def test_blanks_that_only_test_rows_have_are_no_level():
    levels, _, test, notes = encoded([0.0, 1], [NAN, 0])
    assert levels == ("x", "z")
    assert np.isnan(test[0]) and test[1] == 1
    assert notes == []


def test_texts_are_read_as_the_saved_model_reads_them():
    levels = Levels(na_values=[" unknown"])
    texts = ["b", ' "b" ', None, "", "NA", "unknown", "-", "a", "b "]
    codes = levels.encode_all(texts)
    np.testing.assert_array_equal(codes, [0, 0, NAN, NAN, NAN, NAN, 1, 2, 0])
    np.testing.assert_array_equal(levels.encode_all(["c", "a", "?"]), [3, 2, NAN])
    assert levels.texts == ("b", "-", "a", "c")
    assert levels.had_blanks
    assert Levels().encode_all([]).shape == (0,)
