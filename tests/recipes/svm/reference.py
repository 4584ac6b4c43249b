"""Reference for the solver's tests: the duals in NumPy and float64.

A problem is `recipes.svm.solver.dual.DualProblem`; K is the kernel matrix of its rows.
It is written to be read, not to be fast, and shares nothing with the solver.
"""

import numpy as np


def matrix_of_variables(K, problem):
    """Return K for all pairs of variables: variable v belongs to row v mod n."""
    n = len(problem.rows)
    row = np.arange(len(problem.linear)) % n
    return K[np.ix_(row, row)]


def objective(K, problem, beta):
    """Compute W(β) = ½ βᵀKβ + pᵀβ."""
    return beta @ matrix_of_variables(K, problem) @ beta / 2 + problem.linear @ beta


def gradient(K, problem, beta):
    """Compute f = Kβ + p."""
    return matrix_of_variables(K, problem) @ beta + problem.linear


def may_rise(problem, beta, g):
    return (problem.group == g) & (beta < problem.upper)


def may_fall(problem, beta, g):
    return (problem.group == g) & (beta > problem.lower)


def violation(K, problem, beta):
    """Return max f[may fall] − min f[may rise] of the worst group, or 0."""
    f = gradient(K, problem, beta)
    worst = 0.0
    for g in range(problem.groups):
        rises, falls = may_rise(problem, beta, g), may_fall(problem, beta, g)
        if rises.any() and falls.any():
            worst = max(worst, f[falls].max() - f[rises].min())
    return worst


def kkt_violation(K, problem, beta):
    """Return the violation in units of the margin, or, where there is none, 1e300."""
    distance = margin(K, problem, beta)
    return violation(K, problem, beta) / distance if distance > 0 else 1e300


def margin(K, problem, beta):
    """Return half the distance between the groups' multipliers where it is made 1."""
    if not problem.unit_margin:
        return 1.0
    negative, positive = multipliers(K, problem, beta)
    return (positive - negative) / 2


def multipliers(K, problem, beta):
    """Return each group's multiplier: the mean of f at free variables, or a middle."""
    f = gradient(K, problem, beta)
    found = []
    for g in range(problem.groups):
        rises, falls = may_rise(problem, beta, g), may_fall(problem, beta, g)
        if (rises & falls).any():
            found.append(f[rises & falls].mean())
        else:
            ends = [f[rises].min()] if rises.any() else []
            ends += [f[falls].max()] if falls.any() else []
            found.append(np.mean(ends) if ends else 0.0)
    return np.array(found)


def duality_gap(K, problem, beta, multiplier=None):
    """Return the duality gap, Σᵢ (qᵢβᵢ − min qᵢβ) with the minimum over the box.

    q = f − μ, where μ are the multipliers of the groups' equalities.
    """
    if multiplier is None:
        multiplier = multipliers(K, problem, beta)
    slack = gradient(K, problem, beta) - np.asarray(multiplier)[problem.group]
    least = [
        min(q * low, q * high)
        for q, low, high in zip(slack, problem.lower, problem.upper, strict=True)
    ]
    return slack @ beta - sum(least)


def sums(problem, beta):
    """Return Σβ of each group."""
    return np.array([beta[problem.group == g].sum() for g in range(problem.groups)])


def assert_feasible(problem, beta):
    """Check the box exactly, and the equalities to rounding."""
    assert np.all(problem.lower <= beta)
    assert np.all(beta <= problem.upper)
    scale = max(1.0, abs(beta).max()) * np.sqrt(len(beta))
    np.testing.assert_allclose(
        sums(problem, beta), sums(problem, problem.start), rtol=0, atol=1e-9 * scale
    )


def smo(K, problem, tolerance=1e-8, max_steps=200_000):
    """Solve a problem by one two-variable step after another (Fan, Chen & Lin)."""
    K = matrix_of_variables(K, problem)
    beta = problem.start.copy()
    f = K @ beta + problem.linear
    for _ in range(max_steps):
        best = None
        for g in range(problem.groups):
            rises, falls = may_rise(problem, beta, g), may_fall(problem, beta, g)
            if not rises.any():
                continue
            i = np.flatnonzero(rises)[np.argmin(f[rises])]
            candidates = np.flatnonzero(falls & (f > f[i] + tolerance))
            if not len(candidates):
                continue
            curvature = K[i, i] + K[candidates, candidates] - 2 * K[i, candidates]
            gain = (f[candidates] - f[i]) ** 2 / np.maximum(curvature, 1e-12)
            k = np.argmax(gain)
            if best is None or gain[k] > best[0]:
                best = gain[k], i, candidates[k], max(curvature[k], 1e-12)
        if best is None:
            return beta
        _, i, j, curvature = best
        room_i, room_j = problem.upper[i] - beta[i], beta[j] - problem.lower[j]
        t = min((f[j] - f[i]) / curvature, room_i, room_j)
        beta[i] = problem.upper[i] if t == room_i else beta[i] + t
        beta[j] = problem.lower[j] if t == room_j else beta[j] - t
        f += t * (K[:, i] - K[:, j])
    raise AssertionError("the reference did not converge")
