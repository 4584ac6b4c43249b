"""Dates as the design matrix has them."""

import dataclasses
import datetime

import numpy as np
import pytest

from layers.calendar_parts import CalendarParts
from recipes.pipeline.preprocessing import design_matrix, learn
from tests.recipes.pipeline.preprocessing.data_sets import NAN, data_of


def dates_of(days, dtype="float64"):
    """Return a data set with one column of dates, "sold"."""
    data = data_of(np.zeros((len(days), 1)), names=["sold"])
    column = dataclasses.replace(
        data.description.columns[0], kind="date", format="%Y-%m-%d %H:%M", dtype=dtype
    )
    return dataclasses.replace(
        data,
        train=dataclasses.replace(
            data.train, features=np.array(days, dtype)[:, np.newaxis]
        ),
        description=dataclasses.replace(data.description, columns=(column,)),
    )


def count_days(*moment):
    passed = datetime.datetime(*moment) - datetime.datetime(1970, 1, 1)
    return passed / datetime.timedelta(days=1)


def raw_output_of(data):
    """Return the layer and its outputs before they are standardised."""
    layer = learn.learn_preprocessing(data)
    output = layer(data.train.features).numpy().astype("float64")
    np.testing.assert_allclose(output.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(output.std(axis=0), 1, rtol=1e-5)
    return layer, output * layer.scale + layer.center


def test_parts_that_vary_are_outputs():
    days = [count_days(2024, 1, 3), count_days(2024, 4, 3), count_days(2024, 4, 3, 6)]
    layer, raw = raw_output_of(dates_of(days))
    assert layer.output_names == (
        *("sold", "sold month sin", "sold month cos", "sold day sin", "sold day cos"),
        *("sold hour sin", "sold hour cos"),  # a Wednesday each, in 2024, at 0 minutes
    )
    np.testing.assert_allclose(raw[:, 0], days, rtol=1e-8)
    np.testing.assert_allclose(raw[:, 1:3], [[0, 1], [1, 0], [1, 0]], atol=1e-6)
    np.testing.assert_allclose(raw[:, 5:], [[0, 1], [0, 1], [1, 0]], atol=1e-6)
    assert layer.notes == ()


def test_of_two_opposite_places_only_what_differs_is_an_output():
    """The sines of 0 and of half a turn differ by rounding alone."""
    days = [count_days(2024, 2, 1, 0), count_days(2024, 2, 1, 12)]
    layer, _ = raw_output_of(dates_of(days))
    assert layer.output_names == ("sold", "sold hour cos")


def test_days_of_float32():
    layer, _ = raw_output_of(dates_of([0, 365, 730], "float32"))
    assert "sold year" in layer.output_names
    assert "sold month sin" not in layer.output_names


def test_a_blank_date_is_the_median_and_marked():
    days = [count_days(2020, 1, 1), count_days(2021, 1, 1), NAN, NAN]
    layer, raw = raw_output_of(dates_of(days))
    assert layer.output_names[:3] == ("sold", "sold=(blank)", "sold year")
    names = list(layer.output_names)
    assert raw[:, names.index("sold=(blank)")] == pytest.approx([0, 0, 1, 1], abs=1e-6)
    year = raw[:, names.index("sold year")]
    # Of the two in the middle the earlier, as between them is no date of the column.
    assert year == pytest.approx([2020, 2021, 2020, 2020], rel=1e-6)
    assert "marked by an input of their own: 2 in 'sold'" in layer.notes[0]


def test_one_date_and_blanks():
    layer, raw = raw_output_of(dates_of([5, NAN, 5]))
    assert layer.output_names == ("sold=(blank)",)
    np.testing.assert_allclose(raw[:, 0], [0, 1, 0], atol=1e-6)


def test_two_columns_of_dates_beside_others():
    rng = np.random.default_rng(0)
    rows = np.stack(
        [
            rng.normal(size=50),
            rng.integers(0, 20_000, 50),
            rng.integers(0, 2, 50),
            rng.integers(0, 20_000, 50),
        ],
        axis=1,
    )
    rows[3, 0] = rows[4, 1] = NAN
    data = data_of(rows, names=["a", "b", "c", "d"], categorical={2: ("x", "y")})
    columns = list(data.description.columns)
    for place in (1, 3):
        columns[place] = dataclasses.replace(
            columns[place], kind="date", format="%d/%m/%Y"
        )
    about = dataclasses.replace(data.description, columns=tuple(columns))
    layer, raw = raw_output_of(dataclasses.replace(data, description=about))
    parts = CalendarParts(dtype="float64")
    names = list(layer.output_names)
    for place, name in ((1, "b"), (3, "d")):
        filled = np.where(
            np.isnan(rows[:, place]), raw[:, names.index(name)], rows[:, place]
        )
        expected = parts(np.round(filled)[:, np.newaxis]).numpy()
        for part, values in zip(CalendarParts.PARTS, expected.T, strict=True):
            if np.ptp(values) > 1e-9:
                shown = raw[:, names.index(f"{name} {part}")]
                np.testing.assert_allclose(shown, values, rtol=1e-5, atol=1e-5)
    blank = raw[:, names.index("b=(blank)")]
    np.testing.assert_allclose(blank, np.arange(50) == 4, atol=1e-5)


def test_dates_are_taken_apart_in_blocks(monkeypatch):
    days = np.random.default_rng(1).integers(0, 20_000, 100) + 0.25
    days[7] = NAN
    whole = learn.learn_preprocessing(dates_of(days)).get_weights()
    monkeypatch.setattr(design_matrix, "_BLOCK_DATES", 7)
    parts = learn.learn_preprocessing(dates_of(days)).get_weights()
    for a, b in zip(whole, parts, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)
