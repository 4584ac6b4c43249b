"""Properties of every problem: constraints, falling W, gap and KKT violation."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from layers import kernels
from recipes.svm.solver import smo_steps
from tests.recipes.svm import reference
from tests.recipes.svm.solver.solving import (
    KINDS,
    Rows,
    build_problem,
    compute_matrix,
    solve_one,
)

MOST_ROWS = 30  # two variables each fit in the smallest block
KERNELS = (
    kernels.LinearKernel(),
    kernels.RBFKernel(gamma=1.0),
    kernels.PolynomialKernel(degree=2, gamma=1.0, coef0=1.0),
)


@st.composite
def problems(draw):
    """Draw few rows of few values: many of them are equal, and many gradients tie."""
    seed = draw(st.integers(0, 2**32 - 1))
    random = np.random.default_rng(seed)
    n = draw(st.integers(4, MOST_ROWS))
    values = draw(st.integers(1, 5))
    x = random.integers(0, values, (n, draw(st.integers(1, 3)))) / values
    positive = random.random(n) < draw(st.floats(0.1, 0.9))
    positive[:2] = True, False
    target = random.integers(-3, 4, n) * draw(st.sampled_from([0.5, 100.0]))
    weight = random.integers(0, 3, n) * draw(st.sampled_from([1.0, 0.1]))
    weight[:2] = weight.max() or 1.0
    kind = draw(st.sampled_from(KINDS))
    share = 2 * min(weight[positive].sum(), weight[~positive].sum()) / weight.sum()
    nu = draw(st.floats(0.05, 0.95)) * (share if kind == "nu_svc" else 1)
    cost = draw(st.sampled_from([1e-6, 0.1, 1.0, 1e3]))
    epsilon = draw(st.sampled_from([0.0, 0.1, 2.0]))
    kernel = draw(st.sampled_from(KERNELS))
    return (
        kernel,
        x,
        build_problem(kind, Rows(x, positive, target), cost, nu, epsilon, weight),
    )


@given(problems())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_blocks(case):
    kernel, x, problem = case
    K = compute_matrix(kernel, x)
    size = smo_steps.choose_block_size(64)
    extra = size - len(problem.linear)
    full = np.pad(reference.matrix_of_variables(K, problem), (0, extra))
    group = np.pad(problem.group, (0, extra))
    beta, last = problem.start, np.inf
    taken = 1
    # A few steps at first, as many as it takes at the end.
    for most in (1, 1, 1, 5, 50, 100_000):
        now = reference.objective(K, problem, beta)
        assert now <= last + 1e-12 * max(1, abs(now))
        last = now
        after, f, taken = smo_steps.solve_block(
            tf.constant(full),
            *(
                tf.constant(np.pad(v, (0, extra)))
                for v in (
                    reference.gradient(K, problem, beta),
                    beta,
                    problem.lower,
                    problem.upper,
                )
            ),
            tf.constant(group),
            tf.constant(1e-6, tf.float64),
            tf.constant(most),
            groups=2,
        )
        beta = after.numpy()[: len(beta)]
        reference.assert_feasible(problem, beta)
        scale = max(1, abs(reference.gradient(K, problem, beta)).max())
        np.testing.assert_allclose(
            f.numpy()[: len(beta)],
            reference.gradient(K, problem, beta),
            rtol=0,
            atol=1e-9 * scale,
        )
        assert reference.duality_gap(K, problem, beta) >= -1e-12 * scale
    if int(taken) < 100_000:
        assert reference.violation(K, problem, beta) <= 1e-6 + 1e-9 * scale


@given(problems(), st.sampled_from(["float32", "float64"]))
@settings(max_examples=25, deadline=None, derandomize=True)
@pytest.mark.slow
def test_whole_problems(case, dtype):
    kernel, x, problem = case
    x = x.astype(dtype)
    K = compute_matrix(kernel, x)
    solution = solve_one(kernel, x, problem, tolerance=1e-4, most=500)
    beta, optimality = solution.proof.beta, solution.proof.optimality
    reference.assert_feasible(problem, beta)
    if reference.margin(K, problem, beta) < 1e-9:  # the kernel sees no difference
        assert solution.stop_reason == "stalled"
        return
    left = reference.kkt_violation(K, problem, beta)
    assert float(optimality.max_kkt_violation) == pytest.approx(left, abs=1e-9)
    assert solution.stop_reason == "tolerance"
    assert left <= 1e-4 + 1e-9
    gap = reference.duality_gap(K, problem, beta)
    assert float(optimality.duality_gap) == pytest.approx(gap, rel=1e-6, abs=1e-7)
    assert float(optimality.duality_gap) >= 0
    # The violation times the width of the box bounds the gap.
    width = (problem.upper - problem.lower).sum()
    assert gap <= width * 1e-4 + 1e-9
    start = reference.objective(K, problem, problem.start)
    assert reference.objective(K, problem, beta) <= start + 1e-9 * max(1, abs(start))
    assert np.all(np.isfinite(solution.coefficients))
    assert np.isfinite(solution.bias)
