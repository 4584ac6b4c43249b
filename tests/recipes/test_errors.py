"""How messages show what a user wrote."""

import pytest

from recipes.errors import ArgumentError, InputError, as_one_line, quote, shorten

QUOTED = [
    ("price", "'price'"),
    (3, "'3'"),
    ("naïve 価格", "'naïve 価格'"),
    ("a\tb\nc\0\x1b[31m", r"'a\tb\nc\x00\x1b[31m'"),
    ("x" * 60, f"'{'x' * 60}'"),
    ("x" * 100_000, f"'{'x' * 60}…'"),
    ("\udcff", r"'\udcff'"),
]


@pytest.mark.parametrize(("written", "expected"), QUOTED)
def test_quote(written, expected):
    assert quote(written) == expected


def test_shorten_to_another_length():
    assert shorten("abcdef", 3) == "abc…"


def test_a_message_is_one_short_line():
    assert as_one_line("a\nb\r\nc\x07") == r"a b c\x07"
    line = as_one_line("begin" + "x" * 100_000 + "end")
    assert len(line) < 1100
    assert line.startswith("begin") and line.endswith("end")


def test_errors_are_one_line():
    assert str(InputError("x.csv\nis\x00bad")) == r"x.csv is\x00bad"
    error = ArgumentError("seed", "a whole number", ["x\n"] * 10_000)
    assert str(error).startswith("`seed` should be a whole number. Received: seed=")
    assert len(str(error)) < 1100
    assert error.value == ["x\n"] * 10_000
