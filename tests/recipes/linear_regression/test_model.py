"""`LinearRegression`: optimality, certificate, steps and learning rate."""

import re

import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import load_diabetes
from sklearn.linear_model import ElasticNet, Lasso, Ridge
from sklearn.linear_model import LinearRegression as Peer
from sklearn.preprocessing import scale

from recipes.linear_regression.model import LinearRegression
from tests.recipes.linear_regression import reference
from tests.recipes.linear_regression.fitting import (
    data,
    fit,
    iterates,
    take_steps,
    theta_of,
)

MOMENTA = ("none", "heavy_ball", "nesterov")


@pytest.fixture(scope="module")
def diabetes():
    x, y = load_diabetes(return_X_y=True)
    return scale(x), y


@pytest.fixture(scope="module")
def fitted(diabetes):
    return fit(*diabetes)


def distance(theta, expected):
    return np.linalg.norm(theta - expected) / np.linalg.norm(expected)


# ---- optimality first, agreement with the peer second


def test_defaults_reach_the_optimum(diabetes, fitted):
    assert reference.relative_excess(theta_of(fitted), *diabetes) <= 1e-8
    peer = Peer().fit(*diabetes)
    assert distance(theta_of(fitted), [*peer.coef_, peer.intercept_]) <= 1e-5


def test_the_certificate_agrees_with_numpy(diabetes, fitted):
    x, y = diabetes
    theta, certificate = theta_of(fitted), fitted.certificate
    best = reference.closed_form(x, y)
    assert certificate["converged"] is True
    assert certificate["stop_reason"] == "tolerance"
    assert certificate["loss"] == pytest.approx(
        reference.smooth_loss(theta, x, y), rel=1e-12
    )
    lowest = reference.smooth_loss(best, x, y)
    assert certificate["optimal_loss"] == pytest.approx(lowest, rel=1e-12)
    assert certificate["relative_excess_loss"] <= 1e-14
    slope = np.linalg.norm(reference.gradient(theta, x, y))
    assert certificate["gradient_norm"] == pytest.approx(slope, abs=1e-10)
    condition = np.linalg.cond(reference.hessian(x))
    assert certificate["condition_number"] == pytest.approx(condition, rel=1e-6)
    assert certificate["rank"] == 10
    assert fitted.loss_history.shape == (certificate["iterations"] + 1,)
    assert fitted.loss_history.dtype == np.float64
    assert fitted.loss_history[-1] == pytest.approx(certificate["loss"], rel=1e-9)


@pytest.mark.parametrize("momentum", MOMENTA)
def test_the_certificate_of_a_run_that_ended_early_is_correct(diabetes, momentum):
    x, y = diabetes
    model = LinearRegression(momentum=momentum, l2=0.01)
    take_steps(model, x, y, 30)
    certificate, theta = model.certificate, theta_of(model)
    excess = reference.relative_excess(theta, x, y, l2=0.01)
    assert certificate["relative_excess_loss"] == pytest.approx(excess, rel=1e-6)
    assert certificate["loss"] == pytest.approx(
        reference.smooth_loss(theta, x, y, l2=0.01)
    )
    assert certificate["iterations"] == 30
    assert certificate["converged"] is False
    assert certificate["stop_reason"] == "epochs"
    assert model.loss_history.shape == (31,)


@pytest.mark.parametrize("momentum", ["none", "heavy_ball"])
def test_other_momenta_converge(diabetes, momentum):
    model = fit(*diabetes, momentum=momentum)
    assert reference.relative_excess(theta_of(model), *diabetes) <= 1e-8


def test_ridge(diabetes):
    x, y = diabetes
    model = fit(x, y, l2=50 / len(x))
    assert reference.relative_excess(theta_of(model), x, y, l2=50 / len(x)) <= 1e-8
    peer = Ridge(alpha=50).fit(x, y)
    assert distance(theta_of(model), [*peer.coef_, peer.intercept_]) <= 1e-5


@pytest.mark.parametrize("method", ["gram", "full"])
def test_lasso(diabetes, method):
    x, y = diabetes
    model = fit(x, y, l1=2 * 3.0, method=method)
    peer = Lasso(alpha=3.0, tol=1e-12).fit(x, y)
    expected = reference.objective([*peer.coef_, peer.intercept_], x, y, l1=6.0)
    found = reference.objective(theta_of(model), x, y, l1=6.0)
    assert found == pytest.approx(expected, rel=1e-6)
    np.testing.assert_array_equal(theta_of(model)[:-1] == 0, peer.coef_ == 0)
    assert (peer.coef_ == 0).any()
    certificate = model.certificate
    assert certificate["loss"] == pytest.approx(found, rel=1e-12)
    assert certificate["optimal_loss"] <= expected * (1 + 1e-12)
    assert certificate["converged"]


def test_elastic_net(diabetes):
    x, y = diabetes
    l1, l2 = 3.0, 0.5  # scikit-learn: alpha·ratio = l1/2, alpha·(1 − ratio) = l2
    model = fit(x, y, l1=l1, l2=l2)
    peer = ElasticNet(alpha=l1 / 2 + l2, l1_ratio=l1 / 2 / (l1 / 2 + l2), tol=1e-12)
    peer.fit(x, y)
    expected = reference.objective([*peer.coef_, peer.intercept_], x, y, l1=l1, l2=l2)
    found = reference.objective(theta_of(model), x, y, l1=l1, l2=l2)
    assert found == pytest.approx(expected, rel=1e-6)
    assert distance(theta_of(model), [*peer.coef_, peer.intercept_]) <= 1e-5


def test_a_large_l1_penalty_leaves_only_the_intercept():
    x, y = data()
    model = fit(x, y, l1=1e4)
    np.testing.assert_array_equal(theta_of(model)[:-1], 0)
    assert theta_of(model)[-1] == pytest.approx(y.mean(), rel=1e-5)


# ---- the steps


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"momentum": "none"},
        {"momentum": "heavy_ball", "l2": 0.1},
        {"l1": 0.05},
    ],
    ids=lambda arguments: "-".join(arguments) or "default",
)
def test_both_methods_take_the_reference_steps(arguments):
    x, y = data(d=6)
    x[:, 0] *= 0.05  # badly scaled: no convergence within 200 steps
    rate = 1 / np.linalg.eigvalsh(reference.hessian(x))[-1]
    settings = {"momentum": "nesterov", **arguments}
    expected = reference.iterates(x=x, y=y, rate=rate, steps=200, **settings)
    thetas = {
        method: iterates(
            x, y, epochs=200, method=method, learning_rate=rate, **arguments
        )
        for method in ("gram", "full")
    }
    for found in thetas.values():
        norms = np.linalg.norm(expected, axis=1)
        assert (np.linalg.norm(found - expected, axis=1) <= 1e-6 * norms).all()
    gram, full = thetas["gram"], thetas["full"]
    norms = np.linalg.norm(full, axis=1)
    assert (np.linalg.norm(gram - full, axis=1) <= 1e-6 * norms).all()


def test_steps_per_epoch_do_not_change_the_steps():
    x, y = data()
    model = LinearRegression(max_iterations=17, tolerance=0.0)
    take_steps(model, x, y, epochs=None)
    np.testing.assert_allclose(theta_of(model), iterates(x, y, epochs=17)[-1])
    assert model.certificate["stop_reason"] == "max_iterations"


@pytest.mark.parametrize("method", ["gram", "full"])
def test_batches_change_nothing(method):
    x, y = data(n=50)
    weight = np.random.default_rng(1).uniform(0.5, 2, 50)
    settings = {"epochs": 20, "method": method}
    expected = iterates(x, y, sample_weight=weight, **settings)
    rows = tf.data.Dataset.from_tensor_slices((x, y, weight))
    column = tf.data.Dataset.from_tensor_slices((x, y[:, np.newaxis], weight))
    found = {
        size: iterates(x, y, sample_weight=weight, batch_size=size, **settings)
        for size in (1, 7, 32, 50, 1000)
    }
    found["dataset, partial last batch"] = iterates(rows.batch(32), **settings)
    found["dataset, (n, 1) targets"] = iterates(column.batch(7), **settings)
    found["(n, 1) targets"] = iterates(
        x, y[:, np.newaxis], sample_weight=weight, **settings
    )
    norms = np.linalg.norm(expected, axis=1)
    for name, thetas in found.items():
        apart = np.linalg.norm(thetas - expected, axis=1)
        assert (apart <= 1e-10 * norms).all(), name


@pytest.mark.parametrize("momentum", MOMENTA)
def test_two_fits_of_five_steps_equal_one_of_ten(momentum):
    x, y = data()
    model = LinearRegression(momentum=momentum)
    take_steps(model, x, y, 5)
    take_steps(model, x, y, 5)
    once = LinearRegression(momentum=momentum)
    take_steps(once, x, y, 10)
    np.testing.assert_array_equal(theta_of(model), theta_of(once))
    assert model.certificate == once.certificate | {"stop_reason": "epochs"}
    assert model.certificate["iterations"] == 10
    np.testing.assert_allclose(model.loss_history, once.loss_history)


@pytest.mark.parametrize("noise", [1.0, 0.0])
def test_at_the_optimum_a_fit_ends_at_once(noise):
    x, y = data()
    y = noise * y + (1 - noise) * (x @ [1.0, 2, 3, 4] + 5)
    model = fit(x, y)
    before, iterations = theta_of(model), model.certificate["iterations"]
    model.fit(x, y, verbose=0)
    np.testing.assert_array_equal(theta_of(model), before)
    assert model.certificate["iterations"] == iterations
    assert model.certificate["converged"]


def test_fitting_continues_with_other_data():
    x, y = data()
    model = fit(x, y)
    model.fit(2 * x, y - 7, verbose=0)
    assert reference.relative_excess(theta_of(model), 2 * x, y - 7) <= 1e-8


def test_reset_starts_afresh():
    x, y = data()
    model = fit(x, y)
    first, history = theta_of(model), model.loss_history
    model.reset()
    np.testing.assert_array_equal(theta_of(model), 0)
    assert not model.certificate
    assert len(model.loss_history) == 0
    model.fit(x, y, verbose=0)
    np.testing.assert_array_equal(theta_of(model), first)
    np.testing.assert_array_equal(model.loss_history, history)


def test_two_runs_agree_to_the_bit():
    x, y = data(n=500, dtype="float32")
    for arguments in ({}, {"method": "full"}, {"batch_size": 64}):
        one, other = fit(x, y, **arguments), fit(x, y, **arguments)
        np.testing.assert_array_equal(theta_of(one), theta_of(other))
        assert one.certificate == other.certificate
        np.testing.assert_array_equal(one.loss_history, other.loss_history)


# ---- the rate


def test_auto_is_one_over_the_largest_curvature_of_standardised_columns():
    x, y = data()
    z = (x - x.mean(0)) / x.std(0)
    largest = np.linalg.eigvalsh(reference.hessian(z))[-1]
    (first,) = iterates(x, y - y.mean(), epochs=1)
    slope = reference.gradient(np.zeros(5), z, y - y.mean())
    rates = -first[:-1] * x.std(0) / slope[:-1]
    np.testing.assert_allclose(rates, rates[0])
    assert 0.99 / largest <= rates[0] <= 1 / largest * (1 + 1e-9)


@pytest.mark.parametrize("method", ["gram", "full"])
@pytest.mark.parametrize("momentum", MOMENTA)
def test_a_diverging_rate_is_reported_with_one_that_works(momentum, method):
    x, y = data()
    arguments = {"momentum": momentum, "method": method}
    with pytest.raises(ValueError, match="diverges at learning_rate=50") as caught:
        fit(x, y, learning_rate=50.0, **arguments)
    certificate = re.search(
        r"largest rate that works here is (\S+)$", str(caught.value)
    )
    limit = float(certificate[1])
    model = fit(x, y, learning_rate=0.95 * limit, **arguments)
    assert reference.relative_excess(theta_of(model), x, y) <= 1e-8
    with pytest.raises(ValueError, match="diverges"):
        fit(x, y, learning_rate=1.5 * limit, **arguments)


def test_a_rate_whose_loss_overflows_is_reported():
    x, y = data()
    with pytest.raises(ValueError, match="diverges at learning_rate=1e\\+200"):
        fit(x, y, learning_rate=1e200)
