"""`LinearRegression` on hard data: bad scales, low rank, no noise, many features."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Lasso
from sklearn.preprocessing import scale

from recipes.errors import ConvergenceWarning, DivergenceError
from recipes.linear_regression import model as model_module
from recipes.linear_regression.model import LinearRegression
from tests.recipes.linear_regression import reference
from tests.recipes.linear_regression.fitting import data, fit, take_steps, theta_of

MOMENTA = ("none", "heavy_ball", "nesterov")


@pytest.fixture(scope="module")
def diabetes():
    x, y = load_diabetes(return_X_y=True)
    return scale(x), y


# ---- runs that do not converge, and ill-conditioned data


def test_too_few_iterations_cause_a_warning(diabetes):
    model = LinearRegression(max_iterations=3)
    with pytest.warns(ConvergenceWarning, match=r"max_iterations.*3 iterations"):
        model.fit(*diabetes, verbose=0)
    assert model.certificate["converged"] is False
    assert model.certificate["stop_reason"] == "max_iterations"
    assert model.certificate["iterations"] == 3
    assert model.loss_history.shape == (4,)


def test_iterations_need_not_fill_keras_epochs():
    x, y = data()
    model = LinearRegression(learning_rate=1e-4, max_iterations=1003)
    take_steps(model, x, y, epochs=None)
    assert model.certificate["iterations"] == 1003
    assert model.loss_history.shape == (1004,)


@pytest.mark.parametrize("momentum", MOMENTA)
def test_dependent_columns_converge_and_lower_the_rank(momentum):
    x, y = data()
    x = np.column_stack([x, x[:, 0], np.full(60, 3.0)])
    model = fit(x, y, momentum=momentum)
    assert model.certificate["rank"] == 4
    loss = reference.smooth_loss(theta_of(model), x, y)
    lowest = reference.smooth_loss(reference.closed_form(x, y), x, y)
    assert loss == pytest.approx(lowest, rel=1e-8)


CHANGES = {
    "1e-6 and 1e6": lambda x: x * [1e-6, 1, 1, 1e6],
    "1e-21 to 1e19": lambda x: x * [1e-21, 1e-3, 1e3, 1e19],
    "mean 1e4": lambda x: x + 1e4,
    "mean 1e8": lambda x: x[:, :1] + 1e8,
}


@pytest.mark.parametrize("change", CHANGES)
def test_badly_scaled_columns_converge(change):
    x, y = data()
    x = CHANGES[change](x)
    model = fit(x, y, max_iterations=1000)
    best = reference.closed_form(x, y)
    lowest = np.mean((y - y.mean() - (x - x.mean(0)) @ best[:-1]) ** 2)
    loss = np.mean((model.predict(x, verbose=0)[:, 0] - y) ** 2)
    assert loss == pytest.approx(lowest, rel=1e-8)
    assert model.certificate["condition_number"] < 100


def test_a_rate_of_ones_own_warns_of_badly_scaled_columns():
    x, y = data()
    model = LinearRegression(learning_rate=1e-10, max_iterations=100)
    with pytest.warns(ConvergenceWarning, match=r"condition number.*standardise"):
        model.fit(x + 1e4, y, verbose=0)


def test_moderately_scaled_columns_converge():
    x, y = data()
    x = (x - x.mean(0)) * [1, 0.3, 9, 30]
    model = fit(x, y)
    assert reference.relative_excess(theta_of(model), x, y) <= 1e-8


@pytest.mark.parametrize(("n", "d"), [(60, 4), (4, 60), (2, 4), (5, 5), (1, 4), (1, 1)])
def test_a_perfect_fit_converges(n, d):
    """Without noise, or with so few rows, the minimum is 0."""
    x, _ = data(n, d)
    y = x @ np.arange(1.0, d + 1) + 5
    model = fit(x, y)
    assert model.certificate["converged"]
    assert reference.smooth_loss(theta_of(model), x, y) <= 1e-14 * np.mean(y**2)


@pytest.mark.parametrize("constant", [0.0, 5.0])
@pytest.mark.parametrize("l1", [0.0, 0.1])
def test_a_constant_target_converges(constant, l1):
    x, _ = data()
    model = fit(x, np.full(60, constant), l1=l1)
    assert model.certificate["converged"]
    assert np.isfinite(model.certificate["relative_excess_loss"])
    np.testing.assert_allclose(theta_of(model), [0, 0, 0, 0, constant], atol=1e-6)


def test_constant_columns_only():
    x, y = np.ones((60, 2)), data()[1]
    model = fit(x, y)
    assert model.certificate["rank"] == 0
    np.testing.assert_allclose(x @ theta_of(model)[:-1] + theta_of(model)[-1], y.mean())


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"l1": 0.5},
        {"l2": 0.1},
        {"l1": 0.2, "l2": 0.1},
        {"momentum": "heavy_ball"},
        {"momentum": "none"},
        {"method": "full"},
        {"learning_rate": 1e-2},
    ],
    ids=lambda arguments: "-".join(arguments) or "default",
)
def test_float32_rows(arguments, weighted):
    x, y = data(n=3000, d=8, dtype="float32")
    weight = np.random.default_rng(1).uniform(0, 2, 3000) if weighted else None
    model = fit(x, y, sample_weight=weight, **arguments)
    penalties = {name: arguments.get(name, 0.0) for name in ("l1", "l2")}
    loss = reference.objective(theta_of(model), x, y, weight=weight, **penalties)
    assert model.certificate["loss"] == pytest.approx(loss, rel=1e-12)
    if not penalties["l1"]:
        excess = reference.relative_excess(
            theta_of(model), x, y, weight=weight, l2=penalties["l2"]
        )
        assert excess <= 1e-10


def test_nearly_dependent_float32_columns():
    x, y = data(n=3000)
    x[:, 0] = x[:, 1] + 1e-3 * x[:, 0]
    x = x.astype("float32")
    model = fit(x, y)
    assert model.certificate["condition_number"] > 1e6
    assert reference.relative_excess(theta_of(model), x, y) <= 1e-8


def test_float32_columns_whose_squares_overflow_float32():
    x, y = data(n=3000, dtype="float32")
    x = (x - x.mean(0)) * np.float32(1e20)
    model = fit(x, y)
    assert reference.relative_excess(theta_of(model), x, y) <= 1e-8


def test_a_rate_beyond_all_bounds_ends_in_one_error():
    with pytest.raises(DivergenceError, match="The largest rate that works"):
        LinearRegression(learning_rate=1e308).fit(*data(), verbose=0)


# ---- many features


@pytest.fixture
def wide(monkeypatch):
    """Treat four features as too many for the closed form."""
    monkeypatch.setattr(model_module, "MAX_GRAM_FEATURES", 3)


@pytest.mark.parametrize("arguments", [{}, {"l2": 0.1}])
def test_many_features_stop_by_the_gradient(wide, arguments):
    x, y = data()
    model = fit(x, y, **arguments)
    certificate = model.certificate
    assert certificate["converged"]
    assert certificate["stop_reason"] == "tolerance"
    assert certificate["optimal_loss"] is None
    assert certificate["relative_excess_loss"] is None
    assert certificate["condition_number"] is None
    start = np.linalg.norm(reference.gradient(np.zeros(5), x, y, **arguments))
    assert certificate["gradient_norm"] <= 1e-7 * start
    assert reference.relative_excess(theta_of(model), x, y, **arguments) <= 1e-8


def test_many_features_with_l1_stop_by_the_duality_gap(wide):
    x, y = data()
    model = fit(x, y, l1=0.5)
    assert model.certificate["relative_excess_loss"] <= 1e-12
    peer = Lasso(alpha=0.25, tol=1e-14).fit(x, y)
    np.testing.assert_allclose(theta_of(model)[:-1], peer.coef_, rtol=1e-4)


def test_many_features_with_method_gram_keep_their_moments(wide):
    x, y = data()
    assert fit(x, y, method="gram").certificate["optimal_loss"] is not None


def test_many_features_that_do_not_converge_cause_a_warning(wide):
    model = LinearRegression(max_iterations=2)
    with pytest.warns(ConvergenceWarning, match="unknown"):
        model.fit(*data(), verbose=0)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_many_features_with_values_that_are_not_finite(wide, bad):
    x, y = data()
    x[3, 1] = bad
    with pytest.raises(ValueError, match="finite"):
        LinearRegression().fit(x, y, verbose=0)
