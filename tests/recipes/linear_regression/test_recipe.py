"""`train_and_evaluate` called from Python, and the files that it writes."""

import json
import re

import numpy as np
import pytest
import tensorflow as tf

from recipes.linear_regression import Config, train_and_evaluate
from tests.commands import run_fresh
from tests.recipes.linear_regression.fitting import odd_table
from tests.runs import answers, check_elsewhere


@pytest.fixture(scope="module")
def array_run(tmp_path_factory):
    """A matrix without names, from an .npz file."""
    folder = tmp_path_factory.mktemp("array")
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(200, 3)) * [1, 1e-3, 1e4] + [0, 5, 1e4]).astype("float32")
    y = x @ [1.0, 2e3, -1e-4] + rng.normal(size=200)
    np.savez(folder / "points.npz", x=x, y=y)
    config = Config(dataset=str(folder / "points.npz"), out_dir=str(folder / "run"))
    return train_and_evaluate(config), x


@pytest.fixture(scope="module")
def table_run(tmp_path_factory):
    """A table with strings, blanks and odd names."""
    folder = tmp_path_factory.mktemp("table")
    odd_table(folder / "homes.csv", 300, seed=1)
    config = Config(
        dataset=str(folder / "homes.csv"), out_dir=str(folder / "run"), report=False
    )
    run = train_and_evaluate(config)
    rng = np.random.default_rng(2)
    raw = {
        "class": rng.choice(["a b", "ü", "1,5", "", "never seen"], 40),
        "size, m²": np.where(rng.random(40) < 0.2, np.nan, rng.normal(50, 9, 40)),
        "for": np.full(40, 5.0),
        "price/€": rng.normal(0, 1e-4, 40),
    }
    return run, {
        name: x if x.dtype.kind == "U" else x.astype("float32")
        for name, x in raw.items()
    }


def test_files_work_in_another_process(array_run, table_run, tmp_path):
    run, x = array_run
    made = {"array": run, "table": table_run[0]}
    inputs = {"array": {"features": x[:40]}, "table": table_run[1]}
    counts = dict.fromkeys(made, (0, 1, 40))
    module = "recipes.linear_regression.model"
    check_elsewhere(tmp_path, run_fresh, module, made, inputs, counts)
    for name in made:
        assert np.isfinite(answers(made[name], inputs[name])["prediction"]).all()


def test_serving_model_is_the_trained_model(array_run, table_run):
    """Both give the same predictions for the test rows."""
    for run, _ in (array_run, table_run):
        data = run.data
        features = data.test.features
        if data.description.tabular:
            features = {
                column.name: tf.constant(
                    [
                        "" if np.isnan(code) else column.levels[int(code)]
                        for code in features[:, place]
                    ]
                    if column.kind == "categorical"
                    else features[:, place]
                )
                for place, column in enumerate(data.description.columns)
            }
        served = run.serving_model.predict(features, verbose=0)
        np.testing.assert_allclose(served, run.predictions[1], rtol=1e-5)


def read_coefficients(coefficients):
    """Return estimates and standard errors of metrics.json, intercept first."""
    rows = [coefficients["intercept"], *coefficients["slopes"]]
    return (
        np.array([row["estimate"] for row in rows]),
        np.array([row["standard_error"] for row in rows], np.float64),
    )


def test_coefficients_and_standard_errors_match_the_textbook(array_run):
    """β = (XᵀX)⁻¹Xᵀy and its covariance s²(XᵀX)⁻¹, of the raw columns.

    The preprocessing rounds to float32, so the columns that the model saw, converted
    back to original units, differ from the raw ones by 1e-7 of their spread.
    """
    run, _ = array_run
    x = np.column_stack(
        [np.ones(len(run.data.train.target)), run.data.train.features.astype(float)]
    )
    y = run.data.train.target
    inverse = np.linalg.inv(x.T @ x)
    beta = np.linalg.lstsq(x, y, rcond=None)[0]
    residual = y - x @ beta
    variance = residual @ residual / (len(y) - x.shape[1])
    error = np.sqrt(variance * np.diag(inverse))
    estimate, standard_error = read_coefficients(run.metrics["coefficients"])
    np.testing.assert_allclose(standard_error, error, rtol=1e-5)
    # In units of the standard error: 1e-4 of it changes no conclusion.
    assert np.abs((estimate - beta) / error).max() < 1e-4


def test_interval_is_the_95_percent_t_interval(array_run):
    from scipy import stats

    run, _ = array_run
    freedom = len(run.data.train.target) - 4
    for row in run.metrics["coefficients"]["slopes"]:
        quantile = stats.t.ppf(0.975, freedom)
        half = (row["upper"] - row["lower"]) / 2
        assert half == pytest.approx(quantile * row["standard_error"], 1e-9)
        assert row["estimate"] == pytest.approx((row["upper"] + row["lower"]) / 2, 1e-9)


def test_coefficients_reproduce_predictions_from_raw_values(table_run):
    """By hand: the median and 1 for a blank, 1 for the level, the intercept."""
    run, raw = table_run
    coefficients = run.metrics["coefficients"]
    size = run.data.train.features[
        :, [c.name for c in run.data.description.columns].index("size, m²")
    ]
    columns = {
        "size, m²": np.where(
            np.isnan(raw["size, m²"]), np.nanmedian(size), raw["size, m²"]
        ),
        "size, m²=(blank)": np.isnan(raw["size, m²"]),
        "price/€": raw["price/€"],
    }
    total = np.full(40, coefficients["intercept"]["estimate"])
    for slope in coefficients["slopes"]:
        name = slope["name"]
        if name.startswith("class="):
            value = raw["class"] == name.removeprefix("class=")
        else:
            value = columns[name].astype(np.float64)
        total += slope["estimate"] * value
    served = answers(run, raw)["prediction"][:, 0]
    np.testing.assert_allclose(total, served, rtol=1e-5)


def test_run_is_what_metrics_json_holds(array_run):
    run, _ = array_run
    written = json.loads((run.out_dir / "metrics.json").read_text())
    for part in ("dataset", "train", "test", "certificate"):
        assert written[part] == run.metrics[part]
    assert written["certificate"] == run.model.certificate
    prediction = run.predictions[1][:, 0]
    mse = np.mean((run.data.test.target - prediction) ** 2)
    assert written["test"]["mse"] == pytest.approx(mse, rel=1e-9)
    baseline = np.mean((run.data.test.target - run.data.train.target.mean()) ** 2)
    assert written["baseline"]["mse"] == pytest.approx(baseline, rel=1e-9)


def test_report_shows_the_run(array_run):
    run, _ = array_run
    report = (run.out_dir / "report.html").read_text(encoding="utf-8")
    assert "Linear regression on points" in report
    assert "This is the optimum." in report
    steps = run.metrics["certificate"]["iterations"]
    assert re.search(rf"took {steps}\siterations", report)
    for slope in run.metrics["coefficients"]["slopes"]:
        assert f">{slope['name']}<" in report
    assert not re.search(r"""(src|href)=["']?https?:""", report)
