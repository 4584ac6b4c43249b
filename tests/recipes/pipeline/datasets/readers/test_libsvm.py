"""LIBSVM files."""

import gzip
import os

import numpy as np
import pytest
import scipy.sparse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from recipes.pipeline.datasets.readers import libsvm
from tests.recipes.pipeline.datasets import loading
from tests.recipes.pipeline.datasets.loading import loaded


def refused(path, task="regression", **flags):
    return loading.refused(path, task, **flags)


def write(folder, text, name="data.libsvm"):
    path = folder / name
    path.write_text(text)
    return path


def test_libsvm_dense(tmp_path):
    text = "# a comment\n" + "".join(f"{i}.5 1:{i} 2:0.25 # {i}\n" for i in range(40))
    data = loaded(write(tmp_path, text))
    assert isinstance(data.train.features, np.ndarray)
    assert data.train.features.dtype == np.float32
    assert [c.name for c in data.description.columns] == ["x1", "x2"]
    np.testing.assert_array_equal(data.train.features[:, 0] + 0.5, data.train.target)


def test_libsvm_sparse(tmp_path):
    text = "".join(f"{(-1) ** i:+d} qid:1 {i + 1}:2 50:{i + 1}\n" for i in range(40))
    data = loaded(write(tmp_path, text, "data.svm"))
    x = data.train.features
    assert isinstance(x, scipy.sparse.csr_array)
    assert (x.dtype, x.indices.dtype, x.shape) == (np.float32, np.int32, (32, 50))
    assert data.description.target.levels == ("-1", "1")
    assert data.description.name == "data"
    rows = x.toarray()
    place = rows[:, 49].astype(int) - 1
    np.testing.assert_array_equal(rows[np.arange(32), place], np.full(32, 2))
    np.testing.assert_array_equal(data.train.target, 1 - place % 2)


def test_libsvm_indices_from_0_and_1(tmp_path):
    one = "".join(f"{i} 1:{i} 2:1\n" for i in range(30))
    zero = "".join(f"{i} 0:{i} 1:1\n" for i in range(30))
    a = libsvm.read(write(tmp_path, one))
    b = libsvm.read(write(tmp_path, zero))
    np.testing.assert_array_equal(a.train.features, b.train.features)
    late = one + "1 0:5\n"
    assert libsvm.read(write(tmp_path, late)).train.features.shape == (31, 3)
    train, test = write(tmp_path, one, "a.svm"), write(tmp_path, zero, "b.svm")
    message = refused(train, test_dataset=str(test))
    assert "has an index 0" in message
    data = loaded(test, "regression", test_dataset=str(train))
    assert data.train.features.shape == (30, 3)  # 0, 1, and 2 of the test set


@pytest.mark.parametrize("sparse", [False, True])
def test_libsvm_test_set_of_another_width(tmp_path, sparse):
    last = 90 if sparse else 3
    a = write(tmp_path, "".join(f"{i} 1:{i} {last}:1\n" for i in range(30)), "a.svm")
    b = write(tmp_path, "".join(f"{i} 1:{i} 2:1\n" for i in range(30)), "b.svm")
    for train, test in [(a, b), (b, a)]:
        data = loaded(train, "regression", test_dataset=str(test))
        assert data.train.features.shape == data.test.features.shape == (30, last)
        assert len(data.description.columns) == last
        batch = next(iter(data.test_dataset(30)))[0].numpy()
        np.testing.assert_array_equal(batch[:, 0], np.arange(30))
        assert batch[:, 1:].sum() == 30


def test_libsvm_blocks(tmp_path, monkeypatch):
    """Rows in many blocks that grow wider, first dense and then sparse."""
    monkeypatch.setattr(libsvm, "_BLOCK_BYTES", 100)
    rng = np.random.default_rng(0)
    x = np.zeros((60, 40), np.float32)
    for i in range(60):
        x[i, : 3 + i // 20] = rng.integers(1, 9, 3 + i // 20)
    for i in range(50, 60):
        x[i, 39] = i
    lines = [
        f"{i} " + " ".join(f"{j + 1}:{v:g}" for j, v in enumerate(row) if v)
        for i, row in enumerate(x)
    ]
    found = libsvm.read(write(tmp_path, "\n".join(lines)))  # no newline at the end
    assert scipy.sparse.issparse(found.train.features)
    np.testing.assert_array_equal(found.train.features.toarray(), x)
    np.testing.assert_array_equal(found.train.target, np.arange(60))
    found = libsvm.read(write(tmp_path, "\n".join(lines[:50])))
    assert isinstance(found.train.features, np.ndarray)
    np.testing.assert_array_equal(found.train.features, x[:50, :5])


@given(
    x=hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=8),
        elements=st.one_of(
            st.just(0.0), st.floats(allow_nan=False, allow_infinity=False, width=32)
        ),
    ),
    block=st.integers(1, 200),
)
@settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_written_libsvm_is_read_back(tmp_path, monkeypatch, x, block):
    monkeypatch.setattr(libsvm, "_BLOCK_BYTES", block)
    x[0, :] = 1  # so that the width is known
    lines = (
        f"{i} " + " ".join(f"{j + 1}:{v!r}" for j, v in enumerate(row) if v)
        for i, row in enumerate(x.tolist())
    )
    found = libsvm.read(write(tmp_path, "\n".join(lines) + "\n")).train.features
    if scipy.sparse.issparse(found):
        found = found.toarray()
    np.testing.assert_array_equal(found, x)


@pytest.mark.parametrize(
    "line",
    [
        *["a,b,c", "1 2", "1 x:2", "1 2:y", "1 3:1 2:1", "1 -2:1", "1,2 1:1"],
        *["1 2:nan", "1 2:inf", "1 1:1e39", "nan 1:2", "inf 1:2"],
    ],
)
@pytest.mark.parametrize("place", [0, 3, 1999])
def test_malformed_libsvm_line(tmp_path, monkeypatch, line, place):
    monkeypatch.setattr(libsvm, "_BLOCK_BYTES", 5000)
    lines = [f"{i} 1:{i} 2:1" for i in range(2000)]
    lines[place] = line
    path = write(tmp_path, "\n".join(lines))
    message = refused(path)
    assert message.startswith(
        f"{path}, line {place + 1}: '{line}' is not a LIBSVM line"
    )


def test_libsvm_empty(tmp_path):
    assert "has no rows" in refused(write(tmp_path, ""))
    assert "has no rows" in refused(write(tmp_path, "# nothing\n"))
    assert "has no features" in refused(write(tmp_path, "1\n2\n3\n"))


def test_libsvm_truncated(tmp_path):
    text = "".join(f"{i} 1:{i}\n" for i in range(999)).encode()
    path = tmp_path / "data.libsvm.gz"
    path.write_bytes(gzip.compress(text)[:-500])
    assert "truncated or damaged" in refused(path)


def test_libsvm_target_by_name(tmp_path):
    text = "".join(f"{i % 2} 1:{i}.5 2:1 3:{-i}\n" for i in range(40))
    data = loaded(write(tmp_path, text), target="x1")
    assert data.description.task == "regression"
    np.testing.assert_array_equal(-data.train.features[:, 1] + 0.5, data.train.target)
    assert "did you mean" in refused(write(tmp_path, text), target="x11")


def test_a9a(recipes_data, tmp_path):
    for name, ours in [("a9a.gz", "train.libsvm.gz"), ("a9a.t.gz", "test.libsvm.gz")]:
        os.symlink((recipes_data / "a9a" / name).resolve(), tmp_path / ours)
    data = loaded(
        tmp_path / "train.libsvm.gz", test_dataset=str(tmp_path / "test.libsvm.gz")
    )
    assert data.train.features.shape == (32_561, 123)
    assert data.test.features.shape == (16_281, 123)
    assert scipy.sparse.issparse(data.train.features)
    np.testing.assert_array_equal(np.bincount(data.train.target), [24_720, 7_841])
    np.testing.assert_array_equal(np.bincount(data.test.target), [12_435, 3_846])
