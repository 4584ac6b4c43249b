"""The data sets in scikit-learn's wheel."""

import numpy as np
import pytest
import sklearn.datasets

from tests.recipes.pipeline.datasets.loading import loaded


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
    data = loaded(name)
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
    units = {c.name: c.unit for c in loaded("diabetes").description.columns}
    assert units["age"] == "years"
    assert units["bmi"] == "kg/m²"
    assert {c.unit for c in loaded("iris").description.columns} == {"cm"}


def test_class_names_are_in_natural_order():
    assert loaded("digits").description.target.levels == tuple("0123456789")
    levels = loaded("breast_cancer").description.target.levels
    assert levels == ("benign", "malignant")


def test_digits_are_images():
    about = loaded("digits").description
    assert about.image_shape == (8, 8)
    assert about.columns[10].name == "pixel_1_2"
    theirs = sklearn.datasets.load_digits()
    np.testing.assert_array_equal(theirs.images.reshape(-1, 64), theirs.data)
    assert loaded("iris").description.image_shape == ()
    other = loaded("digits", target="pixel_1_2").description
    assert (other.image_shape, len(other.columns)) == ((), 63)
