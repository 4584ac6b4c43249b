"""The KKT violation, and the choice of working sets."""

import numpy as np
import pytest

from recipes.svm.solver.working_set import choose_working_set, compute_kkt_violation
from tests.recipes.svm import reference
from tests.recipes.svm.solver.solving import (
    KINDS,
    RBF,
    build_problem,
    compute_matrix,
    make_rows,
)


def choose(problem, f, beta, previous=(), size=8):
    previous = np.array(previous, np.intp)
    return choose_working_set(
        f, beta, problem, previous, size=size, groups=problem.groups
    )


def make_point(kind, n=40, seed=0):
    """Return a problem and a feasible β with variables at bounds and between them."""
    rows = make_rows(n, seed=seed)
    problem = build_problem(kind, rows, cost=2.0, nu=0.5)
    K = compute_matrix(RBF, rows.x)
    beta = reference.smo(K, problem, tolerance=0.5)
    return problem, reference.gradient(K, problem, beta), beta, K


@pytest.mark.parametrize("kind", KINDS)
def test_violation(kind):
    problem, f, beta, K = make_point(kind)
    found = compute_kkt_violation(f, beta, problem, groups=problem.groups)
    assert found == pytest.approx(reference.violation(K, problem, beta))
    assert found > 0


def test_violation_where_nothing_can_move():
    problem, f, beta, _ = make_point("c_svc")
    fixed = problem._replace(lower=beta, upper=beta)
    assert compute_kkt_violation(f, beta, fixed, groups=1) < 0


@pytest.mark.parametrize("kind", KINDS)
def test_the_worst_violators_of_every_group_are_chosen(kind):
    problem, f, beta, _ = make_point(kind)
    chosen = choose(problem, f, beta, size=16)
    assert len(set(chosen)) == 16
    each = 8 // problem.groups
    for g in range(problem.groups):
        rises = np.flatnonzero(reference.may_rise(problem, beta, g))
        assert set(rises[np.argsort(f[rises])][:each]) <= set(chosen)
        falls = np.flatnonzero(reference.may_fall(problem, beta, g))
        falls = falls[~np.isin(falls, rises[np.argsort(f[rises])][:each])]
        assert set(falls[np.argsort(-f[falls])][:each]) <= set(chosen)


@pytest.mark.parametrize("kind", KINDS)
def test_the_newer_half_is_kept(kind):
    problem, f, beta, _ = make_point(kind)
    first = choose(problem, f, beta, size=16)
    second = choose(problem, f, beta, first, size=16)
    np.testing.assert_array_equal(second[:8], first[8:])
    assert len(set(second)) == 16
    third = choose(problem, f, beta, second, size=16)
    np.testing.assert_array_equal(third[:8], second[8:])


@pytest.mark.parametrize("groups", [1, 2])
def test_both_halves_have_some_of_each_kind(groups):
    problem, f, beta, _ = make_point("c_svc" if groups == 1 else "nu_svc")
    for half in np.split(choose(problem, f, beta, size=16), 2):
        for g in range(groups):
            assert np.any(reference.may_rise(problem, beta, g)[half])
            assert np.any(reference.may_fall(problem, beta, g)[half])


def test_more_places_than_candidates():
    # Two variables can move; the rest are padding, and none appears twice.
    problem, f, beta, _ = make_point("c_svc")
    lower, upper = problem.lower.copy(), problem.upper.copy()
    able = np.array([5, 17])
    for bound in (lower, upper):
        bound[np.setdiff1d(np.arange(40), able)] = 0.0
    problem = problem._replace(lower=lower, upper=upper)
    beta = np.zeros(40)
    chosen = choose(problem, f, beta, size=32)
    assert set(able) <= set(chosen)
    assert len(set(chosen)) == 32
    chosen = choose(problem, f, beta, chosen, size=32)
    assert len(set(chosen)) == 32


def test_all_variables_fit():
    problem, f, beta, _ = make_point("nu_svc", n=32)
    chosen = choose(problem, f, beta, size=32)
    assert set(chosen) == set(range(32))
    assert set(choose(problem, f, beta, chosen, size=32)) == set(range(32))


def test_a_group_of_two_is_chosen_whole():
    problem, f, beta, _ = make_point("one_class")
    group = np.zeros(40, np.int32)
    group[[3, 30]] = 1
    problem = problem._replace(group=group, groups=2)
    chosen = choose(problem, f, beta, size=8)
    assert {3, 30} <= set(chosen)
    assert len(set(chosen)) == 8
