"""Numbers as people write them."""

import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given
from hypothesis import strategies as st

from layers import cells

NAN = math.nan
INF = math.inf
FINITE = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    ("format", "numbers"),
    [
        (
            "",
            {
                **{"12": 12, "-3.5": -3.5, "+3": 3, " 7 ": 7, '"8"': 8, ".5": 0.5},
                **{"5.": 5, "1e3": 1000, "-1.5E-2": -0.015, "\u22122": -2, "- 2": -2},
                **{"inf": INF, "-Infinity": -INF, "1e999": INF},
                **{"1,000": NAN, "1,5": NAN, "12 kg": NAN, "1_0": NAN, "0x10": NAN},
                **{
                    "\u0661": NAN,
                    "--1": NAN,
                    ".": NAN,
                    "e5": NAN,
                    "1e": NAN,
                    "(1)": NAN,
                },
            },
        ),
        (
            "$1,000.0",
            {
                **{"$1,234.5": 1234.5, "$1234.5": 1234.5, "$ 5": 5, "$\u00a05": 5},
                **{"-$5": -5, "$-5": -5, "$ - 5": -5, "+$5": 5, "$1,234,567": 1234567},
                **{"5": NAN, "$1,23": NAN, "$12,34,567": NAN, "$1234,567": NAN},
                **{"-$-5": NAN, "€5": NAN, "$1e3": NAN, "$": NAN, "$1,000.5.0": NAN},
            },
        ),
        ("1.0%", {"37%": 37, "37 %": 37, "-0.5%": -0.5, "37": NAN, "%37": NAN}),
        ("%1.0", {"%37": 37, "% 37": 37, "37%": NAN}),
        (
            "1.000,0",
            {
                "1.234,5": 1234.5,
                "1.500": 1500,
                "1,5e1": 15,
                "1,5": 1.5,
                "1.5": NAN,
                "12.34,5": NAN,
            },
        ),
        ("1,0", {"1,5": 1.5, "1,5e3": 1500, "1.5": NAN, "1": 1, "-,5": -0.5}),
        (
            "1 000,0 kg",
            {"1 234,5 kg": 1234.5, "1\u202f234kg": 1234, "1\u00a0234\u00a0kg": 1234},
        ),
        ("1'000.0", {"1'234.5": 1234.5, "1’234.5": 1234.5, "1 234.5": NAN}),
        ("CHF 1.0", {"CHF 12": 12, "CHF12": 12, "chf 12": NAN, "-CHF 12": -12}),
        ("Rs.1.0", {"Rs.12.5": 12.5, "Rs. 12": 12, "Rs-12": NAN}),
        ("1.0 m2", {"12 m2": 12, "12": NAN, "-1.5m2": -1.5}),
        ("1.0 km-1", {"12 km-1": 12, "-12 km-1": -12}),
        (
            "(1,000.0)",
            {"(12)": -12, "12": 12, "-12": -12, "( 1,234.5 )": -1234.5, "(12": NAN}
            | {"12)": NAN, "(-12)": NAN, "()": NAN, "-(12)": NAN},
        ),
        ("($1.0)", {"($12)": -12, "$(12)": -12, "$12": 12, "(12)": NAN, "-$1": -1}),
    ],
)
def test_by_hand(format, numbers):
    values = cells.parse_numbers(list(numbers), format)
    assert values.dtype == "float64"
    expected = list(numbers.values())
    np.testing.assert_array_equal(values, expected, str(list(numbers)))


def test_blanks():
    values = cells.parse_numbers(["NA", "-", "-999", "1"], "", ["-999"])
    np.testing.assert_array_equal(values, [NAN, NAN, NAN, 1])


def test_any_shape_eager_and_compiled():
    texts = tf.constant([["1%", "x"], ["", "-2%"]])
    compiled = tf.function(lambda x: cells.parse_numbers(x, "1.0%"))
    for values in (cells.parse_numbers(texts, "1.0%"), compiled(texts)):
        np.testing.assert_array_equal(values, [[1, NAN], [NAN, -2]])
    assert cells.parse_numbers([], "").shape == (0,)


@given(st.lists(FINITE, min_size=1))
@example([5e-324, 1.7976931348623157e308, 2.2250738585072011e-308, 9007199254740993.0])
def test_plain_numbers_are_those_of_python(numbers):
    values = cells.parse_numbers([repr(number) for number in numbers])
    np.testing.assert_array_equal(values, numbers)


@given(
    st.floats(-1e12, 1e12),
    st.sampled_from(["", ",", ".", " ", "'"]),
    st.sampled_from(".,"),
    st.sampled_from(["", "$", "€ ", "US$"]),
    st.sampled_from(["", "%", " kg", "m²"]),
    st.booleans(),
)
def test_dressed_numbers_are_undressed(number, group, decimal, prefix, suffix, parens):
    if group == decimal:
        return
    signs = str.maketrans({",": group, ".": decimal})

    def dress(number):
        text = f"{prefix}{f'{abs(number):,.4f}'.translate(signs)}{suffix}"
        if math.copysign(1, number) > 0:
            return text
        return f"({text})" if parens else f"-{text}"

    example = f"{prefix}1{group and group + '000'}{decimal}0{suffix}"
    values = cells.parse_numbers(
        [dress(number), dress(-number)], f"({example})" if parens else example
    )
    rounded = float(f"{number:.4f}")
    np.testing.assert_array_equal(values, [rounded, -rounded])


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_no_text_breaks_it(text):
    for format in ("", "($1,000.0)"):
        assert cells.parse_numbers([text], format).shape == (1,)


@pytest.mark.parametrize(
    "format", ["x", "1", "1,000", "1.000.0", "(1.0", "1.0)", "2.0", "-1.0", "1.01.0"]
)
def test_bad_formats_are_refused(format):
    with pytest.raises(ValueError, match="`format` should show how 1000"):
        cells.check_format(format)
    with pytest.raises(ValueError, match="`format` should show how 1000"):
        cells.parse_numbers(["1"], format)
