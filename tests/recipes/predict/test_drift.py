"""The population stability index, by hand."""

import math

import numpy as np
import pytest

from recipes.pipeline.datasets.columns_file import ColumnsFile
from recipes.pipeline.datasets.training_distribution import Distribution
from recipes.predict.drift import Drift, compute_all, compute_drift, describe

HALVES = Distribution((0.5, 0.5), 0.0, (0.0,) * 5 + (1.0,) * 6)


def test_equal_shares_have_no_drift():
    found = compute_drift("x", HALVES, 1000, np.array([300, 300, 0]))
    assert (found.column, found.index, found.reading) == ("x", 0, "stable")


def test_the_index_by_hand():
    found = compute_drift("x", HALVES, 1000, np.array([700, 300, 0]))
    expected = 0.2 * math.log(0.7 / 0.5) - 0.2 * math.log(0.3 / 0.5)
    assert found.index == pytest.approx(expected)  # 0.1695
    # χ² of one degree of freedom stays below 3.841 in 95 % of draws.
    assert found.chance == pytest.approx(3.8415 * (1 / 1000 + 1 / 1000), rel=1e-4)
    assert found.reading == "shifted"


def test_a_bin_without_rows_counts_as_half_a_row():
    found = compute_drift("x", HALVES, 1000, np.array([100, 0, 25]))
    shares = [(0.8, 0.5), (0.5 / 125, 0.5), (0.2, 0.5 / 1000)]
    expected = sum((q - p) * math.log(q / p) for q, p in shares)
    assert found.index == pytest.approx(expected)
    assert found.reading == "strongly shifted"


def test_blanks_and_unseen_texts_are_bins():
    levels = Distribution((0.6, 0.3), 0.1, levels=("a", "b"))
    found = compute_drift("x", levels, 100, np.array([60, 20, 10, 10]))
    shares = [(0.6, 0.6), (0.2, 0.3), (0.1, 0.1), (0.1, 0.5 / 100)]
    expected = sum((q - p) * math.log(q / p) for q, p in shares)
    assert found.index == pytest.approx(expected)


def test_few_rows_may_differ_by_chance():
    found = compute_drift("x", HALVES, 1000, np.array([7, 3, 0]))
    assert 0.1 < found.index < found.chance
    assert found.reading == "stable: so few rows may differ so much by chance"


def test_rows_of_the_same_distribution_are_within_chance_19_times_in_20():
    rng = np.random.default_rng(0)
    tenths = Distribution((0.1,) * 10, 0.0, tuple(map(float, range(11))))

    def draw():
        training = rng.multinomial(400, [0.1] * 10) / 400
        distribution = Distribution(tuple(training), 0.0, tenths.deciles)
        counts = np.append(rng.multinomial(300, [0.1] * 10), 0)
        found = compute_drift("x", distribution, 400, counts)
        return found.index <= found.chance

    assert np.mean([draw() for _ in range(1000)]) == pytest.approx(0.95, abs=0.03)


def test_the_largest_comes_first_and_at_most_20_are_shown():
    training = dict.fromkeys(map(str, range(30)), HALVES)
    columns = ColumnsFile((), None, training, 1000)
    counts = {name: np.array([500 + int(name), 500, 0]) for name in training}
    drifts = compute_all(columns, counts)
    assert [drift.column for drift in drifts] == [str(i) for i in reversed(range(30))]
    lines = list(describe(drifts))
    assert len(lines) == 22
    assert lines[1].split() == ["'29'", "0.001", "stable"]
    assert lines[-1] == "  and 10 more columns, of 0.000 at most"
    assert list(describe([])) == []
    assert Drift("x", 0.25, 0).reading == "shifted"
