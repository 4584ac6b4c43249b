"""Blank cells, and what is stripped from the others."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from layers import cells

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("a b", "a b"),
        (" \t\r\n\v\f\u00a0\u202f\u3000\ufeffa\u2003", "a"),
        ('" a "', "a"),
        ('  "a"\t', "a"),
        ('""', ""),
        ('"', '"'),
        ('"a" and "b"', '"a" and "b"'),
        ('say "a"', 'say "a"'),
        ("'a'", "'a'"),
        ("", ""),
    ],
)
def test_clean(text, bare):
    assert cells.clean([text]).numpy()[0].decode() == bare


@given(TEXTS)
def test_clean_texts_stay(text):
    once = cells.clean([text])
    assert cells.clean(once) == once


def test_bytes_that_are_no_text_are_kept():
    texts = tf.constant([b" \xff ", b"\xff"])
    assert cells.clean(texts).numpy().tolist() == [b"\xff", b"\xff"]
    assert not cells.is_blank(texts).numpy().any()


def test_any_shape():
    texts = np.array([["NA", "a"], ["b", ""]])
    assert cells.is_blank(texts).numpy().tolist() == [[True, False], [False, True]]
    assert cells.is_blank(np.empty((0, 3), str)).shape == (0, 3)


@pytest.mark.parametrize("text", sorted(cells.BLANKS))
def test_blanks(text):
    assert cells.is_blank([text, f' "{text} "\n']).numpy().all()


@pytest.mark.parametrize("text", ["none", "0", "-1", "NANA", "na", "- -", ".5", "no"])
def test_others(text):
    assert not cells.is_blank([text])[0]


@given(TEXTS, TEXTS)
def test_own_blanks_are_meant_literally(text, other):
    bare = cells.clean([text, other]).numpy()
    found = bool(cells.is_blank([other], [text])[0])
    assert found == (bare[1] == bare[0] or bare[1].decode() in cells.BLANKS)


@given(TEXTS, TEXTS)
def test_blank_out(text, other):
    bare = cells.clean([text, other]).numpy()
    found = cells.blank_out([other], [text]).numpy()[0]
    blanks = {word.encode() for word in cells.BLANKS - cells.PLACEHOLDERS}
    assert found == (b"" if bare[1] in blanks | {bare[0]} else bare[1])
