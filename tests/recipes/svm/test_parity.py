"""Parity with scikit-learn: optimality first, agreement second."""

import contextlib

import numpy as np
import pytest
from sklearn import svm
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.metrics.pairwise import laplacian_kernel
from sklearn.preprocessing import scale

from recipes.errors import ConvergenceWarning
from recipes.svm import (
    NuSupportVectorClassifier,
    NuSupportVectorRegressor,
    OneClassSupportVectorMachine,
    SupportVectorRegressor,
)
from tests.recipes.svm.fitting import (
    assert_optimal_classifier,
    assert_optimal_regressor,
    classify,
    coefficients,
    fit,
    matrix,
)

OURS, PEERS = 1e-4, 1e-6
KERNELS = {
    "linear": {},
    "polynomial": {"gamma": 0.05, "degree": 3, "coef0": 1.0},
    "rbf": {"gamma": 0.1},
    "sigmoid": {"gamma": 0.01, "coef0": -0.5},
    "laplacian": {"gamma": 0.1},
}


@pytest.fixture(scope="module")
def breast_cancer():
    """Two classes, with enough rows for all kernels to share compiled shapes."""
    x, y = load_breast_cancer(return_X_y=True)
    return scale(x).astype("float32")[:320], y[:320]


@pytest.fixture(scope="module")
def diabetes():
    x, y = load_diabetes(return_X_y=True)
    return scale(x).astype("float32")[:320], scale(y)[:320]


@pytest.fixture(scope="module")
def iris():
    x, y = load_iris(return_X_y=True)
    return scale(x).astype("float32"), y


def build_peer(peer, kernel, parameters, **arguments):
    """Return a scikit-learn model with the same kernel."""
    if kernel == "laplacian":
        gamma = parameters["gamma"]
        kernel, parameters = lambda a, b: laplacian_kernel(a, b, gamma), {}
    kernel = "poly" if kernel == "polynomial" else kernel
    return peer(kernel=kernel, tol=PEERS, **parameters, **arguments)


def expand_coefficients(peer, n):
    """Return its coefficients for all rows."""
    beta = np.zeros(n)
    beta[peer.support_] = np.asarray(peer.dual_coef_)[0]
    return beta


def assert_same(model, peer, x, decisions, scale=1.0, rtol=0.0):
    """Compare decisions, bias and support vectors, in multiples of the tolerance."""
    ours = model.decisions(x).numpy()[:, 0]
    np.testing.assert_allclose(ours, decisions, rtol=rtol, atol=2 * OURS * scale)
    np.testing.assert_allclose(model.bias, peer.intercept_, rtol=0, atol=OURS * scale)
    count = len(peer.support_)
    assert abs(len(model.support_indices) - count) <= max(1, 0.01 * count)


def warns_if_not_convex(kernel):
    """Expect the warning that the peer does without."""
    if kernel != "sigmoid":
        return contextlib.nullcontext()
    return pytest.warns(ConvergenceWarning, match="not positive semidefinite")


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("kernel", KERNELS)
def test_two_classes(breast_cancer, kernel, weighted):
    x, y = breast_cancer
    weight = np.random.default_rng(0).uniform(0, 2, 320) if weighted else np.ones(320)
    by_class = {0: 0.5, 1: 3.0} if weighted else None
    with warns_if_not_convex(kernel):
        model = classify(
            x,
            y,
            kernel=kernel,
            tolerance=OURS,
            sample_weight=weight,
            class_weight=by_class,
            **KERNELS[kernel],
        )
    sign = 2.0 * y - 1
    cost = weight * np.where(y == 1, 3.0, 0.5) if weighted else weight
    K = matrix(kernel, x, **KERNELS[kernel])
    dual = assert_optimal_classifier(model, K, sign, cost, OURS)
    peer = build_peer(svm.SVC, kernel, KERNELS[kernel], class_weight=by_class)
    peer.fit(x.astype("float64"), y, weight)
    beta = expand_coefficients(peer, 320)
    assert dual == pytest.approx(beta @ sign - beta @ K @ beta / 2, rel=1e-6)
    # Far from the margin a polynomial is large, and its error is proportional.
    rtol = OURS if kernel == "polynomial" else 0.0
    assert_same(model, peer, x, peer.decision_function(x), rtol=rtol)


@pytest.mark.parametrize("kernel", KERNELS)
def test_regression(diabetes, kernel):
    x, y = diabetes
    weight = np.random.default_rng(0).uniform(0.5, 2, 320)
    model = SupportVectorRegressor(kernel=kernel, tolerance=OURS, **KERNELS[kernel])
    with warns_if_not_convex(kernel):
        fit(model, x, y, sample_weight=weight)
    K = matrix(kernel, x, **KERNELS[kernel])
    dual = assert_optimal_regressor(model, K, y, weight, 0.1, OURS)
    peer = build_peer(svm.SVR, kernel, KERNELS[kernel]).fit(
        x.astype("float64"), y, weight
    )
    beta = expand_coefficients(peer, 320)
    expected = y @ beta - 0.1 * abs(beta).sum() - beta @ K @ beta / 2
    assert dual == pytest.approx(expected, rel=1e-6)
    assert_same(model, peer, x, peer.predict(x))


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
def test_nu_classification(breast_cancer, weighted):
    """ν-SVC divides decisions by the margin ρ, and their errors with them."""
    x, y = breast_cancer
    weight = np.random.default_rng(0).uniform(0.5, 2, 320) if weighted else None
    model = NuSupportVectorClassifier(nu=0.3, gamma=0.1, tolerance=OURS)
    fit(model, x, y, sample_weight=weight)
    peer = build_peer(svm.NuSVC, "rbf", KERNELS["rbf"], nu=0.3)
    peer.fit(x.astype("float64"), y, weight)
    margin = (1 if weight is None else weight.max()) / abs(peer.dual_coef_).max()
    K = matrix("rbf", x, gamma=0.1)
    ours, others = (
        coefficients(model, 320) * margin,
        expand_coefficients(peer, 320) * margin,
    )
    assert ours @ K @ ours == pytest.approx(others @ K @ others, rel=1e-5)
    assert_same(model, peer, x, peer.decision_function(x), scale=2 / margin)


def test_nu_regression(diabetes):
    x, y = diabetes
    model = NuSupportVectorRegressor(nu=0.3, C=2.0, gamma=0.1, tolerance=OURS)
    fit(model, x, y)
    peer = build_peer(svm.NuSVR, "rbf", KERNELS["rbf"], nu=0.3, C=2.0)
    peer.fit(x.astype("float64"), y)
    K, beta = matrix("rbf", x, gamma=0.1), expand_coefficients(peer, 320)
    expected = y @ beta - beta @ K @ beta / 2
    objective = model.certificate["dual_objective"]
    assert objective == pytest.approx(expected, rel=1e-6)
    assert_same(model, peer, x, peer.predict(x))


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
def test_one_class(breast_cancer, weighted):
    x, _ = breast_cancer
    weight = np.random.default_rng(0).uniform(0.5, 2, 320) if weighted else None
    model = OneClassSupportVectorMachine(nu=0.2, gamma=0.1, tolerance=OURS)
    fit(model, x, sample_weight=weight)
    peer = build_peer(svm.OneClassSVM, "rbf", KERNELS["rbf"], nu=0.2)
    peer.fit(x.astype("float64"), sample_weight=weight)
    K, beta = matrix("rbf", x, gamma=0.1), expand_coefficients(peer, 320)
    objective = model.certificate["dual_objective"]
    assert objective == pytest.approx(-beta @ K @ beta / 2, rel=1e-6)
    assert_same(model, peer, x, peer.decision_function(x))


def test_one_against_one(iris):
    """scikit-learn's decisions are positive for the first class of a pair."""
    x, y = iris
    model = classify(x, y, tolerance=OURS)
    peer = svm.SVC(tol=PEERS, decision_function_shape="ovo").fit(x.astype("f8"), y)
    np.testing.assert_allclose(
        model.decisions(x).numpy(), -peer.decision_function(x), rtol=0, atol=2 * OURS
    )
    np.testing.assert_allclose(model.bias, -peer.intercept_, rtol=0, atol=OURS)
    assert abs(len(model.support_indices) - len(peer.support_)) <= 1
    peer.decision_function_shape = "ovr"
    np.testing.assert_allclose(
        model.predict(x, verbose=0), peer.decision_function(x), rtol=0, atol=2 * OURS
    )
    found = model.predict_classes(x, verbose=0)
    np.testing.assert_array_equal(found, peer.predict(x))


def test_one_against_the_rest(iris):
    x, y = iris
    model = classify(x, y, tolerance=OURS, multiclass="one_vs_rest", gamma=0.3)
    for c in range(3):
        peer = svm.SVC(tol=PEERS, gamma=0.3).fit(x.astype("float64"), y == c)
        ours = model.predict(x, verbose=0)[:, c]
        np.testing.assert_allclose(ours, peer.decision_function(x), atol=2 * OURS)
        np.testing.assert_allclose(model.bias[c], peer.intercept_[0], atol=OURS)


@pytest.mark.parametrize("gamma", ["scale", "auto"])
def test_gamma_means_the_same(breast_cancer, gamma):
    x, y = breast_cancer
    x = x * np.float32(0.3)
    model = classify(x, y, gamma=gamma, tolerance=OURS)
    peer = svm.SVC(gamma=gamma, tol=PEERS).fit(x.astype("float64"), y)
    assert_same(model, peer, x, peer.decision_function(x))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_tight_tolerance(breast_cancer, dtype):
    """The tolerance is far below the precision of float32 sums."""
    x, y = breast_cancer
    model = classify(x, y, gamma=0.1, C=100.0, tolerance=1e-6, dtype=dtype)
    K = matrix("rbf", x, gamma=0.1)
    cost = np.full(320, 100.0)
    assert_optimal_classifier(model, K, 2.0 * y - 1, cost, 1e-6)
