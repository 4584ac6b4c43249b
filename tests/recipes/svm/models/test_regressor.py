"""`SupportVectorRegressor` and its ν-variant: right answers on what is known."""

import numpy as np
import pytest
from scipy import sparse

from recipes.svm import NuSupportVectorRegressor, SupportVectorRegressor
from tests.recipes.svm.fitting import (
    assert_optimal_regressor,
    coefficients,
    data,
    fit,
    fit_unfinished,
    matrix,
    scale_gamma,
    targets,
)

TOLERANCE = 1e-4
SETTINGS = {"C": 2.0, "epsilon": 0.2, "tolerance": TOLERANCE}


@pytest.fixture(scope="module")
def rows():
    x, _ = data()
    return x, targets(x)


@pytest.fixture(scope="module")
def fitted(rows):
    return regress(*rows)


def regress(x, y, *, sample_weight=None, start=None, **arguments):
    model = SupportVectorRegressor(**{**SETTINGS, **arguments})
    return fit(
        model, x, y, sample_weight=sample_weight, initial_dual_coefficients=start
    )


def predict(model, x):
    return model(x).numpy()


def assert_same_function(one, other, x, tolerance=TOLERANCE):
    np.testing.assert_allclose(predict(one, x), predict(other, x), atol=2 * tolerance)
    np.testing.assert_allclose(one.bias, other.bias, atol=2 * tolerance)


# ---- answers that are known


def test_two_points():
    """From (−1, −1) to (1, 1): the flattest line that misses neither by more than ε."""
    x = np.array([[-1.0], [1.0]])
    model = regress(x, [-1.0, 1.0], kernel="linear", C=10.0, epsilon=0.5)
    np.testing.assert_allclose(predict(model, x), [[-0.5], [0.5]], atol=1e-6)
    np.testing.assert_allclose(model.dual_coefficients, [[-0.25], [0.25]], atol=1e-6)
    np.testing.assert_allclose(model.bias, [0.0], atol=1e-6)


@pytest.mark.parametrize("epsilon", [0.0, 0.1])
def test_a_constant_target(epsilon):
    x, _ = data()
    model = regress(x, np.full(60, 3.5), epsilon=epsilon)
    np.testing.assert_allclose(predict(model, x), 3.5, atol=epsilon + TOLERANCE)
    assert model.certificate["converged"]
    assert model.certificate["support_vectors"] == 0


def test_a_tube_that_holds_all(rows):
    """No support vector; the bias is the middle of the targets."""
    x, y = rows
    model = regress(x, y, epsilon=10.0)
    assert model.certificate["support_vectors"] == 0
    assert len(model.support_indices) == 0
    np.testing.assert_allclose(predict(model, x), (y.min() + y.max()) / 2, rtol=1e-6)
    assert model.certificate["dual_objective"] == 0


def test_a_straight_line_is_found():
    x = np.linspace(-1, 1, 50, dtype="float32")[:, np.newaxis]
    y = 3 * x[:, 0] - 2
    model = regress(x, y, kernel="linear", C=100.0, epsilon=0.01)
    np.testing.assert_allclose(predict(model, x)[:, 0], y, atol=0.011)


def test_constant_features():
    model = regress(np.ones((5, 2)), [1.0, 2.0, 3.0, 4.0, 100.0], epsilon=0.0)
    np.testing.assert_allclose(predict(model, np.ones((1, 2))), [[3.0]], atol=1e-3)


def test_two_rows_and_more_features_than_rows():
    model = regress(np.eye(2, 5), [0.0, 1.0], epsilon=0.0, C=100.0, gamma=1.0)
    np.testing.assert_allclose(predict(model, np.eye(2, 5)), [[0.0], [1.0]], atol=1e-3)


# ---- optimality


def test_optimal_and_certified(rows, fitted):
    x, y = rows
    K = matrix("rbf", x, gamma=scale_gamma(x))
    assert_optimal_regressor(fitted, K, y, np.full(60, 2.0), 0.2, TOLERANCE)
    certificate = fitted.certificate
    assert certificate["converged"] is True
    assert certificate["stop_reason"] == "tolerance"
    assert (
        0 < certificate["bounded_support_vectors"] < certificate["support_vectors"] < 60
    )


@pytest.mark.parametrize("C", [0.01, 1e5])
def test_optimal_for_every_c(rows, C):
    x, y = rows
    model = regress(x, y, C=C, gamma=1.0, dtype="float64")
    K = matrix("rbf", x, gamma=1.0)
    assert_optimal_regressor(model, K, y, np.full(60, C), 0.2, TOLERANCE)


def test_optimal_where_the_problem_is_large():
    x, _ = data(n=1500)
    y = targets(x)
    model = regress(x, y, gamma=0.5, tolerance=1e-3)
    assert model.certificate["iterations"] > 1
    K = matrix("rbf", x, gamma=0.5)
    assert_optimal_regressor(model, K, y, np.full(1500, 2.0), 0.2, 1e-3)
    again = regress(x, y, gamma=0.5, tolerance=1e-3, start=coefficients(model, 1500))
    assert again.certificate["iterations"] == 1


def test_predictions_by_hand(rows, fitted):
    x, _ = rows
    elsewhere = np.random.default_rng(1).standard_normal((9, 3)).astype("float32")
    K = matrix("rbf", elsewhere, fitted.support_vectors, gamma=scale_gamma(x))
    expected = K @ fitted.dual_coefficients + fitted.bias
    np.testing.assert_allclose(predict(fitted, elsewhere), expected, atol=1e-5)
    predicted = fitted.predict(elsewhere, verbose=0)
    np.testing.assert_allclose(predicted, expected, atol=1e-5)


# ---- invariances and weights


def test_rows_in_another_order(rows, fitted):
    x, y = rows
    order = np.random.default_rng(0).permutation(60)
    assert_same_function(regress(x[order], y[order]), fitted, x)


def test_a_target_that_is_moved_moves_the_bias(rows, fitted):
    x, y = rows
    moved = regress(x, y + 1000)
    np.testing.assert_allclose(moved.bias - 1000, fitted.bias, atol=2 * TOLERANCE)
    np.testing.assert_allclose(
        coefficients(moved, 60), coefficients(fitted, 60), atol=0.02
    )


def test_the_sign_of_the_target_is_that_of_the_function(rows, fitted):
    x, y = rows
    turned = regress(x, -y)
    np.testing.assert_allclose(predict(turned, x), -predict(fitted, x), atol=2e-4)


def test_sparse_is_dense(rows, fitted):
    x, y = rows
    model = regress(sparse.csr_matrix(x), y)
    assert_same_function(model, fitted, x)


@pytest.mark.parametrize("shape", [(60, 1), (60,)])
@pytest.mark.parametrize("dtype", ["float32", "int64"])
def test_targets_of_any_shape_and_type(rows, shape, dtype):
    x, y = rows
    y = np.round(3 * y).astype(dtype)
    model = regress(x, y.reshape(shape))
    K = matrix("rbf", x, gamma=scale_gamma(x))
    assert_optimal_regressor(model, K, y, np.full(60, 2.0), 0.2, TOLERANCE)


def test_weights_are_factors_of_c(rows):
    x, y = rows
    weighted = regress(x, y, sample_weight=np.full(60, 3.0))
    assert_same_function(weighted, regress(x, y, C=6.0), x)


def test_weight_two_is_the_row_twice_and_zero_none(rows):
    x, y = rows
    weight = np.random.default_rng(0).integers(0, 3, 60)
    weighted = regress(x, y, sample_weight=weight, gamma=1.0)
    twice = regress(np.repeat(x, weight, 0), np.repeat(y, weight), gamma=1.0)
    assert_same_function(weighted, twice, x)
    K = matrix("rbf", x)
    assert_optimal_regressor(weighted, K, y, 2.0 * weight, 0.2, TOLERANCE)
    assert not np.isin(np.flatnonzero(weight == 0), weighted.support_indices).any()


def test_too_few_iterations_are_reported(rows):
    x, _ = data(n=1500)
    model = SupportVectorRegressor(C=100.0, gamma=5.0, max_iterations=1)
    model, warning = fit_unfinished(model, x, targets(x))
    assert model.certificate["converged"] is False
    assert model.certificate["stop_reason"] == "max_iterations"
    assert model.certificate["max_kkt_violation"] > 1e-3
    assert "max_iterations" in warning


# ---- the ν-variant


@pytest.mark.parametrize("nu", [0.1, 0.5, 1.0])
def test_nu_bounds_errors_and_support_vectors(rows, nu):
    x, y = rows
    model = fit(NuSupportVectorRegressor(nu=nu, gamma=1.0, tolerance=1e-6), x, y)
    assert model.certificate["converged"]
    beta = coefficients(model, 60)
    assert (abs(beta) <= 1).all()
    assert abs(beta.sum()) <= 1e-9
    assert abs(beta).sum() <= nu * 60 + 1e-9
    assert len(model.support_indices) / 60 >= nu - 1e-9 or nu == 1.0
    # The tube that follows from ν: free support vectors lie on its edge.
    residual = abs(y - predict(model, x)[:, 0])
    free = (beta != 0) & (abs(beta) < 1)
    if free.any():
        epsilon = residual[free].mean()
        np.testing.assert_allclose(residual[free], epsilon, atol=1e-5)
        assert (residual > epsilon + 1e-5).mean() <= nu


def test_nu_is_epsilon_by_another_name(rows):
    x, y = rows
    nu = fit(NuSupportVectorRegressor(C=2.0, nu=0.4, gamma=1.0, tolerance=1e-6), x, y)
    beta = coefficients(nu, 60)
    free = (beta != 0) & (abs(beta) < 2)
    epsilon = abs(y - predict(nu, x)[:, 0])[free].mean()
    same = regress(x, y, gamma=1.0, epsilon=float(epsilon), tolerance=1e-6)
    np.testing.assert_allclose(predict(nu, x), predict(same, x), atol=1e-4)
