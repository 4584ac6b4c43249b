"""TensorFlow Datasets: read back from their files, and mock data."""

import sys

import numpy as np
import pytest
import tensorflow as tf

from recipes.pipeline.datasets.readers import tfds as catalogue
from tests.recipes.pipeline.datasets import loading

tfds = pytest.importorskip("tensorflow_datasets")

ROWS = 60
rng = np.random.default_rng(0)
FLATS = {
    "size": rng.random(ROWS).astype(np.float32),
    "rooms": rng.integers(1, 6, ROWS),
    "colour": np.array([b"red", b"blue", b"?"] * 20),
    "kind": np.arange(ROWS) % 2,
    "ident": np.array([f"flat {i}" for i in range(ROWS)]),
    "price": rng.random(ROWS).astype(np.float32),
}
PICTURES = rng.integers(0, 256, (ROWS, 4, 5, 3)).astype(np.uint8)
FEATURES = {
    "size": np.float32,
    "rooms": np.int64,
    "colour": tfds.features.Text(),
    "kind": tfds.features.ClassLabel(names=["old", "new"]),
    "ident": tfds.features.Text(),
    "price": np.float32,
}


def prepare(folder, name, rows, features, *, test_rows=0):
    """Write a data set in TFDS's own format."""
    size = len(next(iter(rows.values()))) - test_rows
    splits = {"train": {key: values[:size] for key, values in rows.items()}}
    if test_rows:
        splits["test"] = {key: values[size:] for key, values in rows.items()}
    tfds.dataset_builders.store_as_tfds_dataset(
        name=name,
        version="1.0.0",
        data_dir=folder,
        split_datasets={
            split: tf.data.Dataset.from_tensor_slices(part)
            for split, part in splits.items()
        },
        features=tfds.features.FeaturesDict(features),
        disable_shuffling=True,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("tfds")
    prepare(path, "flats", FLATS, FEATURES, test_rows=10)
    prepare(
        path,
        "vectors",
        {"x": rng.random((ROWS, 3)).astype(np.float32), "y": np.arange(ROWS) % 3},
        {
            "x": tfds.features.Tensor(shape=(3,), dtype=np.float32),
            "y": tfds.features.ClassLabel(names=["c", "b", "a"]),
        },
    )
    prepare(
        path,
        "pictures",
        {"x": PICTURES, "y": np.arange(ROWS) % 3},
        {"x": tfds.features.Image(shape=(4, 5, 3)), "y": np.int64},
        test_rows=10,
    )
    prepare(
        path,
        "fields",
        {"x": PICTURES[..., 0].astype(np.float32), "y": np.arange(ROWS) % 3},
        {"x": tfds.features.Tensor(shape=(4, 5), dtype=np.float32), "y": np.int64},
    )
    prepare(
        path,
        "films",
        {"x": PICTURES[:, None], "y": np.arange(ROWS) % 3},
        {"x": tfds.features.Video(shape=(1, 4, 5, 3)), "y": np.int64},
    )
    prepare(
        path,
        "unequal",
        {"x": PICTURES, "y": np.arange(ROWS) % 3},
        {"x": tfds.features.Image(shape=(None, None, 3)), "y": np.int64},
    )
    prepare(
        path,
        "mixed",
        {"x": PICTURES, "size": FLATS["size"], "y": np.arange(ROWS) % 3},
        {
            "x": tfds.features.Image(shape=(4, 5, 3)),
            "size": np.float32,
            "y": np.int64,
        },
    )
    prepare(path, "targets", {"y": np.arange(ROWS) % 3}, {"y": np.int64})
    return path


@pytest.fixture(autouse=True)
def data_dir(folder, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(folder))


def loaded(name, task="auto", **flags):
    return loading.loaded(f"tfds:{name}", task, **flags)


def refused(name, task="auto", **flags):
    return loading.refused(f"tfds:{name}", task, **flags)


@pytest.mark.parametrize("name", ["flats", "flats:1.0.0"])
def test_a_table_with_its_own_test_split(name):
    data = loaded(name, target="price")
    about = data.description
    assert (about.name, about.task, about.tabular) == ("flats", "regression", True)
    assert [c.name for c in about.columns] == ["colour", "kind", "rooms", "size"]
    assert about.columns[0].levels == ("blue", "red", "")
    assert about.columns[1].levels == ("new", "old")
    assert about.notes == ("dropped 'ident': too many different texts",)
    np.testing.assert_array_equal(data.train.target, FLATS["price"][:50])
    np.testing.assert_array_equal(data.test.target, FLATS["price"][50:])
    np.testing.assert_array_equal(data.train.features[:, 3], FLATS["size"][:50])
    np.testing.assert_array_equal(
        data.test.features[:, 0], np.array([1, 0, 2] * 20)[50:]
    )


def test_class_labels_are_a_class_target():
    data = loaded("flats", target="kind")
    assert data.description.target.levels == ("new", "old")
    np.testing.assert_array_equal(data.train.target, 1 - FLATS["kind"][:50])
    assert "regression needs" in refused("flats", "regression", target="kind")


def test_vectors_are_array_data_and_are_divided():
    data = loaded("vectors", target="y")
    assert not data.description.tabular
    assert [c.name for c in data.description.columns] == ["x1", "x2", "x3"]
    assert data.description.target.levels == ("a", "b", "c")
    assert (data.train.features.shape, data.test.features.shape) == ((48, 3), (12, 3))


def test_images_are_rows_of_pixels(monkeypatch):
    monkeypatch.setattr(catalogue, "_BATCH_BYTES", 8 * 60 * 7)  # seven at a time
    data = loaded("pictures", target="y")
    about = data.description
    assert (about.image_shape, about.tabular) == ((4, 5, 3), False)
    assert about.columns[16].name == "pixel_1_0_1"
    np.testing.assert_array_equal(data.train.features, PICTURES[:50].reshape(50, -1))
    np.testing.assert_array_equal(data.test.features, PICTURES[50:].reshape(10, -1))
    np.testing.assert_array_equal(data.test.target, np.arange(50, 60) % 3)
    fields = loaded("fields", target="y")
    assert fields.description.image_shape == (4, 5)
    assert fields.train.features.shape == (48, 20)


def test_images_of_unequal_size_and_videos_are_refused():
    assert "shape [None, None, 3], of unequal" in refused("unequal", target="y")
    assert "shape [1, 4, 5, 3]" in refused("films", target="y")
    assert "'x' has the shape [4, 5, 3]" in refused("mixed", target="y")
    assert "no feature columns" in refused("targets", target="y")


def test_missing_targets_and_data_sets():
    assert refused("flats").startswith("--target: tfds:flats does not define")
    assert "did you mean 'price'?" in refused("flats", target="pirce")
    assert refused("titanicc").endswith("(did you mean 'titanic'?)")
    assert "cannot load 'iris:9.9.9'" in refused("iris:9.9.9")


def test_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    assert "pip install 'descent-recipes[tfds]'" in refused("titanic")


def test_catalogue_names_on_mock_data():
    with tfds.testing.mock_data(num_examples=100):
        titanic = loaded("titanic").description
        credit = loaded("german_credit_numeric").description
        wine = loaded("wine_quality").description
        mnist = loaded("mnist").description
        assert "shape [None, None, 3]" in refused("cats_vs_dogs")
    assert (titanic.task, titanic.tabular) == ("classification", True)
    assert "age" in [column.name for column in titanic.columns]
    assert titanic.target.name == "survived"
    assert (mnist.image_shape, mnist.target.name) == ((28, 28, 1), "label")
    assert mnist.target.levels == tuple("0123456789")
    assert (credit.tabular, len(credit.columns)) == (False, 24)
    assert wine.target.name == "quality"
    assert "alcohol" in [column.name for column in wine.columns]
