"""What is said of a score beside the one that the run's test promised."""

import numpy as np
import pyarrow as pa
import pytest

from recipes.pipeline.datasets import Column
from recipes.predict.truth import Truth, compare, encode_numbers, judge


@pytest.mark.parametrize(
    ("name", "interval", "rows", "expected"),
    [
        ("r2", (0.7, 0.8), 30, "better than promised"),
        ("mse", (0.7, 0.8), 30, "worse than promised"),
        ("mse", (0.5, 0.8), 30, "as promised"),
        ("r2", (0.7, 0.8), 29, "too few rows to tell"),
        ("accuracy", (1.0, 1.0), 400, "too few rows to tell"),
    ],
)
def test_the_verdict(name, interval, rows, expected):
    assert judge(name, interval, (0.4, 0.6), rows) == expected


def test_a_perfect_test_promises_nothing():
    assert judge("accuracy", (0.95, 0.99), (1.0, 1.0), 400) == "too few rows to tell"


def test_few_test_rows_promise_nothing():
    metrics = {
        "dataset": {"test_rows": 29},
        "test": {"mse": 1.0},
        "test_interval": {"mse": [0.9, 1.1]},
    }
    (_, line) = compare({"mse": 2.0}, {"mse": (1.9, 2.1)}, metrics, 400)
    assert line.endswith("1 (0.9 to 1.1)   too few rows to tell")


@pytest.mark.parametrize(
    ("format", "texts", "numbers", "others"),
    [
        ("", ["2.5", "TBD", "", "inf", "-999.0"], [2.5, np.inf, np.nan, np.inf, np.nan],
         {"TBD", "inf"}),
        ("$1,000.0", ["$2,500", "2500", "soon", "?", None],
         [2500, np.inf, np.inf, np.nan, np.nan], {"2500", "soon"}),
    ],
)  # fmt: skip
def test_misfits_are_not_blank(format, texts, numbers, others):
    cells = pa.array(texts).dictionary_encode()
    found = encode_numbers(cells, Column("y", format=format, na_values=("-999",)))
    np.testing.assert_array_equal(found[0], numbers)
    assert found[1] == others


def test_rows_without_numbers_to_compare_are_counted_apart():
    target = np.array([1.0, np.nan, np.inf, 2.0, 3.0, 5.0])
    prediction = np.array([[1.0], [1.0], [1.0], [np.inf], [3.0], [5.0]])
    truth = Truth("y", "regression", {})
    truth.add(target, {"prediction": prediction}, {"TBD"})
    blank, other, endless, head, mse, *_ = truth.describe()
    assert blank.endswith("as 'y' is blank: 1")
    assert other.endswith("is not the number that it was in the run ('TBD'): 1")
    assert endless.endswith("the prediction is not finite: 1")
    assert "new rows (3)" in head
    assert mse.split()[:2] == ["mse", "0"]
