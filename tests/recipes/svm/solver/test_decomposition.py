"""The two ways to work on problems: one answer, whatever the memory and the shapes."""

import numpy as np
import pytest
import tensorflow as tf

from layers import kernels
from recipes.svm.solver import kernel_cache, small_problems
from recipes.svm.solver.decomposition import Decomposition
from recipes.svm.solver.float64_product import kernel_product
from recipes.svm.solver.proof import dual_objective
from recipes.svm.solver.small_problems import SideBySide
from recipes.svm.solver.smo_steps import solve_block
from tests.recipes.svm import reference
from tests.recipes.svm.solver.solving import (
    KINDS,
    RBF,
    data,
    decompose,
    iterations,
    matrix,
    new_solver,
    pose,
    run,
    solve_one,
)

N = 150


def cache_for(slots, rows, working_set=64, chunk=16, size=8):
    """Bytes that leave room for so many kernel rows."""
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
def test_both_stages_find_the_optimum(kind, dtype, monkeypatch):
    rows = data(N, dtype=dtype)
    problem = pose(kind, rows, cost=3.0)
    K = matrix(RBF, rows.x)
    side = new_solver(RBF, rows.x, [problem])
    assert isinstance(side.stages[0], SideBySide)
    check(problem, K, *run(side))
    decompose(monkeypatch)
    parts = new_solver(RBF, rows.x, [problem])
    assert isinstance(parts.stages[0], Decomposition)
    assert parts.stages[0].working_set_size == 64
    (solution,) = run(parts)
    check(problem, K, solution)
    assert iterations([solution]) > 3


@pytest.mark.parametrize("kind", ["c_svc", "epsilon_svr", "nu_svc"])
def test_rows_that_are_driven_out_all_the_time(kind, monkeypatch):
    decompose(monkeypatch, chunk=16)
    rows = data(N)
    problem = pose(kind, rows, cost=10.0)
    solver = new_solver(RBF, rows.x, [problem], cache_bytes=cache_for(slots=66, rows=N))
    assert solver.stages[0].kernel_rows.slots == 66
    (solution,) = run(solver)
    check(problem, matrix(RBF, rows.x), solution)
    assert solution.problem.copies == (2 if kind == "epsilon_svr" else 1)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_memory_is_kept_to(dtype, monkeypatch):
    decompose(monkeypatch, working_set=128)
    size = tf.as_dtype(dtype).size
    for cache in (1.5e6, 2e6, 5e6, 1e9):
        stage = Decomposition(
            RBF, 1000, 3, 1, 1, tf.as_dtype(dtype), 1e-3, cache * size / 4
        )
        stored = np.prod(stage.kernel_rows.storage.shape) * size
        assert stage.kernel_rows.slots >= stage.working_set_size
        assert stage.kernel_rows.slots <= 1000
        assert stored + 2 * stage.working_set_size**2 * size <= cache * size / 4


def test_too_little_memory_is_told_and_how_much_is_enough(monkeypatch):
    decompose(monkeypatch)

    def make(cache_bytes):
        Decomposition(RBF, 1003, 3, 1, 1, tf.float32, 1e-3, cache_bytes)

    with pytest.raises(ValueError, match="`cache_mb` should be at least") as error:
        make(1e4)
    least = float(str(error.value).split("at least ")[1].split(" ")[0])
    make(least * 1e6)
    with pytest.raises(ValueError, match=r"Received: 0\.3"):
        make(0.3e6)


def test_working_sets_are_no_larger_than_the_problem():
    stage = Decomposition(RBF, 100, 3, 1, 1, tf.float64, 1e-3, 1e9)
    assert stage.working_set_size == 64


@pytest.mark.parametrize("kind", ["c_svc", "epsilon_svr", "nu_svc"])
def test_the_running_product_is_the_gradient(kind, monkeypatch):
    decompose(monkeypatch)
    rows = data(N)
    problem = pose(kind, rows, cost=10.0)
    K = tf.constant(reference.matrix_of_variables(matrix(RBF, rows.x), problem))
    solver = new_solver(RBF, rows.x, [problem], tolerance=1e-9)
    stage = solver.stages[0]
    step = tf.function(stage.iterate)
    for _ in range(4):
        progress = step()
    beta = tf.constant(stage.point([problem])[0])
    with tf.GradientTape() as tape:
        tape.watch(beta)
        plain = tf.tensordot(beta, tf.linalg.matvec(K, beta), 1) / 2
        plain += tf.tensordot(beta, tf.constant(problem.linear), 1)
    gradient = tape.gradient(plain, beta)
    assert np.any(beta.numpy() != problem.start)
    np.testing.assert_allclose(stage._gradient(), gradient, rtol=0, atol=1e-11)
    assert float(progress.dual_objective) == pytest.approx(-float(plain), rel=1e-12)
    coefficients = beta.numpy().reshape(problem.copies, -1).sum(axis=0)
    product = tf.constant(kernel_product(RBF, rows.x, problem.rows, coefficients))
    with tf.GradientTape() as tape:
        tape.watch(beta)
        proof = dual_objective(beta, product, problem.linear, problem.copies)
    np.testing.assert_allclose(tape.gradient(proof, beta), gradient, rtol=0, atol=1e-11)


@pytest.mark.parametrize("kind", KINDS)
def test_w_never_rises(kind, monkeypatch):
    decompose(monkeypatch)
    rows = data(N, seed=2)
    problem = pose(kind, rows, cost=10.0, nu=0.5)
    K = matrix(RBF, rows.x)
    seen = [(reference.objective(K, problem, problem.start), np.inf)]

    def look(solver, progress):
        (beta,) = solver.stages[0].point([problem])
        reference.assert_feasible(problem, beta)
        now = reference.objective(K, problem, beta)
        assert now <= seen[-1][0] + 1e-12 * abs(now)
        assert float(progress.duality_gap) >= 0
        assert float(progress.duality_gap) == pytest.approx(
            reference.duality_gap(K, problem, beta), abs=1e-9
        )
        assert float(progress.max_kkt_violation) == pytest.approx(
            reference.kkt_violation(K, problem, beta), abs=1e-9
        )
        seen.append((now, float(progress.duality_gap)))

    solve_one(RBF, rows.x, problem, seen=look)
    assert len(seen) > 4
    assert seen[-1][1] < 1e-3 * seen[1][1]


def test_a_stage_takes_on_smaller_problems(monkeypatch):
    # The places that are left hold no remains of the larger one before.
    decompose(monkeypatch)
    rows = data(N)
    small = np.sort(np.random.default_rng(0).permutation(N)[:100])
    problems = [
        pose("epsilon_svr", rows, cost=3.0),
        pose(
            "epsilon_svr", rows._replace(x=rows.x[small], target=rows.target[small])
        )._replace(rows=small),
    ]
    solver = new_solver(RBF, rows.x, problems)
    assert len(solver.stages) == 1
    large, little = run(solver)
    assert solver._jobs == []
    check(problems[0], matrix(RBF, rows.x), large)
    check(problems[1], matrix(RBF, rows.x, small), little)


def test_padded_problems_side_by_side():
    rows = data(60)
    problems = []
    for n in (60, 33, 45, 57):
        own = np.sort(np.random.default_rng(n).permutation(60)[:n])
        part = rows._replace(x=rows.x[own], target=rows.target[own])
        problems.append(pose("epsilon_svr", part, cost=n)._replace(rows=own))
    solver = new_solver(RBF, rows.x, problems)
    assert len(solver.stages) == 1
    for problem, solution in zip(problems, run(solver), strict=True):
        assert solution.problem is problem
        check(problem, matrix(RBF, rows.x, problem.rows), solution)


@pytest.mark.parametrize("parts", [False, True], ids=["side by side", "parts"])
@pytest.mark.parametrize(
    "kernel",
    [kernels.PrecomputedKernel(), kernels.LaplacianKernel(gamma=0.3)],
    ids=["precomputed", "laplacian"],
)
def test_kernels_of_some_of_the_rows(kernel, parts, monkeypatch):
    if parts:
        decompose(monkeypatch)
    rows = data(N)
    own = np.arange(1, N, 2)
    # Many rows of one, a few of the other: the stage pads the other's matrix.
    problems = [
        pose("c_svc", rows._replace(x=rows.x[r], positive=rows.positive[r]))._replace(
            rows=r
        )
        for r in (own, own[:66])
    ]
    x = matrix(RBF, rows.x) if isinstance(kernel, kernels.PrecomputedKernel) else rows.x
    solver = new_solver(kernel, x, problems)
    for problem, solution in zip(problems, run(solver), strict=True):
        check(problem, matrix(kernel, x, problem.rows), solution)


@pytest.mark.parametrize("parts", [False, True], ids=["side by side", "parts"])
def test_nothing_compiles_again(parts, monkeypatch):
    if parts:
        decompose(monkeypatch)
    rows = data(N)
    own = np.arange(100)
    problems = [
        pose("c_svc", rows, cost=100.0),
        pose("c_svc", rows, cost=10.0),
        pose("c_svc", rows._replace(x=rows.x[own], positive=rows.positive[own])),
    ]
    # One after the other.
    monkeypatch.setattr("recipes.svm.solver.scheduler.TOGETHER", 1)
    solver = new_solver(RBF, rows.x, problems)
    assert len(solver.stages) == 1
    step = tf.function(solver.iterate)
    functions = [
        step,
        solve_block,
        kernel_cache.compiled_products(RBF),
        kernel_cache.sum_of_rows,
    ]
    step()
    counts = [f.experimental_get_tracing_count() for f in functions]
    more = solver.advance()
    while more:
        step()
        more = solver.advance()
    assert iterations(solver.solutions.values()) > (10 if parts else 2)
    assert [f.experimental_get_tracing_count() for f in functions] == counts
    assert counts[0] == 1


def test_eager_is_the_same_as_a_graph(monkeypatch):
    decompose(monkeypatch)
    rows = data(70)
    problem = pose("epsilon_svr", rows, cost=3.0)
    one = solve_one(RBF, rows.x, problem, tolerance=1e-3)
    other = solve_one(RBF, rows.x, problem, tolerance=1e-3, eager=True)
    assert one.steps == other.steps
    np.testing.assert_allclose(one.proof.beta, other.proof.beta, rtol=0, atol=1e-9)


def test_padding_is_not_counted(monkeypatch):
    stage = SideBySide(RBF, tf.constant(data(40).x), 40, 1, 1, 1e-6)
    problem = pose("c_svc", data(40))
    stage.begin(stage.function.x, [problem])
    progress = stage.iterate()
    (beta,) = stage.point([problem])
    assert len(beta) == 40
    assert int(progress.support_vectors[0]) == np.count_nonzero(beta)
    assert stage.size == 64
    assert small_problems.SMALL > 64
