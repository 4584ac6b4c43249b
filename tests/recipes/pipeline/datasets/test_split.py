"""The split into training and test rows."""

import numpy as np
import pytest
import sklearn.datasets

from recipes.errors import InputError
from recipes.pipeline.datasets.split import split, split_stratified
from tests.recipes.pipeline.datasets.loading import loaded


@pytest.mark.parametrize("fraction", [0.01, 0.2, 0.9])
def test_split_is_disjoint_complete_and_seeded(fraction):
    train, test = split(1000, fraction, seed=3)
    assert len(test) == round(1000 * fraction)
    np.testing.assert_array_equal(np.sort([*train, *test]), np.arange(1000))
    again = split(1000, fraction, seed=3)
    np.testing.assert_array_equal(test, again[1])
    assert not np.array_equal(test, split(1000, fraction, seed=4)[1])


def test_split_of_too_few_rows():
    for rows, fraction in [(1, 0.5), (2, 0.5), (4, 0.1), (10, 0.95)]:
        with pytest.raises(InputError, match="--test_fraction"):
            split(rows, fraction, 0)


def test_stratified_split_keeps_the_shares():
    classes = np.repeat([0, 1, 2], [700, 200, 100])
    train, test = split_stratified(classes, 0.2, seed=1)
    np.testing.assert_array_equal(np.bincount(classes[test]), [140, 40, 20])
    np.testing.assert_array_equal(np.sort([*train, *test]), np.arange(1000))
    np.testing.assert_array_equal(test, split_stratified(classes, 0.2, seed=1)[1])
    assert not np.array_equal(test, split_stratified(classes, 0.2, seed=2)[1])


def test_stratified_split_trains_on_a_class_of_one_row():
    classes = np.array([0] * 10 + [1] * 10 + [2])
    train, test = split_stratified(classes, 0.2, seed=0)
    assert 20 in train
    np.testing.assert_array_equal(np.bincount(classes[test]), [2, 2])


def test_stratified_split_of_too_few_rows():
    with pytest.raises(InputError, match="every class"):
        split_stratified(np.array([0, 0, 1, 1]), 0.2, seed=0)


def test_rows_keep_their_targets_through_the_split():
    data = loaded("diabetes", seed=7)
    bunch = sklearn.datasets.load_diabetes(scaled=False)
    pairs = {(*row, y) for row, y in zip(bunch.data, bunch.target, strict=True)}
    cast = {(*np.float32(pair[:-1]).tolist(), pair[-1]) for pair in pairs}
    for rows in (data.train, data.test):
        for x, y in zip(rows.features, rows.target, strict=True):
            assert (*x.tolist(), y) in cast
