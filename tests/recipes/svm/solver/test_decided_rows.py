"""Rows that an estimate decides change nothing of a proof; others are in float64."""

import numpy as np
import pytest

from layers import kernels
from recipes.svm.solver import decided_rows, dual
from recipes.svm.solver.decided_rows import Estimate
from recipes.svm.solver.float64_product import (
    compute_kernel_product,
    compute_symmetric_product,
)
from recipes.svm.solver.proof import prove
from tests.recipes.svm import reference
from tests.recipes.svm.solver.solving import (
    KINDS,
    RBF,
    build_problem,
    compute_matrix,
    make_rows,
    solve_one,
)

N = 200


@pytest.fixture(autouse=True)
def _few_rows_will_do(monkeypatch):
    monkeypatch.setattr(decided_rows, "LEAST_PRODUCTS", 0)
    monkeypatch.setattr(decided_rows, "LEAST_SUPPORT_VECTORS", 1)
    monkeypatch.setattr(decided_rows, "SAMPLE_ROWS", 10)


def pose(kind, tolerance=1e-3):
    """Return rows, a problem, its nearly optimal β, Kβ and noise to add to that."""
    rows = make_rows(N)
    x = rows.x
    problem = build_problem(kind, rows, cost=10.0, nu=0.3, epsilon=0.3)
    K = compute_matrix(RBF, x)
    beta = reference.smo(K, problem, tolerance=tolerance)
    product = K @ beta.reshape(problem.variables_per_row, -1).sum(axis=0)
    noise = 1e-5 * np.random.default_rng(0).standard_normal(N)
    return x, problem, beta, product, noise


@pytest.mark.parametrize("tolerance", [1e-3, 0.3])
@pytest.mark.parametrize("kind", KINDS)
def test_the_proof_is_that_of_all_rows(kind, tolerance):
    x, problem, beta, product, noise = pose(kind, tolerance)
    whole = prove(RBF, x, problem, beta)
    proof = prove(RBF, x, problem, beta, Estimate(product + noise))
    np.testing.assert_allclose(proof.optimality, whole.optimality, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(proof.multipliers, whole.multipliers, atol=1e-12)
    np.testing.assert_allclose(
        proof.product[proof.checked], whole.product[proof.checked], atol=1e-11
    )


@pytest.mark.parametrize("kind", ["c_svc", "epsilon_svr", "one_class"])
def test_rows_far_from_their_limit_are_not_computed(kind):
    x, problem, beta, product, noise = pose(kind)
    proof = prove(RBF, x, problem, beta, Estimate(product + noise))
    others = np.delete(np.arange(N), proof.checked)
    assert len(others) > N / 10
    assert abs(noise[others]).max() <= proof.error < proof.reserve
    assert not beta.reshape(-1, N)[:, others].any()


@pytest.mark.parametrize("wrong", [1e3, np.nan, np.inf])
def test_a_useless_estimate_decides_nothing(wrong):
    x, problem, beta, product, _ = pose("c_svc")
    estimate = product + np.random.default_rng(0).standard_normal(N) * wrong
    with np.errstate(invalid="ignore"):
        proof = prove(RBF, x, problem, beta, Estimate(estimate))
    whole = prove(RBF, x, problem, beta)
    np.testing.assert_allclose(proof.product, whole.product, atol=1e-11)
    assert len(proof.checked) == N


def test_a_sample_without_support_vectors_bounds_the_error_too():
    x, problem, beta, product, noise = pose("c_svc")
    sample = np.arange(0, N, N // 10)
    few = prove(RBF, x, problem, beta, Estimate(product + noise)).checked
    assert np.isin(sample, few).all()
    noise[sample[beta[sample] == 0][0]] = 3e-3
    more = prove(RBF, x, problem, beta, Estimate(product + noise)).checked
    assert len(few) < len(more)


def test_an_earlier_error_counts():
    x, problem, beta, product, noise = pose("c_svc")
    proof = prove(RBF, x, problem, beta, Estimate(product + noise, error=1e3))
    assert len(proof.checked) == N


def test_a_row_that_is_not_finite_in_the_estimate_is_computed():
    x, problem, beta, product, noise = pose("c_svc")
    far = prove(RBF, x, problem, beta, Estimate(product + noise))
    row = np.delete(np.arange(N), far.checked)[0]
    estimate = product + noise
    estimate[row] = np.nan
    proof = prove(RBF, x, problem, beta, Estimate(estimate))
    assert row in proof.checked
    assert np.isfinite(proof.product).all()


def test_a_row_longer_than_all_support_vectors_is_computed():
    rows = make_rows(N)
    x = rows.x.copy()
    x[-1] = 1e3
    problem = dual.c_svc(np.arange(N), rows.positive, np.full(N, 10.0))
    beta = solve_one(RBF, x, problem, tolerance=1e-3).proof.beta
    beta[-1] = 0.0
    product = compute_matrix(RBF, x) @ beta
    estimate = product.copy()
    estimate[-1] = 1e6 * np.sign(problem.upper[-1] + problem.lower[-1])
    proof = prove(RBF, x, problem, beta, Estimate(estimate))
    assert N - 1 in proof.checked
    assert proof.product[-1] == pytest.approx(product[-1], abs=1e-9)


@pytest.mark.parametrize("gamma", [1e-6, 0.5])
@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_errors_of_float32_are_within_the_measured_bound(gamma, offset):
    # Coefficients that cancel: Σ|β| is 10⁵ times what remains.
    rows = make_rows(2000)
    x = (rows.x + offset).astype("float32")
    kernel = kernels.RBFKernel(gamma)
    random = np.random.default_rng(1)
    support = np.sort(random.permutation(2000)[:400])
    beta = np.zeros(2000)
    beta[support] = 1e3 * np.where(np.arange(400) % 2, 1, -1)
    exact = compute_kernel_product(kernel, x, np.arange(2000), beta)
    center = x[support].mean(axis=0)
    rounded = np.asarray(kernel(x - center, (x - center)[support])).astype("float64")
    # Rows without a coefficient are far beyond their limit: the estimate decides.
    unused = beta == 0
    problem = dual.c_svc(np.arange(2000), rows.positive, np.ones(2000))._replace(
        linear=np.where(unused, 1e9, 0.0),
        lower=np.where(unused, 0.0, -2e3),
        upper=np.where(unused, 1.0, 2e3),
    )
    estimate = Estimate(rounded @ beta[support])
    _, checked, error, _ = decided_rows.compute_undecided(
        kernel, x, problem, beta, estimate
    )
    length = np.linalg.norm(x - center, axis=1)
    alike = length <= length[support].max()
    assert len(checked) < 1000
    assert abs(estimate.product - exact)[alike].max() <= error


@pytest.mark.parametrize(
    "kernel",
    [kernels.PolynomialKernel(degree=3, gamma=0.5), RBF, kernels.LaplacianKernel(0.5)],
    ids=lambda kernel: type(kernel).__name__,
)
def test_symmetric_products(kernel, monkeypatch):
    monkeypatch.setattr("recipes.svm.solver.float64_product.TILE_VECTORS", 16)
    monkeypatch.setattr("recipes.svm.solver.float64_product.SHARES", 3)
    x = make_rows(90).x
    rows = np.random.default_rng(1).permutation(90)[:71]
    c = np.random.default_rng(2).standard_normal(71)
    expected = compute_matrix(kernel, x, rows) @ c
    for least in (0, 2**40):
        monkeypatch.setattr(
            "recipes.svm.solver.float64_product.MIN_PARALLEL_PRODUCTS", least
        )
        found = compute_symmetric_product(kernel, x, rows, c)
        np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-11)
    assert not len(compute_symmetric_product(kernel, x, rows[:0], c[:0]))
