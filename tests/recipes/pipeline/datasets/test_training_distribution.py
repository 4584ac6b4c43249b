"""How a column's values are distributed over the training rows."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from recipes.pipeline.datasets import Column
from recipes.pipeline.datasets.training_distribution import (
    Distribution,
    count_bins,
    describe_column,
)

NUMBER, LEVELS = Column("x"), Column("x", "categorical", levels=("a", "b", "c"))


def test_deciles_by_hand():
    values = np.array([*range(1, 21), np.nan, np.nan, np.nan, np.nan, np.nan], "f4")
    found = describe_column(NUMBER, values)
    assert found.deciles == (1, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20)
    np.testing.assert_array_equal(found.cuts, [2, 4, 6, 8, 10, 12, 14, 16, 18])
    assert found.shares == (0.08,) * 10
    assert found.blank_share == 0.2


def test_zeros_and_ones_are_two_bins():
    found = describe_column(NUMBER, np.repeat([0.0, 1.0], [6, 4]))
    np.testing.assert_array_equal(found.cuts, [0])
    assert found.shares == (0.6, 0.4)
    rare = describe_column(NUMBER, np.repeat([0.0, 1.0], [99, 1]))
    assert rare.shares == (0.99, 0.01)
    common = describe_column(NUMBER, np.repeat([0.0, 1.0], [6, 94]))
    assert (common.cuts.tolist(), common.shares) == ([0], (0.06, 0.94))
    always = describe_column(NUMBER, np.full(9, 3.0))
    assert (len(always.cuts), always.shares) == (0, (1.0,))


def test_a_common_largest_value_has_a_bin_of_its_own():
    values = np.repeat([0.0, 0.3, 1.0], [1, 5, 94]).astype("f4")
    found = describe_column(NUMBER, values)
    assert (found.cuts.tolist(), found.shares) == ([0.3], (0.06, 0.94))
    assert count_bins(np.full(9, 0.3, "f4"), found.cuts).tolist() == [9, 0, 0]
    entry = json.loads(json.dumps(found.to_json()))
    assert Distribution.from_json(entry, ()) == found
    for wrong in ("0.3", 1.0, None):
        with pytest.raises(ValueError, match="expected blank_share"):
            Distribution.from_json({**entry, "below_largest": wrong}, ())


def test_categories_by_hand():
    values = np.array([0, 0, 0, 2, np.nan, 0, 2, 0, 0, 0])
    found = describe_column(LEVELS, values)
    assert found.shares == (0.7, 0.0, 0.2)
    assert (found.blank_share, found.levels) == (0.1, ("a", "b", "c"))


@given(
    arrays(
        np.float32,
        st.integers(1, 200),
        elements=st.floats(-(2.0**90), 2.0**90, width=32)
        | st.sampled_from([0.1, 7.7, np.nan]),
    )
)
def test_bins_count_each_row_once_and_as_stored(values):
    """Also after the way through a text, which has as few digits as possible."""
    if np.isnan(values).all():
        return
    found = describe_column(NUMBER, values)
    counts = count_bins(values, found.cuts)
    assert counts.sum() == len(values)
    assert (*found.shares, found.blank_share) == pytest.approx(counts / len(values))
    assert all(np.float32(decile) in values for decile in found.deciles)
    # No bin but the last is empty, and few values are in one bin unless they are equal.
    assert (counts[:-2] > 0).all()
