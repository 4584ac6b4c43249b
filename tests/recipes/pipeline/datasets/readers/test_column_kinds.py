"""What the texts of a column say that it holds."""

import numpy as np
import pytest

from recipes.pipeline.datasets.readers import column_kinds, number_roles
from recipes.pipeline.datasets.readers.column_kinds import Texts, decide
from recipes.pipeline.datasets.readers.date_formats import detect_date_format
from recipes.pipeline.datasets.readers.number_formats import detect_number_format


def decided(texts, **others):
    return decide(Texts("a", dict.fromkeys(texts, 5), **others))


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["37%", "5%", "101.5%"], "1.0%"),
        (["37 %", "5 %"], "1.0 %"),
        (["$2.39", "$10", "-$3"], "$1.0"),
        (["€ 2", "€ 3.5"], "€1.0"),
        (["USD 2", "USD 3.5"], "USD1.0"),
        (["1,069.59", "12"], "1,000.0"),
        (["1.069,59", "12"], "1.000,0"),
        (["1 069,59", "12"], "1 000,0"),
        (["1'069.59", "12"], "1'000.0"),
        (["3,7", "12"], "1,0"),
        (["43 kg", "7.5 kg"], "1.0 kg"),
        (["(12)", "7"], "(1.0)"),
        (["($1,200.50)", "$7"], "($1,000.0)"),
        (["12,345,678", "7"], "1,000.0"),
    ],
)
def test_numbers_in_dress(texts, expected):
    found, is_guess = detect_number_format(texts)
    assert (found, is_guess) == (expected, False)
    reading = decided(texts)
    assert (reading.kind, reading.format) == ("numeric", expected)
    assert expected in reading.note
    assert not np.isnan(column_kinds.parse(texts, reading)).any()


@pytest.mark.parametrize(
    "texts",
    [
        ["1,06.5", "12"],  # a group of two
        ["5 kg", "5 lb"],
        ["$5", "€5"],
        ["A1", "A2"],
        ["1st", "2nd"],
        ["5-7", "8-9"],
        ["1.2.3", "1.2.4"],
        ["(12", "7"],
        ["five"],
        ["%", "5%"],
        ['13.3"', '15.6"'],
    ],
)
def test_texts_with_digits_are_no_numbers(texts):
    assert detect_number_format(texts)[0] == ""
    assert decided(texts).kind == "categorical"


def test_a_comma_that_may_be_either_is_told():
    texts = ["1,069", "2,500"]
    assert detect_number_format(texts) == ("1,000.0", True)
    assert detect_number_format(texts, prefers_comma=True) == ("1,0", True)
    assert detect_number_format(texts, decimal=",") == ("1,0", False)
    assert detect_number_format(texts, decimal=".") == ("1,000.0", False)
    assert detect_number_format(["0,964", "0,500"]) == ("1,0", False)
    assert "so 1,069 is 1069; --decimal" in decided(texts).note


def test_decimal_comma_of_numbers_that_look_plain():
    assert decided(["1.069", "2.500"]).format == ""
    assert decided(["1.069", "2.500"], decimal=",").format == "1.000,0"


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["2020-01-31"], "%Y-%m-%d"),
        (["2020/1/31"], "%Y/%m/%d"),
        (["2020-01-31T10:20:30Z", "2020-01-31T10:20:30+02:00"], "%Y-%m-%dT%H:%M:%S%z"),
        (["2020-01-31 10:20:30.5"], "%Y-%m-%d %H:%M:%S"),
        (["1/2/2020", "13/2/2020"], "%d/%m/%Y"),
        (["1/2/2020", "1/13/2020"], "%m/%d/%Y"),
        (["31.12.99", "1.1.05"], "%d.%m.%y"),
        (["12/31/2020 1:05 PM"], "%m/%d/%Y %I:%M %p"),
        (["31 Jan 2020", "1 February 2021"], "%d %b %Y"),
        (["31-Jan-20"], "%d-%b-%y"),
        (["Jan 31, 2020"], "%b %d, %Y"),
        (["2020-01"], "%Y-%m"),
        (["01/2020"], "%m/%Y"),
        (["10:20", "7:05"], "%H:%M"),
    ],
)
def test_dates(texts, expected):
    assert detect_date_format("a", texts)[0] == expected
    reading = decided(texts)
    assert (reading.kind, reading.format) == ("date", expected)


@pytest.mark.parametrize(
    "texts",
    [
        ["2020-02-30"],
        ["2020-01-01", "soon"],
        ["a-b-c"],
        ["1/2/2020", "13/13/2020"],
        ["5x10x20", "4x9x11"],
        ["Q3 2015"],
        ["3/1004"],
        ["3-4/2020"],
    ],
)
def test_texts_that_are_no_dates(texts):
    assert detect_date_format("a", texts) == ("", "")
    assert decided(texts).kind == "categorical"


def test_day_or_month_first_is_told_to_be_undecidable():
    assert detect_date_format("a", ["1/2/2020", "3/4/2020"]) == ("%d/%m/%Y", "%m/%d/%Y")
    assert "they may be %m/%d/%Y as well" in decided(["1/2/2020", "3/4/2020"]).note


@pytest.mark.parametrize(
    "texts", [["1.0107", "12.2020"], ["1013.2", "2003.4"], ["2020.01", "2021.12"]]
)
def test_plain_numbers_are_no_dates(texts):
    assert decided(texts) == column_kinds.Reading("numeric")


def test_eight_digits_are_a_date_where_the_name_says_so():
    texts = ["20200131", "20210228"]
    assert decide(Texts("sale_date", dict.fromkeys(texts, 1))).format == "%Y%m%d"
    assert decided(texts).kind == "numeric"


def test_few_odd_texts():
    """Among few texts they are categories, among many numbers mistakes."""
    assert decided(["0", "1", "2", "3+"]).kind == "categorical"
    many = [f"{number}.5" for number in range(100)]
    assert decided([*many, "rotary"]).odd == ("rotary",)
    tickets = [*many, *(f"PC {number}" for number in range(50))]
    assert decided(tickets).dropped == "too many different texts"
    assert decided([*many, "rotary"], wanted="categorical").kind == "categorical"
    assert decided(["0", "1", "2", "3+"], wanted="numeric").odd == ("3+",)
    prices = [f"${1000 + number:,}.50" for number in range(100)]
    reading = decided([*prices, "call"])
    assert (reading.format, reading.odd) == ("$1,000.0", ("call",))
    days = [f"2020-{1 + number // 28:02}-{1 + number % 28:02}" for number in range(100)]
    reading = decided([*days, "soon"])
    assert (reading.format, reading.odd) == ("%Y-%m-%d", ("soon",))


RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("a", np.arange(50), True),
        ("a", RNG.permutation(np.arange(100, 150)), True),
        ("a", np.append(np.arange(50.0), np.nan), True),
        ("PassengerId", RNG.choice(10**7, 50, replace=False), True),
        ("customer_id", RNG.choice(10**7, 50, replace=False), True),
        ("income", RNG.choice(10**7, 50, replace=False), False),
        ("humid", RNG.choice(10**7, 50, replace=False), False),
        ("grid", RNG.choice(10**7, 50, replace=False), False),
        ("a", np.arange(50) // 2, False),
        ("a", np.arange(50) + 0.5, False),
        ("year", np.arange(1980, 2020), False),
        ("a", np.arange(5), False),
        ("age", RNG.choice(np.arange(20, 60), 20, replace=False), False),
        ("days since start", 3 * np.arange(100), False),
        ("price index", 100 + 7 * np.arange(12), False),
        ("customer", RNG.choice(10**6, 20_000, replace=False), True),
    ],
)
def test_numbers_that_name_rows(name, values, expected):
    assert number_roles.name_rows(name, values.astype(float)) is expected


def test_codes_are_few_whole_numbers():
    assert number_roles.count_codes(np.arange(60.0) % 3) == 3
    for values in (np.arange(60.0) % 2, np.arange(60.0) % 3 + 0.5, np.arange(60.0)):
        assert number_roles.count_codes(values) == 0


@pytest.mark.parametrize("mark", [-200, -999, 9999, 99, -1e6])
def test_marks_for_not_known(mark):
    values = RNG.normal(10, 3, 500)
    assert list(number_roles.find_marks(values)) == []
    values[::5] = mark
    assert list(number_roles.find_marks(values)) == [mark]


@pytest.mark.parametrize(
    "values",
    [
        np.where(RNG.random(500) < 0.3, 0, RNG.exponential(10, 500)),  # zeros of rain
        np.append(RNG.normal(10, 3, 500), 9999),  # once
        np.arange(500) % 7.0,
        np.arange(500) % 2.0,
        np.where(np.arange(500) % 7, 10.0, 90),  # two values
    ],
)
def test_no_marks(values):
    assert list(number_roles.find_marks(values)) == []
