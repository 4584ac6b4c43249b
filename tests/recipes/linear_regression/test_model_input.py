"""`LinearRegression.fit`: the inputs it accepts and rejects, and weights."""

import numpy as np
import pytest
import scipy.sparse
import tensorflow as tf

from recipes.errors import ConvergenceWarning
from recipes.linear_regression.model import LinearRegression
from tests.recipes.linear_regression import reference
from tests.recipes.linear_regression.fitting import data, fit, theta_of
from tests.recipes.linear_regression.solver.test_row_sums import views_of


def excess(model, x, y, weight=None):
    return reference.relative_excess(theta_of(model), x, y, weight)


@pytest.fixture(scope="module")
def model():
    """One model for many fits; earlier fits do not matter."""
    return LinearRegression()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_memory_of_every_kind(model, dtype):
    x, y = data(dtype=dtype)
    for name, view in views_of(x).items():
        model.reset()
        model.fit(view, y, verbose=0)
        assert excess(model, x, y) <= 1e-8, name


@pytest.mark.parametrize("dtype", ["int32", "uint8", "bool", "float16"])
def test_numbers_of_other_types(model, dtype):
    random = np.random.default_rng(0)
    x = random.integers(0, 2, (60, 4)).astype(dtype)
    y = random.integers(0, 9, 60)
    for targets in (y, y.astype("float32"), y.tolist(), y[:, np.newaxis]):
        model.reset()
        model.fit(x, targets, verbose=0)
        assert excess(model, x.astype("float64"), y) <= 1e-8


def test_tensors(model):
    x, y = data()
    model.reset()
    model.fit(tf.constant(x), tf.constant(y), verbose=0)
    assert excess(model, x, y) <= 1e-8


def test_float64_rows_keep_their_digits():
    """In float32 the columns would round to the same, and the rank would be 1."""
    random = np.random.default_rng(0)
    column, change = random.standard_normal((2, 60))
    x = np.column_stack([column, column + 1e-5 * change])
    model = LinearRegression(max_iterations=1, method="full")
    with pytest.warns(ConvergenceWarning):
        model.fit(x, change, verbose=0)
    expected = np.linalg.cond(reference.hessian((x - x.mean(0)) / x.std(0)))
    assert model.certificate["condition_number"] == pytest.approx(expected, rel=1e-3)


def test_targets_of_two_shapes_give_the_same():
    x, y = data()
    flat, column = fit(x, y), fit(x, y[:, np.newaxis])
    np.testing.assert_array_equal(theta_of(flat), theta_of(column))
    assert flat.predict(x, verbose=0).shape == (60, 1)


@pytest.mark.parametrize("method", ["gram", "full"])
def test_weight_two_is_the_row_twice_and_zero_none(method):
    x, y = data()
    weight = np.random.default_rng(0).integers(0, 3, 60)
    weighted = fit(x, y, sample_weight=weight, method=method)
    repeated = fit(np.repeat(x, weight, 0), np.repeat(y, weight), method=method)
    np.testing.assert_allclose(theta_of(weighted), theta_of(repeated), rtol=1e-6)
    for name in ("loss", "optimal_loss", "condition_number"):
        expected = repeated.certificate[name]
        assert weighted.certificate[name] == pytest.approx(expected, rel=1e-9)
    assert excess(weighted, x, y, weight) <= 1e-8


def test_only_the_ratio_of_weights_matters():
    x, y = data()
    weight = np.random.default_rng(0).uniform(0.1, 2, 60)
    one = fit(x, y, sample_weight=weight, l2=0.1)
    other = fit(x, y, sample_weight=1000 * weight, l2=0.1)
    np.testing.assert_allclose(theta_of(one), theta_of(other), rtol=1e-6)


def test_a_dataset_with_weights():
    x, y = data()
    weight = np.random.default_rng(0).uniform(0.1, 2, 60)
    rows = tf.data.Dataset.from_tensor_slices((x, y, weight)).batch(7)
    model = fit(rows)
    assert excess(model, x, y, weight) <= 1e-8
    assert model.certificate["converged"]


def test_an_empty_batch_in_a_dataset():
    x, y = data()
    sizes = tf.data.Dataset.from_tensor_slices([0, 20, 0, 40])
    ends = sizes.scan(0, lambda end, size: (end + size, (end, end + size)))
    batches = ends.map(lambda a, b: (tf.constant(x)[a:b], tf.constant(y)[a:b]))
    rows = batches.map(lambda x, y: (tf.ensure_shape(x, [None, 4]), y))
    for method in ("gram", "full"):
        assert excess(fit(rows, method=method), x, y) <= 1e-8


def rows_of(x, y, *weight, batch=7):
    return tf.data.Dataset.from_tensor_slices((x, y, *weight)).batch(batch)


@pytest.mark.parametrize("method", ["gram", "full"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["x", "y"])
def test_values_that_are_not_finite_are_rejected(method, where, bad):
    x, y = data()
    (x if where == "x" else y)[3] = bad
    for arrays in ((x, y), (x.astype("float32"), y), (rows_of(x, y), None)):
        with pytest.raises(ValueError, match="finite"):
            LinearRegression(method=method).fit(*arrays, verbose=0)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.ones(5), np.ones(5), "`x` should have shape"),
        (np.ones((5, 2)), np.ones(4), "`y` should have shape"),
        (np.ones((5, 2)), np.ones((5, 5)), "`y` should have shape"),
        (np.ones((5, 2)), None, "`y` should be given"),
        (np.ones((0, 2)), np.ones(0), "with at least one of each"),
        (np.ones((5, 0)), np.ones(5), "with at least one of each"),
        (None, None, "`x` should have shape"),
        (rows_of(np.ones((5, 2)), np.ones(5)), np.ones(5), "brings its own"),
        (rows_of(np.ones((0, 2)), np.ones(0)), None, r"row|empty"),
        (rows_of(np.ones((5, 2)), np.ones(5), np.zeros(5)), None, "positive weight"),
        (rows_of(np.ones((5, 2)), np.ones(5), -np.ones(5)), None, "weight"),
        (rows_of(np.eye(5), np.ones(5), [1, 1, 1, 1, -0.5]), None, "weight"),
    ],
)
def test_wrong_data_are_rejected(x, y, message):
    with pytest.raises(ValueError, match=message):
        LinearRegression().fit(x, y, verbose=0)


@pytest.mark.parametrize(
    ("weight", "words"),
    [
        (np.ones(4), r"have shape \[5\] or \[5, 1\]"),
        (-np.ones(5), "be finite and not negative"),
        ([np.nan] * 5, "be finite and not negative"),
        (np.zeros(5), "not be zero for all rows"),
    ],
)
def test_wrong_weights_are_rejected(weight, words):
    with pytest.raises(ValueError, match=f"`sample_weight` should {words}"):
        LinearRegression().fit(
            np.ones((5, 2)), np.ones(5), sample_weight=weight, verbose=0
        )


def test_another_number_of_features_is_rejected():
    x, y = data()
    model = fit(x, y)
    with pytest.raises(ValueError, match="features"):
        model.fit(x[:, :2], y, verbose=0)


def test_a_batch_size_of_zero_is_rejected():
    with pytest.raises(ValueError, match="batch_size"):
        LinearRegression().fit(*data(), batch_size=0, verbose=0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"learning_rate": 0.0}, "`learning_rate` should be a number above 0"),
        ({"learning_rate": -1}, "`learning_rate` should be a number above 0"),
        ({"learning_rate": np.inf}, "`learning_rate` should be a number above 0"),
        ({"learning_rate": np.nan}, "`learning_rate` should be a number above 0"),
        ({"learning_rate": "fast"}, "Received: learning_rate='fast'"),
        ({"momentum": "adam"}, "`momentum` should be none, heavy_ball or nesterov"),
        ({"method": "qr"}, "`method` should be auto, gram or full"),
        ({"l1": -1.0}, "`l1` should be"),
        ({"l2": -1e-9}, "`l2` should be"),
        ({"l2": np.inf}, "`l2` should be"),
        ({"tolerance": -1.0}, "`tolerance` should be"),
        ({"tolerance": np.nan}, "`tolerance` should be"),
        ({"max_iterations": 0}, "`max_iterations` should be"),
    ],
)
def test_wrong_arguments_are_rejected(arguments, message):
    with pytest.raises(ValueError, match=message):
        LinearRegression(**arguments)


WRONG = {
    "another width": (np.ones((5, 2)), r"have shape \[n, 4\].*Received: \[5, 2\]"),
    "one row": (np.ones(4), r"have shape \[n, 4\]"),
    "no rows": (np.ones((0, 4)), "have shape.*n of 1 or more"),
    "NaN": (np.full((5, 4), np.nan), "be finite"),
    "complex": (np.ones((5, 4), complex), "hold numbers.*complex128"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_rows_are_not_predicted(model, case):
    x, y = data()
    model.fit(x, y, verbose=0)
    rows, message = WRONG[case]
    with pytest.raises(ValueError, match=f"`x` should {message}"):
        model.predict(rows, verbose=0)
    with pytest.raises(ValueError, match="`x` should"):
        model.evaluate(rows, np.ones(len(rows)), verbose=0)


def test_predict_takes_what_fit_takes(model):
    x, y = data()
    model.fit(x, y, verbose=0)
    expected = model.predict(x, verbose=0)
    for rows in (x.tolist(), scipy.sparse.csr_array(x), tf.constant(x)):
        np.testing.assert_array_equal(model.predict(rows, verbose=0), expected)


def test_a_model_predicts_only_after_fit():
    for method in ("predict", "evaluate"):
        with pytest.raises(ValueError, match="should be fitted before it predicts"):
            getattr(LinearRegression(), method)(*data()[: 1 + (method == "evaluate")])


ROWS = np.ones((6, 2)), np.ones(6)
DATASETS = {
    "no batches": (ROWS, None, "should give batches"),
    "named columns": (({"a": ROWS[0]}, ROWS[1]), 2, "one dense tensor.*a dict"),
    "several inputs": (((ROWS[0], ROWS[0]), ROWS[1]), 2, "one dense tensor.*a tuple"),
    "named targets": ((ROWS[0], {"a": ROWS[1]}), 2, "tensors of real numbers"),
    "text": ((ROWS[0], ["a"] * 6), 2, "tensors of real numbers"),
    "complex": ((ROWS[0] + 1j, ROWS[1]), 2, "tensors of real numbers"),
}


@pytest.mark.parametrize("case", DATASETS)
def test_datasets_of_other_kinds_are_rejected(case):
    arrays, batch, message = DATASETS[case]
    dataset = tf.data.Dataset.from_tensor_slices(arrays)
    with pytest.raises(ValueError, match=message):
        LinearRegression().fit(dataset.batch(batch) if batch else dataset, verbose=0)


@pytest.mark.parametrize("y", [np.ones(5) + 1j, np.array(["1"] * 5), ["a"] * 5])
def test_targets_that_are_no_numbers_are_rejected(y):
    with pytest.raises(ValueError, match="`y` should hold numbers"):
        LinearRegression().fit(np.ones((5, 2)), y, verbose=0)


def test_a_generator_is_rejected():
    with pytest.raises(ValueError, match="an array or a `tf"):
        LinearRegression().fit((batch for batch in [data()]), verbose=0)
