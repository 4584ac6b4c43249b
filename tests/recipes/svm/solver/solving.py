"""What the tests of the solver share: kernels, data, problems of each kind, a loop."""

from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf

from layers import kernels
from recipes.svm.solver import decomposition
from recipes.svm.solver import dual as duals
from recipes.svm.solver import scheduler as solver_module
from recipes.svm.solver.scheduler import Solver

CACHE_BYTES = 1e9
KINDS = ("c_svc", "epsilon_svr", "nu_svc", "nu_svr", "one_class")


class Rows(NamedTuple):
    x: np.ndarray
    positive: np.ndarray
    target: np.ndarray


def data(n, d=3, seed=0, dtype="float64"):
    random = np.random.default_rng(seed)
    x = random.standard_normal((n, d)).astype(dtype)
    noise = random.standard_normal(n)
    positive = x[:, 0] + 0.5 * noise > 0
    positive[:2] = True, False
    return Rows(x, positive, np.sin(2 * x[:, 0]) + 0.3 * noise)


def pose(kind, rows, cost=1.0, nu=0.4, epsilon=0.1, weight=None):
    """A problem of a kind, of all rows."""
    numbers = np.arange(len(rows.x))
    weight = np.ones(len(rows.x)) if weight is None else weight
    if kind == "c_svc":
        return duals.c_svc(numbers, rows.positive, cost * weight)
    if kind == "epsilon_svr":
        return duals.epsilon_svr(numbers, rows.target, cost * weight, epsilon)
    if kind == "nu_svc":
        return duals.nu_svc(numbers, rows.positive, weight, nu)
    if kind == "nu_svr":
        return duals.nu_svr(numbers, rows.target, cost * weight, nu)
    return duals.one_class(numbers, weight, nu)


def matrix(kernel, x, rows=slice(None)):
    """K in float64, written out."""
    x = np.asarray(x, "float64")
    own = kernel(x, kernel.vectors(x)).numpy()
    return own[rows][:, rows]


def new_solver(
    kernel,
    x,
    problems,
    tolerance=1e-6,
    max_iterations=1000,
    cache_bytes=CACHE_BYTES,
):
    return Solver(kernel, x, problems, tolerance, max_iterations, cache_bytes)


def run(solver, eager=False, seen=None, most=5000):
    """Iterates until it is done: the solutions in the problems' order."""
    step = solver.iterate if eager else tf.function(solver.iterate)
    for _ in range(most):
        progress = step()
        if seen is not None:
            seen(solver, progress)
        if not solver.advance():
            return [solver.solutions[i] for i in range(len(solver.solutions))]
    raise AssertionError("the solver does not end")


def solve(kernel, x, problems, eager=False, seen=None, most=5000, **options):
    return run(new_solver(kernel, x, problems, **options), eager, seen, most)


def solve_one(kernel, x, problem, **options):
    (solution,) = solve(kernel, x, [problem], **options)
    return solution


def iterations(solutions):
    """Iterations that solutions took in all."""
    return sum(len(solution.trace.duality_gap) for solution in solutions)


def decompose(monkeypatch: pytest.MonkeyPatch, working_set=64, chunk=64):
    """Lets problems of more than 32 variables be solved by working sets this small."""
    monkeypatch.setattr(solver_module, "SMALL", 32)
    monkeypatch.setattr(decomposition, "LARGEST_WORKING_SET", working_set)
    monkeypatch.setattr("recipes.svm.solver.kernel_cache.CHUNK_ROWS", chunk)


RBF = kernels.RBFKernel(gamma=0.5)
