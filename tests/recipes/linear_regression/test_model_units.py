"""`LinearRegression`: units and offsets change nothing, and certificates say so."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Lasso

from recipes.errors import ConvergenceWarning
from recipes.linear_regression.model import LinearRegression
from tests.recipes.linear_regression import reference
from tests.recipes.linear_regression.fitting import data, fit, save

X, Y = data(n=50, d=3)
# Whole numbers, some 0: rows of weight 0 are as absent.
WEIGHT = np.random.default_rng(1).integers(0, 3, 50).astype(float)
HERE = WEIGHT > 0
# Digits that no offset below takes away.
X, Y = np.round(X, 3), np.round(Y, 3)


@functools.cache
def model_of(**arguments):
    """Return a model that several fits share: the first one compiles it."""
    return LinearRegression(**arguments)


def predict(x, y, weight=None, *, batch_size=None, **arguments):
    """Return a fit's predictions for the rows of positive weight, and its model."""
    model = model_of(**arguments)
    model.reset()
    model.fit(x, y, sample_weight=weight, batch_size=batch_size, verbose=0)
    assert model.certificate["converged"]
    rows = x if weight is None else x[weight > 0]
    return model.predict(rows, verbose=0)[:, 0], model


def check_certificate(model, x, y, rel=1e-12):
    """The certificate's numbers are those of `predict`, and agree with each other."""
    found, certificate = model.predict(x, verbose=0)[:, 0], model.certificate
    error = np.float64(found) - y
    assert certificate["loss"] == pytest.approx(np.mean(error**2), rel=1e-9)
    loss, optimal = certificate["loss"], certificate["optimal_loss"]
    assert certificate["relative_excess_loss"] == pytest.approx(
        (loss - optimal) / optimal, abs=rel
    )
    return certificate


powers = st.floats(-21, 19).map(lambda power: 10.0**power)
offsets = st.floats(-1e5, 1e5)


@pytest.mark.parametrize("method", ["gram", "full"])
@settings(max_examples=8, deadline=None, derandomize=True)
@given(
    unit=st.tuples(powers, powers, powers),
    shift=st.tuples(offsets, offsets, offsets),
    target=st.tuples(powers, offsets),
)
@pytest.mark.slow
def test_predictions_do_not_depend_on_units_and_offsets(method, unit, shift, target):
    best = reference.closed_form(X, Y)
    expected = reference.with_ones(X) @ best
    x, y = (X + shift) * unit, (Y + target[1]) * target[0]
    found, model = predict(x, y, method=method)
    assert np.ptp(found / target[0] - target[1] - expected) <= 1e-6 * Y.std()
    slopes = model.linear.kernel.numpy()[:, 0] * unit / target[0]
    np.testing.assert_allclose(slopes, best[:-1], rtol=1e-6, atol=1e-6)


@settings(max_examples=8, deadline=None, derandomize=True)
@given(
    unit=powers,
    weight_unit=powers,
    absent=st.sampled_from([0.0, 1e30, -1e30]),
    first=st.booleans(),
)
@pytest.mark.slow
def test_rows_of_weight_zero_are_as_absent(unit, weight_unit, absent, first):
    """Wherever they are, and whatever the weights are measured in."""
    expected, _ = predict(X[HERE], Y[HERE], WEIGHT[HERE])
    order = np.argsort(HERE if first else ~HERE, kind="stable")
    x = np.where(HERE[:, np.newaxis], X * unit + 9, absent)[order]
    y = np.where(HERE, Y, absent)[order]
    found, _ = predict(x, y, (WEIGHT * weight_unit)[order])
    ours = found[np.argsort(order[HERE[order]])]
    assert np.abs(ours - expected).max() <= 1e-6 * Y.std() + 1e-13 / unit


@pytest.mark.parametrize(
    "arguments", [{"l1": 0.4}, {"l2": 0.3}, {"l1": 0.2, "l2": 0.1, "method": "full"}]
)
@settings(max_examples=4, deadline=None, derandomize=True)
@given(shift=st.tuples(offsets, offsets, offsets), target=offsets)
@pytest.mark.slow
def test_offsets_do_not_change_penalised_fits(arguments, shift, target):
    expected, _ = predict(X, Y, **arguments)
    found, _ = predict(X + shift, Y + target, **arguments)
    assert np.abs(found - target - expected).max() <= 1e-5 * Y.std()


@pytest.mark.parametrize("offset", [0.0, 1e3])
def test_a_lasso_on_odd_columns_takes_few_steps_to_scikit_learns_optimum(offset):
    """The penalty stays in the columns' units, though the steps are on others."""
    x = X * [1e-3, 1.0, 1e3] + offset
    slopes = np.array([1.0, 2.0, 3.0]) / [1e-3, 1.0, 1e3]
    y = x @ slopes + np.random.default_rng(0).standard_normal(50)
    model = fit(x, y, l1=2e-4)
    assert model.certificate["iterations"] < 1000
    peer = Lasso(alpha=1e-4, tol=1e-14, max_iter=10**6).fit(x - x.mean(0), y)
    expected = reference.objective(
        [*peer.coef_, peer.intercept_], x - x.mean(0), y, l1=2e-4
    )
    assert model.certificate["loss"] <= expected * (1 + 1e-9)


@pytest.mark.parametrize("offset", [0.0, 1e4, 1e8, 1.7e9])
@pytest.mark.parametrize("arguments", [{}, {"method": "full"}])
def test_a_target_far_from_zero(offset, arguments):
    y = offset + 0.01 * Y
    _, model = predict(X, y, **arguments)
    best = reference.closed_form(X, y - offset)
    np.testing.assert_allclose(model.linear.kernel[:, 0], best[:-1], rtol=1e-5)
    check_certificate(model, X, y)
    assert model.certificate["relative_excess_loss"] <= 1e-4


def test_whole_numbers_of_16_digits_are_fitted_exactly():
    x = np.round(X[:, :1], 3)
    y = 9_000_000_000_000_000 + np.round(1000 * x[:, 0]).astype(np.int64)
    model = fit(x, y)
    np.testing.assert_array_equal(model.predict(x, verbose=0)[:, 0], y)
    assert model.linear.kernel.numpy().item() == pytest.approx(1000, rel=1e-9)
    assert model.certificate["loss"] == model.certificate["optimal_loss"] == 0


def test_seconds_since_1970_on_every_path(tmp_path):
    """Float32, in which Keras passes arrays on, would round them to 128 s."""
    x = 1.7e9 + np.arange(50.0)[:, np.newaxis]
    y = 3 * np.arange(50.0) + 10 * Y
    model = fit(x, y)
    expected = np.polyval(np.polyfit(x[:, 0] - 1.7e9, y, 1), x[:, 0] - 1.7e9)
    found = model.predict(x, verbose=0)
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-9, atol=1e-6)
    check_certificate(model, x, y)
    assert model.evaluate(x, y, verbose=0) == pytest.approx(
        model.certificate["loss"], rel=1e-6
    )
    rows = tf.data.Dataset.from_tensor_slices(x).batch(50)
    np.testing.assert_array_equal(model.predict(rows, verbose=0), found)
    save(model, tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.predict(x, verbose=0), found)
    model.export(tmp_path / "served", verbose=False)
    served = tf.saved_model.load(tmp_path / "served")
    np.testing.assert_allclose(served.serve(x), found, rtol=1e-14)


POLICIES = ["float32", "mixed_float16", "mixed_bfloat16"]


@pytest.mark.parametrize("dtype", POLICIES)
def test_a_certificate_is_of_the_rounded_predictions(dtype):
    model = LinearRegression(dtype=dtype)
    keras.utils.set_random_seed(0)
    try:
        model.fit(X, Y, verbose=0)
    except ConvergenceWarning:  # an error here: too coarse a dtype
        assert dtype != "float32"
    certificate = check_certificate(model, X, Y)
    coarse = certificate["relative_excess_loss"] > 1e-4
    assert certificate["converged"] is not coarse
    assert certificate["stop_reason"] == ("precision" if coarse else "tolerance")
    assert model.predict(X, verbose=0).dtype == model.compute_dtype


@pytest.mark.parametrize("dtype", POLICIES)
def test_targets_too_large_for_the_dtype_cause_a_warning(dtype):
    model = LinearRegression(dtype=dtype)
    with pytest.warns(ConvergenceWarning, match=r'too coarse.*dtype="float64"'):
        model.fit(X, 1e9 + Y, verbose=0)
    certificate = model.certificate
    assert not certificate["converged"]
    assert certificate["stop_reason"] == "precision"
    assert certificate["relative_excess_loss"] > 1e-4


@pytest.mark.parametrize("size", [1e-170, 1e170])
@pytest.mark.parametrize("where", ["x", "y"])
def test_numbers_whose_squares_float64_cannot_hold_are_rejected(size, where):
    x, y = (X * size, Y) if where == "x" else (X, Y * size)
    with pytest.raises(ValueError, match="of magnitudes from 1e-140 to 1e"):
        LinearRegression().fit(x, y, verbose=0)
