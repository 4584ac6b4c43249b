"""Dates as people write them."""

import datetime
import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given
from hypothesis import strategies as st

from layers import cells

NAN = math.nan
UTC = datetime.UTC
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=UTC)


def count_days(moment):
    return (moment.replace(tzinfo=moment.tzinfo or UTC) - EPOCH) / datetime.timedelta(1)


@pytest.mark.parametrize(
    ("format", "dates"),
    [
        (
            "%Y-%m-%d",
            {
                **{
                    "1970-01-01": 0,
                    "1970-1-2": 1,
                    "1969-12-31": -1,
                    "2024-02-29": 19782,
                },
                **{
                    ' "2000-03-01" ': 11017,
                    "9999-12-31": 2932896,
                    "0001-01-01": -719162,
                },
                **{"2023-02-29": NAN, "1900-02-29": NAN, "2000-02-29": 11016},
                **{"2024-04-31": NAN, "2024-13-01": NAN, "2024-00-10": NAN},
                **{"2024-01-00": NAN, "2024-01-32": NAN, "0000-01-01": NAN},
                **{"24-01-01": NAN, "2024/01/01": NAN, "2024-01-01 10:00": NAN},
            },
        ),
        ("%d/%m/%y", {"2/1/70": 1, "1/1/69": -365, "1/1/68": 35794, "29/2/00": 11016}),
        ("%Y%m%d", {"19700102": 1, "1970102": NAN, "1970 1 2": NAN}),
        ("%Y", {"1971": 365}),
        ("%b %Y", {"Feb 1970": 31, "FEBRUARY  1970": 31, "Febr 1970": NAN}),
        (
            "%d. %b %Y",
            {"1. sept 1970": 243, "01. Sep 1970": 243, "1. September 1970": 243}
            | {"1.Sep 1970": NAN, "31. may 1970": 150, "31. Jun 1970": NAN},
        ),
        (
            "%d %m %Y %H:%M",
            {"1 1 1970 6:00": 0.25, "01 01 1970  18:00": 0.75, "1 1 1970 24:00": NAN}
            | {"1 1 1970 12:60": NAN},
        ),
        (
            "%I:%M %p",
            {"12:00 AM": 0, "12:00 pm": 0.5, "6:00 a.m.": 0.25, "6:00 PM": 0.75}
            | {"13:00 PM": NAN, "0:30 AM": NAN, "6:00": NAN},
        ),
        ("%I:%M%p", {"6:00PM": 0.75}),
        (
            "%H:%M:%S",
            {"00:00:01": 1 / 86400, "0:0:1.5": 1.5 / 86400, "00:00:01,25": 1.25 / 86400}
            | {"00:00:60": NAN, "00:00:1.": NAN},
        ),
        ("%H:%M:%S.%f", {"00:00:01.5": 1.5 / 86400, "00:00:01": 1 / 86400}),
        ("%H%M%S%f", {"0000015": 1.5 / 86400}),
        (
            "%Y-%m-%dT%H:%M:%S%z",
            {
                **{"1970-01-01T00:00:00Z": 0, "1970-01-01T06:00:00+06:00": 0},
                **{"1969-12-31T18:00:00-0600": 0, "1970-01-01T12:00:00+06": 0.25},
                **{"1970-01-01T00:00:00.75Z": 0.75 / 86400},
                **{"1970-01-01T00:00:00": NAN, "1970-01-01T00:00:00+24:00": NAN},
                **{"1970-01-01 00:00:00Z": NAN},
            },
        ),
        ("[%Y]^%m\\", {"[1970]^2\\": 31, "1970^2\\": NAN}),
    ],
)
def test_by_hand(format, dates):
    days = cells.parse_dates(list(dates), format)
    assert days.dtype == "float64"
    np.testing.assert_array_equal(days, list(dates.values()), str(list(dates)))


def test_blanks():
    days = cells.parse_dates(["NA", "0001-01-01", "x", ""], "%Y-%m-%d", ["0001-01-01"])
    assert np.isnan(days).all()


def test_any_shape_eager_and_compiled():
    texts = tf.constant([["1/2/1970", "x"], ["", "1/1/1970"]])
    compiled = tf.function(lambda x: cells.parse_dates(x, "%d/%m/%Y"))
    for days in (cells.parse_dates(texts, "%d/%m/%Y"), compiled(texts)):
        np.testing.assert_array_equal(days, [[31, NAN], [NAN, 0]])
    assert cells.parse_dates([], "%Y").shape == (0,)


FORMATS = [
    "%Y-%m-%d",
    "%d/%m/%Y %H:%M",
    "%Y%m%d%H%M%S",
    "%b %d, %Y %I:%M:%S %p",
    "%Y-%m-%dT%H:%M:%S.%f",
    "%d.%m.%y",
    "%Y-%m-%d %H:%M:%S%z",
]
ZONES = st.integers(-1439, 1439).map(
    lambda minutes: datetime.timezone(datetime.timedelta(minutes=minutes))
)


@given(
    st.datetimes(
        datetime.datetime(1700, 1, 1), datetime.datetime(2250, 1, 1), timezones=ZONES
    ),
    st.sampled_from(FORMATS),
)
@example(datetime.datetime(2000, 2, 29, 23, 59, 59, 999999, UTC), FORMATS[4])
def test_dates_are_those_of_python(moment, format):
    text = moment.strftime(format)
    expected = count_days(datetime.datetime.strptime(text, format))
    assert cells.parse_dates([text], format)[0] == expected


@given(st.dates())
def test_all_days_of_python(date):
    text = date.isoformat()
    assert cells.parse_dates([text], "%Y-%m-%d")[0] == date.toordinal() - 719163


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_no_text_breaks_it(text):
    for format in FORMATS:
        assert np.isnan(cells.parse_dates([text], format)).all()


@pytest.mark.parametrize(
    ("format", "fault"),
    [
        ("%Y-%Q", "%Q is none of %Y %y %m"),
        ("%Y-%", "% is none of"),
        ("%B %Y", "%B is none of"),
        ("day", "it has no part of a date"),
        ("%Y %y", "it has a part twice"),
        ("%m %b %Y", "it has a part twice"),
        ("%H %I", "it has a part twice"),
        ("%d/%m", "a month or a day but no year"),
        ("%d %Y", "a day but no month"),
        ("%H:%M %p", "%p needs %I"),
    ],
)
def test_bad_formats_are_refused(format, fault):
    with pytest.raises(ValueError, match=fault):
        cells.parse_dates(["1"], format)


def test_which_formats_are_of_dates():
    dates = ["%Y", "%d/%m/%Y", "%H:%M", "%Q"]
    numbers = ["", "1.0", "1.0%", "%1.0", "$1,000.0", "1.0 %d"]
    assert [cells.is_date_format(format) for format in dates] == [True] * 4
    assert [cells.is_date_format(format) for format in numbers] == [False] * 6
    for format in (*dates[:3], *numbers):
        cells.check_format(format)


def test_cells_are_parsed_as_their_format_says():
    assert cells.parse_cells(["50%"], "1.0%")[0] == 50
    assert cells.parse_cells(["1971"], "%Y")[0] == 365
