"""`LinearRegression` on large float32 data: rounded moments, exact optimum."""

import numpy as np
import pytest
import tensorflow as tf

from recipes.linear_regression import model as model_module
from recipes.linear_regression.model import LinearRegression
from recipes.linear_regression.solver import row_sums, training_rows
from tests.recipes.linear_regression import reference
from tests.recipes.linear_regression.fitting import data, fit, theta_of


@pytest.fixture
def products(monkeypatch):
    """Treat small data as large; return whether each product was exact."""
    compute, exact = row_sums.compute_moments, []

    def record(*args, **kwargs):
        exact.append(kwargs["exact"])
        return compute(*args, **kwargs)

    monkeypatch.setattr(training_rows, "MAX_EXACT_MULTIPLICATIONS", 0)
    monkeypatch.setattr(row_sums, "compute_moments", record)
    return exact


@pytest.fixture
def fits(monkeypatch):
    """Return the certificates of all descents, refuted ones included."""
    certify, found = model_module.certify, []

    def record(*args, **kwargs):
        found.append(certify(*args, **kwargs))
        return dict(found[-1])

    monkeypatch.setattr(model_module, "certify", record)
    return found


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
def test_exact_gradients_refine_rounded_moments(products, fits, arguments, weighted):
    x, y = data(n=3000, d=8, dtype="float32")
    weight = np.random.default_rng(1).uniform(0, 2, 3000) if weighted else None
    model = fit(x, y, sample_weight=weight, **arguments)
    assert products == [False]  # no product in float64 follows
    refuted, *_, last = fits
    assert not refuted["converged"]
    assert last["converged"]
    certificate = model.certificate
    assert certificate["converged"]
    penalties = {name: arguments.get(name, 0.0) for name in ("l1", "l2")}
    loss = reference.objective(theta_of(model), x, y, weight=weight, **penalties)
    assert certificate["loss"] == pytest.approx(loss, rel=1e-12)
    if not penalties["l1"]:
        excess = reference.relative_excess(
            theta_of(model), x, y, weight=weight, l2=penalties["l2"]
        )
        assert excess <= 1e-10
    assert model.loss_history.shape == (certificate["iterations"] + 1,)
    assert model.loss_history[-1] == pytest.approx(loss, rel=1e-12)


def test_refined_moments_have_the_given_error_and_gradient():
    x, y = data(n=500)
    rows = row_sums.iterate_parts(x, y)
    moments = row_sums.compute_moments(list(rows), exact=True)
    random = np.random.default_rng(2)
    noise = 1e-4 * random.standard_normal((5, 5))
    mean, scatter = moments.mean.numpy(), moments.scatter.numpy()
    rounded = moments._replace(
        mean=tf.constant(mean * (1 + 1e-5)),
        scatter=tf.constant(scatter * (1 + noise + noise.T)),
    )
    w, level = random.standard_normal(4), 0.3
    error = row_sums.compute_squared_error(
        row_sums.iterate_parts(x, y),
        rounded.mean,
        tf.constant(w),
        tf.constant(level, tf.float64),
        exact=True,
    )
    refined = rounded.refine(w, level, error)
    # The same function about the refined centre of y.
    moved = tf.constant(level + (rounded.mean - refined.mean).numpy()[-1])
    point = tf.constant(w)
    with tf.GradientTape() as tape:
        tape.watch([point, moved])
        loss = refined.mean_squared_error(point, moved)
    slopes = tape.gradient(loss, [point, moved])
    np.testing.assert_allclose(loss, error.total / error.weight, rtol=1e-12)
    np.testing.assert_allclose(
        np.append(*slopes), error.gradient / error.weight, rtol=1e-9
    )


def test_rounding_too_large_to_refine_is_followed_by_float64(products, monkeypatch):
    refine = row_sums.Moments.refine
    monkeypatch.setattr(
        row_sums.Moments,
        "refine",
        lambda self, w, level, error: refine(self, w + 1e-3, level, error),
    )
    x, y = data(n=3000, dtype="float32")
    model = fit(x, y)
    assert products == [False, True]
    assert reference.relative_excess(theta_of(model), x, y) <= 1e-8


def count_traces():
    return [
        function.experimental_get_tracing_count()
        for function in (
            model_module.compiled_steps,
            row_sums._part_moments,
            row_sums._part_squared_error,
        )
    ]


@pytest.mark.parametrize("method", ["gram", "full"])
def test_another_model_of_the_same_width_traces_nothing(method):
    for rows in (60, 70):  # the second number of rows becomes any
        fit(*data(n=rows), method=method)
    before = count_traces()
    for rows in (60, 70, 90):
        fit(*data(n=rows), method=method)
    assert count_traces() == before


def test_steps_on_moments_are_compiled_for_any_width():
    for width in (4, 5):
        fit(*data(d=width))
    before = model_module.compiled_steps.experimental_get_tracing_count()
    for width in (2, 3, 6):
        fit(*data(d=width))
    after = model_module.compiled_steps.experimental_get_tracing_count()
    assert after == before


def test_models_share_no_state():
    x, y = data()
    one, other = LinearRegression(), LinearRegression()
    one.fit(x, y, verbose=0)
    other.fit(x, -y, verbose=0)
    np.testing.assert_allclose(theta_of(one), -theta_of(other), rtol=1e-12)
