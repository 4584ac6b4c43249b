"""`SupportVectorClassifier`: several classes, further fits, and the ν-variant."""

import numpy as np
import pytest

from recipes.svm import NuSupportVectorClassifier, SupportVectorClassifier
from tests.recipes.svm.fitting import (
    TOLERANCE,
    assert_optimal_classifier,
    assert_optimal_pair,
    classify,
    coefficients,
    data,
    decisions,
    fit,
    fit_unfinished,
    matrix,
    pair_violation,
    three_classes,
)


@pytest.fixture(scope="module")
def rows():
    return data()


@pytest.fixture(scope="module")
def fitted(rows):
    return classify(*rows, tolerance=TOLERANCE)


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
    certificate = model.certificate
    assert certificate["dual_objective"] == pytest.approx(sum(duals), rel=1e-9)
    assert certificate["problems"] == len(model.traces) == 3
    assert certificate["support_vectors"] == len(model.support_indices)
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
        (np.full(60, 0.1), "satisfy the problem's constraints"),
        (np.full(60, np.nan), "satisfy the problem's constraints"),
    ],
)
def test_starts_that_are_none_are_refused(rows, start, message):
    with pytest.raises(ValueError, match=message):
        classify(*rows, start=start)


# ---- not converged


def test_too_few_iterations_are_reported():
    x, y = data(n=2100)
    model = SupportVectorClassifier(C=100.0, gamma=5.0, max_iterations=1)
    model, warning = fit_unfinished(model, x, y)
    certificate = model.certificate
    assert certificate["converged"] is False
    assert certificate["stop_reason"] == "max_iterations"
    assert certificate["iterations"] == 1
    assert "max_iterations" in warning
    assert "scale" not in warning
    beta, sign = coefficients(model, 2100), 2.0 * y - 1
    f = decisions(model, x)[:, 0].astype("float64") - sign
    violation = pair_violation(
        f, beta, np.minimum(0, 100 * sign), np.maximum(0, 100 * sign)
    )
    assert violation > 1e-3
    assert certificate["max_kkt_violation"] == pytest.approx(violation, rel=1e-6)


def test_bad_scaling_is_named():
    x, y = data(n=2100)
    x = x * np.float32([1, 1000, 1])
    model = SupportVectorClassifier(C=100.0, gamma=0.1, max_iterations=1)
    _, warning = fit_unfinished(model, x, y)
    assert "standard deviations range from" in warning
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
