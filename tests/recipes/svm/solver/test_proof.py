"""The proof: against textbook primals, plain differentiation and a dense matrix."""

import dataclasses
import warnings

import numpy as np
import pytest
import tensorflow as tf

from layers import kernels
from recipes.errors import ConvergenceWarning
from recipes.svm.models.certificate import summary, warn_unless_converged
from recipes.svm.solver import float64_product
from recipes.svm.solver.float64_product import kernel_product
from recipes.svm.solver.proof import dual_objective, prove
from tests.recipes.svm import reference
from tests.recipes.svm.solver.solving import (
    KINDS,
    RBF,
    data,
    matrix,
    pose,
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
    """A problem of every second row, and a feasible point that is not optimal."""
    rows = data(2 * N, seed=seed)
    own = np.arange(0, 2 * N, 2)
    part = type(rows)(rows.x[own], rows.positive[own], rows.target[own])
    problem = pose(kind, part, cost=2.0, nu=0.5)._replace(rows=own)
    K = matrix(RBF, rows.x, own)
    return rows.x, problem, K, reference.smo(K, problem, tolerance=0.3)


@pytest.mark.parametrize("kind", KINDS)
def test_the_proof_of_a_point(kind):
    x, problem, K, beta = feasible(kind)
    proof = prove(RBF, x, problem, beta)
    assert proof.beta is beta
    coefficients = beta.reshape(problem.copies, -1).sum(0)
    np.testing.assert_allclose(proof.product, K @ coefficients, rtol=0, atol=1e-13)
    np.testing.assert_allclose(
        proof.multipliers, reference.multipliers(K, problem, beta), atol=1e-13
    )
    measured = proof.measured
    assert measured.dual_objective == pytest.approx(
        -reference.objective(K, problem, beta), rel=1e-12
    )
    assert measured.duality_gap == pytest.approx(
        reference.duality_gap(K, problem, beta), rel=1e-10
    )
    assert measured.max_kkt_violation == pytest.approx(
        reference.kkt_violation(K, problem, beta), rel=1e-10
    )
    assert measured.support_vectors == np.count_nonzero(coefficients)


def test_the_gap_is_that_of_the_textbook_in_classification():
    x, problem, K, beta = feasible("c_svc")
    proof = prove(RBF, x, problem, beta)
    sign = np.sign(problem.upper + problem.lower)
    decisions = K @ beta - proof.multipliers[0]
    hinge = 2.0 * np.maximum(0, 1 - sign * decisions).sum()
    primal = beta @ K @ beta / 2 + hinge
    dual = np.abs(beta).sum() - beta @ K @ beta / 2
    assert proof.measured.dual_objective == pytest.approx(dual)
    assert proof.measured.duality_gap == pytest.approx(primal - dual)


def test_the_gap_is_that_of_the_textbook_in_regression():
    x, problem, K, beta = feasible("epsilon_svr")
    proof = prove(RBF, x, problem, beta)
    target = -(problem.linear[:N] + problem.linear[N:]) / 2
    c = beta[:N] + beta[N:]
    residual = np.abs(target - (K @ c - proof.multipliers[0]))
    primal = c @ K @ c / 2 + 2.0 * np.maximum(0, residual - 0.1).sum()
    dual = target @ c - 0.1 * np.abs(beta).sum() - c @ K @ c / 2
    assert proof.measured.dual_objective == pytest.approx(dual)
    assert proof.measured.duality_gap == pytest.approx(primal - dual)


@pytest.mark.parametrize("kind", KINDS)
def test_the_gap_is_never_negative_and_zero_at_the_optimum(kind):
    x, problem, K, _ = feasible(kind)
    for tolerance in (10.0, 1.0, 0.1, 1e-10):
        beta = reference.smo(K, problem, tolerance)
        proof = prove(RBF, x, problem, beta)
        assert proof.measured.duality_gap >= 0
    assert proof.measured.duality_gap < 1e-8


@pytest.mark.parametrize("kind", ["c_svc", "nu_svr"])
@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: type(kernel).__name__)
def test_the_gradient_is_that_of_plain_differentiation(kernel, kind):
    x, problem, _, beta = feasible(kind)
    if isinstance(kernel, kernels.PrecomputedKernel):
        x = matrix(RBF, x)
    K = reference.matrix_of_variables(matrix(kernel, x, problem.rows), problem)
    variables = tf.constant(beta)
    coefficients = beta.reshape(problem.copies, -1).sum(axis=0)
    product = tf.constant(kernel_product(kernel, x, problem.rows, coefficients))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(variables)
        ours = dual_objective(variables, product, problem.linear, problem.copies)
        plain = tf.tensordot(variables, tf.linalg.matvec(K, variables), 1) / 2
        plain += tf.tensordot(variables, tf.constant(problem.linear), 1)
        twice = 2.0 * ours
    np.testing.assert_allclose(ours, plain, rtol=1e-12)
    gradient = tape.gradient(plain, variables)
    scale = abs(gradient.numpy()).max()
    np.testing.assert_allclose(
        tape.gradient(ours, variables), gradient, rtol=0, atol=1e-13 * scale
    )
    np.testing.assert_allclose(
        tape.gradient(twice, variables), 2 * gradient, rtol=0, atol=2e-13 * scale
    )


@pytest.mark.parametrize(("rows", "vectors"), [(1, 64), (16, 7), (256, 2048)])
@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: type(kernel).__name__)
def test_products_in_tiles(kernel, rows, vectors, monkeypatch):
    monkeypatch.setattr(float64_product, "TILE_ROWS", rows)
    monkeypatch.setattr(float64_product, "TILE_VECTORS", vectors)
    monkeypatch.setattr(float64_product, "FEW_PRODUCTS", 0)
    x = data(90).x
    if isinstance(kernel, kernels.PrecomputedKernel):
        x = matrix(RBF, x)
    rows = np.random.default_rng(1).permutation(90)[:37]
    coefficients = np.random.default_rng(2).standard_normal(37)
    coefficients[::3] = 0
    product = kernel_product(kernel, x, rows, coefficients)
    np.testing.assert_allclose(
        product, matrix(kernel, x, rows) @ coefficients, rtol=1e-12, atol=1e-12
    )


def test_products_of_float32_rows_are_float64():
    x = data(60, dtype="float32").x
    coefficients = np.where(np.arange(60) % 2, 1e6, -1e6)
    product = kernel_product(RBF, x, np.arange(60), coefficients)
    assert product.dtype == np.float64
    np.testing.assert_allclose(
        product, matrix(RBF, x) @ coefficients, rtol=0, atol=1e-7
    )


def test_no_support_vectors():
    x = data(10).x
    assert not kernel_product(RBF, x, np.arange(10), np.zeros(10)).any()


def test_an_error_in_a_tile_is_raised(monkeypatch):
    monkeypatch.setattr(float64_product, "FEW_PRODUCTS", 0)

    def broken(x, z):
        raise ZeroDivisionError("a kernel's own")

    x, problem, _, beta = feasible("c_svc")
    with pytest.raises(ZeroDivisionError, match="a kernel's own"):
        prove(kernels.CallableKernel(broken), x, problem, beta)


def test_numbers_that_are_none_are_told():
    x, problem, _, beta = feasible("c_svc")
    nothing = kernels.CallableKernel(
        lambda x, z: tf.matmul(x, z, transpose_b=True) * np.nan
    )
    measured = prove(nothing, x, problem, beta).measured
    assert np.isnan(measured.max_kkt_violation)
    assert np.isnan(measured.duality_gap)
    assert np.isnan(measured.dual_objective)


@pytest.mark.parametrize(
    ("lower", "upper", "beta", "expected"),
    [
        ([0, -2], [2, 0], [1, -1], 0.0),  # both free: the mean
        ([0, -1], [1, 0], [1, -1], 0.0),  # both at the bound: the middle
        ([0, 0], [1, 1], [0, 0], -1.0),  # none may fall: the one end there is
        ([-1, -1], [0, 0], [0, 0], 1.0),  # none may rise
        ([0, 0], [0, 0], [0, 0], 0.0),  # nothing is known
        ([0, -2], [1, 0], [1, -1], 1.0),  # one is free
    ],
)
def test_multipliers(lower, upper, beta, expected):
    rows = data(2)
    problem = pose("c_svc", rows)._replace(
        lower=np.float64(lower), upper=np.float64(upper)
    )
    # The rows are far apart, and K adds nothing to f = (−1, 1).
    far = kernels.CallableKernel(lambda x, z: 0 * tf.matmul(x, z, transpose_b=True))
    proof = prove(far, rows.x, problem, np.float64(beta))
    assert proof.multipliers[0] == expected
    assert proof.measured.duality_gap >= 0


def test_summary_of_several_problems():
    rows = data(N)
    problems = [pose("c_svc", rows, cost=c) for c in (0.1, 1.0)]
    solutions = solve(RBF, rows.x, problems)
    whole = summary(solutions)
    proofs = [solution.proof.measured for solution in solutions]
    assert whole["converged"]
    assert whole["stop_reason"] == "tolerance"
    assert whole["dual_objective"] == sum(p.dual_objective for p in proofs)
    assert whole["max_kkt_violation"] == max(p.max_kkt_violation for p in proofs)
    used = np.flatnonzero(sum(abs(s.proof.beta) for s in solutions))
    assert whole["support_vectors"] == len(used)
    bounded = sum(
        np.count_nonzero(abs(s.proof.beta) == c)
        for s, c in zip(solutions, (0.1, 1.0), strict=True)
    )
    assert whole["bounded_support_vectors"] == bounded > 0
    assert whole["problems"] == 2
    assert whole["iterations"] == sum(len(s.trace.duality_gap) for s in solutions)
    solutions[1].stop_reason = "stalled"
    whole = summary(solutions)
    assert not whole["converged"]
    assert whole["stop_reason"] == "stalled"


def test_a_nan_of_one_problem_is_not_lost_among_others():
    rows = data(10)
    solutions = [solve_one(RBF, rows.x, pose("c_svc", rows)) for _ in range(2)]
    for place in range(2):
        some = list(solutions)
        proof = some[place].proof
        measured = proof.measured._replace(max_kkt_violation=np.nan, duality_gap=np.nan)
        some[place] = dataclasses.replace(
            some[place], proof=proof._replace(measured=measured), stop_reason="stalled"
        )
        whole = summary(some)
        assert np.isnan(whole["max_kkt_violation"])
        assert np.isnan(whole["relative_duality_gap"])
        assert not whole["converged"]


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("stalled", "falls no further"),
        ("max_iterations", "max_iterations"),
        ("interrupted", "interrupted"),
    ],
)
def test_what_is_not_converged_is_told(reason, words):
    whole = {
        "converged": False,
        "stop_reason": reason,
        "max_kkt_violation": 0.5,
        "relative_duality_gap": 0.25,
    }
    x = np.random.default_rng(0).standard_normal((20, 2))
    with pytest.warns(ConvergenceWarning, match=words) as caught:
        warn_unless_converged(whole, x)
    assert "scale" not in str(caught[0].message)
    with pytest.warns(ConvergenceWarning, match="scale them"):
        warn_unless_converged(whole, x * [1, 1000])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_unless_converged({"converged": True}, x)
