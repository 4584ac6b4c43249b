"""Problems of few steps: solved without compiling, or handed over to what compiles."""

import numpy as np
import pytest

from recipes.svm.solver import uncompiled
from recipes.svm.solver.decomposition import Decomposition
from recipes.svm.solver.small_problems import SmallProblemBatch
from recipes.svm.solver.smo_steps import choose_block_size, solve_block
from recipes.svm.solver.uncompiled import (
    UncompiledSolver,
    choose_batch_size,
    takes_few_steps,
)
from tests.recipes.svm import reference
from tests.recipes.svm.solver.solving import (
    KINDS,
    RBF,
    build_problem,
    compute_matrix,
    make_rows,
    new_scheduler,
    run,
)

N = 120


def check(problem, K, solution):
    assert solution.problem is problem
    assert solution.stop_reason == "tolerance"
    reference.assert_feasible(problem, solution.proof.beta)
    assert reference.kkt_violation(K, problem, solution.proof.beta) <= 1e-6


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("working_set", [48, 1000])
def test_it_finds_the_optimum_without_compiling(kind, working_set, monkeypatch):
    monkeypatch.setattr(uncompiled, "WORKING_SET_SIZE", working_set)
    traces = solve_block.experimental_get_tracing_count()
    rows = make_rows(N)
    problem = build_problem(kind, rows, cost=10.0)
    K = compute_matrix(RBF, rows.x)
    (solution,) = run(new_scheduler(RBF, rows.x, [problem]))
    check(problem, K, solution)
    best = reference.objective(K, problem, reference.smo(K, problem))
    found = reference.objective(K, problem, solution.proof.beta)
    assert found == pytest.approx(best, rel=1e-8)
    if working_set < N:
        assert len(solution.trace.duality_gap) > 1
    assert solve_block.experimental_get_tracing_count() == traces


@pytest.mark.parametrize("kind", ["c_svc", "nu_svr"])
@pytest.mark.parametrize("most", [1, 25, 150])
def test_what_takes_more_steps_is_handed_over(kind, most, monkeypatch):
    monkeypatch.setattr(uncompiled, "MOST_STEPS", most)
    rows = make_rows(N)
    problems = [build_problem(kind, rows, cost=cost) for cost in (1e-3, 10.0, 300.0)]
    scheduler = new_scheduler(RBF, rows.x, problems)
    assert isinstance(scheduler.solver, UncompiledSolver)
    solutions = run(scheduler)
    assert isinstance(scheduler.solver, SmallProblemBatch)
    assert sum(solution.steps for solution in solutions) > most
    for problem, solution in zip(problems, solutions, strict=True):
        check(problem, compute_matrix(RBF, rows.x), solution)
        # What was found before counts: the objective goes on rising.
        rises = np.diff(solution.trace.dual_objective)
        assert (rises >= -1e-9).all()


def test_what_is_large_is_handed_over_to_a_decomposition(monkeypatch):
    monkeypatch.setattr(uncompiled, "MOST_STEPS", 5)
    monkeypatch.setattr("recipes.svm.solver.scheduler.SMALL_PROBLEM_SIZE", 32)
    rows = make_rows(N)
    problem = build_problem("c_svc", rows)
    scheduler = new_scheduler(RBF, rows.x, [problem])
    (solution,) = run(scheduler)
    assert isinstance(scheduler.solver, Decomposition)
    check(problem, compute_matrix(RBF, rows.x), solution)


def test_an_interruption_keeps_what_was_found(monkeypatch):
    monkeypatch.setattr(uncompiled, "WORKING_SET_SIZE", 16)
    rows = make_rows(N)
    problem = build_problem("c_svc", rows, cost=10.0)
    scheduler = new_scheduler(RBF, rows.x, [problem])
    optimality = scheduler.iterate()
    assert scheduler.advance()
    scheduler.interrupt()
    solution = scheduler.solutions[0]
    assert solution.stop_reason == "interrupted"
    assert solution.proof.optimality.dual_objective == pytest.approx(
        optimality.dual_objective
    )
    assert optimality.dual_objective > 0


def test_few_problems_of_few_rows_are_uncompiled(monkeypatch):
    problems = [build_problem("c_svc", make_rows(10))] * 3
    assert takes_few_steps(problems, cache_bytes=16 * 10**2)
    assert not takes_few_steps(problems, cache_bytes=16 * 10**2 - 1)
    monkeypatch.setattr(uncompiled, "MOST_VALUES", 99)
    assert not takes_few_steps(problems, cache_bytes=1e9)
    monkeypatch.setattr(uncompiled, "MOST_VALUES", 100)
    assert takes_few_steps(problems, cache_bytes=1e9)
    monkeypatch.setattr(uncompiled, "MOST_PROBLEMS", 2)
    assert not takes_few_steps(problems, cache_bytes=1e9)


def test_a_batch_fits_in_memory(monkeypatch):
    problems = [build_problem("c_svc", make_rows(10))] * 3
    assert choose_batch_size(problems, cache_bytes=8 * 10**2 * 5) == 4
    assert choose_batch_size(problems, cache_bytes=0) == 1
    monkeypatch.setattr(uncompiled, "WORKING_SET_SIZE", 9)
    assert choose_batch_size(problems, cache_bytes=1e9) == 1


def test_block_sizes_are_few():
    sizes = [choose_block_size(n) for n in range(1, 5000)]
    assert all(size >= n for n, size in enumerate(sizes, 1))
    assert all(size <= max(64, 1.5 * n + 64) for n, size in enumerate(sizes, 1))
    assert all(size % 64 == 0 for size in sizes)
    assert len(set(sizes)) <= 13
