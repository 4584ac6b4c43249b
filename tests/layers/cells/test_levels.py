"""Codes of levels."""

import numpy as np
import pytest

from layers import cells

NAN = np.nan


def test_codes_are_places_in_the_list():
    codes = cells.encode_levels([["b", ' "a" '], ["c", "A"]], ["a", "b"])
    assert codes.dtype == "float64"
    np.testing.assert_array_equal(codes, [[1, 0], [NAN, NAN]])


def test_blanks_have_the_code_of_the_empty_level():
    texts = ["", " NA", "unknown", "b", "c"]
    codes = cells.encode_levels(texts, ["b", ""], [" unknown"])
    np.testing.assert_array_equal(codes, [1, 1, 1, 0, NAN])
    codes = cells.encode_levels(texts, ["b"], ["unknown"])
    np.testing.assert_array_equal(codes, [NAN, NAN, NAN, 0, NAN])


def test_what_is_a_level_is_not_blank():
    codes = cells.encode_levels(["NA", "?", "-"], ["NA", ""], ["NA"])
    np.testing.assert_array_equal(codes, [0, 1, NAN])


@pytest.mark.parametrize("text", sorted(cells.PLACEHOLDERS))
def test_placeholders_may_be_levels(text):
    codes = cells.encode_levels([text, ""], ["+", text, ""])
    np.testing.assert_array_equal(codes, [1, 2])
    assert cells.encode_levels([text], ["+", ""], [text])[0] == 1


def test_no_levels():
    np.testing.assert_array_equal(cells.encode_levels(["a", ""], []), [NAN, NAN])


def test_equal_levels_are_refused():
    with pytest.raises(ValueError, match="`levels` should differ in more than"):
        cells.encode_levels(["a"], ["a", ' "a"'])
