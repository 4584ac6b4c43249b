"""How solving goes: beginnings, many problems, and every way to come to an end."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from layers import kernels
from recipes.svm.solver import dual as duals
from recipes.svm.solver import scheduler as solver_module
from tests.recipes.svm import reference
from tests.recipes.svm.solver.solving import (
    KINDS,
    RBF,
    data,
    decompose,
    matrix,
    new_solver,
    pose,
    run,
    solve,
    solve_one,
)

# -- what has no optimum, or none that is found ----------------------------------------


@pytest.mark.parametrize("parts", [False, True], ids=["side by side", "parts"])
@pytest.mark.parametrize(
    "kernel",
    [
        kernels.SigmoidKernel(gamma=2.0, coef0=-1.0),
        kernels.CallableKernel(lambda x, z: -tf.matmul(x, z, transpose_b=True)),
    ],
    ids=["sigmoid", "negative definite"],
)
@pytest.mark.parametrize("kind", ["c_svc", "nu_svr"])
def test_kernels_that_are_not_definite_come_to_an_end(kernel, kind, parts, monkeypatch):
    if parts:
        decompose(monkeypatch)
    rows = data(70)
    problem = pose(kind, rows, cost=10.0)
    solution = solve_one(kernel, rows.x, problem, tolerance=1e-4, most=400)
    K = matrix(kernel, rows.x)
    assert np.linalg.eigvalsh(K)[0] < -1
    beta = solution.proof.beta
    reference.assert_feasible(problem, beta)
    left = reference.kkt_violation(K, problem, beta)
    assert (solution.stop_reason == "tolerance") == (left <= 1e-4)
    assert reference.objective(K, problem, beta) <= reference.objective(
        K, problem, problem.start
    )


@pytest.mark.parametrize("parts", [False, True], ids=["side by side", "parts"])
@pytest.mark.parametrize("share", ["all", "some"])
def test_no_numbers_are_never_an_answer(share, parts, monkeypatch):
    if parts:
        decompose(monkeypatch)
    worst = -np.inf if share == "all" else 2.0

    def broken(x, z):
        products = tf.matmul(x, z, transpose_b=True)
        return tf.where(products > worst, tf.cast(np.nan, x.dtype), products)

    rows = data(70)
    solution = solve_one(
        kernels.CallableKernel(broken), rows.x, pose("c_svc", rows), most=200
    )
    assert solution.stop_reason == "stalled"
    assert not solution.proof.measured.max_kkt_violation <= 1e-6


def test_kernel_values_beyond_float32_are_a_stall():
    rows = data(70, dtype="float32")
    solution = solve_one(
        kernels.LinearKernel(), 1e25 * rows.x, pose("c_svc", rows), most=200
    )
    assert solution.stop_reason == "stalled"


@pytest.mark.parametrize("parts", [False, True], ids=["side by side", "parts"])
def test_max_iterations(parts, monkeypatch):
    if parts:
        decompose(monkeypatch)
    monkeypatch.setattr("recipes.svm.solver.decomposition.STEPS_PER_VARIABLE", 1)
    rows = data(70)
    problem = pose("epsilon_svr", rows, cost=1e3)
    solution = solve_one(RBF, rows.x, problem, max_iterations=3)
    assert solution.stop_reason == "max_iterations"
    assert len(solution.trace.duality_gap) == 3
    assert solution.proof.measured.max_kkt_violation == pytest.approx(
        reference.kkt_violation(matrix(RBF, rows.x), problem, solution.proof.beta)
    )
    enough = solve_one(RBF, rows.x, problem, tolerance=1e-3)
    assert enough.stop_reason == "tolerance"
    assert len(enough.trace.duality_gap) > 3


def test_the_last_iteration_may_be_the_one_that_succeeds():
    rows = data(70)
    solution = solve_one(RBF, rows.x, pose("c_svc", rows), max_iterations=1)
    assert solution.stop_reason == "tolerance"


def test_errors_of_the_proof_are_raised(monkeypatch):
    rows = data(70)
    solver = new_solver(RBF, rows.x, [pose("c_svc", rows)])
    solver.iterate()

    def broken(*_):
        raise MemoryError("no room")

    monkeypatch.setattr(solver_module, "prove", broken)
    with pytest.raises(MemoryError, match="no room"):
        solver.advance()


# -- where to begin, several problems, and where to end --------------------------------


@pytest.mark.parametrize(
    ("kind", "parts"), [(kind, True) for kind in KINDS] + [("nu_svc", False)]
)
def test_from_the_solution_it_takes_one_iteration(kind, parts, monkeypatch):
    if parts:
        decompose(monkeypatch)
    rows = data(70)
    problem = pose(kind, rows, cost=3.0)
    first = solve_one(RBF, rows.x, problem, tolerance=1e-6)
    again = problem._replace(start=first.proof.beta)
    solution = solve_one(RBF, rows.x, again, tolerance=1e-5)
    assert len(solution.trace.duality_gap) == 1
    assert solution.steps == 0
    np.testing.assert_array_equal(solution.proof.beta, first.proof.beta)


@pytest.mark.parametrize("parts", [False, True], ids=["side by side", "parts"])
def test_from_anywhere_to_the_same_answer(parts, monkeypatch):
    if parts:
        decompose(monkeypatch)
    rows = data(70)
    problem = pose("c_svc", rows, cost=3.0)
    K = matrix(RBF, rows.x)
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
    decompose(monkeypatch)
    monkeypatch.setattr(solver_module, "TOGETHER", 2)
    rows = data(150)
    sizes = [20, 120, 2, 30, 66, 31, 32, 90]
    problems = []
    for n in sizes:
        part = type(rows)(*(values[:n] for values in rows))
        problems.append(pose("c_svc", part, cost=n))
    solver = new_solver(RBF, rows.x, problems)
    for n, problem, solution in zip(sizes, problems, run(solver), strict=True):
        assert solution.problem is problem
        assert solution.stop_reason == "tolerance"
        K = matrix(RBF, rows.x, problem.rows)
        assert reference.kkt_violation(K, problem, solution.proof.beta) <= 1.01e-6
        assert len(solution.coefficients) == n
        assert len(solution.trace.dual_objective) >= 1
    assert not solver._jobs


def test_some_go_on_while_others_are_done(monkeypatch):
    # One needs many iterations, and its neighbours in the tensors leave one by one.
    monkeypatch.setattr("recipes.svm.solver.decomposition.STEPS_PER_VARIABLE", 1)
    rows = data(70)
    costs = [1e3, 1e-3, 10.0, 1.0, 300.0]
    problems = [pose("c_svc", rows, cost=cost) for cost in costs]
    solutions = solve(RBF, rows.x, problems)
    lengths = [len(solution.trace.duality_gap) for solution in solutions]
    assert len(set(lengths)) >= 3
    assert lengths[1] == 1
    K = matrix(RBF, rows.x)
    for problem, solution in zip(problems, solutions, strict=True):
        assert solution.stop_reason == "tolerance"
        assert solution.problem is problem
        assert reference.kkt_violation(K, problem, solution.proof.beta) <= 1.01e-6
        objectives = solution.trace.dual_objective
        assert np.all(np.diff(objectives) >= -1e-12 * abs(objectives[1:]))


def test_octaves():
    rows = data(40)
    sizes = [1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 65, 66, 200]
    problems = [
        solver_module._Open(
            n,
            duals.one_class(np.arange(n), np.ones(n), 0.5),
        )
        for n in sizes
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(solver_module, "SMALL", 32)
        octaves = list(solver_module._by_octave(problems))
    found = [[each.index for each in octave] for octave in octaves]
    assert list(itertools.chain(*found)) == sizes
    for octave in found:
        assert octave[-1] < 2 * octave[0] or octave[-1] <= 1
        assert (octave[0] <= 32) == (octave[-1] <= 32)
    assert len(rows.x) == 40


def test_interrupted(monkeypatch):
    monkeypatch.setattr(solver_module, "TOGETHER", 2)
    monkeypatch.setattr("recipes.svm.solver.decomposition.STEPS_PER_VARIABLE", 1)
    rows = data(70)
    problems = [pose("epsilon_svr", rows, cost=cost) for cost in (1e-9, 1e3, 1e3)]
    solver = new_solver(RBF, rows.x, problems)
    for _ in range(2):
        solver.iterate()
        assert solver.advance()
    solver.interrupt()
    done, begun, untouched = (solver.solutions[i] for i in range(3))
    K = matrix(RBF, rows.x)
    assert done.stop_reason == "tolerance"
    assert begun.stop_reason == untouched.stop_reason == "interrupted"
    reference.assert_feasible(problems[1], begun.proof.beta)
    assert begun.proof.measured.dual_objective > 0
    assert begun.proof.measured.dual_objective == pytest.approx(
        -reference.objective(K, problems[1], begun.proof.beta)
    )
    assert len(begun.trace.duality_gap) == 2
    assert not untouched.proof.beta.any()
    assert len(untouched.trace.duality_gap) == 0
    solver.interrupt()
    assert len(solver.solutions) == 3


def test_what_an_iteration_returns_is_of_all_problems_in_hand():
    rows = data(70)
    problems = [pose("c_svc", rows, cost=cost) for cost in (1.0, 10.0)]
    solver = new_solver(RBF, rows.x, problems)
    progress = solver.iterate()
    assert not solver.advance()
    measured = [solver.solutions[i].proof.measured for i in range(2)]
    assert float(progress.dual_objective) == pytest.approx(
        sum(m.dual_objective for m in measured)
    )
    assert float(progress.duality_gap) == pytest.approx(
        sum(m.duality_gap for m in measured)
    )
    assert int(progress.support_vectors) == sum(m.support_vectors for m in measured)
    assert int(progress.steps) == sum(solver.solutions[i].steps for i in range(2))
