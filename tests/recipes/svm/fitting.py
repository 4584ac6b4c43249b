"""Shared by the tests of the models: data, kernels in NumPy, optimality."""

import warnings

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from recipes.errors import ConvergenceWarning
from recipes.svm import SupportVectorClassifier

TOLERANCE = 1e-4  # of the classifiers here


def data(n=60, d=3, seed=0):
    """Draw two overlapping classes in float32, the models' own precision."""
    random = np.random.default_rng(seed)
    x = random.standard_normal((n, d)).astype("float32")
    y = (x[:, 0] + x[:, 1] ** 2 + 0.7 * random.standard_normal(n) > 0.8).astype(int)
    y[:2] = 0, 1
    return x, y


def targets(x, seed=0):
    """Draw a numeric target for the rows."""
    noise = np.random.default_rng(seed).standard_normal(len(x))
    return np.sin(2.0 * x[:, 0]) + 0.3 * noise


def three_classes(n=60, seed=0):
    """Draw three overlapping classes around three centres."""
    random = np.random.default_rng(seed)
    y = np.arange(n) % 3
    centres = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0]])
    return (centres[y] + random.standard_normal((n, 2))).astype("float32"), y


def fit(model, x, y=None, **arguments):
    """Fit the model without a progress bar, and return it."""
    given = (x,) if y is None else (x, y)
    model.fit(*given, verbose=0, **arguments)
    return model


def classify(x, y, *, sample_weight=None, class_weight=None, start=None, **arguments):
    """Fit a new classifier."""
    return fit(
        SupportVectorClassifier(**arguments),
        x,
        y,
        sample_weight=sample_weight,
        class_weight=class_weight,
        initial_dual_coefficients=start,
    )


def decisions(model, x):
    return model.decisions(x).numpy()


def assert_same_function(one, other, x, tolerance=TOLERANCE):
    """Check that two solutions differ by no more than their tolerance allows."""
    np.testing.assert_allclose(
        decisions(one, x), decisions(other, x), atol=2 * tolerance
    )
    np.testing.assert_allclose(one.bias, other.bias, atol=2 * tolerance)


def fit_unfinished(model, x, y=None, **arguments):
    """Fit a model that does not converge; return it and its warning."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        fit(model, x, y, **arguments)
    (warning,) = [w for w in caught if w.category is ConvergenceWarning]
    return model, str(warning.message)


def refused(model, *given, **arguments):
    """Return the one-line message of the error that `fit` raises."""
    with pytest.raises(ValueError) as caught:
        model.fit(*given, verbose=0, **arguments)
    message = str(caught.value)
    assert "\n" not in message
    return message


# ---- the mathematics, in NumPy and float64


def matrix(name, x, z=None, gamma=1.0, degree=3, coef0=0.0):
    """Compute k(x, z) for all pairs, `[a, b]`."""
    x = np.asarray(x, np.float64)
    z = x if z is None else np.asarray(z, np.float64)
    if name == "linear":
        return x @ z.T
    if name == "polynomial":
        return (gamma * (x @ z.T) + coef0) ** degree
    if name == "sigmoid":
        return np.tanh(gamma * (x @ z.T) + coef0)
    if name == "laplacian":
        return np.exp(-gamma * cdist(x, z, "cityblock"))
    return np.exp(-gamma * cdist(x, z, "sqeuclidean"))


def scale_gamma(x):
    """Return the value of `gamma="scale"`."""
    return 1 / (x.shape[1] * np.asarray(x, np.float64).var())


def coefficients(model, n, unit=0):
    """Return β for all training rows, `[n]`."""
    beta = np.zeros(n)
    beta[model.support_indices] = model.dual_coefficients[:, unit]
    return beta


def pair_violation(f, beta, lower, upper):
    """Return max f[may fall] − min f[may rise], or 0."""
    rises, falls = beta < upper, beta > lower
    if not rises.any() or not falls.any():
        return 0.0
    return max(0.0, f[falls].max() - f[rises].min())


def assert_optimal_pair(beta, bias, K, sign, cost, tolerance):
    """Check box, equality, KKT conditions and duality gap of a two-class solution.

    Args:
        beta: β = α·y of each row.
        bias: b.
        K: Kernel matrix of the rows.
        sign: y = ±1.
        cost: C of each row.
        tolerance: The model's.

    Returns:
        The dual and the primal objective.
    """
    alpha = beta * sign
    assert (alpha >= 0).all()
    assert (alpha <= cost).all()
    assert abs(beta.sum()) <= 1e-9 * np.sum(cost)
    f = K @ beta - sign
    lower, upper = np.minimum(0, sign * cost), np.maximum(0, sign * cost)
    assert pair_violation(f, beta, lower, upper) <= tolerance
    # The bias fits: each margin is met, exceeded or violated as its variable implies.
    excess = sign * (K @ beta + bias) - 1
    assert (excess[(alpha == 0) & (cost > 0)] >= -tolerance).all()
    assert (excess[(alpha == cost) & (cost > 0)] <= tolerance).all()
    assert (abs(excess[(alpha > 0) & (alpha < cost)]) <= tolerance).all()
    dual = alpha.sum() - beta @ K @ beta / 2
    primal = beta @ K @ beta / 2 + cost @ np.maximum(0, -excess)
    assert primal >= dual - 1e-9 * abs(dual)
    assert primal - dual <= 2 * tolerance * np.sum(cost)
    return dual, primal


def assert_optimal_classifier(model, K, sign, cost, tolerance):
    """Check the same for a fitted two-class model, and that its certificate agrees."""
    beta = coefficients(model, len(sign))
    dual, primal = assert_optimal_pair(beta, model.bias[0], K, sign, cost, tolerance)
    certificate = model.certificate
    np.testing.assert_allclose(certificate["dual_objective"], dual, rtol=1e-9)
    np.testing.assert_allclose(certificate["primal_objective"], primal, rtol=1e-9)
    assert certificate["duality_gap"] >= 0
    assert certificate["max_kkt_violation"] <= tolerance
    assert certificate["support_vectors"] == np.count_nonzero(beta)
    bounded = (abs(beta) == cost) & (cost > 0)
    assert certificate["bounded_support_vectors"] == np.count_nonzero(bounded)
    return dual


def assert_optimal_regressor(model, K, y, cost, epsilon, tolerance):
    """Check the same for ε-SVR, and return the dual objective."""
    beta, bias = coefficients(model, len(y)), model.bias[0]
    assert (abs(beta) <= cost).all()
    assert abs(beta.sum()) <= 1e-9 * np.sum(cost)
    # Each row has two variables, one of which is zero at the optimum.
    above, below = np.maximum(beta, 0), np.minimum(beta, 0)
    f = K @ beta - y
    zero = np.zeros_like(beta)
    assert (
        pair_violation(
            np.concatenate([f + epsilon, f - epsilon]),
            np.concatenate([above, below]),
            np.concatenate([zero, -cost]),
            np.concatenate([cost, zero]),
        )
        <= tolerance
    )
    residual = y - K @ beta - bias
    dual = y @ beta - epsilon * abs(beta).sum() - beta @ K @ beta / 2
    primal = beta @ K @ beta / 2 + cost @ np.maximum(0, abs(residual) - epsilon)
    assert primal >= dual - 1e-9 * abs(dual)
    assert primal - dual <= 4 * tolerance * np.sum(cost)
    certificate = model.certificate
    np.testing.assert_allclose(certificate["dual_objective"], dual, rtol=1e-9)
    np.testing.assert_allclose(certificate["primal_objective"], primal, rtol=1e-9)
    assert certificate["duality_gap"] >= 0
    assert certificate["max_kkt_violation"] <= tolerance
    return dual


# ---- saving


def save(model, path):
    """Save the model; NumPy 2 warns about how Keras passes weights to h5py."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "__array__ implementation")
        model.save(path)
