"""`SupportVectorClassifier` and its ν-variant: right answers on what is known."""

import numpy as np
import pytest
from scipy import sparse

from recipes.svm import NuSupportVectorClassifier, SupportVectorClassifier
from tests.svm.fitting import (
    assert_optimal_classifier,
    assert_optimal_pair,
    classify,
    coefficients,
    data,
    fit,
    fit_unfinished,
    matrix,
    pair_violation,
    scale_gamma,
    three_classes,
)

TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def rows():
    return data()


@pytest.fixture(scope="module")
def fitted(rows):
    return classify(*rows, tolerance=TOLERANCE)


def decisions(model, x):
    return model.decisions(x).numpy()


def assert_same_function(one, other, x, tolerance=TOLERANCE):
    """Two solutions are as far apart as their tolerance lets them."""
    np.testing.assert_allclose(
        decisions(one, x), decisions(other, x), atol=2 * tolerance
    )
    np.testing.assert_allclose(one.bias, other.bias, atol=2 * tolerance)


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
    told = fitted.certificate
    assert told["converged"] is True
    assert told["stop_reason"] == "tolerance"
    assert told["relative_duality_gap"] == pytest.approx(
        told["duality_gap"] / told["primal_objective"]
    )
    assert told["problems"] == 1
    assert told["iterations"] == len(fitted.traces[0].dual_objective)


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
    np.testing.assert_array_equal(decisions(model, x), decisions(fitted, x))


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


# ---- several classes


@pytest.mark.parametrize("multiclass", ["one_vs_one", "one_vs_rest"])
def test_several_classes_are_their_problems(multiclass):
    x, y = three_classes()
    weight = np.random.default_rng(0).uniform(0.5, 2, 60)
    model = classify(
        x,
        y,
        sample_weight=weight,
        multiclass=multiclass,
        gamma=1.0,
        tolerance=TOLERANCE,
    )
    K = matrix("rbf", x)
    assert model.dual_coefficients.shape == (len(model.support_indices), 3)
    assert model.bias.shape == (3,)
    pairs = [(0, 1), (0, 2), (1, 2)]
    duals = []
    for unit in range(3):
        beta, mine, positive = coefficients(model, 60, unit), slice(None), y == unit
        if multiclass == "one_vs_one":
            among = np.isin(y, pairs[unit])
            assert not beta[~among].any()
            mine, positive = np.flatnonzero(among), y == pairs[unit][1]
        sign = np.where(positive, 1.0, -1.0)[mine]
        dual, _ = assert_optimal_pair(
            beta[mine],
            model.bias[unit],
            K[mine][:, mine],
            sign,
            weight[mine],
            TOLERANCE,
        )
        duals.append(dual)
    told = model.certificate
    assert told["dual_objective"] == pytest.approx(sum(duals), rel=1e-9)
    assert told["problems"] == len(model.traces) == 3
    assert told["support_vectors"] == len(model.support_indices)
    scores = model.predict(x, verbose=0)
    assert scores.shape == (60, 3)
    found = model.predict_classes(x, verbose=0)
    np.testing.assert_array_equal(found, scores.argmax(axis=1))
    assert (found == y).mean() > 0.7


def test_pairs_vote():
    """Two votes beat one, whatever the decisions' size."""
    x, y = three_classes()
    model = classify(x, y, gamma=1.0)
    pairs = decisions(model, x)
    votes = np.zeros((60, 3))
    for k, (a, b) in enumerate([(0, 1), (0, 2), (1, 2)]):
        votes[np.arange(60), np.where(pairs[:, k] > 0, b, a)] += 1
    clear = votes.max(axis=1) == 2
    found = model.predict_classes(x, verbose=0)
    assert clear.sum() > 50
    np.testing.assert_array_equal(found[clear], votes.argmax(axis=1)[clear])


def test_a_class_of_two_rows_beside_large_ones():
    x, y = three_classes()
    y[6:] = np.where(y[6:] == 2, 0, y[6:])
    model = classify(x, np.array(["a", "b", "c"])[y], gamma=1.0, tolerance=TOLERANCE)
    K = matrix("rbf", x)
    for unit, pair in enumerate([(0, 1), (0, 2), (1, 2)]):
        mine = np.flatnonzero(np.isin(y, pair))
        beta = coefficients(model, 60, unit)[mine]
        sign = np.where(y[mine] == pair[1], 1.0, -1.0)
        assert_optimal_pair(
            beta,
            model.bias[unit],
            K[np.ix_(mine, mine)],
            sign,
            np.ones(len(mine)),
            TOLERANCE,
        )


# ---- fitting again


def test_fitting_again_starts_afresh(rows, fitted):
    x, y = rows
    model = classify(x[:30], y[:30], tolerance=TOLERANCE)
    few = len(model.support_indices)
    fit(model, x, y)
    assert len(model.support_indices) > few
    np.testing.assert_array_equal(model.dual_coefficients, fitted.dual_coefficients)
    fit(model, x[:30, :2], y[:30])  # fewer of everything
    assert model.support_vectors.shape == (len(model.support_indices), 2)
    assert model.predict(x[:, :2], verbose=0).shape == (60, 1)
    x, y = three_classes()
    fit(model, x, y)
    assert model.predict(x, verbose=0).shape == (60, 3)


def test_from_the_solution_one_iteration_is_enough():
    """One that finds nothing to do; of the kind for large problems."""
    x, y = data(n=2100)
    settings = {"gamma": 0.5, "tolerance": 1e-3}
    model = classify(x, y, **settings)
    assert model.certificate["iterations"] > 1
    again = classify(x, y, start=coefficients(model, 2100), **settings)
    assert again.certificate["iterations"] == 1
    assert again.certificate["converged"]
    np.testing.assert_array_equal(again.dual_coefficients, model.dual_coefficients)
    K = matrix("rbf", x, gamma=0.5)
    assert_optimal_classifier(again, K, 2.0 * y - 1, np.ones(2100), 1e-3)


def test_from_the_solution_of_several_classes():
    x, y = three_classes()
    model = classify(x, y, gamma=1.0)
    start = np.column_stack([coefficients(model, 60, unit) for unit in range(3)])
    again = classify(x, y, gamma=1.0, start=start)
    assert again.certificate["two_variable_steps"] == 0
    np.testing.assert_array_equal(again.dual_coefficients, model.dual_coefficients)


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (np.zeros(59), r"should have shape \[60, 1\]"),
        (np.full(60, 0.1), "meet the problem's constraints"),
        (np.full(60, np.nan), "meet the problem's constraints"),
    ],
)
def test_starts_that_are_none_are_refused(rows, start, message):
    with pytest.raises(ValueError, match=message):
        classify(*rows, start=start)


# ---- not converged


def test_too_few_iterations_are_told():
    x, y = data(n=2100)
    model = SupportVectorClassifier(C=100.0, gamma=5.0, max_iterations=1)
    model, warning = fit_unfinished(model, x, y)
    told = model.certificate
    assert told["converged"] is False
    assert told["stop_reason"] == "max_iterations"
    assert told["iterations"] == 1
    assert "max_iterations" in warning
    assert "scale" not in warning
    beta, sign = coefficients(model, 2100), 2.0 * y - 1
    K = matrix("rbf", x, gamma=5.0)
    violation = pair_violation(
        K @ beta - sign, beta, np.minimum(0, 100 * sign), np.maximum(0, 100 * sign)
    )
    assert violation > 1e-3
    assert told["max_kkt_violation"] == pytest.approx(violation, rel=1e-6)


def test_bad_scaling_is_named():
    x, y = data(n=2100)
    x = x * np.float32([1, 1000, 1])
    model = SupportVectorClassifier(C=100.0, gamma=0.1, max_iterations=1)
    _, warning = fit_unfinished(model, x, y)
    assert "standard deviations run from" in warning
    assert "scale them" in warning


# ---- the ν-variant


def test_nu_bounds_errors_and_support_vectors(rows):
    x, y = rows
    for nu in (0.2, 0.6):
        model = fit(NuSupportVectorClassifier(nu=nu, gamma=1.0, tolerance=1e-6), x, y)
        assert len(model.support_indices) / 60 >= nu - 1e-9
        margin = (2 * y - 1) * decisions(model, x)[:, 0]
        assert (margin < 1 - 1e-4).mean() <= nu
        assert model.certificate["converged"]


def test_nu_is_c_by_another_name(rows):
    """With C = 1/ρ of the ν-machine both have one decision function."""
    x, y = rows
    nu = fit(NuSupportVectorClassifier(nu=0.4, gamma=1.0, tolerance=1e-7), x, y)
    C = abs(nu.dual_coefficients).max()
    same = classify(x, y, gamma=1.0, C=C, tolerance=1e-6)
    np.testing.assert_allclose(decisions(nu, x), decisions(same, x), atol=1e-4)
    K = matrix("rbf", x)
    beta = coefficients(nu, 60)
    assert_optimal_pair(beta, nu.bias[0], K, 2.0 * y - 1, np.full(60, C), 1e-4)


def test_nu_that_cannot_be(rows):
    x, y = rows
    y = np.where(np.arange(60) < 6, 1, 0)
    with pytest.raises(ValueError, match=r"`nu` should be at most 0\.2"):
        NuSupportVectorClassifier(nu=0.5).fit(x, y, verbose=0)
    model = fit(NuSupportVectorClassifier(nu=0.2, gamma=1.0), x, y)
    assert model.certificate["converged"]
