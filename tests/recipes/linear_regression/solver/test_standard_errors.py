"""`standard_errors`: the classical formulas on the original rows."""

import numpy as np
import pytest
import scipy.stats
from sklearn.datasets import load_diabetes

from recipes.linear_regression.solver import closed_form, row_sums, standard_errors
from recipes.linear_regression.solver.coordinates import Coordinates
from tests.recipes.linear_regression import reference


def estimates_of(x, y, *, l2=0.0, penalised=False, weighted=False, moments=True):
    """Standardise, fit and convert to the columns of `x`, as the recipe does."""
    center, scale = x.mean(0), x.std(0)
    scale = np.where(scale > 0, scale, 1)
    z = (x - center) / scale
    taken = row_sums.compute_moments([(z, y)]) if moments else None
    curvature = (
        closed_form.compute_curvature(taken, l2, Coordinates.standardised(taken))
        if moments
        else None
    )
    theta = reference.closed_form(z, y, l2=l2)
    return standard_errors.estimate_coefficients(
        theta,
        reference.smooth_loss(theta, z, y),
        taken,
        curvature,
        center,
        scale,
        penalised=penalised,
        weighted=weighted,
    )


def rows_in_odd_units(n=50):
    random = np.random.default_rng(0)
    x = random.standard_normal((n, 3)) * [1e-3, 1.0, 1e4] + [5.0, -2.0, 1e5]
    x[:, 1] += 1e-4 * x[:, 2]
    return x, x @ [100.0, 2.0, 1e-3] + random.standard_normal(n)


def test_estimates_errors_and_intervals_of_raw_columns():
    x, y = rows_in_odd_units()
    found = estimates_of(x, y)
    value, error = reference.least_squares_errors(x, y)
    np.testing.assert_allclose(found.value, value, rtol=1e-6)
    np.testing.assert_allclose(found.standard_error, error, rtol=1e-6)
    quantile = scipy.stats.t.ppf(0.975, 50 - 4)
    np.testing.assert_allclose(found.half_width, quantile * error, rtol=1e-6)
    assert found.no_errors == ""


def test_diabetes():
    x, y = load_diabetes(return_X_y=True, scaled=False)
    found = estimates_of(x, y)
    value, error = reference.least_squares_errors(x, y)
    np.testing.assert_allclose(found.value, value, rtol=1e-8)
    np.testing.assert_allclose(found.standard_error, error, rtol=1e-8)


def test_one_column_matches_linregress():
    x, y = rows_in_odd_units()
    expected = scipy.stats.linregress(x[:, 2], y)
    found = estimates_of(x[:, 2:], y)
    np.testing.assert_allclose(found.value, [expected.intercept, expected.slope])
    np.testing.assert_allclose(
        found.standard_error, [expected.intercept_stderr, expected.stderr]
    )


def test_intervals_have_their_nominal_coverage():
    """95 % ± 3.3 % (three deviations) of 400 intervals for each of 3 coefficients."""
    random = np.random.default_rng(0)
    x, truth = random.uniform(0, 5, (12, 2)), np.array([1.0, -2.0, 3.0])
    hits = 0
    for _ in range(400):
        y = truth[0] + x @ truth[1:] + random.standard_normal(12)
        found = estimates_of(x, y)
        hits += np.abs(found.value - truth) <= found.half_width
    assert (np.abs(hits / 400 - 0.95) < 0.033).all()


def test_in_original_units_predicts_the_same():
    theta, center, scale = np.array([2.0, -3.0, 5.0]), np.array([1.0, 10]), [0.5, 4.0]
    x = np.array([[0.0, 1.0], [7.0, -2.0]])
    value = standard_errors.to_original_units(theta, center, np.array(scale))
    np.testing.assert_allclose(
        value[0] + x @ value[1:], (x - center) / scale @ theta[:-1] + theta[-1]
    )


TWICE = np.repeat(rows_in_odd_units()[0][:, :1], 2, axis=1)


@pytest.mark.parametrize(
    ("x", "arguments", "reason"),
    [
        (None, {"penalised": True, "l2": 0.1}, "a penalty biases the estimates"),
        (TWICE, {}, "the columns are linearly dependent"),
        (None, {"moments": False}, "there are too many columns"),
        (None, {"weighted": True}, "the rows have weights"),
    ],
    ids=["penalty", "rank", "no moments", "weights"],
)
def test_no_errors_is_explained(x, arguments, reason):
    raw, y = rows_in_odd_units()
    found = estimates_of(raw if x is None else x, y, **arguments)
    assert found.no_errors == reason
    assert np.isnan(found.standard_error).all()
    assert np.isnan(found.half_width).all()
    assert np.isfinite(found.value).all()


@pytest.mark.parametrize("n", [2, 3, 4])
def test_no_errors_without_more_rows_than_coefficients(n):
    x, y = rows_in_odd_units(n)
    found = estimates_of(x, y)
    assert found.no_errors
    assert np.isnan(found.standard_error).all()


def test_errors_with_one_row_more_than_coefficients():
    x, y = rows_in_odd_units(5)
    found = estimates_of(x, y)
    _, error = reference.least_squares_errors((x - x.mean(0)) / x.std(0), y)
    np.testing.assert_allclose(found.standard_error[1:] * x.std(0), error[1:])
    assert found.no_errors == ""
