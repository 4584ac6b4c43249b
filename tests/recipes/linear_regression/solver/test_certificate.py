"""The certificate's own formulas against those of the descent, and the true optimum."""

import numpy as np
import pytest
import tensorflow as tf

from recipes.linear_regression.solver import certificate, descent, row_sums
from recipes.linear_regression.solver.coordinates import Coordinates
from tests.recipes.linear_regression import reference
from tests.recipes.linear_regression.fitting import data, fit, theta_of


@pytest.mark.parametrize("kind", [Coordinates.plain, Coordinates.standardised])
@pytest.mark.parametrize("l2", [0.0, 0.3])
def test_gap_and_subgradient_are_those_of_the_descent(kind, l2):
    """At points with zero, positive and negative weights, near and far."""
    l1, (x, y) = 0.5, data()
    moments = row_sums.compute_moments([(x, y)])
    coordinates = kind(moments)
    unit = coordinates.unit
    settings = descent.StepSettings(0.0, l1 * unit, l2 * unit**2)
    for scale in (1e-3, 1.0, 30.0):
        w, level = scale * np.array([1.0, 0.0, -2.0, 0.5]), 0.7 * scale
        theta = tf.constant(coordinates.from_centred(w, level))
        with tf.GradientTape() as tape:
            tape.watch(theta)
            loss = moments.mean_squared_error(*coordinates.to_centred(theta))
            loss += descent.ridge_penalty(theta, settings.l2)
        slope = tape.gradient(loss, theta)
        error = moments.squared_error(w, level)
        ridge = np.append(2 * l2 * w, 0)
        np.testing.assert_allclose(
            certificate._smallest_subgradient(
                w, error.gradient / error.weight + ridge, coordinates, l1
            ),
            descent.smallest_subgradient(theta, slope, settings.l1),
            rtol=1e-9,
            atol=1e-9 * scale,
        )
        np.testing.assert_allclose(
            certificate._duality_gap(w, error, l1, l2),
            descent.elastic_net_duality_gap(
                theta, loss, slope, settings, coordinates.tilt
            ),
            rtol=1e-9,
        )


@pytest.mark.parametrize("l2", [0.0, 0.3])
def test_the_gap_is_at_least_the_excess_and_zero_at_the_optimum(l2):
    l1, (x, y) = 0.5, data()
    moments = row_sums.compute_moments([(x, y)])
    best = theta_of(fit(x, y, l1=l1, l2=l2))
    least = reference.objective(best, x, y, l1=l1, l2=l2)

    def gap_at(theta):
        w, level = Coordinates.plain(moments).centre(theta)
        return certificate._duality_gap(w, moments.squared_error(w, level), l1, l2)

    assert gap_at(best) <= 1e-11 * least
    random = np.random.default_rng(0)
    for distance in (1e-4, 1e-2, 1.0):
        theta = best + distance * random.standard_normal(5)
        excess = reference.objective(theta, x, y, l1=l1, l2=l2) - least
        assert gap_at(theta) >= excess
