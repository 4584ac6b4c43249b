"""All solvers reach the same optimum, whatever the memory and the shapes."""

import numpy as np
import pytest
import tensorflow as tf

from layers import kernels
from recipes.svm.solver import kernel_cache, small_problems
from recipes.svm.solver.decomposition import Decomposition
from recipes.svm.solver.precision import prepare_rows
from recipes.svm.solver.small_problems import SmallProblemBatch
from recipes.svm.solver.smo_steps import solve_block
from recipes.svm.solver.uncompiled import UncompiledSolver
from tests.recipes.svm import reference
from tests.recipes.svm.solver.solving import (
    CACHE_BYTES,
    KINDS,
    RBF,
    SOLVERS,
    build_problem,
    compute_matrix,
    count_iterations,
    force,
    force_compilation,
    force_decomposition,
    make_rows,
    new_scheduler,
    run,
    solve,
    solve_one,
)

N = 150


def cache_for(slots, rows, working_set=64, chunk=16, size=8):
    """Return the bytes that leave room for this many kernel rows."""
    return (2 * chunk + slots) * rows * size + 2 * working_set**2 * size


def check(problem, K, solution, tolerance=1e-6):
    beta = solution.proof.beta
    assert solution.stop_reason == "tolerance"
    reference.assert_feasible(problem, beta)
    assert reference.kkt_violation(K, problem, beta) <= tolerance + 1e-9
    best = reference.objective(K, problem, reference.smo(K, problem))
    assert reference.objective(K, problem, beta) == pytest.approx(best, rel=1e-8)


@pytest.mark.parametrize(
    ("kind", "dtype"), [(kind, "float32") for kind in KINDS] + [("c_svc", "float64")]
)
@pytest.mark.slow
def test_all_solvers_find_the_optimum(kind, dtype, monkeypatch):
    rows = make_rows(N, dtype=dtype)
    problem = build_problem(kind, rows, cost=3.0)
    K = compute_matrix(RBF, rows.x)
    uncompiled = new_scheduler(RBF, rows.x, [problem])
    assert isinstance(uncompiled.solver, UncompiledSolver)
    check(problem, K, *run(uncompiled))
    force_compilation(monkeypatch)
    batched = new_scheduler(RBF, rows.x, [problem])
    assert isinstance(batched.solver, SmallProblemBatch)
    check(problem, K, *run(batched))
    force_decomposition(monkeypatch)
    decomposed = new_scheduler(RBF, rows.x, [problem])
    assert isinstance(decomposed.solver, Decomposition)
    assert decomposed.solver.working_set_size == 64
    (solution,) = run(decomposed)
    check(problem, K, solution)
    assert count_iterations([solution]) > 3


@pytest.mark.parametrize("kind", ["c_svc", "epsilon_svr", "nu_svc"])
@pytest.mark.slow
def test_a_cache_that_evicts_rows_all_the_time(kind, monkeypatch):
    force_decomposition(monkeypatch, chunk=16)
    rows = make_rows(N)
    problem = build_problem(kind, rows, cost=10.0)
    scheduler = new_scheduler(
        RBF, rows.x, [problem], cache_bytes=cache_for(slots=66, rows=N)
    )
    assert scheduler.solver.kernel_cache.slots == 66
    (solution,) = run(scheduler)
    check(problem, compute_matrix(RBF, rows.x), solution)
    assert solution.problem.variables_per_row == (2 if kind == "epsilon_svr" else 1)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_memory_stays_within_its_limit(dtype, monkeypatch):
    force_decomposition(monkeypatch, working_set=128)
    size = tf.as_dtype(dtype).size
    for cache in (1.5e6, 2e6, 5e6, 1e9):
        x = tf.zeros([1000, 3], dtype)
        solver = Decomposition(RBF, x, 1000, 1, cache * size / 4)
        stored = np.prod(solver.kernel_cache.storage.shape) * size
        assert solver.kernel_cache.slots >= solver.working_set_size
        assert solver.kernel_cache.slots <= 1000
        assert stored + 2 * solver.working_set_size**2 * size <= cache * size / 4


def test_too_little_memory_raises_an_error_that_names_the_least(monkeypatch):
    force_decomposition(monkeypatch)

    def make(cache_bytes):
        Decomposition(RBF, tf.zeros([1003, 3]), 1003, 1, cache_bytes)

    with pytest.raises(ValueError, match="`cache_mb` should be at least") as error:
        make(1e4)
    least = float(str(error.value).split("at least ")[1].split(" ")[0])
    make(least * 1e6)
    with pytest.raises(ValueError, match=r"Received: cache_mb=0\.3"):
        make(0.3e6)


def test_working_sets_are_no_larger_than_the_problem():
    solver = Decomposition(RBF, tf.zeros([100, 3], tf.float64), 100, 1, 1e9)
    assert solver.working_set_size == 64


@pytest.mark.parametrize("kind", ["c_svc", "epsilon_svr", "nu_svc"])
@pytest.mark.slow
def test_the_running_product_is_the_gradient(kind, monkeypatch):
    force_decomposition(monkeypatch)
    rows = make_rows(N)
    problem = build_problem(kind, rows, cost=10.0)
    K = tf.constant(reference.matrix_of_variables(compute_matrix(RBF, rows.x), problem))
    scheduler = new_scheduler(RBF, rows.x, [problem], tolerance=1e-9)
    for _ in range(4):
        optimality = scheduler.iterate()
    (beta,) = scheduler.solver.get_points()
    assert np.any(beta != problem.start)
    variables = tf.constant(beta)
    with tf.GradientTape() as tape:
        tape.watch(variables)
        plain = tf.tensordot(variables, tf.linalg.matvec(K, variables), 1) / 2
        plain += tf.tensordot(variables, tf.constant(problem.linear), 1)
    gradient = tape.gradient(plain, variables)
    product = np.tile(scheduler.solver.product, problem.variables_per_row)
    np.testing.assert_allclose(product + problem.linear, gradient, rtol=0, atol=1e-11)
    assert float(optimality.dual_objective) == pytest.approx(-float(plain), rel=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.slow
def test_w_never_rises(kind, monkeypatch):
    force_decomposition(monkeypatch)
    rows = make_rows(N, seed=2)
    problem = build_problem(kind, rows, cost=10.0, nu=0.5)
    K = compute_matrix(RBF, rows.x)
    seen = [(reference.objective(K, problem, problem.start), np.inf)]

    def check_iteration(scheduler, optimality):
        (beta,) = scheduler.solver.get_points()
        reference.assert_feasible(problem, beta)
        now = reference.objective(K, problem, beta)
        assert now <= seen[-1][0] + 1e-12 * abs(now)
        assert float(optimality.duality_gap) >= 0
        assert float(optimality.duality_gap) == pytest.approx(
            reference.duality_gap(K, problem, beta), abs=1e-9
        )
        assert float(optimality.max_kkt_violation) == pytest.approx(
            reference.kkt_violation(K, problem, beta), abs=1e-9
        )
        seen.append((now, float(optimality.duality_gap)))

    solve_one(RBF, rows.x, problem, on_iteration=check_iteration)
    assert len(seen) > 4
    assert seen[-1][1] < 1e-3 * seen[1][1]


def test_a_solver_loads_smaller_problems(monkeypatch):
    # The padding holds no remains of the larger problem before.
    force_decomposition(monkeypatch)
    rows = make_rows(N)
    small = np.sort(np.random.default_rng(0).permutation(N)[:100])
    problems = [
        build_problem("epsilon_svr", rows, cost=3.0),
        build_problem(
            "epsilon_svr", rows._replace(x=rows.x[small], target=rows.target[small])
        )._replace(rows=small),
    ]
    scheduler = new_scheduler(RBF, rows.x, problems)
    solver = scheduler.solver
    little, large = run(scheduler)[::-1]
    assert scheduler.solver is solver
    assert scheduler._queue == []
    check(problems[0], compute_matrix(RBF, rows.x), large)
    check(problems[1], compute_matrix(RBF, rows.x, small), little)


def test_a_batch_pads_its_problems():
    rows = make_rows(60)
    problems = []
    for n in (60, 33, 45, 57):
        own = np.sort(np.random.default_rng(n).permutation(60)[:n])
        part = rows._replace(x=rows.x[own], target=rows.target[own])
        problems.append(build_problem("epsilon_svr", part, cost=n)._replace(rows=own))
    scheduler = new_scheduler(RBF, rows.x, problems)
    for problem, solution in zip(problems, run(scheduler), strict=True):
        assert solution.problem is problem
        check(problem, compute_matrix(RBF, rows.x, problem.rows), solution)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize(
    "kernel",
    [kernels.PrecomputedKernel(), kernels.LaplacianKernel(gamma=0.3)],
    ids=["precomputed", "laplacian"],
)
@pytest.mark.slow
def test_kernels_over_a_subset_of_the_rows(kernel, solver, monkeypatch):
    force(solver, monkeypatch)
    rows = make_rows(N)
    own = np.arange(1, N, 2)
    # Many rows in one, few in the other: the solver pads the matrix of the other.
    problems = [
        build_problem(
            "c_svc", rows._replace(x=rows.x[r], positive=rows.positive[r])
        )._replace(rows=r)
        for r in (own, own[:66])
    ]
    x = (
        compute_matrix(RBF, rows.x)
        if isinstance(kernel, kernels.PrecomputedKernel)
        else rows.x
    )
    scheduler = new_scheduler(kernel, x, problems)
    for problem, solution in zip(problems, run(scheduler), strict=True):
        check(problem, compute_matrix(kernel, x, problem.rows), solution)


@pytest.mark.parametrize("solver", SOLVERS)
def test_nothing_is_compiled_twice(solver, monkeypatch):
    force(solver, monkeypatch)
    rows = make_rows(N)
    own = np.arange(100)
    problems = [
        build_problem("c_svc", rows, cost=100.0),
        build_problem("c_svc", rows, cost=10.0),
        build_problem(
            "c_svc", rows._replace(x=rows.x[own], positive=rows.positive[own])
        ),
    ]
    # One after another.
    monkeypatch.setattr("recipes.svm.solver.scheduler.BATCH_SIZE", 1)
    scheduler = new_scheduler(RBF, rows.x, problems)
    functions = [
        solve_block,
        kernel_cache.compile_product_kernel(RBF),
        kernel_cache.sum_rows,
    ]
    scheduler.iterate()
    counts = [f.experimental_get_tracing_count() for f in functions]
    while scheduler.advance():
        scheduler.iterate()
    iterations = count_iterations(scheduler.solutions.values())
    assert iterations > (2 if solver == "batch" else 5)
    assert [f.experimental_get_tracing_count() for f in functions] == counts
    # A new solver of the same shapes, as of the next model, has nothing to trace.
    run(new_scheduler(RBF, rows.x, problems))
    assert [f.experimental_get_tracing_count() for f in functions] == counts


def test_padding_is_not_counted():
    x = tf.constant(make_rows(40).x)
    solver = SmallProblemBatch(RBF, x, 40, CACHE_BYTES)
    problem = build_problem("c_svc", make_rows(40))
    solver.load_problems([problem])
    solver.set_points([problem.start], [np.zeros(40)], [1e-6])
    (optimality,) = solver.iterate()
    (beta,) = solver.get_points()
    assert len(beta) == 40
    assert int(optimality.support_vectors) == np.count_nonzero(beta)
    assert solver.working_set_size == 64
    assert small_problems.SMALL_PROBLEM_SIZE > 64


@pytest.mark.parametrize(("cache_bytes", "parallel"), [(0, 1), (2e5, 3), (1e9, 6)])
@pytest.mark.slow
def test_as_many_small_problems_at_a_time_as_cores_and_memory_allow(
    cache_bytes, parallel, monkeypatch
):
    monkeypatch.setattr("os.cpu_count", lambda: 6)
    rows = make_rows(60)
    x = tf.constant(prepare_rows(RBF, rows.x, "float64"))
    solver = SmallProblemBatch(RBF, x, 60, cache_bytes)
    assert solver.parallel_problems == parallel  # 64² · 8 bytes, twice, for each
    problems = [build_problem("c_svc", rows, cost=cost) for cost in range(1, 9)]
    solver.load_problems(problems)
    starts = [problem.start for problem in problems]
    solver.set_points(starts, [np.zeros(60)] * len(problems), [1e-6] * len(problems))
    solver.iterate()
    force_compilation(monkeypatch)
    for problem, beta in zip(problems, solver.get_points(), strict=True):
        (alone,) = solve(RBF, rows.x, [problem])
        np.testing.assert_array_equal(beta, alone.proof.beta)
