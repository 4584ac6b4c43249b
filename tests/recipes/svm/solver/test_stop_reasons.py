"""The course of solving: starts, several problems, and every reason to stop."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from layers import kernels
from recipes.svm.solver import dual
from recipes.svm.solver.scheduler import _ActiveProblem, _split_by_octave
from tests.recipes.svm import reference
from tests.recipes.svm.solver.solving import (
    KINDS,
    RBF,
    SOLVERS,
    build_problem,
    compute_matrix,
    force,
    force_compilation,
    force_decomposition,
    make_rows,
    new_scheduler,
    run,
    solve,
    solve_one,
)

# -- problems without an optimum, or without one that is found ------------------------


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize(
    "kernel",
    [
        kernels.SigmoidKernel(gamma=2.0, coef0=-1.0),
        kernels.CallableKernel(lambda x, z: -tf.matmul(x, z, transpose_b=True)),
    ],
    ids=["sigmoid", "negative definite"],
)
@pytest.mark.parametrize("kind", ["c_svc", "nu_svr"])
@pytest.mark.slow
def test_solving_ends_with_kernels_that_are_not_positive_definite(
    kernel, kind, solver, monkeypatch
):
    force(solver, monkeypatch)
    rows = make_rows(70)
    problem = build_problem(kind, rows, cost=10.0)
    solution = solve_one(kernel, rows.x, problem, tolerance=1e-4, most=400)
    K = compute_matrix(kernel, rows.x)
    assert np.linalg.eigvalsh(K)[0] < -1
    beta = solution.proof.beta
    reference.assert_feasible(problem, beta)
    left = reference.kkt_violation(K, problem, beta)
    assert (solution.stop_reason == "tolerance") == (left <= 1e-4)
    assert reference.objective(K, problem, beta) <= reference.objective(
        K, problem, problem.start
    )


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("share", ["all", "some"])
@pytest.mark.slow
def test_nan_is_never_an_answer(share, solver, monkeypatch):
    force(solver, monkeypatch)
    worst = -np.inf if share == "all" else 2.0

    def broken(x, z):
        products = tf.matmul(x, z, transpose_b=True)
        return tf.where(products > worst, tf.cast(np.nan, x.dtype), products)

    rows = make_rows(70)
    solution = solve_one(
        kernels.CallableKernel(broken), rows.x, build_problem("c_svc", rows), most=200
    )
    assert solution.stop_reason == "stalled"
    assert not solution.proof.optimality.max_kkt_violation <= 1e-6


def test_kernel_values_beyond_float32_stall():
    rows = make_rows(70, dtype="float32")
    solution = solve_one(
        kernels.LinearKernel(), 1e25 * rows.x, build_problem("c_svc", rows), most=200
    )
    assert solution.stop_reason == "stalled"


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.slow
def test_max_iterations(solver, monkeypatch):
    force(solver, monkeypatch)
    monkeypatch.setattr("recipes.svm.solver.smo_steps.STEPS_PER_VARIABLE", 1)
    rows = make_rows(70)
    problem = build_problem("epsilon_svr", rows, cost=1e3)
    solution = solve_one(RBF, rows.x, problem, max_iterations=3)
    assert solution.stop_reason == "max_iterations"
    assert len(solution.trace.duality_gap) == 3
    assert solution.proof.optimality.max_kkt_violation == pytest.approx(
        reference.kkt_violation(
            compute_matrix(RBF, rows.x), problem, solution.proof.beta
        )
    )
    enough = solve_one(RBF, rows.x, problem, tolerance=1e-3)
    assert enough.stop_reason == "tolerance"
    assert len(enough.trace.duality_gap) > 3


def test_the_last_iteration_may_be_the_one_that_succeeds():
    rows = make_rows(70)
    solution = solve_one(RBF, rows.x, build_problem("c_svc", rows), max_iterations=1)
    assert solution.stop_reason == "tolerance"


def test_errors_in_the_proof_are_raised(monkeypatch):
    force_compilation(monkeypatch)
    rows = make_rows(70)
    scheduler = new_scheduler(RBF, rows.x, [build_problem("c_svc", rows)])
    scheduler.iterate()

    def broken(*_):
        raise MemoryError("no room")

    monkeypatch.setattr("recipes.svm.solver.scheduler.prove", broken)
    with pytest.raises(MemoryError, match="no room"):
        scheduler.advance()


# -- starts, several problems, and interruption ---------------------------------------


@pytest.mark.parametrize(
    ("kind", "solver"),
    [(kind, "decomposition") for kind in KINDS]
    + [("nu_svc", "batch"), ("nu_svr", "uncompiled")],
)
@pytest.mark.slow
def test_from_the_solution_it_takes_one_iteration(kind, solver, monkeypatch):
    force(solver, monkeypatch)
    rows = make_rows(70)
    problem = build_problem(kind, rows, cost=3.0)
    first = solve_one(RBF, rows.x, problem, tolerance=1e-6)
    again = problem._replace(start=first.proof.beta)
    solution = solve_one(RBF, rows.x, again, tolerance=1e-5)
    assert len(solution.trace.duality_gap) == 1
    assert solution.steps == 0
    np.testing.assert_array_equal(solution.proof.beta, first.proof.beta)


@pytest.mark.parametrize("solver", SOLVERS)
def test_any_start_leads_to_the_same_answer(solver, monkeypatch):
    force(solver, monkeypatch)
    rows = make_rows(70)
    problem = build_problem("c_svc", rows, cost=3.0)
    K = compute_matrix(RBF, rows.x)
    best = reference.objective(K, problem, reference.smo(K, problem))
    pairs = min(rows.positive.sum(), (~rows.positive).sum())
    start = np.zeros(70)
    start[np.flatnonzero(rows.positive)[:pairs]] = 3.0
    start[np.flatnonzero(~rows.positive)[:pairs]] = -3.0
    solution = solve_one(RBF, rows.x, problem._replace(start=start))
    assert solution.stop_reason == "tolerance"
    assert reference.objective(K, problem, solution.proof.beta) == pytest.approx(
        best, rel=1e-9
    )


def test_problems_of_all_sizes(monkeypatch):
    force_decomposition(monkeypatch)
    monkeypatch.setattr("recipes.svm.solver.scheduler.BATCH_SIZE", 2)
    rows = make_rows(150)
    sizes = [20, 120, 2, 30, 66, 31, 32, 90]
    problems = []
    for n in sizes:
        part = type(rows)(*(values[:n] for values in rows))
        problems.append(build_problem("c_svc", part, cost=n))
    scheduler = new_scheduler(RBF, rows.x, problems)
    for n, problem, solution in zip(sizes, problems, run(scheduler), strict=True):
        assert solution.problem is problem
        assert solution.stop_reason == "tolerance"
        K = compute_matrix(RBF, rows.x, problem.rows)
        assert reference.kkt_violation(K, problem, solution.proof.beta) <= 1.01e-6
        assert len(solution.coefficients) == n
        assert len(solution.trace.dual_objective) >= 1
    assert not scheduler._queue


def test_problems_of_a_batch_finish_one_by_one(monkeypatch):
    force_compilation(monkeypatch)
    # One needs many iterations, and its neighbours in the tensors leave before it.
    monkeypatch.setattr("recipes.svm.solver.smo_steps.STEPS_PER_VARIABLE", 1)
    rows = make_rows(70)
    costs = [1e3, 1e-3, 10.0, 1.0, 300.0]
    problems = [build_problem("c_svc", rows, cost=cost) for cost in costs]
    solutions = solve(RBF, rows.x, problems)
    lengths = [len(solution.trace.duality_gap) for solution in solutions]
    assert len(set(lengths)) >= 3
    assert lengths[1] == 1
    K = compute_matrix(RBF, rows.x)
    for problem, solution in zip(problems, solutions, strict=True):
        assert solution.stop_reason == "tolerance"
        assert solution.problem is problem
        assert reference.kkt_violation(K, problem, solution.proof.beta) <= 1.01e-6
        objectives = solution.trace.dual_objective
        assert np.all(np.diff(objectives) >= -1e-12 * abs(objectives[1:]))


def test_octaves():
    sizes = [1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 65, 66, 200]
    problems = [
        _ActiveProblem(
            n, dual.one_class(np.arange(n), np.ones(n), 0.5), 1e-3, np.zeros(n)
        )
        for n in sizes
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("recipes.svm.solver.scheduler.SMALL_PROBLEM_SIZE", 32)
        octaves = list(_split_by_octave(problems))
    found = [[each.index for each in octave] for octave in octaves]
    assert list(itertools.chain(*found)) == sizes
    for octave in found:
        assert octave[-1] < 2 * octave[0] or octave[-1] <= 1
        assert (octave[0] <= 32) == (octave[-1] <= 32)


def test_interrupted(monkeypatch):
    force_compilation(monkeypatch)
    monkeypatch.setattr("recipes.svm.solver.scheduler.BATCH_SIZE", 2)
    monkeypatch.setattr("recipes.svm.solver.smo_steps.STEPS_PER_VARIABLE", 1)
    rows = make_rows(70)
    problems = [
        build_problem("epsilon_svr", rows, cost=cost) for cost in (1e-9, 1e3, 1e3)
    ]
    scheduler = new_scheduler(RBF, rows.x, problems)
    for _ in range(2):
        scheduler.iterate()
        assert scheduler.advance()
    scheduler.interrupt()
    done, begun, untouched = (scheduler.solutions[i] for i in range(3))
    K = compute_matrix(RBF, rows.x)
    assert done.stop_reason == "tolerance"
    assert begun.stop_reason == untouched.stop_reason == "interrupted"
    reference.assert_feasible(problems[1], begun.proof.beta)
    assert begun.proof.optimality.dual_objective > 0
    assert begun.proof.optimality.dual_objective == pytest.approx(
        -reference.objective(K, problems[1], begun.proof.beta)
    )
    assert len(begun.trace.duality_gap) == 2
    assert not untouched.proof.beta.any()
    assert len(untouched.trace.duality_gap) == 0
    scheduler.interrupt()
    assert len(scheduler.solutions) == 3


def test_an_iteration_returns_totals_over_the_batch():
    rows = make_rows(70)
    problems = [build_problem("c_svc", rows, cost=cost) for cost in (1.0, 10.0)]
    scheduler = new_scheduler(RBF, rows.x, problems)
    total = scheduler.iterate()
    assert not scheduler.advance()
    parts = [scheduler.solutions[i].proof.optimality for i in range(2)]
    assert float(total.dual_objective) == pytest.approx(
        sum(part.dual_objective for part in parts)
    )
    assert float(total.duality_gap) == pytest.approx(
        sum(part.duality_gap for part in parts)
    )
    assert int(total.support_vectors) == sum(part.support_vectors for part in parts)
    assert int(total.steps) == sum(scheduler.solutions[i].steps for i in range(2))
