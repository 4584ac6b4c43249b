"""`SupportVectorClassifier`: right answers on what is known, weights, invariances."""

import numpy as np
import pytest
from scipy import sparse

from tests.recipes.svm.fitting import (
    TOLERANCE,
    assert_optimal_classifier,
    assert_same_function,
    classify,
    data,
    decisions,
    matrix,
    scale_gamma,
)


@pytest.fixture(scope="module")
def rows():
    return data()


@pytest.fixture(scope="module")
def fitted(rows):
    return classify(*rows, tolerance=TOLERANCE)


# ---- answers that are known


def test_two_points():
    """f(±1) = ±1 by β = ±½: the widest margin between 1 and −1."""
    model = classify(np.array([[1.0], [-1.0]]), [1, -1], kernel="linear", C=10.0)
    np.testing.assert_allclose(model.dual_coefficients, [[0.5], [-0.5]], rtol=1e-6)
    np.testing.assert_allclose(model.bias, [0.0], atol=1e-6)
    np.testing.assert_array_equal(model.support_indices, [0, 1])
    np.testing.assert_allclose(decisions(model, np.array([[3.0]])), [[3.0]], rtol=1e-6)
    assert model.certificate["dual_objective"] == pytest.approx(0.5)
    assert model.certificate["duality_gap"] == pytest.approx(0, abs=1e-6)


def test_two_points_that_the_bound_holds_back():
    model = classify(np.array([[1.0], [-1.0]]), [1, -1], kernel="linear", C=0.25)
    np.testing.assert_array_equal(model.dual_coefficients, [[0.25], [-0.25]])
    np.testing.assert_allclose(model.bias, [0.0], atol=1e-6)
    assert model.certificate["bounded_support_vectors"] == 2
    assert model.certificate["converged"]


def test_exclusive_or():
    """No line parts them. By symmetry all α are 1 / (1 − e^−γ)² and b is 0."""
    x = np.array([[0.0, 0.0], [1.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    model = classify(x, [0, 0, 1, 1], gamma=2.0, C=100.0, tolerance=1e-6)
    alpha = 1 / (1 - np.exp(-2.0)) ** 2
    expected = alpha * np.array([[-1], [-1], [1], [1]])
    np.testing.assert_allclose(model.dual_coefficients, expected, rtol=1e-5)
    np.testing.assert_allclose(model.bias, [0.0], atol=1e-6)
    np.testing.assert_allclose(decisions(model, x), [[-1], [-1], [1], [1]], rtol=1e-5)


def test_everything_at_its_bound():
    """Equal rows of two classes: every α is C, f is 0 everywhere."""
    model = classify(np.ones((6, 2)), [0, 1] * 3, C=0.5)
    np.testing.assert_array_equal(abs(model.dual_coefficients), 0.5)
    assert model.certificate["bounded_support_vectors"] == 6
    assert model.certificate["converged"]
    np.testing.assert_allclose(decisions(model, np.ones((1, 2))), [[0.0]], atol=1e-6)


def test_rows_that_are_the_same_have_no_curvature(rows):
    x, y = rows
    model = classify(np.repeat(x, 2, 0), np.repeat(y, 2), tolerance=TOLERANCE)
    other = classify(x, y, C=2.0, tolerance=TOLERANCE)
    double = np.repeat(np.arange(len(x)), 2)
    K = matrix("rbf", x, gamma=scale_gamma(x))[np.ix_(double, double)]
    sign = 2.0 * np.repeat(y, 2) - 1
    assert_optimal_classifier(model, K, sign, np.ones(120), TOLERANCE)
    assert_same_function(model, other, x)


@pytest.mark.parametrize("C", [1.0, 1e6])
def test_optimal_even_for_a_very_large_c(rows, C):
    x, y = rows
    model = classify(x, y, C=C, gamma=1.0, tolerance=TOLERANCE, dtype="float64")
    K = matrix("rbf", x, gamma=1.0)
    assert_optimal_classifier(model, K, 2.0 * y - 1, np.full(60, C), TOLERANCE)
    if C > 1:
        assert (model.predict_classes(x, verbose=0) == y).all()


def test_one_feature_and_constant_ones(rows):
    x, y = rows
    one = classify(x[:, :1], y, gamma=1.0, tolerance=TOLERANCE)
    K = matrix("rbf", x[:, :1])
    assert_optimal_classifier(one, K, 2.0 * y - 1, np.ones(60), TOLERANCE)
    padded = np.column_stack([np.full(60, 7.0), x[:, 0], np.zeros(60)])
    same = classify(padded, y, gamma=1.0, tolerance=TOLERANCE)
    np.testing.assert_allclose(
        decisions(same, padded), decisions(one, x[:, :1]), atol=2 * TOLERANCE
    )


def test_nothing_but_constant_features():
    """γ has no variance to go by; the larger class wins everywhere."""
    model = classify(np.full((5, 2), 3.0), [0, 1, 1, 1, 0])
    assert model.certificate["converged"]
    assert (decisions(model, np.full((2, 2), 3.0)) > 0).all()


# ---- what the numbers mean


def test_the_decision_function_by_hand(rows, fitted):
    x, _ = rows
    elsewhere = np.random.default_rng(1).standard_normal((9, 3)).astype("float32")
    K = matrix("rbf", elsewhere, fitted.support_vectors, gamma=scale_gamma(x))
    expected = K @ fitted.dual_coefficients + fitted.bias
    np.testing.assert_allclose(decisions(fitted, elsewhere), expected, atol=1e-5)
    np.testing.assert_array_equal(fitted.support_vectors, x[fitted.support_indices])
    assert fitted.dual_coefficients.dtype == np.float64
    assert (fitted.dual_coefficients != 0).all()
    assert (np.diff(fitted.support_indices) > 0).all()


def test_optimal_and_certified(rows, fitted):
    x, y = rows
    K = matrix("rbf", x, gamma=scale_gamma(x))
    assert_optimal_classifier(fitted, K, 2.0 * y - 1, np.ones(60), TOLERANCE)
    certificate = fitted.certificate
    assert certificate["converged"] is True
    assert certificate["stop_reason"] == "tolerance"
    assert certificate["relative_duality_gap"] == pytest.approx(
        certificate["duality_gap"] / certificate["primal_objective"]
    )
    assert certificate["problems"] == 1
    assert certificate["iterations"] == len(fitted.traces[0].dual_objective)


def test_the_trace_rises():
    model = classify(*data(n=2100), gamma=5.0, tolerance=TOLERANCE)
    (trace,) = model.traces
    assert len(trace.dual_objective) > 2
    assert (np.diff(trace.dual_objective) >= -1e-9).all()
    assert (trace.duality_gap >= 0).all()
    assert (trace.max_kkt_violation >= 0).all()


@pytest.mark.parametrize(("gamma", "value"), [("scale", None), ("auto", 1 / 3)])
def test_gamma_by_name(rows, gamma, value):
    x, y = rows
    named = classify(x, y, gamma=gamma, tolerance=TOLERANCE)
    number = classify(x, y, gamma=value or scale_gamma(x), tolerance=TOLERANCE)
    np.testing.assert_allclose(decisions(named, x), decisions(number, x), atol=1e-5)


def test_the_score_is_positive_for_the_greater_label(rows, fitted):
    """And the bias goes with it: it is −rho of LIBSVM, scikit-learn's intercept."""
    x, y = rows
    turned = classify(x, 1 - y, tolerance=TOLERANCE)
    np.testing.assert_allclose(decisions(turned, x), -decisions(fitted, x), atol=2e-4)
    np.testing.assert_allclose(turned.bias, -fitted.bias, atol=2 * TOLERANCE)
    right = (decisions(fitted, x)[:, 0] > 0) == (y == 1)
    assert right.mean() > 0.8


@pytest.mark.parametrize("labels", [["no", "yes"], [-7, 40], [2.0, 3.0], [False, True]])
def test_labels_of_any_kind_in_ascending_order(rows, fitted, labels):
    x, y = rows
    given = np.array(labels)[y]
    if isinstance(labels[0], str):
        given = given.tolist()
    model = classify(x, given, tolerance=TOLERANCE)
    np.testing.assert_array_equal(model.classes, labels)
    np.testing.assert_array_equal(decisions(model, x), decisions(fitted, x))
    found = model.predict_classes(x, verbose=0)
    second = (decisions(fitted, x)[:, 0] > 0).astype(int)
    np.testing.assert_array_equal(found, np.array(labels)[second])


# ---- invariances


def test_rows_in_another_order(rows, fitted):
    x, y = rows
    order = np.random.default_rng(0).permutation(60)
    assert_same_function(classify(x[order], y[order], tolerance=TOLERANCE), fitted, x)


def test_sparse_is_dense(rows, fitted):
    x, y = rows
    model = classify(sparse.csr_array(x), y, tolerance=TOLERANCE)
    assert_same_function(model, fitted, x)


def test_twice_the_same_to_the_bit(rows, fitted):
    again = classify(*rows, tolerance=TOLERANCE)
    np.testing.assert_array_equal(again.dual_coefficients, fitted.dual_coefficients)
    np.testing.assert_array_equal(again.bias, fitted.bias)
    assert again.certificate == fitted.certificate


# ---- weights


def test_weights_are_factors_of_c(rows):
    x, y = rows
    weighted = classify(x, y, sample_weight=np.full(60, 3.0), tolerance=TOLERANCE)
    assert_same_function(weighted, classify(x, y, C=3.0, tolerance=TOLERANCE), x)


def test_weight_two_is_the_row_twice_and_zero_none(rows):
    x, y = rows
    weight = np.random.default_rng(0).integers(0, 3, 60)
    weighted = classify(x, y, sample_weight=weight, gamma=1.0, tolerance=TOLERANCE)
    twice = classify(
        np.repeat(x, weight, 0), np.repeat(y, weight), gamma=1.0, tolerance=TOLERANCE
    )
    assert_same_function(weighted, twice, x)
    assert not np.isin(np.flatnonzero(weight == 0), weighted.support_indices).any()
    K = matrix("rbf", x)
    assert_optimal_classifier(weighted, K, 2.0 * y - 1, weight, TOLERANCE)


def test_class_weights_are_the_weights_of_their_rows(rows):
    x, y = rows
    by_class = classify(x, y, class_weight={0: 4.0, 1: 0.5}, tolerance=TOLERANCE)
    by_row = classify(
        x, y, sample_weight=np.where(y == 0, 4.0, 0.5), tolerance=TOLERANCE
    )
    assert_same_function(by_class, by_row, x)
    plain = classify(x, y, tolerance=TOLERANCE)
    assert decisions(by_class, x).mean() < decisions(plain, x).mean()


def test_balanced_class_weights(rows):
    x, y = rows
    balanced = classify(x, y, class_weight="balanced", tolerance=TOLERANCE)
    counts = np.bincount(y)
    by_hand = classify(
        x, y, class_weight=dict(enumerate(30 / counts)), tolerance=TOLERANCE
    )
    assert_same_function(balanced, by_hand, x)


def test_class_weights_and_row_weights_multiply(rows):
    x, y = rows
    weight = np.random.default_rng(0).uniform(0.1, 2, 60)
    both = classify(
        x, y, sample_weight=weight, class_weight={1: 3.0}, tolerance=TOLERANCE
    )
    cost = weight * np.where(y == 1, 3, 1)
    K = matrix("rbf", x, gamma=scale_gamma(x))
    assert_optimal_classifier(both, K, 2.0 * y - 1, cost, TOLERANCE)
