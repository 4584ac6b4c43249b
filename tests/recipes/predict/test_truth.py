"""What is said of a score beside the one that the run's test promised."""

import pytest

from recipes.predict.truth import compare, judge


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
