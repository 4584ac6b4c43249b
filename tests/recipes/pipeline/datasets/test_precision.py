"""Columns that float32 does not tell apart."""

import numpy as np
import pytest
import scipy.sparse
from sklearn.datasets import dump_svmlight_file

from recipes.pipeline.datasets import Column, Examples, precision
from recipes.pipeline.datasets.precision import GrowingFeatures, find_wide_columns
from recipes.pipeline.datasets.source import Source
from tests.recipes.pipeline.datasets.loading import loaded

EPOCH = 1_700_000_000
NOTE = (
    "64-bit floats, also as inputs of the SavedModel, as 32 bits would merge values: "
)
RNG = np.random.default_rng(0)
NORMAL = RNG.normal(size=400)
COUNT = np.arange(400.0)


def with_sentinel(values):
    """Replace one value of seven by 0, which hides the others' small spread."""
    return np.where(COUNT % 7 == 0, 0.0, values)


@pytest.mark.parametrize(
    ("column", "wide"),
    [
        (NORMAL, False),
        (NORMAL * 1e-6 + 1e-4, False),
        (NORMAL * 1e9 + 1e10, False),
        (np.round(NORMAL, 2) + 20, False),
        (COUNT + 2000, False),  # exact
        (2.0**30 + 1024 * COUNT, False),  # exact, too
        (np.where(COUNT == 7, 1e30, NORMAL), False),
        (np.full(400, 0.1), False),
        (NORMAL + 300, True),
        (EPOCH + COUNT, True),
        (EPOCH + 1000 * COUNT, True),
        (EPOCH * 1000.0 + COUNT, True),
        (9e15 + np.round(1000 * NORMAL), True),
        (-EPOCH - COUNT, True),
        (1 + 1e-7 * NORMAL, True),
        (NORMAL * 1e-41, True),  # TensorFlow takes them for zero
        (with_sentinel(EPOCH + COUNT), True),
    ],
)
@pytest.mark.parametrize("form", [np.asarray, scipy.sparse.csr_array])
def test_which_columns_need_float64(column, wide, form):
    features = np.stack([NORMAL, column], axis=1)
    assert find_wide_columns(form(features)).tolist() == [False, wide]
    if form is np.asarray:
        features[::5, 1] = np.nan
        assert find_wide_columns(features).tolist() == [False, wide]


def test_a_blank_first_row_and_blank_columns():
    features = np.full((5, 3), np.nan)
    features[1:, 1], features[1:, 2] = 0.1, EPOCH + COUNT[:4]
    assert find_wide_columns(features).tolist() == [False, False, True]


def test_dates_are_exact():
    days = 20_000 + np.arange(400) // 2 + np.where(COUNT == 7, 86_399 / 86_400, 0)
    assert not find_wide_columns(days[:, np.newaxis])[0]
    wide = find_wide_columns(np.stack([days, days], 1), exact=np.array([True, False]))
    assert wide.tolist() == [True, False]
    growing = GrowingFeatures(1, np.array([True]))
    growing.append(days[:, np.newaxis])
    np.testing.assert_array_equal(growing.finish()[:, 0], days)
    rows = Examples(days[:, np.newaxis], COUNT)
    for kind, dtype in (("date", "float64"), ("numeric", "float32")):
        columns = (Column("a", kind, format="%Y" if kind == "date" else ""),)
        found = precision.settle(Source("a", "a", True, columns, Column("y"), rows))
        assert found.columns[0].dtype == found.train.features.dtype == dtype
        assert not found.notes


@pytest.mark.parametrize("step", [1, 7, 399, 400])
@pytest.mark.parametrize("column", [EPOCH + COUNT, np.where(COUNT < 100, EPOCH, COUNT)])
def test_growing_features_keep_what_differs(column, step):
    features = np.stack([NORMAL, column], axis=1)
    growing = GrowingFeatures(2)
    for start in range(0, 400, step):
        growing.append(features[start : start + step])
    grown = growing.finish()
    assert len(np.unique(grown[:, 1])) == len(np.unique(column))
    np.testing.assert_allclose(grown[:, 0], NORMAL, rtol=1e-7)


def test_growing_features_stay_float32_in_spite_of_a_short_last_block():
    growing = GrowingFeatures(1)
    growing.append(NORMAL[:399, np.newaxis])
    growing.append(NORMAL[399:, np.newaxis])
    assert growing.finish().dtype == np.float32


FORMS = ("csv", "tsv", "npz", "integers.npz", "libsvm", "sparse.libsvm")


def write(folder, form, features, target):
    """Write the rows; a sparse file gets columns of few entries besides."""
    path = folder / f"data.{form}"
    if form.endswith("npz"):
        dtype = np.int64 if form.startswith("integers") else np.float64
        np.savez(path, x=np.asarray(features, dtype), y=np.asarray(target, dtype))
    elif form.endswith("libsvm"):
        if form.startswith("sparse"):
            others = np.zeros((len(features), 9))
            others[np.arange(len(features)), np.arange(len(features)) % 9] = 1
            features = np.hstack([features, others])
        with path.open("wb") as file:
            dump_svmlight_file(features, target, file, zero_based=False)
    else:
        separator = {"csv": ",", "tsv": "\t"}[form]
        rows = np.column_stack([features, target]).astype(float).tolist()
        lines = [separator.join(map(repr, row)) for row in rows]
        path.write_text("\n".join([separator.join(["x1", "x2", "y"]), *lines, ""]))
    return path


@pytest.mark.parametrize("form", FORMS)
def test_every_reader_keeps_what_differs(tmp_path, form):
    small = np.arange(200) % 17 - 8
    features = np.column_stack([EPOCH + 50 * COUNT[:200], small])
    target = 9e15 + COUNT[:200]
    data = loaded(write(tmp_path, form, features, target), "regression")
    rows = [each.features for each in (data.train, data.test)]
    rows = [x.toarray() if scipy.sparse.issparse(x) else x for x in rows]
    seen = np.sort(np.concatenate([x[:, 0] for x in rows]))
    np.testing.assert_array_equal(seen, features[:, 0])
    about = data.description
    assert [c.dtype for c in about.columns[:2]] == ["float64", "float32"]
    assert f"{NOTE}'x1'" in about.notes
    targets = np.concatenate([data.train.target, data.test.target])
    np.testing.assert_array_equal(np.sort(targets), target)
    for part, values in data.targets.items():
        np.testing.assert_array_equal(
            values + about.target_offset, data.parts[part].target
        )
        assert len(np.unique(values.astype(np.float32))) == len(values)


@pytest.mark.parametrize("form", FORMS)
def test_float32_where_it_suffices(tmp_path, form):
    features = np.round(100 * np.column_stack([NORMAL, 10 * NORMAL[::-1]]))
    data = loaded(write(tmp_path, form, features / 8, NORMAL), "regression")
    assert data.train.features.dtype == data.test.features.dtype == np.float32
    assert {column.dtype for column in data.description.columns} == {"float32"}
    assert data.description.target_offset == 0
    assert not any("64-bit" in note for note in data.description.notes)


def test_the_other_columns_are_rounded_as_for_serving(tmp_path):
    features = np.column_stack([EPOCH + 50 * COUNT, NORMAL])
    train, _ = loaded(
        write(tmp_path, "csv", features, NORMAL), "regression"
    ).parts.values()
    other = train.features[:, 1]
    assert train.features.dtype == np.float64
    np.testing.assert_array_equal(other, other.astype(np.float32))


@pytest.mark.parametrize("form", ["csv", "integers.npz"])
def test_what_float64_merges_is_told(tmp_path, form):
    count = np.arange(400)
    features = np.column_stack([1_700_000_000_000_000_000 + 100 * count, count % 17])
    data = loaded(write(tmp_path, form, features, count % 9 * 1.5), "regression")
    assert "even 64-bit floats merge values of 'x1'" in data.description.notes


def test_images_are_judged_as_a_whole(tmp_path):
    images = RNG.random((60, 12, 12))
    images[:, 0, 0] = 0.1 + 1e-9 * images[:, 0, 0]  # a pixel that hardly varies
    for offset, dtype in ((0, "float32"), (EPOCH, "float64")):
        path = tmp_path / f"{offset}.npz"
        np.savez(path, x=images + offset, y=np.arange(60) % 2)
        data = loaded(path)
        assert data.train.features.dtype == dtype
        assert {column.dtype for column in data.description.columns} == {dtype}


def test_merged_columns_are_found():
    before = np.column_stack([COUNT, COUNT, COUNT])
    after = np.column_stack([COUNT, COUNT // 2, np.where(COUNT < 3, 0, COUNT)])
    assert precision.find_merged(before, after).tolist() == [False, True, False]
