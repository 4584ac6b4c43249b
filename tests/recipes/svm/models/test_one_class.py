"""`OneClassSupportVectorMachine`: where the rows are."""

import numpy as np
import pytest

from recipes.svm import OneClassSupportVectorMachine
from tests.recipes.svm.fitting import coefficients, data, fit, matrix, pair_violation

TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def x():
    return data()[0]


@pytest.fixture(scope="module")
def fitted(x):
    return describe(x)


def describe(x, *, sample_weight=None, start=None, **arguments):
    settings = {"nu": 0.3, "gamma": 0.5, "tolerance": TOLERANCE, **arguments}
    model = OneClassSupportVectorMachine(**settings)
    return fit(model, x, sample_weight=sample_weight, initial_dual_coefficients=start)


def scores(model, x):
    return model(x).numpy()[:, 0]


def assert_optimal(model, K, weight, nu):
    beta = coefficients(model, len(weight))
    assert (beta >= 0).all()
    assert (beta <= weight).all()
    assert beta.sum() == pytest.approx(nu * weight.sum(), rel=1e-9)
    f = K @ beta
    assert pair_violation(f, beta, np.zeros(len(beta)), weight) <= TOLERANCE
    inside = f + model.bias[0]
    assert (inside[(beta == 0) & (weight > 0)] >= -TOLERANCE).all()
    assert (inside[(beta == weight) & (weight > 0)] <= TOLERANCE).all()
    certificate = model.certificate
    assert certificate["dual_objective"] == pytest.approx(
        -beta @ K @ beta / 2, rel=1e-9
    )
    assert certificate["duality_gap"] >= 0
    assert certificate["converged"] is True


@pytest.mark.parametrize("nu", [0.05, 0.5, 1.0])
def test_optimal_and_as_nu_says(x, nu):
    model = describe(x, nu=nu)
    assert_optimal(model, matrix("rbf", x, gamma=0.5), np.ones(60), nu)
    assert (scores(model, x) < -1e-4).mean() <= nu
    assert len(model.support_indices) / 60 >= nu - 1e-9


def test_inside_is_positive_and_outside_negative(x, fitted):
    assert scores(fitted, x).mean() > 0
    assert scores(fitted, np.zeros((1, 3), "float32")) > 0
    assert scores(fitted, np.full((1, 3), 9.0, "float32")) < 0


def test_the_score_by_hand(x, fitted):
    K = matrix("rbf", x, fitted.support_vectors, gamma=0.5)
    expected = K @ fitted.dual_coefficients + fitted.bias
    np.testing.assert_allclose(fitted.predict(x, verbose=0), expected, atol=1e-5)


def test_two_rows():
    """By symmetry both have a weight of one half of ν·2."""
    model = describe(np.array([[0.0], [1.0]]), nu=0.5)
    np.testing.assert_allclose(model.dual_coefficients, [[0.5], [0.5]], atol=1e-5)
    np.testing.assert_allclose(model.bias, [-(1 + np.exp(-0.5)) / 2], atol=1e-5)


def test_weight_two_is_the_row_twice_and_zero_none(x):
    weight = np.random.default_rng(0).integers(0, 3, 60)
    weighted = describe(x, sample_weight=weight)
    twice = describe(np.repeat(x, weight, 0))
    np.testing.assert_allclose(scores(weighted, x), scores(twice, x), atol=1e-4)
    assert_optimal(weighted, matrix("rbf", x, gamma=0.5), weight, 0.3)


def test_rows_in_another_order(x, fitted):
    order = np.random.default_rng(0).permutation(60)
    other = describe(x[order])
    np.testing.assert_allclose(scores(other, x), scores(fitted, x), atol=1e-4)


def test_from_the_solution_nothing_is_to_do(x, fitted):
    again = describe(x, start=coefficients(fitted, 60))
    assert again.certificate["two_variable_steps"] == 0
    np.testing.assert_array_equal(again.dual_coefficients, fitted.dual_coefficients)


def test_a_start_of_another_sum_is_refused(x):
    with pytest.raises(ValueError, match="their sum as required"):
        describe(x, start=np.zeros(60))


def test_many_rows():
    """More than fit one working set; its start has a sum from the first."""
    x, _ = data(n=2100)
    model = describe(x, nu=0.1)
    assert model.certificate["iterations"] > 1
    assert_optimal(model, matrix("rbf", x, gamma=0.5), np.ones(2100), 0.1)
