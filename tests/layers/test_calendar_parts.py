"""`CalendarParts`."""

import calendar
import datetime

import keras
import numpy as np
import tensorflow as tf
from hypothesis import example, given
from hypothesis import strategies as st

from layers.calendar_parts import CalendarParts, civil_from_days
from layers.cells.dates import days_from_civil
from tests.layer_contract import check_layer

PARTS = len(CalendarParts.PARTS)
EPOCH = datetime.datetime(1970, 1, 1)


def count_days(moment):
    return (moment - EPOCH) / datetime.timedelta(days=1)


def turn(share):
    return [np.sin(2 * np.pi * share), np.cos(2 * np.pi * share)]


def test_contract(tmp_path):
    check_layer(
        CalendarParts,
        {},
        np.array([[0, 19000], [-365, 3], [1, 2], [20000, 40]], "float32"),
        (4, 2 * PARTS),
        tmp_path=tmp_path,
    )


def test_values_by_hand():
    layer = CalendarParts(dtype="float64")
    # Thursday, 29 February 2024, 18:45:59.9
    days = 19782 + (18 * 3600 + 45 * 60 + 59.9) / 86400
    expected = [
        2024,
        *turn(1 / 12),
        *turn(28 / 29),
        *turn(3 / 7),
        *turn(18 / 24),
        *turn(45 / 60),
    ]
    np.testing.assert_allclose(layer(np.array([days])), expected, atol=1e-12)


def test_a_missing_date_has_missing_parts():
    parts = CalendarParts(dtype="float64")(np.array([[np.nan, 0.0], [np.inf, 1]]))
    missing = np.isnan(parts).reshape(2, 2, PARTS)
    assert missing[:, 0].all() and not missing[:, 1].any()


@given(st.datetimes())
@example(datetime.datetime(2024, 1, 1, 10))
@example(datetime.datetime(9999, 12, 31, 23, 59, 59))
def test_parts_are_those_of_python(moment):
    moment = moment.replace(microsecond=0)
    parts = CalendarParts(dtype="float64")(np.array([count_days(moment)]))
    length = calendar.monthrange(moment.year, moment.month)[1]
    expected = [
        moment.year,
        *turn((moment.month - 1) / 12),
        *turn((moment.day - 1) / length),
        *turn(moment.weekday() / 7),
        *turn(moment.hour / 24),
        *turn(moment.minute / 60),
    ]
    np.testing.assert_allclose(parts, expected, atol=1e-12)


def test_every_day_of_three_cycles_has_a_date_and_back():
    days = tf.range(-146_097 * 2, 146_097, dtype=tf.int64)
    year, month, day = civil_from_days(days)
    np.testing.assert_array_equal(days_from_civil(year, month, day), days)
    expected = np.datetime64("1970-01-01") + days.numpy()
    np.testing.assert_array_equal(year - 1970, expected.astype("M8[Y]").astype(int))
    months = (year * 12 + month).numpy() - 1970 * 12 - 1
    np.testing.assert_array_equal(months, expected.astype("M8[M]").astype(int))


def test_the_global_policy_is_the_default():
    assert CalendarParts().compute_dtype == keras.config.floatx()
