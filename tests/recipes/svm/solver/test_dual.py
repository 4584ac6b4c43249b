"""The duals as data: their boxes, sums and starting points."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recipes.svm.solver import dual as duals
from tests.recipes.svm import reference
from tests.recipes.svm.solver.solving import KINDS, data, pose

ROWS = np.arange(4)
POSITIVE = np.array([True, False, True, False])
COST = np.array([1.0, 2.0, 0.0, 4.0])
TARGET = np.array([3.0, -1.0, 0.5, 2.0])


def test_c_svc():
    problem = duals.c_svc(ROWS, POSITIVE, COST)
    np.testing.assert_array_equal(problem.linear, [-1, 1, -1, 1])
    np.testing.assert_array_equal(problem.lower, [0, -2, 0, -4])
    np.testing.assert_array_equal(problem.upper, [1, 0, 0, 0])
    np.testing.assert_array_equal(problem.start, 0)
    assert (problem.copies, problem.groups, problem.scaled) == (1, 1, False)


def test_epsilon_svr():
    problem = duals.epsilon_svr(ROWS, TARGET, COST, 0.5)
    np.testing.assert_array_equal(
        problem.linear, [-2.5, 1.5, 0, -1.5, -3.5, 0.5, -1, -2.5]
    )
    np.testing.assert_array_equal(problem.lower, [0, 0, 0, 0, -1, -2, 0, -4])
    np.testing.assert_array_equal(problem.upper, [1, 2, 0, 4, 0, 0, 0, 0])
    assert (problem.copies, problem.groups) == (2, 1)


def test_nu_svc_fills_both_classes_to_half_of_nu():
    weight = np.array([1.0, 1.0, 2.0, 2.0])
    problem = duals.nu_svc(ROWS, POSITIVE, weight, 0.5)
    np.testing.assert_allclose(reference.sums(problem, problem.start), [-1.5, 1.5])
    np.testing.assert_array_equal(problem.group, [1, 0, 1, 0])
    assert (problem.groups, problem.scaled) == (2, True)


def test_nu_svc_where_nu_is_as_large_as_can_be():
    weight = np.ones(4)
    positive = np.array([True, False, False, False])
    problem = duals.nu_svc(ROWS, positive, weight, 0.5)
    assert problem.start[0] == 1
    with pytest.raises(ValueError, match=r"`nu` should be at most 0\.5"):
        duals.nu_svc(ROWS, positive, weight, 0.51)


def test_nu_svc_of_a_class_that_weighs_nothing():
    weight = np.array([1.0, 0.0, 1.0, 0.0])
    with pytest.raises(ValueError, match="`nu` should be at most 0"):
        duals.nu_svc(ROWS, POSITIVE, weight, 0.1)


def test_nu_svr_starts_at_half_of_nu_on_each_side():
    problem = duals.nu_svr(ROWS, TARGET, COST, 0.5)
    np.testing.assert_allclose(reference.sums(problem, problem.start), [1.75, -1.75])
    np.testing.assert_array_equal(problem.group, [0] * 4 + [1] * 4)
    assert problem.copies == 2


def test_one_class():
    problem = duals.one_class(ROWS, COST, 0.5)
    np.testing.assert_allclose(problem.start, [1, 2, 0, 0.5])
    np.testing.assert_array_equal(problem.upper, COST)


@pytest.mark.parametrize("kind", KINDS)
@given(nu=st.floats(0.01, 0.99), seed=st.integers(0, 100))
@settings(max_examples=20, deadline=None)
def test_starts_are_feasible(kind, nu, seed):
    rows = data(13, seed=seed)
    weight = np.random.default_rng(seed).integers(0, 3, 13) * 0.7
    weight[:2] = 1.0
    share = 2 * min(weight[rows.positive].sum(), weight[~rows.positive].sum())
    nu = nu * share / weight.sum() if kind == "nu_svc" else nu
    problem = pose(kind, rows, cost=3.0, nu=nu, weight=weight)
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
