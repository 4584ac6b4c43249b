"""The split into training and test rows."""

import numpy as np
import pytest
import sklearn.datasets
from hypothesis import given
from hypothesis import strategies as st

from recipes.errors import InputError
from recipes.neural_network.config import Config
from recipes.neural_network.training.attempt import hold_out
from recipes.pipeline.datasets import load
from recipes.pipeline.datasets.description import Examples
from recipes.pipeline.datasets.split import (
    describe_undivided,
    divide,
    parse_split,
    split,
    split_stratified,
)
from tests.recipes.pipeline.datasets.loading import loaded, refused, write_table


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


# By time and by group.


def keyed(key, target=None):
    key = np.asarray(key, np.float64)
    target = np.zeros(len(key)) if target is None else np.asarray(target)
    return Examples(key[:, None], target, key=key)


def parts(key, rule, fraction, seed=0):
    return divide(keyed(key), rule, fraction, seed, has_classes=False)


@given(
    key=st.lists(st.integers(0, 12), min_size=4, max_size=60),
    fraction=st.floats(0.05, 0.95),
    how=st.sampled_from(["time", "group"]),
)
def test_equal_values_stay_together(key, fraction, how):
    key = np.array(key)
    try:
        train, test = parts(key, f"{how}:a", fraction)
    except InputError:
        # Impossible: one value, or no values of which two rows are left.
        counts = np.unique(key, return_counts=True)[1]
        assert len(counts) == 1 or (counts == 1).sum() > 0 or fraction > 0.5
        return
    np.testing.assert_array_equal(np.sort([*train, *test]), np.arange(len(key)))
    assert not set(key[train]) & set(key[test])
    assert len(train) >= 2
    assert len(test)
    if how == "time":
        assert key[train].max() < key[test].min()
        sizes = [(key >= value).sum() for value in set(key)]
        nearest = min(
            abs(size - fraction * len(key)) for size in sizes if len(key) - size >= 2
        )
        assert abs(len(test) - fraction * len(key)) == nearest


def test_the_last_rows_are_the_test_rows():
    key = np.random.default_rng(0).permutation(100)
    train, test = parts(key, "time:a", 0.2)
    assert sorted(key[test]) == list(range(80, 100))
    assert len(train) == 80


def test_groups_are_drawn_by_seed_and_approximate_the_fraction():
    key = np.repeat(np.arange(50), 4)
    _, test = parts(key, "group:a", 0.2)
    assert len(test) == 40
    np.testing.assert_array_equal(test, parts(key, "group:a", 0.2)[1])
    assert not np.array_equal(test, parts(key, "group:a", 0.2, seed=1)[1])


def test_a_giant_group_is_trained_on():
    key = np.repeat([0, 1, 2, 3], [900, 30, 30, 40])
    for seed in range(5):
        _, test = parts(key, "group:a", 0.1, seed)
        assert len(test) == 100


def test_what_cannot_be_divided_is_refused():
    with pytest.raises(InputError, match=r"^--split=time:a: --test_fraction=0\.2 of 9"):
        parts([5] * 9, "time:a", 0.2)
    with pytest.raises(InputError, match=r"^--split=group:a: --test_fraction"):
        parts([5] * 9, "group:a", 0.2)
    for rule in ("time", "time:", "week:a", "", "random:a"):
        with pytest.raises(InputError, match=r"should be random, time:COLUMN or group"):
            parse_split(rule)


def write_visits(folder):
    rng = np.random.default_rng(0)
    rows = [
        f"{day},p{i % 120},{i % 7},{'sick' if i % 3 else 'well'}"
        for i, day in enumerate(rng.permutation(360))
    ]
    return write_table(folder, "\n".join(["day,patient,x,state", *rows, ""]))


def test_a_time_stays_a_feature_and_a_group_does_not(tmp_path):
    path = write_visits(tmp_path)
    data = loaded(path, split="time:day")
    names = [column.name for column in data.description.columns]
    assert names == ["day", "x"]  # the patients are too many for levels
    assert data.train.features[:, 0].max() < data.test.features[:, 0].min()
    assert any("from 288 on" in note for note in data.description.notes)
    data = loaded(path, split="group:patient", keep=("day",))
    names = [column.name for column in data.description.columns]
    assert names == ["day", "x"]
    assert not set(data.train.key) & set(data.test.key)
    assert len(np.unique(data.train.key)) + len(np.unique(data.test.key)) == 120
    assert "'patient' groups the rows and is no feature" in data.description.notes


@pytest.mark.parametrize("rule", ["time:day", "group:patient"])
def test_validation_rows_are_held_out_in_the_same_way(tmp_path, rule):
    config = Config(dataset=str(write_visits(tmp_path)), split=rule)
    data = hold_out(config, load(config, task="auto"))
    keys = [set(rows.key) for rows in data.parts.values()]
    assert sum(map(len, keys)) == len(set.union(*keys))
    if rule == "time:day":
        train, validation, test = map(sorted, keys)
        assert train[-1] < validation[0]
        assert validation[-1] < test[0]


def test_a_test_set_of_its_own_needs_no_split(tmp_path):
    path = write_visits(tmp_path)
    data = loaded(path, split="group:patient", test_dataset=str(path))
    assert len(data.train.target) == len(data.test.target) == 360


def test_wrong_columns_are_refused(tmp_path):
    path = write_visits(tmp_path)
    assert "(did you mean 'patient'?)" in refused(path, split="group:patien")
    assert "is the target" in refused(path, split="group:state")
    assert "holds texts" in refused(path, split="time:patient")
    write_table(tmp_path, "a,b,y\n1,1,3\n2,,4\n3,2,5\n4,2,7\n", "blank.csv")
    line = refused(tmp_path / "blank.csv", "regression", split="group:b")
    assert line.endswith("row 2, column 'b': blank; every row needs a value")


def test_a_class_that_only_later_rows_have_is_refused(tmp_path):
    rows = "".join(f"{i},{'c' if i > 50 else 'ab'[i % 2]}\n" for i in range(60))
    path = write_table(tmp_path, "day,kind\n" + rows)
    line = refused(path, split="time:day")
    assert line.startswith("--split=time:day: the part of ")
    assert "has the class 'c', which no training row has" in line
