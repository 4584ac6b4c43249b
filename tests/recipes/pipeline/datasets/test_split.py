"""The split into training and test rows."""

import numpy as np
import pytest
import sklearn.datasets

from recipes.errors import InputError
from recipes.pipeline.datasets.split import (
    describe_undivided,
    split,
    split_stratified,
)
from tests.recipes.pipeline.datasets.loading import loaded, write_table


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


@pytest.mark.parametrize("counts", [[2, 2], [30, 3, 2, 1], [2] * 9, [1, 1, 4], [9, 1]])
@pytest.mark.parametrize("fraction", [0.1, 0.2, 0.5, 0.9])
def test_every_class_keeps_a_training_row_and_has_its_share(counts, fraction):
    classes = np.random.default_rng(0).permutation(
        np.repeat(range(len(counts)), counts)
    )
    if round(len(classes) * fraction) < 1:
        return
    train, test = split_stratified(classes, fraction, seed=0)
    np.testing.assert_array_equal(np.sort([*train, *test]), np.arange(len(classes)))
    assert len(test)
    assert set(classes[train]) == set(range(len(counts)))
    shares = np.bincount(classes[test], minlength=len(counts))
    most = np.array(counts) * fraction + 2
    assert (shares <= most).all()
    np.testing.assert_array_equal(test, split_stratified(classes, fraction, 0)[1])


def test_stratified_split_refuses_only_the_impossible():
    for classes, fraction in [(range(9), 0.3), ([0, 0, 1, 1], 0.1)]:
        with pytest.raises(InputError, match="every class needs one for training"):
            split_stratified(np.array(classes), fraction, seed=0)


def test_classes_that_are_in_training_only_are_named():
    def notes(train, held_out):
        levels = "abcdefg"
        return list(describe_undivided(levels, np.array(train), np.array(held_out)))

    assert notes([0, 1], [0, 1]) == []
    assert notes([0, 1], [0]) == ["class 'b' has 1 row: it is in training only"]
    assert notes([0, 1, 1, 2], [0]) == [
        "2 classes have at most 2 rows each and are in training only: 'b', 'c'"
    ]


def test_the_data_note_a_class_that_is_in_training_only(tmp_path):
    rows = "".join(f"{i},{'xy'[i % 2]}\n" for i in range(20))
    data = loaded(write_table(tmp_path, f"a,kind\n{rows}7,z\n"))
    assert "class 'z' has 1 row: it is in training only" in data.description.notes


def test_rows_keep_their_targets_through_the_split():
    data = loaded("diabetes", seed=7)
    bunch = sklearn.datasets.load_diabetes(scaled=False)
    pairs = {(*row, y) for row, y in zip(bunch.data, bunch.target, strict=True)}
    cast = {(*np.float32(pair[:-1]).tolist(), pair[-1]) for pair in pairs}
    for rows in (data.train, data.test):
        for x, y in zip(rows.features, rows.target, strict=True):
            assert (*x.tolist(), y) in cast
