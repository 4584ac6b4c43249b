""".npz files: tables and images."""

import gzip

import numpy as np
import pytest

from tests.recipes.pipeline.datasets import loading
from tests.recipes.pipeline.datasets.loading import loaded


def refused(path, task="regression", **flags):
    return loading.refused(path, task, **flags)


def save(folder, name="data.npz", **arrays):
    np.savez(folder / name, **arrays)
    return folder / name


X = np.random.default_rng(0).normal(size=(40, 3))
Y = X.sum(axis=1)


@pytest.mark.parametrize(
    ("x", "y"), [("x", "y"), ("X", "Y"), ("features", "target"), ("data", "target")]
)
def test_npz(tmp_path, x, y):
    data = loaded(save(tmp_path, **{x: X, y: Y[:, None]}))
    assert not data.description.tabular
    assert data.train.features.shape == (32, 3)
    assert data.train.features.dtype == np.float32
    assert set(data.train.target) | set(data.test.target) == set(Y)


def test_npz_with_its_own_split(tmp_path):
    path = save(tmp_path, x_train=X, y_train=Y, x_test=X[:5], y_test=Y[:5])
    data = loaded(path)
    np.testing.assert_array_equal(data.train.target, Y)
    np.testing.assert_array_equal(data.test.features, X[:5].astype(np.float32))
    data = loaded(path, test_dataset=str(save(tmp_path, "t.npz", x=X[7:9], y=Y[7:9])))
    np.testing.assert_array_equal(data.test.target, Y[7:9])
    data = loaded(save(tmp_path, "t.npz", x=X, y=Y), test_dataset=str(path))
    np.testing.assert_array_equal(data.test.target, Y[:5])


def test_npz_compressed_again(tmp_path):
    path = tmp_path / "data.npz.gz"
    path.write_bytes(gzip.compress(save(tmp_path, x=X, y=Y).read_bytes()))
    assert loaded(path).train.features.shape == (32, 3)


def test_npz_class_names(tmp_path):
    names = np.array(["b", "a", "c", "a"] * 10)
    data = loaded(save(tmp_path, x=X.astype(np.int8), y=names))
    assert data.description.target.levels == ("a", "b", "c")
    np.testing.assert_array_equal(
        np.bincount(data.train.target) + np.bincount(data.test.target), [20, 10, 10]
    )
    data = loaded(save(tmp_path, x=X, y=names == "a"))
    assert data.description.target.levels == ("0", "1")


def test_npz_blank_features(tmp_path):
    x = X.copy()
    x[4, 1] = np.nan
    data = loaded(save(tmp_path, x=x, y=Y))
    features = np.vstack([data.train.features, data.test.features])
    assert np.isnan(features).sum(axis=0).tolist() == [0, 1, 0]


BAD = [
    (
        dict(x=np.array([[1, "a"]] * 9, dtype=object), y=Y[:9]),
        "'x' holds Python objects",
    ),
    (dict(x=X, y=Y.astype(object)), "'y' holds Python objects"),
    (dict(a=X, b=Y), "holds 'a', 'b'; expected arrays"),
    (dict(), "holds nothing"),
    (dict(x=X[:, :, None, None, None], y=Y), "shape [40, 3, 1, 1, 1]"),
    (dict(x=X[:, 0], y=Y), "shape [40]"),
    (dict(x=X, y=X), "shape [40, 3]"),
    (dict(x=X[:9], y=Y), "9 rows of features but 40 targets"),
    (dict(x=X.astype(str), y=Y), "expected real numbers"),
    (dict(x=X + 1j, y=Y), "expected real numbers"),
    (dict(x=np.where(X[6, 2] == X, np.inf, X), y=Y), "row 7, column 'x3': inf"),
    (dict(x=np.where(X[6, 2] == X, 1e39, X), y=Y), "row 7, column 'x3': 1e+39"),
    (dict(x=X, y=np.where(Y[3] == Y, np.nan, Y)), "row 4: the target 'y' is nan"),
    (dict(x=X[:0], y=Y[:0]), "shape [0, 3]"),
    (dict(x=X[:1], y=Y[:1]), "in every row"),
    (dict(x=X, y=np.ones(40)), "in every row"),
    (dict(x=X * [1, np.nan, 1], y=Y), "column 'x2' is blank in all 32 training rows"),
    (
        dict(x_train=X, y_train=Y, x_test=X[:2, :2], y_test=Y[:2]),
        "rows of 2 features, the training part of 3",
    ),
    (dict(x_train=X, y_train=Y, x_test=X[:0], y_test=Y[:0]), "shape [0, 3]"),
]


@pytest.mark.parametrize(("arrays", "expected"), BAD)
def test_bad_npz(tmp_path, arrays, expected):
    assert expected in refused(save(tmp_path, **arrays))


def test_a_file_that_is_not_npz(tmp_path):
    path = tmp_path / "data.npz"
    for content in (b"", b"hello", b"PK\x03\x04 and no more"):
        path.write_bytes(content)
        assert "is not an .npz file" in refused(path)
    content = save(tmp_path, x=X, y=Y).read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert "is not an .npz file" in refused(path)


def test_npz_test_set_with_other_columns(tmp_path):
    other = save(tmp_path, "t.npz", x=X[:, :2], y=Y)
    assert "lacks 'x3'" in refused(save(tmp_path, x=X, y=Y), test_dataset=str(other))


rng = np.random.default_rng(0)
IMAGES = rng.integers(0, 256, (40, 3, 4)).astype(np.uint8)
ONE_VALUE = np.equal(IMAGES, IMAGES[7, 1, 2])
LABELS = (np.arange(40) % 4).astype(np.uint8)


@pytest.mark.parametrize("shape", [(3, 4), (3, 4, 1), (2, 2, 3)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
def test_npz_images(tmp_path, shape, dtype):
    x = IMAGES.reshape(40, *shape).astype(dtype)
    np.savez(tmp_path / "i.npz", x_train=x, y_train=LABELS, x_test=x, y_test=LABELS)
    data = loaded(tmp_path / "i.npz")
    assert data.description.image_shape == shape
    assert data.description.columns[-1].name == "_".join(
        ["pixel", *(str(size - 1) for size in shape)]
    )
    np.testing.assert_array_equal(data.test.features, IMAGES.reshape(40, 12))
    assert not any("channels" in note for note in data.description.notes)


def test_npz_channels_that_seem_to_come_first(tmp_path):
    np.savez(tmp_path / "i.npz", x=np.ones((40, 3, 8, 8)) * LABELS[0], y=LABELS)
    note = loaded(tmp_path / "i.npz").description.notes[0]
    assert note.startswith("the images are taken as 3 × 8 pixels in 8 channels")


@pytest.mark.parametrize(
    ("arrays", "expected"),
    [
        (dict(x=IMAGES[:, None, None], y=LABELS), "shape [40, 1, 1, 3, 4]; expected"),
        (
            dict(x_train=IMAGES, y_train=LABELS, x_test=IMAGES[:, 1:], y_test=LABELS),
            "rows of 2 × 4 features, the training part of 3 × 4",
        ),
        (
            dict(x=np.where(ONE_VALUE, np.nan, IMAGES), y=LABELS),
            "blank (NaN)",
        ),
        (
            dict(x=np.array([*IMAGES[:39], IMAGES[0, 1:]], object), y=LABELS),
            "Python objects",
        ),
    ],
)
def test_bad_npz_images(tmp_path, arrays, expected):
    np.savez(tmp_path / "i.npz", **arrays)
    assert expected in refused(tmp_path / "i.npz")
