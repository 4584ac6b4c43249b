"""What `fit` of the machines takes, and what it refuses, in one line."""

import re

import numpy as np
import pytest
import tensorflow as tf
from scipy import sparse
from sklearn.svm import SVC

from recipes.svm import (
    NuSupportVectorClassifier,
    NuSupportVectorRegressor,
    OneClassSupportVectorMachine,
    SupportVectorClassifier,
    SupportVectorRegressor,
)
from tests.recipes.svm.fitting import classify, data, fit, refused, targets

MACHINES = (
    SupportVectorClassifier,
    NuSupportVectorClassifier,
    SupportVectorRegressor,
    NuSupportVectorRegressor,
    OneClassSupportVectorMachine,
)


@pytest.fixture(scope="module")
def fitted():
    return classify(*data())


def rows_of(*parts, batch=7):
    return tf.data.Dataset.from_tensor_slices(parts).batch(batch)


# ---- what it takes


@pytest.mark.parametrize("dtype", ["float64", "float16", "int32", "uint8", "bool"])
def test_rows_of_other_types(dtype):
    x = np.random.default_rng(0).integers(0, 2, (60, 3)).astype(dtype)
    y = x[:, 0].astype(int)
    expected = classify(x.astype("float32"), y)
    model = classify(x, y)
    np.testing.assert_array_equal(model.dual_coefficients, expected.dual_coefficients)
    assert model.support_vectors.dtype == np.float32


def test_other_forms_of_rows_and_labels(fitted):
    x, y = data()
    for form in (x.tolist(), np.asfortranarray(x), np.repeat(x, 2, 1)[:, ::2]):
        again = classify(form, y.tolist())
        np.testing.assert_array_equal(again.dual_coefficients, fitted.dual_coefficients)
    again = classify(tf.constant(x), tf.constant(y)[:, tf.newaxis])
    np.testing.assert_array_equal(again.dual_coefficients, fitted.dual_coefficients)
    # Sparse rows stay so: tests/recipes/svm/models/test_sparse.py. Not for this kernel.
    dense = classify(x, y, kernel="laplacian")
    for kind in (sparse.csc_matrix, sparse.coo_array):
        again = classify(kind(x), y, kernel="laplacian")
        np.testing.assert_array_equal(again.dual_coefficients, dense.dual_coefficients)


def test_a_dataset_is_its_arrays(fitted):
    x, y = data()
    model = fit(SupportVectorClassifier(), rows_of(x, y))
    np.testing.assert_array_equal(model.dual_coefficients, fitted.dual_coefficients)
    np.testing.assert_array_equal(model.support_indices, fitted.support_indices)
    model = fit(SupportVectorClassifier(), rows_of(x, y[:, np.newaxis], batch=60))
    np.testing.assert_array_equal(model.dual_coefficients, fitted.dual_coefficients)


def test_a_dataset_with_weights():
    x, y = data()
    weight = np.random.default_rng(0).uniform(0, 2, 60)
    model = fit(SupportVectorClassifier(), rows_of(x, y, weight))
    expected = classify(x, y, sample_weight=weight)
    np.testing.assert_array_equal(model.dual_coefficients, expected.dual_coefficients)


def test_balanced_classes_count_rows_as_scikit_learn_does():
    """Every row counts once, also those of weight 0."""
    x, y = data()
    weight = np.where(np.arange(60) % 3 == 0, 0.0, 1.5)
    options = {"sample_weight": weight * (1 + y)}
    model = classify(x, y, tolerance=1e-6, class_weight="balanced", **options)
    theirs = SVC(class_weight="balanced", gamma=model.expansion.kernel.gamma, tol=1e-6)
    expected = theirs.fit(x, y, **options).decision_function(x)
    found = model.predict(x, verbose=0)[:, 0]
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("kind", [str, bytes, object])
def test_strings_from_everywhere(fitted, kind):
    """As arrays, as bytes, and as a dataset gives them."""
    x, y = data()
    labels = np.array(["no", "yes"])[y]
    given = labels.astype(kind)
    model = classify(x, given)
    assert model.classes.tolist() == ["no", "yes"]
    np.testing.assert_array_equal(model.dual_coefficients, fitted.dual_coefficients)
    assert set(model.predict_classes(x, verbose=0)) == {"no", "yes"}


def test_strings_of_a_dataset(fitted):
    x, y = data()
    labels = np.array(["non", "où"])[y]
    model = fit(SupportVectorClassifier(), rows_of(x, labels))
    assert model.classes.tolist() == ["non", "où"]
    np.testing.assert_array_equal(model.dual_coefficients, fitted.dual_coefficients)


def test_float64_of_a_dataset_keeps_its_digits():
    x, y = data()
    x = x.astype("float64") * 1e-5 + 1
    model = fit(SupportVectorClassifier(dtype="float64"), rows_of(x, y))
    np.testing.assert_array_equal(model.support_vectors, x[model.support_indices])


def test_the_one_class_machine_needs_no_labels():
    x, y = data()
    expected = fit(OneClassSupportVectorMachine(), x)
    for dataset in (
        tf.data.Dataset.from_tensor_slices(x).batch(7),
        rows_of(x, y),
        rows_of(x, y, np.ones(60)),
    ):
        model = fit(OneClassSupportVectorMachine(), dataset)
        np.testing.assert_array_equal(
            model.dual_coefficients, expected.dual_coefficients
        )


# ---- what every machine refuses


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_rows_that_are_no_numbers(machine, bad):
    x, y = data()
    x[3, 1] = bad
    labels = () if machine is OneClassSupportVectorMachine else (y,)
    assert "`x` should be finite" in refused(machine(), x, *labels)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.ones(5), [0, 1, 0, 1, 0], r"`x` should have shape [n, features]"),
        (np.ones((5, 2, 2)), [0, 1, 0, 1, 0], r"`x` should have shape [n, features]"),
        (np.ones((0, 2)), [], "with at least one of each"),
        (np.ones((5, 0)), [0, 1, 0, 1, 0], "with at least one of each"),
        (np.ones((5, 2)), [0, 1, 0, 1], "`y` should have shape [5] or [5, 1]"),
        (np.ones((5, 2)), np.eye(5), "`y` should have shape [5] or [5, 1]"),
        (np.ones((5, 2)), None, "`y` should be given"),
        (None, None, "`x` should"),
        ([["a", "b"]], [0], "`x` should"),
        ([[1.0], [1.0, 2.0]], [0, 1], "`x` should"),
        (rows_of(np.ones((5, 2)), np.ones(5)), np.ones(5), "brings its own"),
        (rows_of(np.ones((5, 2)), np.ones(5)).repeat(), None, "repeats for ever"),
        (rows_of(np.ones((5, 2)), np.ones(5)).take(0), None, "at least one batch"),
        (rows_of(np.ones((5, 2))), None, "`y` should be given"),
        (rows_of(np.ones((5, 2)), np.ones(5)).unbatch(), None, "`dataset.batch(32)`"),
        (rows_of({"a": np.ones(5)}, np.ones(5)), None, "Received: a dict"),
        (rows_of((np.ones((5, 2)),) * 2, np.ones(5)), None, "Received: a tuple"),
        (iter(np.ones((5, 2))), [0, 1, 0, 1, 0], "`tf.data.Dataset.from_generator`"),
        (np.ones((5, 2)) * 1j, [0, 1, 0, 1, 0], "Received: dtype complex128"),
    ],
)
@pytest.mark.parametrize("machine", [SupportVectorClassifier, SupportVectorRegressor])
def test_wrong_data(machine, x, y, message):
    assert message in refused(machine(), x, y)


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.ones(59), "`sample_weight` should have shape [60] or [60, 1]"),
        (-np.ones(60), "finite and not negative"),
        (np.full(60, np.nan), "finite and not negative"),
        (np.full(60, np.inf), "finite and not negative"),
        (np.zeros(60), "should not be zero for all rows"),
    ],
)
@pytest.mark.parametrize("machine", MACHINES)
def test_wrong_weights(machine, weight, message):
    x, y = data()
    labels = () if machine is OneClassSupportVectorMachine else (y,)
    assert message in refused(machine(), x, *labels, sample_weight=weight)


# ---- what classifiers and regressors refuse


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.zeros(60), "at least two classes. Received: [0.0] alone"),
        (["a"] * 60, "at least two classes. Received: ['a'] alone"),
        (np.linspace(0, 1, 60), "fractions or NaN"),
        (np.where(np.arange(60) < 5, np.nan, 1.0), "fractions or NaN"),
        ([None, 1] * 30, "`y` should hold labels"),
        ([1j, 1] * 30, "`y` should hold labels"),
        ([1, "1"] * 30, "of one type: integers or strings. Received: a mixture of"),
        (["a", np.nan] * 30, "a mixture of Number, str"),
        (["a", None] * 30, "a mixture of NoneType, str"),
        (["a", b"a"] * 30, "a mixture of bytes, str"),
        ([True, 1, 0] * 20, "a mixture of Number, bool"),
        (np.array([True, "True"] * 30, object), "a mixture of bool, str"),
    ],
)
@pytest.mark.parametrize(
    "machine", [SupportVectorClassifier, NuSupportVectorClassifier]
)
def test_what_is_no_label(machine, y, message):
    assert message in refused(machine(), data()[0], y)


def test_weights_that_leave_one_class():
    x, y = data()
    message = refused(SupportVectorClassifier(), x, y, sample_weight=1.0 * (y == 1))
    assert "some weight to every class. Received: none for [0]" in message


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({2: 1.0}, "keys among the labels [0, 1]. Received: 2"),
        ({"0": 1.0}, "keys among the labels [0, 1]. Received: '0'"),
        ({0: -1.0}, "a number above 0. Received: class_weight[0]=-1.0"),
        ({0: np.nan}, "a number above 0"),
        ({0: 0.0}, "a number above 0"),
        ({0: "much"}, "a number above 0"),
        ("fair", "Received: class_weight='fair'"),
        ([1.0, 2.0], "`class_weight` should be"),
    ],
)
def test_wrong_class_weights(given, message):
    found = refused(SupportVectorClassifier(), *data(), class_weight=given)
    assert "class_weight" in found
    assert message in found


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("machine", [SupportVectorRegressor, NuSupportVectorRegressor])
def test_targets_that_are_no_numbers(machine, bad):
    x, _ = data()
    y = targets(x)
    y[3] = bad
    assert "`y` should hold finite numbers" in refused(machine(), x, y)
    assert "`y` should hold finite numbers" in refused(machine(), x, ["a"] * 60)


def test_a_kernel_matrix_that_is_not_square():
    model = SupportVectorClassifier(kernel="precomputed")
    assert "square matrix" in refused(model, *data())


def test_memory_that_holds_no_working_set():
    x, y = data(n=2100)
    message = refused(SupportVectorClassifier(cache_mb=0.1), x, y)
    assert re.search(r"`cache_mb` should be at least [0-9.]+ for 2100 rows", message)


# ---- arguments


@pytest.mark.parametrize(
    ("machine", "arguments", "message"),
    [
        (SupportVectorClassifier, {"C": 0}, "`C` should be a number above 0"),
        (SupportVectorClassifier, {"C": np.inf}, "`C` should be a number above 0"),
        (SupportVectorClassifier, {"C": "1"}, "Received: C='1'"),
        (SupportVectorClassifier, {"tolerance": 0.0}, "`tolerance` should be"),
        (SupportVectorClassifier, {"max_iterations": 0}, "`max_iterations` should be"),
        (SupportVectorClassifier, {"max_iterations": 1.5}, "whole number"),
        (SupportVectorClassifier, {"cache_mb": -1}, "`cache_mb` should be"),
        (SupportVectorClassifier, {"kernel": "rbs"}, "rbs"),
        (SupportVectorClassifier, {"kernel": 3}, "3"),
        (SupportVectorClassifier, {"gamma": "big"}, "`gamma` should be"),
        (SupportVectorClassifier, {"gamma": -1.0}, "`gamma` should be"),
        (
            SupportVectorClassifier,
            {"kernel": "polynomial", "degree": 0},
            "`degree` should be",
        ),
        (SupportVectorClassifier, {"seed": 0.5}, "`seed` should be a whole number"),
        (
            SupportVectorClassifier,
            {"multiclass": "ovo"},
            "`multiclass` should be one_vs_one or one_vs_rest",
        ),
        (NuSupportVectorClassifier, {"nu": 0.0}, "`nu` should be a number above 0"),
        (NuSupportVectorRegressor, {"nu": 1.1}, "`nu` should be a number above 0"),
        (NuSupportVectorRegressor, {"C": -1}, "`C` should be a number above 0"),
        (
            OneClassSupportVectorMachine,
            {"nu": np.nan},
            "`nu` should be a number above 0",
        ),
        (SupportVectorRegressor, {"epsilon": -0.1}, "`epsilon` should be a number"),
    ],
)
def test_wrong_arguments(machine, arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        machine(**arguments)


@pytest.mark.parametrize("number", [np.float32(2), np.float64(2), np.int64(2), 2])
def test_numpys_numbers_are_numbers(number):
    model = SupportVectorClassifier(C=number, gamma=number, seed=int(number))
    assert model.C == 2
