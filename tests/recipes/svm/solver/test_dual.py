"""The duals as data: boxes, sums and starting points."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recipes.svm.solver import dual
from tests.recipes.svm import reference
from tests.recipes.svm.solver.solving import KINDS, build_problem, make_rows

ROWS = np.arange(4)
POSITIVE = np.array([True, False, True, False])
COST = np.array([1.0, 2.0, 0.0, 4.0])
TARGET = np.array([3.0, -1.0, 0.5, 2.0])


def test_c_svc():
    problem = dual.c_svc(ROWS, POSITIVE, COST)
    np.testing.assert_array_equal(problem.linear, [-1, 1, -1, 1])
    np.testing.assert_array_equal(problem.lower, [0, -2, 0, -4])
    np.testing.assert_array_equal(problem.upper, [1, 0, 0, 0])
    np.testing.assert_array_equal(problem.start, 0)
    assert (problem.variables_per_row, problem.groups) == (1, 1)
    assert not problem.unit_margin


def test_epsilon_svr():
    problem = dual.epsilon_svr(ROWS, TARGET, COST, 0.5)
    assert problem.origin == 1.0  # from which the targets are 2, −2, −0.5 and 1
    np.testing.assert_array_equal(
        problem.linear, [-1.5, 2.5, 1, -0.5, -2.5, 1.5, 0, -1.5]
    )
    np.testing.assert_array_equal(problem.lower, [0, 0, 0, 0, -1, -2, 0, -4])
    np.testing.assert_array_equal(problem.upper, [1, 2, 0, 4, 0, 0, 0, 0])
    assert (problem.variables_per_row, problem.groups) == (2, 1)


def test_nu_svc_starts_with_both_classes_at_half_of_nu():
    weight = np.array([1.0, 1.0, 2.0, 2.0])
    problem = dual.nu_svc(ROWS, POSITIVE, weight, 0.5)
    np.testing.assert_allclose(reference.sums(problem, problem.start), [-1.5, 1.5])
    np.testing.assert_array_equal(problem.group, [1, 0, 1, 0])
    assert (problem.groups, problem.unit_margin) == (2, True)


def test_nu_svc_at_the_largest_feasible_nu():
    weight = np.ones(4)
    positive = np.array([True, False, False, False])
    problem = dual.nu_svc(ROWS, positive, weight, 0.5)
    assert problem.start[0] == 1
    with pytest.raises(ValueError, match=r"`nu` should be at most 0\.5"):
        dual.nu_svc(ROWS, positive, weight, 0.51)


def test_nu_svc_with_a_class_of_weight_zero():
    weight = np.array([1.0, 0.0, 1.0, 0.0])
    with pytest.raises(ValueError, match="`nu` should be at most 0"):
        dual.nu_svc(ROWS, POSITIVE, weight, 0.1)


def test_nu_svr_starts_at_half_of_nu_on_each_side():
    problem = dual.nu_svr(ROWS, TARGET, COST, 0.5)
    np.testing.assert_allclose(reference.sums(problem, problem.start), [1.75, -1.75])
    np.testing.assert_array_equal(problem.group, [0] * 4 + [1] * 4)
    assert problem.variables_per_row == 2


def test_one_class():
    problem = dual.one_class(ROWS, COST, 0.5)
    np.testing.assert_allclose(problem.start, [1, 2, 0, 0.5])
    np.testing.assert_array_equal(problem.upper, COST)


@pytest.mark.parametrize("kind", KINDS)
@given(nu=st.floats(0.01, 0.99), seed=st.integers(0, 100))
@settings(max_examples=20, deadline=None)
def test_starts_are_feasible(kind, nu, seed):
    rows = make_rows(13, seed=seed)
    weight = np.random.default_rng(seed).integers(0, 3, 13) * 0.7
    weight[:2] = 1.0
    share = 2 * min(weight[rows.positive].sum(), weight[~rows.positive].sum())
    nu = nu * share / weight.sum() if kind == "nu_svc" else nu
    problem = build_problem(kind, rows, cost=3.0, nu=nu, weight=weight)
    reference.assert_feasible(problem, problem.start)
    assert np.all(problem.lower <= 0)
    assert np.all(problem.upper >= 0)
    assert problem.start.dtype == problem.linear.dtype == np.float64
    total = {
        "nu_svc": nu * weight.sum() / 2 * np.array([-1, 1]),
        "nu_svr": nu * 3 * weight.sum() / 2 * np.array([1, -1]),
        "one_class": nu * weight.sum(),
    }.get(kind, 0.0)
    np.testing.assert_allclose(
        reference.sums(problem, problem.start), total, rtol=1e-12, atol=1e-12
    )
