"""Many tiny problems side by side, each against the reference and the proof of one."""

import numpy as np
import pytest

from layers import kernels
from recipes.svm.solver.padding import Padding
from recipes.svm.solver.proof import prove
from recipes.svm.solver.small_problems import SmallProblemBatch
from recipes.svm.solver.tiny_problems import TinyProblemBatch
from tests.recipes.svm import reference
from tests.recipes.svm.solver.solving import (
    RBF,
    build_problem,
    compute_matrix,
    force_compilation,
    make_rows,
    new_scheduler,
    run,
)

ROWS = make_rows(40, dtype="float32")
KINDS = ("c_svc", "nu_svc", "one_class")


def part_of(kind, indices, **options):
    """Build a problem of some of the rows."""
    own = type(ROWS)(*(values[indices] for values in ROWS))
    return build_problem(kind, own, **options)._replace(rows=np.asarray(indices))


def tiny_problems(kind, count=120, seed=0, **options):
    """Draw problems of 3 to 8 rows each, with both classes."""
    random = np.random.default_rng(seed)
    positive, negative = np.flatnonzero(ROWS.positive), np.flatnonzero(~ROWS.positive)
    return [
        part_of(
            kind,
            np.sort(
                np.concatenate(
                    [
                        random.choice(positive, random.integers(2, 5), replace=False),
                        random.choice(negative, random.integers(1, 5), replace=False),
                    ]
                )
            ),
            **options,
        )
        for _ in range(count)
    ]


@pytest.fixture(autouse=True)
def always_compiled(monkeypatch):
    force_compilation(monkeypatch)


def new_tiny_scheduler(kernel, problems, **options):
    scheduler = new_scheduler(kernel, ROWS.x, problems, **options)
    assert isinstance(scheduler.solver, TinyProblemBatch)
    return scheduler


@pytest.mark.parametrize("kind", KINDS)
def test_every_problem_is_solved(kind):
    problems = tiny_problems(kind, cost=10.0, nu=0.3)
    solutions = run(new_tiny_scheduler(RBF, problems))
    for problem, solution in zip(problems, solutions, strict=True):
        K = compute_matrix(RBF, ROWS.x, problem.rows)
        beta = solution.proof.beta
        assert solution.problem is problem
        assert solution.stop_reason == "tolerance"
        reference.assert_feasible(problem, beta)
        assert reference.kkt_violation(K, problem, beta) <= 1e-6 + 1e-12
        best = reference.objective(K, problem, reference.smo(K, problem))
        assert reference.objective(K, problem, beta) == pytest.approx(best, abs=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "kernel",
    [
        RBF,
        kernels.PolynomialKernel(degree=3, gamma=0.5, coef0=1.0),
        kernels.LaplacianKernel(),
    ],
    ids=lambda kernel: type(kernel).__name__,
)
def test_the_proof_is_that_of_one_problem(kernel, kind):
    problems = tiny_problems(kind, count=10, nu=0.3)
    solver = TinyProblemBatch(kernel, ROWS.x, problems)
    points = [problem.upper * 0.25 + problem.lower * 0.5 for problem in problems]
    solver.load_problems(problems)
    solver.set_points(points, [np.zeros(len(p.rows)) for p in problems], [1.0] * 10)
    found = solver.prove()
    for problem, point, proof in zip(problems, points, found, strict=True):
        expected = prove(kernel, ROWS.x, problem, point)
        np.testing.assert_array_equal(proof.beta, point)
        np.testing.assert_allclose(proof.product, expected.product, atol=1e-12)
        np.testing.assert_allclose(proof.multipliers, expected.multipliers, atol=1e-12)
        for one, other in zip(proof.optimality, expected.optimality, strict=True):
            assert one == pytest.approx(other, abs=1e-12)


def test_they_stop_one_by_one(monkeypatch):
    monkeypatch.setattr("recipes.svm.solver.smo_steps.STEPS_PER_VARIABLE", 1)
    problems = tiny_problems("c_svc", cost=1e4)
    solutions = run(new_tiny_scheduler(RBF, problems, tolerance=1e-9))
    assert len({len(solution.trace.duality_gap) for solution in solutions}) > 1
    for problem, solution in zip(problems, solutions, strict=True):
        assert solution.problem is problem
        assert solution.stop_reason == "tolerance"


def test_interrupted_and_continued(monkeypatch):
    monkeypatch.setattr("recipes.svm.solver.smo_steps.STEPS_PER_VARIABLE", 1)
    monkeypatch.setattr("recipes.svm.solver.tiny_problems.BATCH_VARIABLES", 16 * 8)
    problems = tiny_problems("c_svc", cost=1e4)
    scheduler = new_tiny_scheduler(RBF, problems, tolerance=1e-9)
    scheduler.iterate()
    assert scheduler.advance()
    scheduler.interrupt()
    solutions = [scheduler.solutions[i] for i in range(len(problems))]
    assert {each.stop_reason for each in solutions} >= {"interrupted"}
    for problem, solution in zip(problems, solutions, strict=True):
        reference.assert_feasible(problem, solution.proof.beta)
    started = [each.proof.beta.any() for each in solutions]
    assert 0 < sum(started) < len(problems)
    again = [
        problem._replace(start=solution.proof.beta)
        for problem, solution in zip(problems, solutions, strict=True)
    ]
    for solution in run(new_tiny_scheduler(RBF, again, tolerance=1e-9)):
        assert solution.stop_reason == "tolerance"


def test_few_problems_or_little_memory():
    problems = [part_of("c_svc", [0, 1, k]) for k in range(2, 40)]
    assert isinstance(new_tiny_scheduler(RBF, problems).solver, TinyProblemBatch)
    for scheduler in (
        new_scheduler(RBF, ROWS.x, problems[:32]),
        new_scheduler(RBF, ROWS.x, problems, cache_bytes=8 * 40**2 - 1),
    ):
        assert isinstance(scheduler.solver, SmallProblemBatch)


def test_padding():
    vectors = [np.arange(3.0), np.zeros(0), np.ones(2)]
    padding = Padding([3, 0, 2], (4, 5))
    matrix = padding.pad(vectors)
    np.testing.assert_array_equal(matrix[0], [0, 1, 2, 0, 0])
    assert matrix.shape == (4, 5)
    assert matrix.sum() == 5
    for one, other in zip(padding.unpad(matrix), vectors, strict=True):
        np.testing.assert_array_equal(one, other)
