"""Typed cells as numbers and as texts."""

import datetime as dt
import math
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipes.pipeline.datasets.encoding import BLANKS
from recipes.pipeline.datasets.readers.arrow_cells import (
    as_numbers,
    as_strings,
    as_texts,
    choose_date_format,
    describe_fault,
)
from recipes.pipeline.datasets.readers.table_source import TEXTS

NOON = dt.datetime(2020, 1, 31, 13, 5)
DAY = dt.datetime(2020, 1, 31)


@pytest.mark.parametrize(
    ("column", "numbers"),
    [
        (pa.array([1, None, -3], pa.int8()), [1.0, None, -3.0]),
        (pa.array([2**60 + 1, 2**63 - 1]), [2.0**60, 2.0**63]),
        (pa.array([2**64 - 1], pa.uint64()), [2.0**64]),
        (pa.array([1.5, math.nan, None, -math.inf]), [1.5, None, None, -math.inf]),
        (pa.array(np.float16([0.5, math.nan])), [0.5, None]),
        (pa.array([Decimal("3.10"), None]), [3.1, None]),
        (pa.array(["1", " +2.5e1\t", ".5", None]), [1.0, 25.0, 0.5, None]),
        (pa.array([*sorted(BLANKS), " NA ", "7"]), [None] * (len(BLANKS) + 1) + [7.0]),
        (pa.array(["1"], pa.large_string()), [1.0]),
        (pa.array([3.0, 4.0, 3.0]).dictionary_encode(), [3.0, 4.0, 3.0]),
        (pa.array(["3", None, "?"]).dictionary_encode(), [3.0, None, None]),
        (pa.nulls(2), [None, None]),
    ],
)
def test_numbers(column, numbers):
    found = as_numbers(column)
    assert found.type == pa.float64()
    assert found.to_pylist() == numbers


@pytest.mark.parametrize(
    "column",
    [
        *(pa.array([True]), pa.array([NOON]), pa.array([dt.date(2020, 1, 1)])),
        *(pa.array(["1_000"]), pa.array(["1,5"]), pa.array(["x"]).dictionary_encode()),
        *(pa.array([[1]]), pa.array([dt.time(1)])),
    ],
)
def test_no_numbers(column):
    with pytest.raises(pa.ArrowInvalid):
        as_numbers(column)


@pytest.mark.parametrize(
    ("column", "strings"),
    [
        (pa.array([" a", "", None]), [" a", "", None]),
        (pa.array([3, None]), ["3", None]),
        (pa.array([3.0, 2.5, -0.0, math.nan, 1e15, 1e300]), None),
        (pa.array([0.1, 3.0], pa.float32()), ["0.1", "3"]),
        (pa.array(np.float16([0.5, 2.0])), ["0.5", "2"]),
        (pa.array([Decimal("3.10"), Decimal("100.00")]), ["3.1", "100"]),
        (pa.array([True, False, None]), ["True", "False", None]),
        (pa.array([dt.time(13, 5), dt.time(1, 2, 3, 500000)]), None),
        (pa.array([3.0, 4.5, None, 3.0]).dictionary_encode(), ["3", "4.5", None, "3"]),
        (pa.array([[1, 2], None]), ["[…]", None]),
        (pa.nulls(1), [None]),
    ],
)
def test_strings(column, strings):
    if strings is None:
        strings = {
            pa.float64(): ["3", "2.5", "0", None, "1000000000000000", "1e+300"],
            pa.time64("us"): ["13:05:00", "01:02:03.5"],
        }[column.type]
    found = as_strings(column, "")
    assert found.type == pa.string()
    assert found.to_pylist() == strings
    texts = as_texts(column, "")
    assert texts.type == TEXTS
    assert texts.to_pylist() == strings


@given(st.lists(st.floats() | st.integers(-(2**53), 2**53).map(float)))
def test_a_float_and_its_text_are_the_same_number(values):
    strings = as_strings(pa.array(values, pa.float64()), "")
    again = as_numbers(strings).to_numpy(zero_copy_only=False)
    np.testing.assert_array_equal(again, np.array(values, float))
    assert len(strings.unique()) == len(np.unique(values))


@pytest.mark.parametrize(
    ("column", "date_format", "strings"),
    [
        (pa.array([dt.date(2020, 1, 31), None]), "%Y-%m-%d", ["2020-01-31", None]),
        (pa.array([DAY, None], pa.timestamp("ns")), "%Y-%m-%d", ["2020-01-31", None]),
        (
            pa.array([DAY, NOON], pa.timestamp("ns")),
            "%Y-%m-%d %H:%M:%S",
            ["2020-01-31 00:00:00", "2020-01-31 13:05:00"],
        ),
        (
            pa.array([NOON.replace(microsecond=1500), DAY]),
            "%Y-%m-%d %H:%M:%S.%f",
            ["2020-01-31 13:05:00.001500", "2020-01-31 00:00:00.000000"],
        ),
        (
            pa.array([NOON], pa.timestamp("ms", "Europe/Berlin")),
            "%Y-%m-%d %H:%M:%SZ",
            ["2020-01-31 13:05:00Z"],
        ),
        (pa.array([], pa.timestamp("s")), "%Y-%m-%d", []),
        (pa.array([dt.date(9999, 12, 31)]), "%Y-%m-%d", ["9999-12-31"]),
    ],
)
def test_dates(column, date_format, strings):
    assert choose_date_format(column) == date_format
    assert as_strings(column, date_format).to_pylist() == strings
    assert as_texts(column, date_format).to_pylist() == strings


@given(st.datetimes(dt.datetime(1000, 1, 1), dt.datetime(3000, 1, 1)))
def test_a_date_is_written_whole(moment):
    column = pa.array([moment], pa.timestamp("us"))
    date_format = choose_date_format(column)
    (text,) = as_strings(column, date_format).to_pylist()
    assert dt.datetime.strptime(text, date_format) == moment


def test_dates_in_another_format():
    before = dt.datetime(1969, 12, 31, 23, 59, 59, 500000)
    column = pa.array([NOON, before])
    assert as_strings(column, "%d.%m.%y %I:%M:%S %p %z").to_pylist() == [
        "31.01.20 01:05:00 PM +0000",
        "31.12.69 11:59:59 PM +0000",
    ]


@pytest.mark.parametrize(
    ("column", "fault"),
    [
        (pa.array([[1]]), "a list"),
        (pa.array([{"a": 1}]), "an object"),
        (pa.array([b"x"]), "type binary"),
        (pa.array([dt.timedelta(1)]), "a duration"),
    ],
)
def test_faults(column, fault):
    assert fault in describe_fault(column.type)


def test_views_of_texts():
    if not hasattr(pa, "string_view"):
        pytest.skip("this Arrow cannot make them")
    column = pc.cast(pa.array(["1", None]), pa.string_view())
    assert describe_fault(column.type) == ""
    assert as_numbers(column).to_pylist() == [1.0, None]
    assert as_texts(column, "").to_pylist() == ["1", None]
