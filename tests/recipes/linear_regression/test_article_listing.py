"""The article's listing (section 4.1): the corrected NumPy version is the reference."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import scale

from recipes.linear_regression.model import LinearRegression
from tests.recipes.linear_regression.fitting import iterates, take_steps, theta_of


def article(X, y, alpha=0.01, iterations=1000):
    """Run the listing with a column of ones for θ₀ and the gradient of the MSE.

    The original has `X.T.dot(X.dot(y_pred - y))`, whose shapes do not match.
    """
    X = np.column_stack([X, np.ones(len(X))])
    theta = np.zeros(X.shape[1])
    losses, thetas = [], []
    for _ in range(iterations):
        y_pred = X.dot(theta)
        losses.append(np.mean((y_pred - y) ** 2))
        gradient = 2 / len(y) * X.T.dot(y_pred - y)
        theta = theta - alpha * gradient
        thetas.append(theta)
    return np.array(thetas), np.array(losses)


@pytest.fixture(scope="module")
def diabetes():
    x, y = load_diabetes(return_X_y=True)
    return scale(x), y


ARTICLE = {"momentum": "none", "learning_rate": 0.01}


def test_a_thousand_steps_on_the_moments_match_the_article(diabetes):
    x, y = diabetes
    thetas, losses = article(x, y)
    model = LinearRegression(**ARTICLE, max_iterations=1000)
    take_steps(model, x, y, epochs=None)
    assert model.certificate["iterations"] == 1000
    np.testing.assert_allclose(theta_of(model), thetas[-1], rtol=1e-9)
    # The loss of every iterate: it reveals a single step that deviates.
    np.testing.assert_allclose(model.loss_history[:1000], losses, rtol=1e-10)
    np.testing.assert_allclose(model.certificate["loss"], model.loss_history[-1])


@pytest.mark.parametrize("method", ["gram", "full"])
def test_every_epoch_is_one_step_of_the_article(diabetes, method):
    x, y = diabetes
    thetas, _ = article(x, y, iterations=50)
    found = iterates(x, y, epochs=50, method=method, **ARTICLE)
    np.testing.assert_allclose(found, thetas, rtol=1e-9, atol=1e-9)


def test_the_articles_rate_diverges_on_unscaled_columns():
    """This is why the recipe scales and why the default rate is 1/L."""
    x, y = load_diabetes(return_X_y=True, scaled=False)
    with np.errstate(over="ignore", invalid="ignore"):
        _, losses = article(x, y, iterations=200)
    assert not np.isfinite(losses[-1])
    with pytest.raises(ValueError, match=r"diverges at learning_rate=0\.01"):
        take_steps(LinearRegression(**ARTICLE), x, y, epochs=None)
