"""Machines of sparse rows: those of the same dense rows, which are never made."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import sparse

from layers import kernels
from recipes.checks import sparse as batches
from recipes.svm import (
    NuSupportVectorClassifier,
    OneClassSupportVectorMachine,
    SupportVectorClassifier,
    SupportVectorRegressor,
)
from tests.recipes.svm.fitting import fit, save
from tests.recipes.svm.solver.solving import force_decomposition

ROWS, COLUMNS = 90, 40


def draw():
    """Draw rows with most entries zero, of three classes."""
    random = np.random.default_rng(0)
    x = sparse.random_array((ROWS, COLUMNS), density=0.1, rng=random, format="lil")
    y = np.arange(ROWS) % 3
    for row in range(ROWS):
        x[row, y[row]] = 1 + random.random()
    x[5] = 0  # a row without entries
    return sparse.csr_array(x).astype("float32"), y


X, Y = draw()
TARGET = np.sin(X.sum(axis=1))
MACHINES = [
    (SupportVectorClassifier, Y % 2, {"kernel": "rbf", "probability": True}),
    (SupportVectorClassifier, Y, {"kernel": "linear"}),
    (SupportVectorClassifier, Y, {"kernel": "sigmoid", "gamma": 0.01}),
    (
        SupportVectorClassifier,
        Y,
        {"kernel": "polynomial", "coef0": 1.0, "multiclass": "one_vs_rest"},
    ),
    (NuSupportVectorClassifier, Y % 2, {"kernel": "linear", "nu": 0.3}),
    (SupportVectorRegressor, TARGET, {"kernel": "polynomial", "coef0": 1.0}),
    (SupportVectorRegressor, TARGET, {"kernel": "rbf", "dtype": "float64"}),
    (OneClassSupportVectorMachine, None, {"kernel": "linear", "nu": 0.2}),
    (OneClassSupportVectorMachine, None, {"kernel": "rbf", "nu": 0.2}),
]


@pytest.fixture
def no_wide_copies(monkeypatch):
    """Refuse to make more than a few rows dense at a time."""
    most = 8
    monkeypatch.setattr(batches, "BATCH_BYTES", most * 4 * COLUMNS)
    to_array = sparse.csr_array.toarray

    def toarray(self, *arguments, **named):
        if self.shape[1] == COLUMNS and self.shape[0] > most:
            raise AssertionError(f"{self.shape[0]} rows were made dense")
        return to_array(self, *arguments, **named)

    monkeypatch.setattr(sparse.csr_array, "toarray", toarray)


@pytest.mark.filterwarnings("ignore:SMO did not converge. the kernel is not positive")
@pytest.mark.slow
@pytest.mark.parametrize(("machine", "y", "arguments"), MACHINES)
def test_machines_are_those_of_dense_rows(machine, y, arguments):
    arguments = {"tolerance": 1e-5, **arguments}
    model = fit(machine(**arguments), X, y)
    dense = fit(machine(**arguments), X.toarray(), y)
    assert model.certificate["converged"] == dense.certificate["converged"]
    np.testing.assert_allclose(
        model.certificate["dual_objective"],
        dense.certificate["dual_objective"],
        rtol=1e-6,
    )
    np.testing.assert_allclose(
        model.predict(X, verbose=0), dense.predict(X.toarray(), verbose=0), atol=2e-4
    )
    np.testing.assert_allclose(model.bias, dense.bias, atol=2e-4)
    assert sparse.issparse(model.support_vectors)
    own = X[model.support_indices]
    np.testing.assert_array_equal(model.support_vectors.toarray(), own.toarray())


@pytest.mark.parametrize(
    ("machine", "y", "arguments"), [MACHINES[0], MACHINES[1], MACHINES[5]]
)
def test_rows_are_never_made_dense_at_once(machine, y, arguments, no_wide_copies):
    model = fit(machine(**arguments), X, y)
    predicted = model.predict(X, verbose=0)
    assert len(predicted) == ROWS
    np.testing.assert_array_equal(predicted, model.predict(X, batch_size=3, verbose=0))


@pytest.mark.slow
def test_large_problems_are_decomposed(monkeypatch, no_wide_copies):
    force_decomposition(monkeypatch)
    random = np.random.default_rng(1)
    x = sparse.random_array((150, COLUMNS), density=0.2, rng=random, format="csr")
    y = np.arange(150) % 3  # pairs of different sizes
    y[:20] = 0
    arguments = {"kernel": "rbf", "tolerance": 1e-5}
    model = fit(SupportVectorClassifier(**arguments), x, y)
    assert model.certificate["converged"]
    monkeypatch.undo()
    dense = fit(SupportVectorClassifier(**arguments), x.toarray(), y)
    np.testing.assert_allclose(
        model.predict(x, verbose=0), dense.predict(x, verbose=0), atol=1e-3
    )


@pytest.mark.parametrize(
    "kernel",
    ["laplacian", kernels.LinearKernel(origin=[0.5] * COLUMNS)],
    ids=["laplacian", "origin"],
)
def test_other_kernels_take_the_rows_dense(kernel):
    model = fit(SupportVectorClassifier(kernel=kernel), X, Y)
    dense = fit(SupportVectorClassifier(kernel=kernel), X.toarray(), Y)
    assert isinstance(model.support_vectors, np.ndarray)
    np.testing.assert_array_equal(model.dual_coefficients, dense.dual_coefficients)


def test_a_kernel_of_ones_own():
    class Cosine(kernels.InnerProductKernel):
        def of_products(self, products, x_squares, z_squares):
            return products / tf.sqrt(
                1 + x_squares[:, tf.newaxis] + z_squares[tf.newaxis]
            )

        def diagonal(self, x):
            squares = tf.reduce_sum(x**2, axis=1)
            return squares / tf.sqrt(1 + 2 * squares)

    model = fit(SupportVectorRegressor(kernel=Cosine(), tolerance=1e-5), X, TARGET)
    dense = SupportVectorRegressor(kernel=Cosine(), tolerance=1e-5)
    fit(dense, X.toarray(), TARGET)
    np.testing.assert_allclose(
        model.predict(X, verbose=0), dense.predict(X, verbose=0), atol=2e-4
    )


@pytest.mark.parametrize("kind", [sparse.coo_array, sparse.csc_matrix])
def test_every_form_of_sparse_rows(kind):
    model = fit(SupportVectorClassifier(kernel="linear"), kind(X), Y)
    same = fit(SupportVectorClassifier(kernel="linear"), X, Y)
    np.testing.assert_array_equal(model.dual_coefficients, same.dual_coefficients)


def test_entries_that_are_stored_twice_are_added_and_left_alone():
    x = X.copy()
    twice = sparse.csr_array(
        (np.repeat(x.data / 2, 2), np.repeat(x.indices, 2), 2 * x.indptr), x.shape
    )
    model = fit(SupportVectorClassifier(kernel="linear"), twice, Y)
    same = fit(SupportVectorClassifier(kernel="linear"), x, Y)
    np.testing.assert_array_equal(model.dual_coefficients, same.dual_coefficients)
    assert twice.nnz == 2 * x.nnz


def test_float64_digits_are_kept():
    x = X.astype("float64")
    x.data += 1e-9
    model = fit(SupportVectorClassifier(kernel="linear", dtype="float64"), x, Y)
    own = x[model.support_indices]
    np.testing.assert_array_equal(model.support_vectors.data, own.data)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_rows_that_are_not_finite(bad):
    x = X.copy()
    x.data[3] = bad
    with pytest.raises(ValueError, match="`x` should be finite"):
        SupportVectorClassifier().fit(x, Y, verbose=0)
    model = fit(SupportVectorClassifier(kernel="linear"), X, Y)
    with pytest.raises(ValueError, match="`x` should be finite"):
        model.predict(x, verbose=0)
    with pytest.raises(ValueError, match="should have shape"):
        model.predict(X[:, :-1], verbose=0)


def test_complex_rows():
    with pytest.raises(ValueError, match="`x` should hold numbers"):
        SupportVectorClassifier().fit(X.astype(complex), Y, verbose=0)


def test_a_model_without_entries():
    x = sparse.csr_array((4, 3), dtype="float32")
    model = fit(SupportVectorRegressor(kernel="rbf", gamma=1.0), x, np.ones(4))
    np.testing.assert_allclose(model.predict(x, verbose=0), 1.0, atol=0.11)


@pytest.mark.parametrize(("machine", "y", "arguments"), MACHINES[:2])
def test_saved_and_exported(machine, y, arguments, tmp_path):
    model = fit(machine(**arguments), X, y)
    expected = model.predict(X, verbose=0)
    path = tmp_path / "model.keras"
    save(model, path)
    again = keras.models.load_model(path)
    np.testing.assert_array_equal(again.predict(X, verbose=0), expected)
    assert (again.support_vectors != model.support_vectors).nnz == 0
    inference = model.inference_model()
    archive = keras.export.ExportArchive()
    spec = tf.TensorSpec((None, COLUMNS), tf.float32)
    archive.add_endpoint("serve", inference.call, [spec])
    archive.write_out(tmp_path / "exported", verbose=False)
    serve = (loaded := tf.saved_model.load(tmp_path / "exported")).serve
    assert loaded
    for count in (0, 1, ROWS):
        result = serve(X[:count].toarray())
        scores = result["scores"] if isinstance(result, dict) else result
        np.testing.assert_allclose(scores, expected[:count], atol=1e-5)
