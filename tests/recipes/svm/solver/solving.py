"""Shared by the solver's tests: a kernel, rows, problems of each kind, the loop."""

from typing import NamedTuple

import numpy as np
import pytest

from layers import kernels
from recipes.svm.solver import decomposition, dual, uncompiled
from recipes.svm.solver.scheduler import Scheduler

CACHE_BYTES = 1e9
KINDS = ("c_svc", "epsilon_svr", "nu_svc", "nu_svr", "one_class")


class Rows(NamedTuple):
    x: np.ndarray
    positive: np.ndarray
    target: np.ndarray


def make_rows(n, d=3, seed=0, dtype="float64"):
    random = np.random.default_rng(seed)
    x = random.standard_normal((n, d)).astype(dtype)
    noise = random.standard_normal(n)
    positive = x[:, 0] + 0.5 * noise > 0
    positive[:2] = True, False
    return Rows(x, positive, np.sin(2 * x[:, 0]) + 0.3 * noise)


def build_problem(kind, rows, cost=1.0, nu=0.4, epsilon=0.1, weight=None):
    """Build a problem of the given kind over all rows."""
    indices = np.arange(len(rows.x))
    weight = np.ones(len(rows.x)) if weight is None else weight
    if kind == "c_svc":
        return dual.c_svc(indices, rows.positive, cost * weight)
    if kind == "epsilon_svr":
        return dual.epsilon_svr(indices, rows.target, cost * weight, epsilon)
    if kind == "nu_svc":
        return dual.nu_svc(indices, rows.positive, weight, nu)
    if kind == "nu_svr":
        return dual.nu_svr(indices, rows.target, cost * weight, nu)
    return dual.one_class(indices, weight, nu)


def compute_matrix(kernel, x, rows=slice(None)):
    """Compute K in float64, as a dense matrix."""
    x = np.asarray(x, "float64")
    own = kernel(x, kernel.vectors(x)).numpy()
    return own[rows][:, rows]


def new_scheduler(
    kernel,
    x,
    problems,
    tolerance=1e-6,
    max_iterations=1000,
    cache_bytes=CACHE_BYTES,
):
    return Scheduler(kernel, x, problems, tolerance, max_iterations, cache_bytes)


def run(scheduler, on_iteration=None, most=5000):
    """Iterate to the end; return the solutions in the order of the problems."""
    for _ in range(most):
        optimality = scheduler.iterate()
        if on_iteration:
            on_iteration(scheduler, optimality)
        if not scheduler.advance():
            return [scheduler.solutions[i] for i in range(len(scheduler.solutions))]
    raise AssertionError("the scheduler does not end")


def solve(kernel, x, problems, on_iteration=None, most=5000, **options):
    scheduler = new_scheduler(kernel, x, problems, **options)
    return run(scheduler, on_iteration, most)


def solve_one(kernel, x, problem, **options):
    (solution,) = solve(kernel, x, [problem], **options)
    return solution


def count_iterations(solutions):
    """Count the iterations of all solutions."""
    return sum(len(solution.trace.duality_gap) for solution in solutions)


def force(solver, monkeypatch: pytest.MonkeyPatch):
    """Let one of `SOLVERS` solve all problems."""
    if solver == "uncompiled":
        # In steps of a working set, as large problems are.
        monkeypatch.setattr(uncompiled, "WORKING_SET_SIZE", 64)
    elif solver == "batch":
        force_compilation(monkeypatch)
    else:
        force_decomposition(monkeypatch)


def force_compilation(monkeypatch: pytest.MonkeyPatch):
    """Solve problems by compiled steps, however few they take."""
    monkeypatch.setattr(uncompiled, "MOST_PROBLEMS", 0)


def force_decomposition(monkeypatch: pytest.MonkeyPatch, working_set=64, chunk=64):
    """Solve problems of more than 32 variables by working sets this small."""
    force_compilation(monkeypatch)
    monkeypatch.setattr("recipes.svm.solver.scheduler.SMALL_PROBLEM_SIZE", 32)
    monkeypatch.setattr(decomposition, "LARGEST_WORKING_SET", working_set)
    monkeypatch.setattr("recipes.svm.solver.kernel_cache.CHUNK_ROWS", chunk)


SOLVERS = ("uncompiled", "batch", "decomposition")
RBF = kernels.RBFKernel(gamma=0.5)
