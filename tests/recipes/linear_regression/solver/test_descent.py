"""`descent`: every formula by hand or against numpy, eager and compiled."""

import functools
import warnings

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import ElasticNet

from recipes.linear_regression.solver import descent, row_sums
from tests.recipes.linear_regression import reference

MOMENTA = ("none", "heavy_ball", "nesterov")


def f64(value):
    return tf.constant(value, tf.float64)


def state(theta, previous=None, age=0.0, iteration=0):
    return descent.State(
        f64(theta),
        f64(theta if previous is None else previous),
        f64(age),
        tf.constant(iteration, tf.int64),
    )


def settings_of(rate=0.1, l1=0.0, l2=0.0):
    return descent.StepSettings(f64(rate), f64(l1), f64(l2))


def rule_of(optimum, mean=(0.0,), **changes):
    values = {
        "optimum": optimum,
        "flat_directions": np.empty((len(optimum), 0)),
        "mean": mean,
        "resolution": 0.0,
        "tolerance": 1e-8,
        "gradient_tolerance": 1e-8,
        "loss_limit": np.inf,
    }
    return descent.StoppingRule(**{k: f64(v) for k, v in (values | changes).items()})


@pytest.fixture(params=["eager", "compiled"])
def run(request):
    """Calls a function of tensors as it is, or inside a `tf.function`."""

    def call(function, *tensors):
        if request.param == "compiled":
            function = tf.function(function, autograph=False)
        return function(*tensors)

    return call


def test_objectives_by_hand(run):
    # Rows x = (1, 3), y = (2, 8): at w = 2, b = 1 the errors are 1 and -1.
    x, y = np.array([[1.0], [3.0]]), np.array([2.0, 8.0])
    moments = row_sums.compute_moments([(x, y)])
    # About the means 2 and 5, b is a = b + 2·w - 5.
    assert float(run(moments.mean_squared_error, f64([2]), f64(0))) == 1
    assert float(run(descent.ridge_penalty, f64([2, -3, 7]), f64(0.5))) == 6.5
    assert float(run(descent.ridge_penalty, f64([2, -3, 7]), f64([1, 2]))) == 22
    assert float(run(descent.lasso_penalty, f64([2, -3, 7]), f64(0.5))) == 2.5


def test_the_article_step_by_hand(run):
    advance = functools.partial(descent.take_step, momentum="none")
    after = run(advance, state([1, 2]), f64([1, 2]), f64([4, -6]), settings_of(0.5))
    np.testing.assert_array_equal(after.theta, [1 - 0.5 * 4, 2 + 0.5 * 6])
    np.testing.assert_array_equal(after.previous, [1, 2])
    assert int(after.iteration) == 1


def test_heavy_ball_step_by_hand(run):
    advance = functools.partial(descent.take_step, momentum="heavy_ball")
    before = state([1, 2], previous=[0, 4], iteration=7)
    after = run(advance, before, before.theta, f64([4, -6]), settings_of(0.5))
    np.testing.assert_allclose(after.theta, [1 - 2 + 0.9 * 1, 2 + 3 + 0.9 * -2])
    assert int(after.iteration) == 8


def test_nesterov_step_by_hand(run):
    point_of = functools.partial(descent.evaluation_point, momentum="nesterov")
    advance = functools.partial(descent.take_step, momentum="nesterov")
    before = state([1, 2], previous=[0, 4], age=2)  # 2/(2 + 3) ahead
    point = run(point_of, before)
    np.testing.assert_allclose(point, [1 + 0.4, 2 - 0.8])
    on = run(advance, before, point, f64([-1, 1]), settings_of(0.1))  # downhill
    np.testing.assert_allclose(on.theta, [1.5, 1.1])
    assert float(on.age) == 3
    up = run(advance, before, point, f64([1, -1]), settings_of(0.1))  # carried uphill
    np.testing.assert_allclose(up.theta, [1.3, 1.3])
    assert float(up.age) == 0
    np.testing.assert_array_equal(run(point_of, up), up.theta)


@pytest.mark.parametrize("momentum", ["none", "heavy_ball"])
def test_other_momenta_take_the_gradient_at_theta(momentum):
    before = state([1, 2], previous=[0, 4], age=2)
    np.testing.assert_array_equal(
        descent.evaluation_point(before, momentum), before.theta
    )


@pytest.mark.parametrize("l1", [0.0, 0.3])
@pytest.mark.parametrize("momentum", MOMENTA)
def test_a_hundred_steps_match_the_reference(momentum, l1):
    random = np.random.default_rng(0)
    x, y = random.standard_normal((30, 4)), random.standard_normal(30)
    rate, step = 0.3, settings_of(0.3, l1)
    expected = reference.iterates(momentum, x, y, rate, 100, l1=l1)

    @tf.function(autograph=False)
    def advance(now):
        point = descent.evaluation_point(now, momentum)
        gradient = tf.linalg.matvec(reference.hessian(x), point) - slope_at_zero
        return descent.take_step(now, point, gradient, step, momentum)

    slope_at_zero = -reference.gradient(np.zeros(5), x, y)
    now = state(np.zeros(5))
    for k, theta in enumerate(expected, start=1):
        now = advance(now)
        np.testing.assert_allclose(now.theta, theta, rtol=1e-9, atol=1e-12)
        assert int(now.iteration) == k


numbers = st.floats(-100, 100)


@settings(derandomize=True)
@given(theta=st.lists(numbers, min_size=2, max_size=6), t=st.floats(0, 50), u=numbers)
def test_soft_threshold_is_the_argmin(theta, t, u):
    """½(v − w)² + t·|v| is not lower at 0, nearby or at a random u."""
    shrunk = descent.soft_threshold(f64(theta), f64(t)).numpy()
    expected = reference.soft_threshold(np.array(theta), t)
    np.testing.assert_allclose(shrunk, expected, rtol=1e-15, atol=1e-300)
    for w, v in zip(theta[:-1], shrunk[:-1], strict=True):
        others = np.array([0, u, w, v - 1e-3, v + 1e-3])
        cost = 0.5 * (v - w) ** 2 + t * abs(v)
        assert (cost <= 0.5 * (others - w) ** 2 + t * np.abs(others) + 1e-9).all()


@settings(derandomize=True)
@given(
    w=st.lists(st.sampled_from([-2.0, 0.0, 3.0]), min_size=1, max_size=4),
    seed=st.integers(0, 100),
    l1=st.floats(0, 2),
)
def test_smallest_subgradient(w, seed, l1):
    """Slope ± l1 off zero; at zero the nearest to 0 of [slope − l1, slope + l1]."""
    slope = np.random.default_rng(seed).uniform(-3, 3, len(w) + 1)
    found = descent.smallest_subgradient(f64([*w, 1.0]), f64(slope), f64(l1)).numpy()
    for i, weight in enumerate(w):
        choices = slope[i] + l1 * (np.sign(weight) if weight else np.linspace(-1, 1, 9))
        low, high = np.min(choices), np.max(choices)
        assert found[i] == pytest.approx(np.clip(0, low, high), abs=1e-12)
    assert found[-1] == slope[-1]


def elastic_net(x, y, l1, l2):
    """Fit scikit-learn's model, which halves the squared error: alpha·ratio = l1/2."""
    alpha = l1 / 2 + l2
    model = ElasticNet(
        alpha=alpha, l1_ratio=l1 / 2 / alpha, tol=1e-14, max_iter=100_000
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # its tol is out of reach
        model.fit(x, y)
    return np.append(model.coef_, model.intercept_)


def gap_of(theta, x, y, l1, l2):
    loss = reference.smooth_loss(theta, x, y, l2=l2)
    slope = reference.gradient(theta, x, y, l2=l2)
    return float(
        descent.elastic_net_duality_gap(
            f64(theta), f64(loss), f64(slope), settings_of(1, l1, l2), f64(x.mean(0))
        )
    )


@settings(deadline=None, max_examples=60, derandomize=True)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(2, 12),
    d=st.integers(1, 6),
    l1=st.floats(0.01, 3),
    l2=st.sampled_from([0.0, 0.2, 5.0]),
    away=st.sampled_from([0.0, 1e-6, 1e-2, 1.0, 100.0]),
)
def test_the_duality_gap_bounds_the_excess(seed, n, d, l1, l2, away):
    random = np.random.default_rng(seed)
    x = random.standard_normal((n, d)) + random.standard_normal(d)
    y = random.standard_normal(n) * 2 + 1
    best = elastic_net(x, y, l1, l2)
    lowest = reference.objective(best, x, y, l1=l1, l2=l2)
    theta = best + away * random.standard_normal(d + 1)
    gap = gap_of(theta, x, y, l1, l2)
    excess = reference.objective(theta, x, y, l1=l1, l2=l2) - lowest
    rounding = 1e-12 * (lowest + np.mean(y**2))
    assert gap >= -rounding
    assert gap >= excess - rounding
    if away == 0:
        assert gap <= 1e-9 * np.mean(y**2)


def test_the_gap_includes_a_wrong_intercept():
    x, y = np.array([[1.0], [2.0], [4.0]]), np.array([1.0, 5.0, 6.0])
    best = elastic_net(x, y, 0.5, 0.1)
    for shift in (-1.0, 0.5, 3.0):
        gap = gap_of(best + [0, shift], x, y, 0.5, 0.1)
        assert gap == pytest.approx(shift**2, rel=1e-6)  # mean of (r + shift)² − r²


def test_the_gap_where_the_data_are_fitted_exactly():
    x, y = np.array([[1.0], [2.0]]), np.array([3.0, 5.0])
    assert gap_of(np.array([2.0, 1.0]), x, y, 0.5, 0.0) > 0
    assert gap_of(np.array([0.0, 0.0]), x, 0 * y, 0.5, 0.0) == 0


def measured(run, theta, x, y, *, l1=0.0, l2=0.0, **target):
    best = target.pop("optimum", reference.closed_form(x, y, l2=l2))
    return run(
        descent.measure,
        f64(theta),
        f64(reference.smooth_loss(theta, x, y, l2=l2)),
        f64(reference.gradient(theta, x, y, l2=l2)),
        settings_of(1, l1, l2),
        rule_of(best, x.mean(0), **target),
    )


def small_problem():
    random = np.random.default_rng(3)
    return random.standard_normal((9, 2)) + 1, random.standard_normal(9) + 1


@pytest.mark.parametrize("l2", [0.0, 0.4])
def test_measure_gives_excess_and_norm(run, l2):
    x, y = small_problem()
    theta = np.array([0.3, -2.0, 0.7])
    found = measured(run, theta, x, y, l2=l2)
    loss = reference.smooth_loss(theta, x, y, l2=l2)
    lowest = reference.smooth_loss(reference.closed_form(x, y, l2=l2), x, y, l2=l2)
    np.testing.assert_allclose(found.loss, loss)
    np.testing.assert_allclose(found.excess_loss, loss - lowest)
    np.testing.assert_allclose(found.relative_excess_loss, loss / lowest - 1)
    slope = reference.gradient(theta, x, y, l2=l2)
    np.testing.assert_allclose(found.gradient_norm, np.linalg.norm(slope))
    assert not found.stop


def test_measure_resolves_an_excess_far_below_the_losses_rounding(run):
    x, y = small_problem()
    best = reference.closed_form(x, y)
    away = np.array([1e-10, 0, 0])
    found = measured(run, best + away, x, y)
    excess = away @ reference.hessian(x) @ away / 2
    np.testing.assert_allclose(found.excess_loss, excess, rtol=1e-3)


def test_measure_with_l1_gives_the_gap_and_the_subgradient(run):
    x, y = small_problem()
    theta = np.array([0.0, -0.1, 0.7])
    found = measured(run, theta, x, y, l1=0.8, l2=0.1)
    np.testing.assert_allclose(found.excess_loss, gap_of(theta, x, y, 0.8, 0.1))
    np.testing.assert_allclose(
        found.loss, reference.objective(theta, x, y, l1=0.8, l2=0.1)
    )
    subgradient = descent.smallest_subgradient(
        f64(theta), f64(reference.gradient(theta, x, y, l2=0.1)), f64(0.8)
    )
    np.testing.assert_allclose(found.gradient_norm, np.linalg.norm(subgradient))


def test_measure_signals_when_to_stop(run):
    x, y = small_problem()
    best = reference.closed_form(x, y)
    near, far = best + 1e-9, best + 1
    unknown = {"optimum": np.full(3, np.nan)}
    assert measured(run, near, x, y, tolerance=1e-12).stop
    assert not measured(run, far, x, y, tolerance=1e-12).stop
    assert measured(run, near, x, y, gradient_tolerance=1e-6, **unknown).stop
    assert not measured(run, far, x, y, gradient_tolerance=1e-6, **unknown).stop
    assert measured(run, far, x, y, loss_limit=0.1).stop


@pytest.mark.parametrize("loss", [np.nan, np.inf])
def test_measure_stops_where_the_loss_overflowed(run, loss):
    there = f64([1e200, np.inf]), f64(loss), f64([np.nan, np.nan])
    assert run(
        descent.measure, *there, settings_of(), rule_of([0, 0], loss_limit=9)
    ).stop


def test_the_excess_of_a_perfect_fit_is_relative_to_the_resolution(run):
    x = np.array([[0.0], [1.0], [2.0]])
    found = measured(run, np.array([2.0, 1.1]), x, 2 * x[:, 0] + 1, resolution=1e-3)
    np.testing.assert_allclose(found.relative_excess_loss, 0.01 / 1e-3)


def quadratic(momentum, rate, curvatures, *, age=0.0, steps=3000):
    """Return ‖θ‖ relative to its start after `steps` steps on ½ Σ L·θ²."""
    curvatures, step = f64([*curvatures, 0.0]), settings_of(rate)

    def advance(now):
        point = descent.evaluation_point(now, momentum)
        gradient = curvatures * point
        after = descent.take_step(now, point, gradient, step, momentum)
        nothing = descent.Measurement(
            *[f64(0)] * 4, tf.reduce_max(tf.abs(point)) > 1e100
        )
        return now, nothing, after

    @tf.function(autograph=False)
    def run():
        now = state([1.0] * (len(curvatures) - 1) + [0.0], age=age)
        many = tf.constant(steps, tf.int64)
        return descent.take_steps(advance, now, many, many)[0].theta

    return float(tf.reduce_max(tf.abs(run())))


@pytest.mark.parametrize("largest", [0.01, 3.0])
@pytest.mark.parametrize(
    ("momentum", "age"),
    # Nesterov's bound assumes a momentum near 1, that is, a large age.
    [("none", 0), ("heavy_ball", 0), ("nesterov", 1e9), ("nesterov", 0)],
)
@pytest.mark.slow
def test_the_largest_rate_separates_convergence_from_divergence(momentum, age, largest):
    limit = descent.largest_learning_rate(largest, momentum)
    assert quadratic(momentum, 0.98 * limit, [largest], age=age) < 1e-6
    assert quadratic(momentum, 1.02 * limit, [largest], age=age) > 1e6


@pytest.mark.parametrize("momentum", MOMENTA)
def test_below_the_largest_rate_other_directions_converge_too(momentum):
    limit = descent.largest_learning_rate(2.0, momentum)
    assert quadratic(momentum, 0.98 * limit, [2.0, 1.0, 0.05]) < 1e-6


def countdown(now):
    """Step through losses 10, 9, 8, …; signal to stop at loss 5."""
    loss = 10 - now.theta[0]
    progress = descent.Measurement(loss, loss, loss, loss, loss <= 5)
    return now, progress, now._replace(theta=now.theta + 1, iteration=now.iteration + 1)


@pytest.mark.parametrize(
    ("steps", "last", "losses"),
    [(3, 100, [10, 9, 8]), (100, 2, [10, 9]), (100, 100, [10, 9, 8, 7, 6, 5])],
    ids=["steps", "last iteration", "stop"],
)
def test_take_steps_ends_at_the_first_of_three_limits(run, steps, last, losses):
    repeat = functools.partial(descent.take_steps, countdown)
    limits = tf.constant(steps, tf.int64), tf.constant(last, tf.int64)
    now, progress, seen = run(repeat, state([0.0, 0.0]), *limits)
    np.testing.assert_array_equal(seen, losses)
    assert float(progress.loss) == losses[-1]
    stopped = losses[-1] == 5
    assert bool(progress.stop) == stopped
    # The point where a step signals to stop is kept.
    assert float(now.theta[0]) == len(losses) - stopped
