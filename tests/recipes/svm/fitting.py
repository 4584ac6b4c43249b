"""What the tests of the machines share: data, kernels in numpy, optimality."""

import warnings

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from recipes.errors import ConvergenceWarning
from recipes.svm import SupportVectorClassifier

TOLERANCE = 1e-4  # of the classifiers here


def data(n=60, d=3, seed=0):
    """Two classes that overlap, float32: what the machines compute with."""
    random = np.random.default_rng(seed)
    x = random.standard_normal((n, d)).astype("float32")
    y = (x[:, 0] + x[:, 1] ** 2 + 0.7 * random.standard_normal(n) > 0.8).astype(int)
    y[:2] = 0, 1
    return x, y


def targets(x, seed=0):
    """Numbers to predict from rows."""
    noise = np.random.default_rng(seed).standard_normal(len(x))
    return np.sin(2.0 * x[:, 0]) + 0.3 * noise


def three_classes(n=60, seed=0):
    """Three classes around three centres, that overlap."""
    random = np.random.default_rng(seed)
    y = np.arange(n) % 3
    centres = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0]])
    return (centres[y] + random.standard_normal((n, 2))).astype("float32"), y


def fit(model, x, y=None, **arguments):
    """The model, fitted with no warning and no bar."""
    given = (x,) if y is None else (x, y)
    model.fit(*given, verbose=0, **arguments)
    return model


def classify(x, y, *, sample_weight=None, class_weight=None, start=None, **arguments):
    """A new classifier, fitted."""
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
    """Two solutions are as far apart as their tolerance lets them."""
    np.testing.assert_allclose(
        decisions(one, x), decisions(other, x), atol=2 * tolerance
    )
    np.testing.assert_allclose(one.bias, other.bias, atol=2 * tolerance)


def fit_unfinished(model, x, y=None, **arguments):
    """The model, fitted as far as it came, and what it said about that."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        fit(model, x, y, **arguments)
    (warning,) = [w for w in caught if w.category is ConvergenceWarning]
    return model, str(warning.message)


def refused(model, *given, **arguments):
    """The message, one line, with which `fit` refuses."""
    with pytest.raises(ValueError) as caught:
        model.fit(*given, verbose=0, **arguments)
    message = str(caught.value)
    assert "\n" not in message
    return message


# ---- the mathematics, in numpy and float64


def matrix(name, x, z=None, gamma=1.0, degree=3, coef0=0.0):
    """k(x, z) of all pairs, `[a, b]`."""
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
    """What `gamma="scale"` stands for."""
    return 1 / (x.shape[1] * np.asarray(x, np.float64).var())


def coefficients(model, n, unit=0):
    """β of all training rows, `[n]`."""
    beta = np.zeros(n)
    beta[model.support_indices] = model.dual_coefficients[:, unit]
    return beta


def pair_violation(f, beta, lower, upper):
    """max f of what may fall − min f of what may rise, or 0."""
    rises, falls = beta < upper, beta > lower
    if not rises.any() or not falls.any():
        return 0.0
    return max(0.0, f[falls].max() - f[rises].min())


def assert_optimal_pair(beta, bias, K, sign, cost, tolerance):
    """Box, equality, KKT conditions and duality gap of two classes.

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
    # The bias fits: margins are kept, met and broken as the bounds say.
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
    """The same of a fitted model of two classes, and that its certificate says so."""
    beta = coefficients(model, len(sign))
    dual, primal = assert_optimal_pair(beta, model.bias[0], K, sign, cost, tolerance)
    told = model.certificate
    np.testing.assert_allclose(told["dual_objective"], dual, rtol=1e-9)
    np.testing.assert_allclose(told["primal_objective"], primal, rtol=1e-9)
    assert told["duality_gap"] >= 0
    assert told["max_kkt_violation"] <= tolerance
    assert told["support_vectors"] == np.count_nonzero(beta)
    bounded = (abs(beta) == cost) & (cost > 0)
    assert told["bounded_support_vectors"] == np.count_nonzero(bounded)
    return dual


def assert_optimal_regressor(model, K, y, cost, epsilon, tolerance):
    """The same for ε-SVR; returns the dual objective."""
    beta, bias = coefficients(model, len(y)), model.bias[0]
    assert (abs(beta) <= cost).all()
    assert abs(beta.sum()) <= 1e-9 * np.sum(cost)
    # A row has two variables, of which one is zero at the optimum.
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
    told = model.certificate
    np.testing.assert_allclose(told["dual_objective"], dual, rtol=1e-9)
    np.testing.assert_allclose(told["primal_objective"], primal, rtol=1e-9)
    assert told["duality_gap"] >= 0
    assert told["max_kkt_violation"] <= tolerance
    return dual


# ---- saving


def save(model, path):
    """Keras's `save`; NumPy 2 warns of how Keras hands weights to h5py."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "__array__ implementation")
        model.save(path)
