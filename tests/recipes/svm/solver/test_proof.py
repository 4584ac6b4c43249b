"""The proof, against textbook primals, plain differentiation and a dense matrix."""

import dataclasses
import warnings

import numpy as np
import pytest
import tensorflow as tf
from scipy import sparse

from layers import kernels
from recipes.errors import ConvergenceWarning
from recipes.svm.models.certificate import build_certificate, warn_unless_converged
from recipes.svm.solver import float64_product
from recipes.svm.solver.float64_product import compute_kernel_product
from recipes.svm.solver.proof import prove
from recipes.svm.solver.rows import compute_diagonal
from tests.recipes.svm import reference
from tests.recipes.svm.solver.solving import (
    KINDS,
    RBF,
    build_problem,
    compute_matrix,
    make_rows,
    solve,
    solve_one,
)

N = 50
KERNELS = [
    kernels.LinearKernel(),
    kernels.PolynomialKernel(degree=3, gamma=0.5, coef0=1.0),
    RBF,
    kernels.SigmoidKernel(gamma=0.3, coef0=-0.1),
    kernels.LaplacianKernel(gamma=0.5),
    kernels.PrecomputedKernel(),
    kernels.CallableKernel(lambda x, z: tf.matmul(x, z, transpose_b=True) ** 2),
]


def feasible(kind, seed=0):
    """Return a problem over every second row, and a feasible β that is not optimal."""
    rows = make_rows(2 * N, seed=seed)
    own = np.arange(0, 2 * N, 2)
    part = type(rows)(rows.x[own], rows.positive[own], rows.target[own])
    problem = build_problem(kind, part, cost=2.0, nu=0.5)._replace(rows=own)
    K = compute_matrix(RBF, rows.x, own)
    return rows.x, problem, K, reference.smo(K, problem, tolerance=0.3)


@pytest.mark.parametrize("kind", KINDS)
def test_the_proof_of_a_point(kind):
    x, problem, K, beta = feasible(kind)
    proof = prove(RBF, x, problem, beta)
    assert proof.beta is beta
    coefficients = beta.reshape(problem.variables_per_row, -1).sum(0)
    np.testing.assert_allclose(proof.product, K @ coefficients, rtol=0, atol=1e-13)
    np.testing.assert_allclose(
        proof.multipliers, reference.multipliers(K, problem, beta), atol=1e-13
    )
    optimality = proof.optimality
    assert optimality.dual_objective == pytest.approx(
        -reference.objective(K, problem, beta), rel=1e-12
    )
    assert optimality.duality_gap == pytest.approx(
        reference.duality_gap(K, problem, beta), rel=1e-10
    )
    assert optimality.max_kkt_violation == pytest.approx(
        reference.kkt_violation(K, problem, beta), rel=1e-10
    )
    assert optimality.support_vectors == np.count_nonzero(coefficients)


def test_the_gap_in_classification_is_the_textbook_one():
    x, problem, K, beta = feasible("c_svc")
    proof = prove(RBF, x, problem, beta)
    sign = np.sign(problem.upper + problem.lower)
    decisions = K @ beta - proof.multipliers[0]
    hinge = 2.0 * np.maximum(0, 1 - sign * decisions).sum()
    primal = beta @ K @ beta / 2 + hinge
    dual = np.abs(beta).sum() - beta @ K @ beta / 2
    assert proof.optimality.dual_objective == pytest.approx(dual)
    assert proof.optimality.duality_gap == pytest.approx(primal - dual)


def test_the_gap_in_regression_is_the_textbook_one():
    x, problem, K, beta = feasible("epsilon_svr")
    proof = prove(RBF, x, problem, beta)
    target = -(problem.linear[:N] + problem.linear[N:]) / 2
    c = beta[:N] + beta[N:]
    residual = np.abs(target - (K @ c - proof.multipliers[0]))
    primal = c @ K @ c / 2 + 2.0 * np.maximum(0, residual - 0.1).sum()
    dual = target @ c - 0.1 * np.abs(beta).sum() - c @ K @ c / 2
    assert proof.optimality.dual_objective == pytest.approx(dual)
    assert proof.optimality.duality_gap == pytest.approx(primal - dual)


@pytest.mark.parametrize("kind", KINDS)
def test_the_gap_is_never_negative_and_zero_at_the_optimum(kind):
    x, problem, K, _ = feasible(kind)
    for tolerance in (10.0, 1.0, 0.1, 1e-10):
        beta = reference.smo(K, problem, tolerance)
        proof = prove(RBF, x, problem, beta)
        assert proof.optimality.duality_gap >= 0
    assert proof.optimality.duality_gap < 1e-8


@pytest.mark.parametrize("kind", ["c_svc", "nu_svr"])
@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: type(kernel).__name__)
def test_the_gradient_agrees_with_plain_differentiation(kernel, kind):
    x, problem, _, beta = feasible(kind)
    if isinstance(kernel, kernels.PrecomputedKernel):
        x = compute_matrix(RBF, x)
    K = reference.matrix_of_variables(compute_matrix(kernel, x, problem.rows), problem)
    variables = tf.constant(beta)
    proof = prove(kernel, x, problem, beta)
    with tf.GradientTape() as tape:
        tape.watch(variables)
        plain = tf.tensordot(variables, tf.linalg.matvec(K, variables), 1) / 2
        plain += tf.tensordot(variables, tf.constant(problem.linear), 1)
    assert proof.optimality.dual_objective == pytest.approx(-float(plain), rel=1e-12)
    gradient = tape.gradient(plain, variables).numpy()
    ours = np.tile(proof.product, problem.variables_per_row) + problem.linear
    scale = abs(gradient).max()
    np.testing.assert_allclose(ours, gradient, rtol=0, atol=1e-13 * scale)


@pytest.mark.parametrize(("rows", "vectors"), [(1, 64), (16, 7), (256, 2048)])
@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: type(kernel).__name__)
def test_products_in_tiles(kernel, rows, vectors, monkeypatch):
    monkeypatch.setattr(float64_product, "TILE_ROWS", rows)
    monkeypatch.setattr(float64_product, "TILE_VECTORS", vectors)
    monkeypatch.setattr(float64_product, "MIN_PARALLEL_PRODUCTS", 0)
    x = make_rows(90).x
    if isinstance(kernel, kernels.PrecomputedKernel):
        x = compute_matrix(RBF, x)
    rows = np.random.default_rng(1).permutation(90)[:37]
    coefficients = np.random.default_rng(2).standard_normal(37)
    coefficients[::3] = 0
    product = compute_kernel_product(kernel, x, rows, coefficients)
    np.testing.assert_allclose(
        product, compute_matrix(kernel, x, rows) @ coefficients, rtol=1e-12, atol=1e-12
    )


class Quotient(kernels.InnerProductKernel):
    """A kernel that NumPy code does not know."""

    def of_products(self, products, x_squares, z_squares):
        return products / (1 + x_squares[:, None] + z_squares)

    def diagonal(self, x):
        squares = tf.reduce_sum(x**2, axis=1)
        return squares / (1 + 2 * squares)


@pytest.mark.parametrize(
    "kernel", [*KERNELS[:4], Quotient()], ids=lambda kernel: type(kernel).__name__
)
def test_products_of_sparse_rows(kernel, monkeypatch):
    monkeypatch.setattr(float64_product, "TILE_ROWS", 16)
    monkeypatch.setattr(float64_product, "TILE_VECTORS", 7)
    monkeypatch.setattr(float64_product, "MIN_PARALLEL_PRODUCTS", 0)
    random = np.random.default_rng(0)
    x = sparse.csr_array(sparse.random_array((90, 9), density=0.3, rng=random))
    rows = random.permutation(90)[:37]
    coefficients = random.standard_normal(37)
    coefficients[::3] = 0
    at = np.arange(5, 60)
    product = compute_kernel_product(kernel, x, rows, coefficients, at)
    K = compute_matrix(kernel, x.toarray())
    expected = K[np.ix_(at, rows)] @ coefficients
    np.testing.assert_allclose(product, expected, rtol=1e-12, atol=1e-12)
    diagonal = compute_diagonal(kernel, x)
    np.testing.assert_allclose(diagonal, np.diag(K), rtol=1e-12, atol=1e-12)


def test_products_of_float32_rows_are_float64():
    x = make_rows(60, dtype="float32").x
    coefficients = np.where(np.arange(60) % 2, 1e6, -1e6)
    product = compute_kernel_product(RBF, x, np.arange(60), coefficients)
    assert product.dtype == np.float64
    np.testing.assert_allclose(
        product, compute_matrix(RBF, x) @ coefficients, rtol=0, atol=1e-7
    )


def test_no_support_vectors():
    x = make_rows(10).x
    assert not compute_kernel_product(RBF, x, np.arange(10), np.zeros(10)).any()


def test_an_error_in_a_tile_is_raised(monkeypatch):
    monkeypatch.setattr(float64_product, "MIN_PARALLEL_PRODUCTS", 0)

    def broken(x, z):
        raise ZeroDivisionError("a kernel's own")

    x, problem, _, beta = feasible("c_svc")
    with pytest.raises(ZeroDivisionError, match="a kernel's own"):
        prove(kernels.CallableKernel(broken), x, problem, beta)


def test_nan_kernel_values_are_reported_as_nan():
    x, problem, _, beta = feasible("c_svc")
    nothing = kernels.CallableKernel(
        lambda x, z: tf.matmul(x, z, transpose_b=True) * np.nan
    )
    optimality = prove(nothing, x, problem, beta).optimality
    assert np.isnan(optimality.max_kkt_violation)
    assert np.isnan(optimality.duality_gap)
    assert np.isnan(optimality.dual_objective)


@pytest.mark.parametrize(
    ("lower", "upper", "beta", "expected"),
    [
        ([0, -2], [2, 0], [1, -1], 0.0),  # both free: the mean
        ([0, -1], [1, 0], [1, -1], 0.0),  # both at the bound: the middle
        ([0, 0], [1, 1], [0, 0], -1.0),  # none may fall: the only finite end
        ([-1, -1], [0, 0], [0, 0], 1.0),  # none may rise
        ([0, 0], [0, 0], [0, 0], 0.0),  # none may move
        ([0, -2], [1, 0], [1, -1], 1.0),  # one is free
    ],
)
def test_multipliers(lower, upper, beta, expected):
    rows = make_rows(2)
    problem = build_problem("c_svc", rows)._replace(
        lower=np.float64(lower), upper=np.float64(upper)
    )
    # K adds nothing to f = (−1, 1).
    far = kernels.CallableKernel(lambda x, z: 0 * tf.matmul(x, z, transpose_b=True))
    proof = prove(far, rows.x, problem, np.float64(beta))
    assert proof.multipliers[0] == expected
    assert proof.optimality.duality_gap >= 0


def test_the_certificate_of_several_problems():
    rows = make_rows(N)
    problems = [build_problem("c_svc", rows, cost=c) for c in (0.1, 1.0)]
    solutions = solve(RBF, rows.x, problems)
    certificate = build_certificate(solutions, convex=True)
    proofs = [solution.proof.optimality for solution in solutions]
    assert certificate["converged"]
    assert certificate["stop_reason"] == "tolerance"
    assert certificate["dual_objective"] == sum(p.dual_objective for p in proofs)
    assert certificate["max_kkt_violation"] == max(p.max_kkt_violation for p in proofs)
    used = np.flatnonzero(sum(abs(s.proof.beta) for s in solutions))
    assert certificate["support_vectors"] == len(used)
    bounded = sum(
        np.count_nonzero(abs(s.proof.beta) == c)
        for s, c in zip(solutions, (0.1, 1.0), strict=True)
    )
    assert certificate["bounded_support_vectors"] == bounded > 0
    assert certificate["problems"] == 2
    assert certificate["iterations"] == sum(len(s.trace.duality_gap) for s in solutions)
    solutions[1].stop_reason = "stalled"
    certificate = build_certificate(solutions, convex=True)
    assert not certificate["converged"]
    assert certificate["stop_reason"] == "stalled"


def test_a_nan_in_one_problem_is_not_lost_among_others():
    rows = make_rows(10)
    solutions = [solve_one(RBF, rows.x, build_problem("c_svc", rows)) for _ in range(2)]
    for place in range(2):
        changed = list(solutions)
        proof = changed[place].proof
        optimality = proof.optimality._replace(
            max_kkt_violation=np.nan, duality_gap=np.nan
        )
        changed[place] = dataclasses.replace(
            changed[place],
            proof=proof._replace(optimality=optimality),
            relative_duality_gap=np.nan,
            stop_reason="stalled",
        )
        certificate = build_certificate(changed, convex=True)
        assert np.isnan(certificate["max_kkt_violation"])
        assert np.isnan(certificate["relative_duality_gap"])
        assert not certificate["converged"]


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("stalled", "no longer decreases"),
        ("max_iterations", "max_iterations"),
        ("interrupted", "interrupted"),
        ("rounding", "rounded by up to 0.125"),
        ("tolerance", "not positive semidefinite"),
    ],
)
def test_a_run_that_has_not_converged_warns(reason, words):
    certificate = {
        "converged": False,
        "stop_reason": reason,
        "max_kkt_violation": 0.5,
        "relative_duality_gap": 0.25,
        "max_rounding_error": 0.125,
    }
    x = np.random.default_rng(0).standard_normal((20, 2))
    with pytest.warns(ConvergenceWarning, match=words) as caught:
        warn_unless_converged(certificate, x)
    assert "scale" not in str(caught[0].message)
    with pytest.warns(ConvergenceWarning, match="scale them"):
        warn_unless_converged(certificate, x * [1, 1000])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_unless_converged({"converged": True}, x)
