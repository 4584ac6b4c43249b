"""Sparse matrices that stay sparse: scaled, not shifted."""

import keras
import numpy as np
import pytest
import scipy.sparse
from sklearn.preprocessing import MaxAbsScaler

from recipes.errors import InputError
from recipes.pipeline import evaluation
from recipes.pipeline.datasets import Examples
from recipes.pipeline.preprocessing import build_serving_model, learn_preprocessing
from tests.recipes.pipeline.preprocessing.data_sets import data_of

RNG = np.random.default_rng(0)
DENSE = np.where(RNG.random((60, 9)) < 0.2, RNG.normal(size=(60, 9)), 0)
DENSE[0] = 1.0
DENSE *= 10.0 ** np.arange(-12, 24, 4)


def sparse_data(rows=DENSE):
    return data_of(scipy.sparse.csr_array(rows, dtype=np.float32), tabular=False)


def test_the_scaling_is_that_of_scikit_learn():
    data = sparse_data()
    layer = learn_preprocessing(data, sparse=True)
    found = evaluation.preprocess(data.train, layer)
    expected = MaxAbsScaler().fit_transform(data.train.features.astype(np.float64))
    assert scipy.sparse.issparse(found) and found.dtype == np.float32
    assert found.nnz == data.train.features.nnz
    np.testing.assert_allclose(found.toarray(), expected.toarray(), rtol=1e-6)
    assert "divided by their largest absolute values" in layer.notes[0]


def test_dense_rows_are_served_as_sparse_ones_are_trained_on():
    data = sparse_data()
    layer = learn_preprocessing(data, sparse=True)
    found = evaluation.preprocess(data.train, layer)
    dense = data.train.features.toarray()
    np.testing.assert_array_equal(found.toarray(), layer(dense))
    model = keras.Sequential([keras.Input((9,)), keras.layers.Dense(1)])
    serving = build_serving_model(data.description, layer, model)
    served = serving.predict(dense, verbose=0)
    predicted = evaluation.predict(model, data, {"train": found})["train"]
    np.testing.assert_allclose(served, predicted, rtol=1e-5, atol=1e-6)


def test_columns_of_zeros_are_dropped():
    rows = DENSE.copy()
    rows[:, [2, 5]] = 0
    data = sparse_data(rows)
    layer = learn_preprocessing(data, sparse=True)
    assert layer.output_names == tuple(f"x{j}" for j in (0, 1, 3, 4, 6, 7, 8))
    assert any(note.endswith("'x2', 'x5'") for note in layer.notes)
    other = Examples(scipy.sparse.csr_array(DENSE, dtype=np.float32), data.train.target)
    found = evaluation.preprocess(other, layer).toarray()
    np.testing.assert_array_equal(found, layer(other.features.toarray()))


def test_zeros_alone_are_refused():
    with pytest.raises(InputError, match="no column varies"):
        learn_preprocessing(sparse_data(0 * DENSE), sparse=True)


def test_values_that_scaling_merges_are_told():
    rows = np.where(DENSE != 0, DENSE, 0)
    rows[:, 3] = 1_700_000_000 + np.arange(60)
    data = data_of(scipy.sparse.csr_array(rows), tabular=False)
    notes = learn_preprocessing(data, sparse=True).notes
    assert any("equal to the model" in note and "'x3'" in note for note in notes)


def test_where_rows_become_dense():
    """Where they are shifted, or are dense already."""
    data = sparse_data()
    layer = learn_preprocessing(data)
    assert not layer.keeps_zeros
    found = evaluation.preprocess(data.train, layer)
    assert isinstance(found, np.ndarray)
    np.testing.assert_allclose(found.std(axis=0), 1, rtol=1e-5)
    with pytest.raises(ValueError, match="should keep zeros"):
        layer.scale_sparse(data.train.features)
    dense = data_of(DENSE, tabular=False)
    layer, other = (learn_preprocessing(dense, sparse=on) for on in (True, False))
    for a, b in zip(layer.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
