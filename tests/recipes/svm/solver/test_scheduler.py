"""Whole problems against known answers and scikit-learn, at every scale."""

import numpy as np
import pytest
import tensorflow as tf
from sklearn.svm import SVC, SVR, NuSVC, NuSVR, OneClassSVM

from layers import kernels
from recipes.svm.solver import dual
from tests.recipes.svm import reference
from tests.recipes.svm.solver.solving import (
    KINDS,
    RBF,
    SOLVERS,
    build_problem,
    compute_matrix,
    force,
    force_decomposition,
    make_rows,
    solve_one,
)

GAMMA = 0.5  # of RBF


def classify(kernel, x, positive, cost, **options):
    x = np.asarray(x, "float64")
    positive = np.asarray(positive)
    cost = np.broadcast_to(np.float64(cost), positive.shape)
    problem = dual.c_svc(np.arange(len(x)), positive, cost)
    return solve_one(kernel, x, problem, **options)


def decisions(kernel, x, solution):
    K = compute_matrix(kernel, x)
    return K[:, solution.problem.rows] @ solution.coefficients + solution.bias


# -- known answers --------------------------------------------------------------------


def test_two_points():
    solution = classify(kernels.LinearKernel(), [[3.0], [-1.0]], [True, False], 10.0)
    np.testing.assert_allclose(solution.coefficients, [1 / 8, -1 / 8])
    assert solution.bias == pytest.approx(-0.5)
    assert solution.stop_reason == "tolerance"
    assert solution.proof.optimality.duality_gap == pytest.approx(0, abs=1e-12)


def test_two_points_at_the_bound():
    # f = (−0.8, 0.8) at β = (0.1, −0.1): −b may be anything between.
    solution = classify(kernels.LinearKernel(), [[1.0], [-1.0]], [True, False], 0.1)
    np.testing.assert_array_equal(solution.coefficients, [0.1, -0.1])
    assert solution.bias == pytest.approx(0, abs=1e-15)
    assert solution.proof.optimality.max_kkt_violation == 0


def test_xor():
    x = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    solution = classify(RBF, x, [False, True, True, False], 100.0, tolerance=1e-9)
    k = np.exp(-GAMMA)
    np.testing.assert_allclose(solution.coefficients * [-1, 1, 1, -1], 1 / (1 - k) ** 2)
    assert solution.bias == pytest.approx(0, abs=1e-9)
    np.testing.assert_allclose(decisions(RBF, x, solution), [-1, 1, 1, -1])


def test_rows_that_appear_twice():
    rows = make_rows(20)
    once = classify(RBF, rows.x, rows.positive, 2.0, tolerance=1e-9)
    x = np.repeat(rows.x, 2, axis=0)
    twice = classify(RBF, x, np.repeat(rows.positive, 2), 1.0, tolerance=1e-9)
    np.testing.assert_allclose(
        decisions(RBF, x, twice)[::2], decisions(RBF, rows.x, once), atol=1e-8
    )


def test_one_point_in_both_classes():
    solution = classify(RBF, np.ones((6, 2)), [True, False] * 3, 2.0)
    assert solution.stop_reason == "tolerance"
    np.testing.assert_array_equal(solution.coefficients, [2, -2] * 3)
    assert solution.bias == 0


def test_constant_and_single_features():
    rows = make_rows(40, d=1)
    alone = classify(RBF, rows.x, rows.positive, 1.0)
    x = np.concatenate([rows.x, np.full((40, 1), 7.0)], axis=1)
    beside = classify(RBF, x, rows.positive, 1.0)
    np.testing.assert_allclose(alone.coefficients, beside.coefficients, atol=1e-6)
    constant = classify(RBF, np.full((40, 2), 7.0), rows.positive, 1.0)
    assert constant.stop_reason == "tolerance"


def test_everything_at_the_bound():
    rows = make_rows(40)
    positive = np.arange(40) % 2 == 0
    solution = classify(RBF, rows.x, positive, 1e-8)
    np.testing.assert_array_equal(abs(solution.coefficients), 1e-8)
    assert solution.stop_reason == "tolerance"
    optimality = solution.proof.optimality
    assert optimality.max_kkt_violation == 0
    assert 0 <= optimality.duality_gap <= 1e-12


def test_a_class_of_cost_zero():
    solution = classify(RBF, make_rows(20).x, np.arange(20) < 5, np.arange(20) >= 5)
    assert solution.stop_reason == "tolerance"
    assert not solution.coefficients.any()
    assert solution.bias == -1


def test_rows_of_cost_zero_change_nothing():
    rows = make_rows(70)
    weight = (np.arange(70) % 3 > 0) * 1.0
    used = weight > 0
    whole = solve_one(RBF, rows.x, build_problem("epsilon_svr", rows, weight=weight))
    part = type(rows)(*(values[used] for values in rows))
    without = solve_one(RBF, part.x, build_problem("epsilon_svr", part))
    assert not whole.coefficients[~used].any()
    np.testing.assert_allclose(
        decisions(RBF, rows.x, whole)[used], decisions(RBF, part.x, without), atol=2e-6
    )


def test_two_rows_of_regression():
    problem = dual.epsilon_svr(np.arange(2), np.array([5.0, 3.0]), np.full(2, 9.0), 0.5)
    solution = solve_one(kernels.LinearKernel(), np.array([[1.0], [-1.0]]), problem)
    # The flattest line within the tube runs from 3.5 to 4.5.
    np.testing.assert_allclose(solution.coefficients, [0.25, -0.25])
    assert solution.bias == pytest.approx(4)


def test_targets_within_the_tube_need_no_support_vectors():
    problem = dual.epsilon_svr(np.arange(5), np.linspace(2, 2.1, 5), np.ones(5), 0.1)
    solution = solve_one(RBF, make_rows(5).x, problem)
    assert not solution.coefficients.any()
    assert solution.steps == 0
    assert solution.bias == pytest.approx(2.05)


# -- scikit-learn ---------------------------------------------------------------------

PEER_TOLERANCE = 1e-8
# Where β is strictly inside its box, two solutions agree within their tolerances.
# The other rows' values are interpolated from there, which enlarges the difference by
# maxᵢ Σⱼ |K_iF K_FF⁻¹|ⱼ at most, the equalities included: 3 to 18 in these problems.
SPREAD = 20


def peer_of(kind, x, rows, kernel, cost, nu, epsilon, weight):
    machine = {
        "c_svc": lambda **o: SVC(C=cost, **o),
        "epsilon_svr": lambda **o: SVR(C=cost, epsilon=epsilon, **o),
        "nu_svc": lambda **o: NuSVC(nu=nu, **o),
        "nu_svr": lambda **o: NuSVR(nu=nu, C=cost, **o),
        "one_class": lambda **o: OneClassSVM(nu=nu, **o),
    }[kind](kernel=kernel, tol=PEER_TOLERANCE)
    y = {"c_svc": rows.positive, "nu_svc": rows.positive}.get(kind, rows.target)
    return machine.fit(x, y, sample_weight=weight)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.slow
def test_scikit_learn(kind, weighted, monkeypatch):
    force_decomposition(monkeypatch)
    rows = make_rows(120, seed=4)
    weight = np.random.default_rng(0).uniform(0.2, 2, 120) if weighted else np.ones(120)
    # LIBSVM rounds kernel values to float32: give both solvers what it can hold.
    K = compute_matrix(RBF, rows.x).astype("float32").astype("float64")
    # What scikit-learn computes C·Σweight·ν of, LIBSVM divides by the rows' number.
    options = {"cost": 5.0, "nu": 0.3, "epsilon": 0.2, "weight": weight}
    problem = build_problem(kind, rows, **options)
    kernel, tolerance = kernels.PrecomputedKernel(), PEER_TOLERANCE
    solution = solve_one(kernel, K, problem, tolerance=tolerance)
    assert reference.kkt_violation(K, problem, solution.proof.beta) <= tolerance + 1e-9
    peer = peer_of(kind, K, rows, "precomputed", **options)
    found = K @ solution.coefficients + solution.bias
    expected = getattr(peer, "decision_function", peer.predict)(K)
    atol = SPREAD * (tolerance + PEER_TOLERANCE)
    np.testing.assert_allclose(found, expected, rtol=0, atol=atol)
    theirs = np.zeros(120)
    theirs[peer.support_] = peer.dual_coef_[0]
    ours = solution.coefficients
    assert ours @ K @ ours == pytest.approx(theirs @ K @ theirs, rel=1e-5)
    assert solution.bias == pytest.approx(float(peer.intercept_[0]), abs=atol)


@pytest.mark.parametrize(
    ("kernel", "name"),
    [
        (kernels.LinearKernel(), "linear"),
        (kernels.PolynomialKernel(degree=3, gamma=0.5, coef0=1.0), "poly"),
        (kernels.SigmoidKernel(gamma=0.05, coef0=0.0), "sigmoid"),
        (kernels.LaplacianKernel(gamma=0.3), None),
        (kernels.CallableKernel(lambda x, z: tf.matmul(x, z, transpose_b=True)), None),
    ],
    ids=lambda value: getattr(type(value), "__name__", value),
)
def test_kernels(kernel, name):
    rows = make_rows(70)
    solution = solve_one(kernel, rows.x, build_problem("c_svc", rows))
    K = compute_matrix(kernel, rows.x)
    peer = SVC(C=1.0, kernel="precomputed", tol=1e-8).fit(K, rows.positive)
    found = decisions(kernel, rows.x, solution)
    np.testing.assert_allclose(found, peer.decision_function(K), rtol=0, atol=3e-6)
    if name:
        direct = SVC(kernel=name, tol=1e-8, **kernel.get_config())
        direct.fit(rows.x, rows.positive)
        np.testing.assert_allclose(
            found, direct.decision_function(rows.x), rtol=0, atol=3e-6
        )


@pytest.mark.parametrize("kind", KINDS)
def test_float32_rows_keep_the_tolerance(kind):
    rows = make_rows(70, dtype="float32")
    problem = build_problem(kind, rows, cost=1000.0)
    solution = solve_one(RBF, rows.x, problem, tolerance=1e-8)
    assert solution.stop_reason == "tolerance"
    K = compute_matrix(RBF, rows.x)
    assert reference.kkt_violation(K, problem, solution.proof.beta) <= 1.01e-8


# -- scale ----------------------------------------------------------------------------


@pytest.mark.parametrize("cost", [1e-8, 1e8])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_costs_from_tiny_to_huge(cost, dtype):
    rows = make_rows(70, dtype=dtype)
    problem = build_problem("c_svc", rows, cost=cost)
    solution = solve_one(RBF, rows.x, problem, tolerance=1e-3)
    assert solution.stop_reason == "tolerance"
    reference.assert_feasible(problem, solution.proof.beta)
    K = compute_matrix(RBF, rows.x)
    assert reference.kkt_violation(K, problem, solution.proof.beta) <= 1.001e-3


@pytest.mark.parametrize("offset", [1e6, -1e9])
def test_targets_far_from_zero(offset):
    rows = make_rows(70)
    near = solve_one(RBF, rows.x, build_problem("epsilon_svr", rows), tolerance=1e-3)
    far = rows._replace(target=rows.target + offset)
    solution = solve_one(RBF, rows.x, build_problem("epsilon_svr", far), tolerance=1e-3)
    assert solution.stop_reason == "tolerance"
    assert solution.bias == pytest.approx(near.bias + offset, abs=1e-3)
    assert solution.proof.optimality.dual_objective == pytest.approx(
        near.proof.optimality.dual_objective, rel=1e-4
    )


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.slow
def test_a_tolerance_below_rounding_is_a_stall(dtype, solver, monkeypatch):
    force(solver, monkeypatch)
    rows = make_rows(70, dtype=dtype)
    rows = rows._replace(target=1e9 * rows.target)
    problem = build_problem("epsilon_svr", rows, cost=1e9)
    solution = solve_one(RBF, rows.x, problem, tolerance=1e-12, most=400)
    assert solution.stop_reason == "stalled"
    assert 1e-12 < solution.proof.optimality.max_kkt_violation < 1e-2
    reference.assert_feasible(problem, solution.proof.beta)


@pytest.mark.slow
def test_a_descent_that_is_too_slow_is_a_stall():
    # Features of size 10³: each step undoes the one before.
    rows = make_rows(70)
    problem = build_problem("c_svc", rows, cost=1e3)
    solution = solve_one(
        kernels.LinearKernel(), 1e3 * rows.x, problem, tolerance=1e-6, most=400
    )
    assert solution.stop_reason == "stalled"
    assert solution.proof.optimality.max_kkt_violation > 1e-6
