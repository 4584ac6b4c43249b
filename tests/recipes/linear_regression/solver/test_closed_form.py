"""`closed_form`: curvature, rank and minimiser against `numpy.linalg`."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recipes.linear_regression.solver import closed_form, row_sums
from recipes.linear_regression.solver.coordinates import Coordinates
from tests.recipes.linear_regression import reference


def moments_of(x, y, weight=None):
    arrays = (x, y) if weight is None else (x, y, weight)
    return row_sums.compute_moments([arrays])


def curvature_of(moments, l2, kind=Coordinates.plain):
    return closed_form.compute_curvature(moments, l2, kind(moments))


def minimiser_of(moments, curvature):
    """Return (w, b)."""
    w = closed_form.solve_normal_equations(moments, curvature)
    *center, target = moments.mean
    return np.append(w, target - center @ w)


def data(n=40, d=5, seed=0):
    random = np.random.default_rng(seed)
    x = random.standard_normal((n, d)) @ random.standard_normal((d, d)) + 1
    return x, random.standard_normal(n) + x[:, 0], random.uniform(0.5, 2, n)


@pytest.mark.parametrize("l2", [0.0, 0.1])
@pytest.mark.parametrize("weighted", [False, True])
def test_hessian_condition_and_minimiser(l2, weighted):
    x, y, weight = data()
    weight = weight if weighted else None
    moments = moments_of(x, y, weight)
    curvature = curvature_of(moments, l2)
    hessian = reference.hessian(x, weight, l2)
    np.testing.assert_allclose(curvature.hessian, hessian, rtol=1e-12)
    np.testing.assert_allclose(
        curvature.condition_number, np.linalg.cond(hessian), rtol=1e-9
    )
    np.testing.assert_allclose(
        minimiser_of(moments, curvature),
        reference.closed_form(x, y, weight, l2),
        rtol=1e-9,
    )
    assert curvature.rank == 5


@pytest.mark.parametrize("l2", [0.0, 0.1])
def test_the_hessian_of_standardised_columns(l2):
    x, y, weight = data()
    center = np.average(x, axis=0, weights=weight)
    scale = np.sqrt(np.average((x - center) ** 2, axis=0, weights=weight))
    expected = reference.hessian((x - center) / scale, weight)
    expected[:-1, :-1] += 2 * l2 * np.diag(1 / scale**2)
    moments = moments_of(1e9 + 1e-3 * x, y, weight)  # with the penalty of its units
    found = curvature_of(moments, 1e-6 * l2, Coordinates.standardised)
    np.testing.assert_allclose(found.hessian, expected, rtol=1e-3, atol=1e-3)


def test_excess_is_what_a_newton_step_gains():
    x, y, weight = data()
    moments = moments_of(x, y, weight)
    curvature = curvature_of(moments, 0.1)
    theta = np.arange(1.0, 7)
    gradient = reference.gradient(theta, x, y, weight, 0.1)
    gradient[:-1] -= moments.mean[:-1] * gradient[-1]  # in (w, a)
    lowest = reference.smooth_loss(
        reference.closed_form(x, y, weight, 0.1), x, y, weight, 0.1
    )
    assert curvature.excess(gradient) == pytest.approx(
        reference.smooth_loss(theta, x, y, weight, 0.1) - lowest, rel=1e-9
    )


def test_inverse_is_that_of_the_centred_rows():
    x, y, _ = data()
    curvature = curvature_of(moments_of(x, y), 0.1)
    expected = np.linalg.inv(2 * np.cov(x.T, bias=True) + 0.2 * np.eye(5))
    np.testing.assert_allclose(curvature.inverse(), expected, rtol=1e-9)


def gradient_at_closed_form(x, y, l2=0.0):
    moments = moments_of(x, y)
    curvature = curvature_of(moments, l2)
    theta = minimiser_of(moments, curvature)
    return curvature, theta, reference.gradient(theta, x, y, None, l2)


@pytest.mark.parametrize(
    ("change", "rank"),
    [
        (lambda x: np.column_stack([x, x[:, 0]]), 5),
        (lambda x: np.column_stack([x, x[:, 0] - 2 * x[:, 1]]), 5),
        (lambda x: np.column_stack([x, np.full(40, 7.0)]), 5),
        (lambda x: np.column_stack([x, np.zeros(40)]), 5),
        (lambda x: np.zeros_like(x), 0),
        (lambda x: x[:3], 2),
        (lambda x: x[:1], 0),
    ],
    ids=["twice", "combination", "constant", "zero", "all zero", "3 rows", "1 row"],
)
def test_rank_of_dependent_columns(change, rank):
    x, y, _ = data()
    x = change(x)
    curvature, theta, gradient = gradient_at_closed_form(x, y[: len(x)])
    assert curvature.rank == rank
    assert np.linalg.norm(gradient) < 1e-8  # still a minimiser
    best = reference.closed_form(x, y[: len(x)])
    loss = reference.smooth_loss(theta, x, y[: len(x)])
    assert loss == pytest.approx(
        reference.smooth_loss(best, x, y[: len(x)]), rel=1e-9, abs=1e-18
    )


def test_condition_number_of_dependent_columns_is_that_of_the_rest():
    x, y, _ = data()
    x = np.column_stack([x, x[:, 0]])
    curvature = curvature_of(moments_of(x, y), 0.0)
    values = np.linalg.eigvalsh(reference.hessian(x))
    assert curvature.condition_number == pytest.approx(values[-1] / values[1], rel=1e-6)


def test_a_penalty_makes_dependent_columns_unique():
    x, y, _ = data()
    x = np.column_stack([x, x[:, 0], np.ones(40)])
    curvature, theta, _ = gradient_at_closed_form(x, y, l2=0.1)
    assert curvature.rank == 7
    np.testing.assert_allclose(
        theta, reference.closed_form(x, y, None, 0.1), rtol=1e-9, atol=1e-12
    )
    assert theta[0] == pytest.approx(theta[5], rel=1e-9)


def test_columns_of_size_a_millionth_and_a_million():
    x, y, _ = data()
    scale = np.array([1e-6, 1, 1e6, 1e-6, 1e6])
    moments = moments_of(x * scale, y)
    curvature = curvature_of(moments, 0.0)
    assert curvature.rank == 5
    theta = minimiser_of(moments, curvature)
    plain = reference.closed_form(x, y)
    np.testing.assert_allclose(theta[:-1] * scale, plain[:-1], rtol=1e-8)
    np.testing.assert_allclose(theta[-1], plain[-1], rtol=1e-8)


def test_columns_around_a_million():
    random = np.random.default_rng(0)
    x, y = random.standard_normal((40, 5)), random.standard_normal(40)
    moments = moments_of(x + 1e6, y)
    curvature = curvature_of(moments, 0.0)
    assert curvature.rank == 5
    slopes = closed_form.solve_normal_equations(moments, curvature)
    expected = reference.closed_form(x, y)[:-1]
    assert np.linalg.norm(slopes - expected) < 1e-8 * np.linalg.norm(expected)


@settings(derandomize=True, deadline=None)
@given(
    spectrum=st.lists(st.floats(1e-3, 1e3), min_size=2, max_size=12),
    seed=st.integers(0, 1000),
)
def test_largest_eigenvalue_is_a_tight_upper_bound(spectrum, seed):
    random = np.random.default_rng(seed)
    basis, _ = np.linalg.qr(random.standard_normal((len(spectrum),) * 2))
    matrix = basis * spectrum @ basis.T
    found = closed_form.largest_eigenvalue(lambda v: matrix @ v, len(spectrum))
    assert (1 - 1e-6) * max(spectrum) <= found <= (1.01 + 1e-6) * max(spectrum)


def test_largest_eigenvalue_of_data():
    for seed in range(10):
        x, _, _ = data(seed=seed)
        hessian = reference.hessian(x)
        largest = np.linalg.eigvalsh(hessian)[-1]
        found = closed_form.largest_eigenvalue(lambda v, h=hessian: h @ v, 6)
        assert largest <= found <= (1.01 + 1e-6) * largest
        moments = moments_of(x, np.zeros(len(x)))
        assert curvature_of(moments, 0.0).largest == pytest.approx(largest)
