"""The benchmark of the defaults on tables: its made tables, and its report."""

import numpy as np
import pytest

from benchmarks.neural_network import table_data, tables


@pytest.mark.parametrize(
    ("make", "rows", "columns"),
    [
        (table_data.make_robot_arm, 8192, 9),
        (table_data.make_houses, 1460, 66),
        (table_data.make_churn, 7043, 19),
    ],
)
def test_made_tables_are_always_the_same(make, rows, columns):
    one, two = make(), make()
    assert {len(column) for column in one.values()} == {rows}
    assert len(one) == columns
    assert all(list(one[name]) == list(two[name]) for name in one)


def test_tip_of_a_stretched_arm_is_where_it_points():
    """The noise of the distance has the standard deviation that the text states."""
    arm = table_data.make_robot_arm(50_000, links=1)
    angle = arm["angle_1"]
    tip = np.stack([np.cos(angle), np.sin(angle), np.zeros_like(angle)], axis=1)
    distance = np.linalg.norm(tip - [0.3, 0.3, 0.3], axis=1)
    noise = arm["distance"] - distance
    assert noise.std() == pytest.approx(0.3 * distance.std(), rel=0.02)


def test_report_shows_ranges_rates_and_attempts():
    def network(rmse, rate, attempts=()):
        return {
            "test": {"rmse": rmse},
            "learning_rate": rate,
            "other_attempts": attempts,
        }

    record = {
        "concrete": {
            "run": "2 seeds, today.",
            "network": [network(5.0, 0.001), network(6.0, 0.002, [{"outcome": "x"}])],
            "linear": [{"test": {"rmse": 10.0}}, {"test": {"rmse": 11.0}}],
        }
    }
    text = tables.text(record)
    assert (
        "| concrete, public splits | RMSE | 5.50 (5.00 to 6.00) | 10.5 (10.0 to 11.0) "
        "| PBP 5.67, dropout 5.23 | 0.001 to 0.002 | 1 |"
    ) in text
    assert "2 seeds, today." in text
