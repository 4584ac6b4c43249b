"""Two-variable steps: analytic cases, the reference, and what no step may do."""

import numpy as np
import pytest
import tensorflow as tf

from recipes.svm.solver import dual, smo_steps
from tests.recipes.svm import reference
from tests.recipes.svm.solver.solving import (
    KINDS,
    RBF,
    build_problem,
    compute_matrix,
    make_rows,
)


def solve(K, problem, beta=None, *, tolerance=1e-6, max_steps=20_000, dtype="float64"):
    """Solve the whole problem as one block; return β, f and the number of steps."""
    size = smo_steps.choose_block_size(len(problem.linear))
    extra = size - len(problem.linear)
    beta = problem.start if beta is None else beta
    f = reference.gradient(K, problem, beta)
    full = np.pad(reference.matrix_of_variables(K, problem), (0, extra))

    def padded(vector):
        return tf.constant(np.pad(vector, (0, extra)))

    after, f, steps = smo_steps.solve_block(
        tf.constant(full.astype(dtype)),
        padded(f),
        padded(beta),
        padded(problem.lower),
        padded(problem.upper),
        padded(problem.group),
        tf.constant(tolerance, tf.float64),
        tf.constant(max_steps),
        groups=problem.groups,
    )
    assert not after[len(beta) :].numpy().any()
    return after.numpy()[: len(beta)], f.numpy()[: len(beta)], int(steps)


def c_svc(positive, cost):
    positive = np.array(positive)
    cost = np.broadcast_to(np.float64(cost), positive.shape)
    return dual.c_svc(np.arange(len(positive)), positive, cost)


def test_block_sizes():
    sizes = [smo_steps.choose_block_size(v) for v in (1, 64, 65, 128)]
    assert sizes == [64, 64, 128, 128]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_two_points(dtype):
    K = np.array([[1.0, -1.0], [-1.0, 1.0]])
    beta, f, steps = solve(K, c_svc([True, False], 10.0), dtype=dtype)
    np.testing.assert_array_equal(beta, [0.5, -0.5])
    np.testing.assert_array_equal(f, [0.0, 0.0])
    assert steps == 1


def test_two_points_at_the_bound():
    cost = 0.1 + 0.2  # not a short binary fraction
    K = np.array([[1.0, -1.0], [-1.0, 1.0]])
    beta, _, steps = solve(K, c_svc([True, False], cost))
    np.testing.assert_array_equal(beta, [cost, -cost])
    assert steps == 1


def test_unequal_costs_stop_at_the_smaller():
    K = np.array([[1.0, -1.0], [-1.0, 1.0]])
    beta, _, _ = solve(K, c_svc([True, False], [0.1, 7.0]))
    np.testing.assert_array_equal(beta, [0.1, -0.1])


@pytest.mark.parametrize("zero", [0.0, -0.0, 1e-310])
def test_a_gradient_of_zero_can_be_chosen(zero):
    # Its key is a subnormal number, which processors may flush to zero.
    K = np.eye(20)
    problem = c_svc([False] * 10 + [True] * 10, 1.0)._replace(
        linear=np.array([3.0] * 10 + [zero] * 10)
    )
    beta, _, steps = solve(K, problem, tolerance=1e-3, max_steps=500)
    assert 0 < steps < 500
    assert reference.kkt_violation(K, problem, beta) <= 1e-3


def test_equal_rows_go_as_far_as_the_box():
    K = np.ones((4, 4))
    problem = c_svc([True, True, False, False], [1.0, 2.0, 0.5, 2.5])
    beta, f, _ = solve(K, problem)
    np.testing.assert_array_equal(beta, [1.0, 2.0, -0.5, -2.5])
    np.testing.assert_array_equal(f, [-1, -1, 1, 1])


def test_negative_curvature_goes_as_far_as_the_box():
    K = -np.eye(4)
    problem = c_svc([True, True, False, False], 3.0)
    beta, _, _ = solve(K, problem)
    np.testing.assert_array_equal(beta, [3, 3, -3, -3])


def test_nothing_to_do():
    K = np.eye(4)
    problem = c_svc([True, True, True, True], 3.0)
    beta, f, steps = solve(K, problem)
    assert steps == 0
    assert not beta.any()
    np.testing.assert_array_equal(f, problem.linear)


def test_variables_between_equal_bounds_never_move():
    rows = make_rows(40)
    cost = np.where(np.arange(40) % 3, 2.0, 0.0)
    problem = build_problem("c_svc", rows, weight=cost)
    # They would be by far the worst violators.
    problem.linear[cost == 0] *= 1e6
    K = compute_matrix(RBF, rows.x)
    beta, _, steps = solve(K, problem)
    assert steps > 0
    assert not beta[cost == 0].any()
    assert reference.kkt_violation(K, problem, beta) <= 1e-6


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_reference(kind, dtype):
    rows = make_rows(30)
    problem = build_problem(kind, rows, cost=3.0)
    K = compute_matrix(RBF, rows.x).astype(dtype).astype("float64")
    beta, f, _ = solve(K, problem, dtype=dtype)
    reference.assert_feasible(problem, beta)
    # In float32 the difference of two rows is rounded before it is added to f.
    drift = 1e-10 if dtype == "float64" else 1e-6
    assert reference.kkt_violation(K, problem, beta) <= 1e-6 + 2 * drift
    np.testing.assert_allclose(
        f, reference.gradient(K, problem, beta), rtol=0, atol=drift
    )
    best = reference.objective(K, problem, reference.smo(K, problem))
    assert reference.objective(K, problem, beta) == pytest.approx(best, rel=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_no_step_raises_w(kind):
    rows = make_rows(30, seed=3)
    problem = build_problem(kind, rows, cost=30.0, nu=0.5)
    K = compute_matrix(RBF, rows.x)
    beta, last = problem.start, np.inf
    for _ in range(60):
        now = reference.objective(K, problem, beta)
        assert now <= last + 1e-12 * abs(now)
        beta, last = solve(K, problem, beta, max_steps=1)[0], now
        reference.assert_feasible(problem, beta)


def test_the_first_step_is_the_best_pair():
    rows = make_rows(30, seed=5)
    problem = build_problem("c_svc", rows, cost=100.0)
    # No ties, and the best pair is not the one with the largest violation.
    problem.linear[:] += np.linspace(0.1, 0.5, 30) * (1 + np.arange(30) % 7)
    K = compute_matrix(RBF, rows.x)
    f = problem.linear
    i = np.flatnonzero(rows.positive)[np.argmin(f[rows.positive])]
    falls = np.flatnonzero(~rows.positive & (f > f[i]))
    j = falls[np.argmax((f[falls] - f[i]) ** 2 / (2 - 2 * K[i, falls]))]
    assert j != falls[np.argmax(f[falls])]
    beta, _, steps = solve(K, problem, max_steps=1)
    assert steps == 1
    assert set(np.flatnonzero(beta)) == {i, j}
    assert beta[i] == pytest.approx((f[j] - f[i]) / (2 - 2 * K[i, j]))


def test_ties():
    # All gradients and all gains are the same.
    K = np.eye(32) + 1
    problem = c_svc([True] * 16 + [False] * 16, 1.0)
    beta, _, _ = solve(K, problem)
    assert reference.kkt_violation(K, problem, beta) <= 1e-6
    reference.assert_feasible(problem, beta)


@pytest.mark.parametrize("offset", [1e6, -1e6, 1e9, -1e12])
def test_large_gradients_never_cause_a_step_backwards(offset):
    # The embedded index costs the choice of i some digits, here beyond the tolerance.
    rows = make_rows(30)
    problem = build_problem("epsilon_svr", rows, cost=1.0)
    problem = problem._replace(linear=problem.linear + offset)
    shifted = problem._replace(linear=problem.linear - offset)
    K = compute_matrix(RBF, rows.x)
    before = 0.0
    beta = problem.start
    for _ in range(5):
        beta, _, _ = solve(K, problem, beta, max_steps=20)
        reference.assert_feasible(problem, beta)
        now = reference.objective(K, shifted, beta)
        assert now <= before + abs(offset) * 1e-13
        before = now
    assert now < -1


def test_gradients_beyond_the_range_of_gains():
    K = np.eye(4)
    problem = c_svc([True, True, False, False], 3.0)
    problem = problem._replace(linear=problem.linear * 1e40)
    beta, _, _ = solve(K, problem)
    np.testing.assert_array_equal(beta, [3, 3, -3, -3])


def test_no_pair_across_groups():
    # Group 1 has one variable, whose gradient is by far the least.
    K = np.eye(5)
    problem = dual.one_class(np.arange(5), np.ones(5), 0.5)._replace(
        linear=np.array([0.3, 0.2, 0.1, 0.0, -1e3]),
        group=np.array([0, 0, 0, 0, 1], np.int32),
        groups=2,
    )
    beta, _, _ = solve(K, problem)
    assert beta[4] == problem.start[4]
    assert beta[:4].sum() == pytest.approx(problem.start[:4].sum(), abs=1e-15)
    assert reference.kkt_violation(K, problem, beta) <= 1e-6
    assert np.any(beta != problem.start)


def test_a_group_that_cannot_rise_or_is_empty():
    K = np.eye(4)
    problem = c_svc([True, False, True, False], 1.0)._replace(
        group=np.array([0, 0, 1, 1], np.int32), groups=2
    )
    full = np.array([0.0, 0.0, 1.0, -1.0])
    beta, _, steps = solve(K, problem, full)
    np.testing.assert_allclose(beta, [1.0, -1.0, 1.0, -1.0])
    assert steps == 1
    alone = problem._replace(group=np.zeros(4, np.int32))
    beta, _, _ = solve(K, alone)
    assert reference.kkt_violation(K, alone._replace(groups=1), beta) <= 1e-6


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_kernel_values_that_are_not_finite_move_nothing(value):
    K = np.full((4, 4), value)
    problem = c_svc([True, True, False, False], 3.0)
    size = smo_steps.choose_block_size(4)
    beta, _, steps = smo_steps.solve_block(
        tf.constant(np.pad(K, (0, size - 4))),
        *(
            tf.constant(np.pad(v, (0, size - 4)))
            for v in (
                problem.linear,
                problem.start,
                problem.lower,
                problem.upper,
                problem.group,
            )
        ),
        tf.constant(1e-6, tf.float64),
        tf.constant(100),
        groups=1,
    )
    assert int(steps) == 0
    assert not beta.numpy().any()


def test_max_steps_is_respected():
    rows = make_rows(30)
    problem = build_problem("c_svc", rows, cost=100.0)
    K = compute_matrix(RBF, rows.x)
    assert solve(K, problem, max_steps=7)[2] == 7


def test_one_trace_per_block_size():
    rows = make_rows(30)
    K = compute_matrix(RBF, rows.x)
    solve(K, build_problem("c_svc", rows))
    count = smo_steps.solve_block.experimental_get_tracing_count()
    for cost in (1.0, 2.0):
        solve(K, build_problem("c_svc", rows, cost=cost), tolerance=1e-3, max_steps=5)
    solve(compute_matrix(RBF, make_rows(50).x), build_problem("c_svc", make_rows(50)))
    assert smo_steps.solve_block.experimental_get_tracing_count() == count
