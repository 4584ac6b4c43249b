"""MNIST's idx files of images and labels."""

import bz2
import gzip
import lzma
import struct

import numpy as np
import pytest

from recipes.pipeline.datasets.readers import idx
from tests.recipes.pipeline.datasets.loading import loaded, refused

rng = np.random.default_rng(0)
IMAGES = rng.integers(0, 256, (40, 3, 4)).astype(np.uint8)
ONE_VALUE = np.equal(IMAGES, IMAGES[7, 1, 2])
LABELS = (np.arange(40) % 4).astype(np.uint8)
TYPES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}
PACK = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}


def as_idx(values):
    kind = TYPES[values.dtype.str[1:]]
    header = struct.pack(f">4B{values.ndim}I", 0, 0, kind, values.ndim, *values.shape)
    return header + values.astype(values.dtype.newbyteorder(">")).tobytes()


def write(
    folder,
    images=IMAGES,
    labels=LABELS,
    names=("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
):
    for name, values in zip(names, (images, labels), strict=True):
        content = values if isinstance(values, bytes) else as_idx(values)
        pack = PACK[next(end for end in [*PACK][::-1] if name.lower().endswith(end))]
        (folder / name).write_bytes(pack(content))
    return folder / names[0]


@pytest.mark.parametrize(
    "names",
    [
        ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
        ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
        ("train-images-idx3-ubyte.bz2", "train-labels-idx1-ubyte"),
        ("train-images.idx3-ubyte", "train-labels.idx1-ubyte.xz"),
        ("train-images.idx3-ubyte.xz", "train-labels-idx1-ubyte"),
        ("Train-Images-IDX3-ubyte.GZ", "Train-Labels-IDX1-ubyte.GZ"),
        ("train-images-idx3-ubyte.bin", "train-labels-idx1-ubyte.bin"),
        ("train-images", "train-labels"),
    ],
)
def test_idx_files_are_found_by_their_names(tmp_path, names):
    (tmp_path / "train-labels-idx1-ubyte.d").mkdir()
    path = write(tmp_path, names=names)
    data = loaded(path, test_dataset=str(path))
    about = data.description
    assert (about.name.lower(), about.source) == ("train-images", str(path))
    assert (about.image_shape, about.tabular) == ((3, 4), False)
    assert about.columns[6].name == "pixel_1_2"
    assert (about.task, about.target.name) == ("classification", "label")
    assert about.target.levels == tuple("0123")
    for rows in (data.train, data.test):
        assert rows.features.dtype == np.float32
        np.testing.assert_array_equal(rows.features, IMAGES.reshape(40, 12))
        np.testing.assert_array_equal(rows.target, LABELS)


def test_idx_rows_are_split_like_any_other(tmp_path):
    data = loaded(write(tmp_path))
    assert (data.train.features.shape, data.test.features.shape) == ((32, 12), (8, 12))
    np.testing.assert_array_equal(np.bincount(data.test.target), [2, 2, 2, 2])


def test_idx_is_read_in_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(idx, "_BLOCK_BYTES", 12 * 7)
    found = idx.read(write(tmp_path))
    np.testing.assert_array_equal(found.train.features, IMAGES.reshape(40, 12))


@pytest.mark.parametrize("kind", TYPES)
def test_idx_entries_of_any_type(tmp_path, kind):
    images = (np.arange(40 * 24).reshape(40, 3, 4, 2) % 100).astype(kind)
    found = idx.read(write(tmp_path, images, LABELS.astype(kind)))
    assert found.image_shape == (3, 4, 2)
    np.testing.assert_array_equal(found.train.features, images.reshape(40, 24))
    np.testing.assert_array_equal(found.train.target, LABELS)
    assert found.target.kind == ("categorical" if kind[1] == "1" else "numeric")


def test_many_classes_of_idx_labels(tmp_path):
    labels = (np.arange(400) % 47).astype(np.uint8)
    images = rng.integers(0, 256, (400, 3, 4)).astype(np.uint8)
    data = loaded(write(tmp_path, images, labels), test_fraction=0.5)
    assert data.description.target.levels == tuple(map(str, range(47)))
    assert "regression needs a numeric target" in refused(
        tmp_path / "train-images-idx3-ubyte", "regression"
    )


CONTENT = as_idx(IMAGES)
DAMAGED = [
    (b"hello, world", "begins with the bytes '68656c6c'; expected the magic"),
    (b"", "begins with the bytes ''"),
    (b"\0\0\x0a\x03" + CONTENT[4:], "begins with the bytes '00000a03'"),
    (CONTENT[:9], "ends within its header"),
    (CONTENT[: 16 + 12 * 7 + 5], "is truncated after 7 of 40 rows"),
    (CONTENT[:16], "is truncated after 0 of 40 rows"),
    (CONTENT + b"x", "continues after the 40 rows"),
    (as_idx(LABELS), "has 1 dimension; expected images"),
    (as_idx(IMAGES[:, 0]), "has 2 dimensions; expected images"),
    (as_idx(IMAGES[:, :0]), "images of 0 × 4"),
    (CONTENT[:8] + b"\xff" * 8, "images of 4294967295 × 4294967295"),
    (CONTENT[:4] + b"\xff" * 4 + CONTENT[8:], "is truncated after 40 of 4294967295"),
    (as_idx(IMAGES[:39]), "holds 39 images, but "),
    (as_idx(IMAGES[:0]), "holds 0 images, but "),
    (as_idx(np.where(ONE_VALUE, np.inf, 1.0)), "is infinite"),
    (as_idx(np.where(ONE_VALUE, np.nan, 1.0)), "blank (NaN), as pixel"),
]


@pytest.mark.parametrize(("content", "expected"), DAMAGED)
def test_damaged_images(tmp_path, content, expected):
    path = write(tmp_path, content)
    message = refused(path)
    assert expected in message
    assert message.startswith(str(path))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (as_idx(LABELS)[:-1], "is truncated after 39 of 40 rows"),
        (as_idx(LABELS[:10]), "holds 40 images, but "),
        (CONTENT, "has 3 dimensions; expected labels, [rows]"),
        (b"PK\x03\x04", "begins with the bytes '504b0304'"),
        (as_idx(LABELS * 0), "is '0' in every row"),
        (as_idx(np.where(LABELS, LABELS, np.nan)), "row 1: the target 'label' is nan"),
    ],
)
def test_damaged_labels(tmp_path, content, expected):
    assert expected in refused(write(tmp_path, labels=content))


def test_truncated_compressed_file(tmp_path):
    name = "train-images-idx3-ubyte.gz"
    path = write(tmp_path, names=(name, "train-labels-idx1-ubyte"))
    path.write_bytes(path.read_bytes()[:-100])
    assert "truncated or damaged" in refused(path)


def test_missing_labels(tmp_path):
    path = write(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte").unlink()
    (tmp_path / "train-labels-idx1-ubyte").mkdir()  # as some archives unpack
    message = refused(path)
    assert message.startswith(f"{path}: its labels, train-labels-idx1-ubyte,")
    odd = write(tmp_path, names=("digits-idx3-ubyte", "digits-idx1-ubyte"))
    assert "the name of its labels' file cannot be derived" in refused(odd)
    assert "has 1 dimension" in refused(tmp_path / "digits-idx1-ubyte")
    assert "there is no file" in refused(tmp_path / "none-images-idx3-ubyte")


def test_file_of_unknown_format(tmp_path):
    (tmp_path / "junk.txt").write_bytes(bytes(9))
    assert "MNIST's, …-images-idx3-ubyte" in refused(tmp_path / "junk.txt")


def test_test_images_of_other_sizes_are_refused(tmp_path):
    path = write(tmp_path)
    other = write(tmp_path, IMAGES[:, 1:], names=("t-images-idx3", "t-labels-idx1"))
    message = refused(path, test_dataset=str(other))
    assert message.startswith(f"--test_dataset: the images of {other} are 2 × 4, those")
    np.savez(tmp_path / "rows.npz", x=IMAGES.reshape(40, 12), y=LABELS)
    message = refused(path, test_dataset=str(tmp_path / "rows.npz"))
    assert "lacks 'pixel_0_0'" in message
    np.savez(tmp_path / "images.npz", x=IMAGES, y=LABELS.astype(str))
    data = loaded(path, test_dataset=str(tmp_path / "images.npz"))
    np.testing.assert_array_equal(data.test.features, data.train.features)
    np.testing.assert_array_equal(data.test.target, data.train.target)


def test_mnist(recipes_data):
    folder = recipes_data / "mnist"
    data = loaded(
        folder / "t10k-images-idx3-ubyte.gz",
        test_dataset=str(folder / "t10k-images-idx3-ubyte.gz"),
    )
    assert data.description.image_shape == (28, 28)
    np.testing.assert_array_equal(data.train.target[:5], [7, 2, 1, 0, 4])
    np.testing.assert_array_equal(
        np.bincount(data.test.target),
        [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009],
    )
    assert round(float(data.train.features.mean(dtype=np.float64)), 4) == 33.7912
