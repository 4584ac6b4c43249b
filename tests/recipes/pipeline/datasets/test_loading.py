"""Embedded sets, the split, the task, and what `Data` hands on."""

import os

import keras
import numpy as np
import pytest
import scipy.sparse
import sklearn.datasets

from recipes.errors import InputError
from recipes.pipeline.cli.config import DataConfig
from recipes.pipeline.datasets import load
from recipes.pipeline.datasets.batches import make_batches
from recipes.pipeline.datasets.split import split, split_stratified


def loaded(task="auto", **flags):
    return load(DataConfig(**flags), task=task)


def refused(task="auto", **flags):
    with pytest.raises(InputError) as caught:
        loaded(task, **flags)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("name", "task", "rows", "features"),
    [
        ("diabetes", "regression", 442, 10),
        ("breast_cancer", "classification", 569, 30),
        ("digits", "classification", 1797, 64),
        ("iris", "classification", 150, 4),
        ("wine", "classification", 178, 13),
    ],
)
def test_embedded_sets_are_those_of_scikit_learn(name, task, rows, features):
    data = loaded(dataset=name)
    about = data.description
    assert (about.name, about.source, about.task) == (name, name, task)
    assert not about.tabular
    x = np.concatenate([data.train.features, data.test.features])
    assert x.shape == (rows, features) and x.dtype == np.float32
    options = {"scaled": False} if name == "diabetes" else {}
    theirs = getattr(sklearn.datasets, f"load_{name}")(**options)
    np.testing.assert_array_equal(
        np.sort(x, axis=0), np.sort(theirs.data.astype(np.float32), axis=0)
    )
    assert len(about.columns) == features
    if task == "classification":
        ours = [about.target.levels[code] for code in data.train.target[:3]]
        names = theirs.target_names[theirs.target].astype(str)
        rows = theirs.data.astype(np.float32)
        index = [np.flatnonzero((rows == row).all(1))[0] for row in x[:3]]
        assert ours == list(names[index])


def test_embedded_units():
    units = {c.name: c.unit for c in loaded(dataset="diabetes").description.columns}
    assert units["age"] == "years"
    assert units["bmi"] == "kg/m²"
    assert {c.unit for c in loaded(dataset="iris").description.columns} == {"cm"}


def test_class_names_are_in_natural_order():
    assert loaded(dataset="digits").description.target.levels == tuple("0123456789")
    levels = loaded(dataset="breast_cancer").description.target.levels
    assert levels == ("benign", "malignant")


def test_unknown_name_suggests_the_nearest_and_lists_all():
    message = refused(dataset="diabetis")
    assert message.startswith("--dataset: no data set 'diabetis' (did you mean")
    assert "breast_cancer digits iris wine" in message
    assert refused(dataset="iris", test_dataset="wein").startswith("--test_dataset")


def test_another_target_of_array_data():
    data = loaded(dataset="iris", target="petal width")
    assert data.description.task == "regression"
    assert data.description.target.unit == "cm"
    assert data.train.features.shape[1] == 3
    assert any("left out 'species'" in note for note in data.description.notes)
    message = refused(dataset="iris", target="petal widht")
    assert "did you mean 'petal width'?" in message


@pytest.mark.parametrize("name", ["breast_cancer", "digits", "iris", "wine"])
def test_classes_are_no_regression_target(name):
    assert "regression needs a numeric target" in refused("regression", dataset=name)


def test_a_quantity_is_no_class():
    assert "too many for classes" in refused("classification", dataset="diabetes")


def write_labels(folder, labels):
    rows = "".join(f"{i % 7},{label}\n" for i, label in enumerate(labels))
    (folder / "rows.csv").write_text("a,kind\n" + rows)
    return {"dataset": str(folder / "rows.csv")}


@pytest.mark.parametrize(
    ("labels", "task", "note"),
    [
        (np.arange(52 * 26) % 26 + 1, "classification", "the 26 different values of"),
        (np.arange(50 * 30) % 30, "classification", "the 30 different values of"),
        # A few rows each, a gap, another beginning, very different shares.
        (np.arange(49 * 26) % 26 + 1, "regression", "the 26 different values of"),
        ((np.arange(60 * 26) % 26) // 20 * 2 + np.arange(60 * 26) % 26, "regression",
         "the 26 different values of"),
        (np.arange(60 * 26) % 26 + 2, "regression", "the 26 different values of"),
        (np.repeat(np.arange(26), 50 + 3 * np.arange(26)), "regression",
         "the 26 different values of"),
        # A quantity, and few numbers.
        (np.arange(100), "regression", ""),
        (np.arange(200) % 20, "classification", "the 20 different values of"),
        (np.arange(60) % 2 * 2 - 1, "classification", ""),
    ],
)  # fmt: skip
def test_whole_numbers_are_classes_or_quantities(tmp_path, labels, task, note):
    flags = write_labels(tmp_path, labels)
    about = loaded(**flags).description
    assert about.task == task
    taken, other = ("classes", "regression"), ("numbers", "classification")
    if task == "regression":
        taken, other = other, taken
    told = f"{note} 'kind' are taken as {taken[0]}; --task={taken[1]} takes them as "
    assert about.notes == ((told + other[0],) if note else ())
    assert loaded("regression", **flags).description.notes == ()


def test_letters_are_classes_and_rings_are_not(recipes_data, tmp_path):
    for name, source in [
        ("letter", "letter/letter.scale.t.gz"),
        ("abalone", "abalone/abalone_scale.gz"),
    ]:
        os.symlink((recipes_data / source).resolve(), tmp_path / f"{name}.svm.gz")
    letters = loaded(dataset=str(tmp_path / "letter.svm.gz")).description
    assert letters.target.levels == tuple(map(str, range(1, 27)))
    rings = loaded(dataset=str(tmp_path / "abalone.svm.gz")).description
    assert rings.task == "regression"
    assert rings.notes[0].startswith("the 28 different values of 'y' are taken as nu")


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, 1.5, float("nan")])
def test_fraction_between_0_and_1(fraction):
    assert "--test_fraction" in refused(dataset="iris", test_fraction=fraction)


def test_negative_seed():
    assert "--seed" in refused(dataset="iris", seed=-1)


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
    data = loaded(dataset="diabetes", seed=7)
    bunch = sklearn.datasets.load_diabetes(scaled=False)
    pairs = {(*row, y) for row, y in zip(bunch.data, bunch.target, strict=True)}
    cast = {(*np.float32(pair[:-1]).tolist(), pair[-1]) for pair in pairs}
    for rows in (data.train, data.test):
        for x, y in zip(rows.features, rows.target, strict=True):
            assert (*x.tolist(), y) in cast


def gathered(dataset):
    parts = [(x.numpy(), y.numpy()) for x, y in dataset]
    return [np.concatenate(part) for part in zip(*parts, strict=True)]


@pytest.mark.parametrize("sparse", [False, True])
def test_batches(sparse):
    x = np.arange(40, dtype=np.float32).reshape(10, 4)
    y = np.arange(10.0)
    source = scipy.sparse.csr_array(x) if sparse else x
    dataset = make_batches(source, y, 4, None)
    assert len(dataset) == 3
    assert [len(part) for part, _ in dataset] == [4, 4, 2]
    assert dataset.element_spec[0].shape.as_list() == [None, 4]
    assert dataset.element_spec[1].shape.as_list() == [None, 1]
    ours_x, ours_y = gathered(dataset)
    np.testing.assert_array_equal(ours_x, x)
    np.testing.assert_array_equal(ours_y, y[:, None])
    assert ours_y.dtype == np.float64


@pytest.mark.parametrize("sparse", [False, True])
def test_shuffled_batches_are_all_rows_in_a_new_order_each_epoch(sparse):
    x = np.arange(100, dtype=np.float32)[:, None] + [[0, 0.5]]
    x = x.astype(np.float32)
    y = np.arange(100, dtype=np.int64)
    source = scipy.sparse.csr_array(x) if sparse else x

    def epochs(seed):
        dataset = make_batches(source, y, 32, seed)
        assert len(dataset) == 4
        return [gathered(dataset) for _ in range(3)]

    first, again, other = epochs(5), epochs(5), epochs(6)
    for (x_a, y_a), (x_b, _) in zip(first, again, strict=True):
        np.testing.assert_array_equal(np.sort(y_a[:, 0]), y)
        np.testing.assert_array_equal(x_a[:, 0], y_a[:, 0])
        np.testing.assert_array_equal(x_a, x_b)
    assert not np.array_equal(first[0][0], first[1][0])
    assert not np.array_equal(first[0][0], other[0][0])
    assert not np.array_equal(first[0][1][:, 0], y)


def test_datasets_train_a_keras_model():
    data = loaded(dataset="iris")
    model = keras.Sequential([keras.layers.Dense(3)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss)
    fitted = model.fit(
        data.train_dataset(50, shuffle_seed=1), epochs=2, shuffle=False, verbose=0
    )
    assert len(fitted.history["loss"]) == 2
    assert model.predict(data.test_dataset(7), verbose=0).shape == (30, 3)
