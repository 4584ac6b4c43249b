"""Default flags on real data reach the optimum of NumPy and scikit-learn."""

import gzip

import numpy as np
import pytest
from sklearn import linear_model

from recipes.linear_regression import Config, train_and_evaluate

UCI = ("concrete", "energy", "yacht")
ABALONE = "sex,length,diameter,height,whole,shucked,viscera,shell,rings\n"
AUTO_MPG = "mpg,cylinders,displacement,horsepower,weight,acceleration,year,origin\n"
FILES = {
    "california-housing": "california-housing/housing.csv.gz",
    "abalone": "abalone/abalone.data.gz",
    "auto-mpg": "auto-mpg/auto-mpg.data.gz",
    "winequality-red": "winequality/winequality-red.csv.gz",
    "winequality-white": "winequality/winequality-white.csv.gz",
    **{name: f"uci-regression/{name}/data.txt.gz" for name in UCI},
}
TARGETS = {"california-housing": "median_house_value", "auto-mpg": "mpg"}


def as_csv(name, text):
    """Convert a data set from its published form to the text of a .csv file."""
    if name == "abalone":
        return ABALONE + text
    rows = [
        line.split("\t")[0] if name == "auto-mpg" else line
        for line in (text.splitlines())
    ]
    joined = "\n".join(",".join(row.split()) for row in rows)
    return (AUTO_MPG if name == "auto-mpg" else "") + joined


def run_on(name, request, folder, **flags):
    """Run the recipe; return the run, the fitted columns and the targets."""
    dataset = name
    if name in FILES:
        path = request.getfixturevalue("recipes_data") / FILES[name]
        if path.suffixes[-2:] == [".csv", ".gz"]:
            dataset = str(path)
        else:
            with gzip.open(path, "rt") as file:
                text = as_csv(name, file.read())
            (folder / f"{name}.csv").write_text(text)
            dataset = str(folder / f"{name}.csv")
    config = Config(
        dataset=dataset,
        target=TARGETS.get(name, ""),
        out_dir=str(folder / "run"),
        report=False,
        export=False,
        **flags,
    )
    run = train_and_evaluate(config)
    preprocessing = run.serving_model.preprocessing
    x = preprocessing(run.data.train.features).numpy().astype(np.float64)
    return run, x, run.data.train.target


def mean_squared_error(x, y, coefficients, intercept):
    return float(np.mean((x @ coefficients + intercept - y) ** 2))


def parameters(run):
    kernel, bias = run.model.linear.get_weights()
    return kernel[:, 0], float(bias[0])


def distance(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


@pytest.mark.parametrize("name", ["diabetes", *FILES])
def test_optimum_and_coefficients(name, request, tmp_path):
    run, x, y = run_on(name, request, tmp_path)
    certificate = run.metrics["certificate"]
    assert certificate["converged"] is True
    assert certificate["relative_excess_loss"] <= 1e-8

    # The closed form, computed without the recipe's code.
    design = np.column_stack([x, np.ones(len(x))])
    theta, _, rank, _ = np.linalg.lstsq(design, y, rcond=1e-6)
    least = mean_squared_error(x, y, theta[:-1], theta[-1])
    kernel, bias = parameters(run)
    loss = mean_squared_error(x, y, kernel, bias)
    assert loss / least - 1 <= 1e-8
    assert certificate["loss"] == pytest.approx(loss, rel=1e-10)
    assert certificate["optimal_loss"] == pytest.approx(least, rel=1e-10)
    assert certificate["rank"] == rank - 1

    theirs = linear_model.LinearRegression().fit(x, y)
    if rank == design.shape[1]:
        assert distance(kernel, theirs.coef_) <= 1e-5
        assert bias == pytest.approx(theirs.intercept_, rel=1e-6)
    fitted = theirs.predict(x)
    assert np.abs(x @ kernel + bias - fitted).max() <= 1e-5 * np.std(y)


@pytest.mark.parametrize("name", ["diabetes", "auto-mpg"])
def test_ridge(name, request, tmp_path):
    run, x, y = run_on(name, request, tmp_path, l2=0.1)
    kernel, bias = parameters(run)
    theirs = linear_model.Ridge(alpha=0.1 * len(y)).fit(x, y)
    assert distance(kernel, theirs.coef_) <= 1e-5
    assert bias == pytest.approx(theirs.intercept_, rel=1e-6)
    assert run.metrics["certificate"]["relative_excess_loss"] <= 1e-8


@pytest.mark.parametrize(("l1", "l2"), [(2.0, 0.0), (1.0, 0.1)])
@pytest.mark.parametrize("name", ["diabetes", "winequality-red"])
def test_lasso_and_elastic_net(name, l1, l2, request, tmp_path):
    """scikit-learn minimises half of it: ½·MSE + α·ρ·‖w‖₁ + ½·α·(1 − ρ)·‖w‖²."""
    if name == "winequality-red":
        l1 /= 50  # its target is 50 to 100 times smaller
    run, x, y = run_on(name, request, tmp_path, l1=l1, l2=l2)
    alpha = l1 / 2 + l2
    theirs = linear_model.ElasticNet(
        alpha=alpha, l1_ratio=l1 / 2 / alpha, tol=1e-12, max_iter=100_000
    ).fit(x, y)

    def objective(coefficients, intercept):
        return (
            mean_squared_error(x, y, coefficients, intercept)
            + l1 * np.abs(coefficients).sum()
            + l2 * np.sum(coefficients**2)
        )

    kernel, bias = parameters(run)
    ours = objective(kernel, bias)
    assert ours == pytest.approx(objective(theirs.coef_, theirs.intercept_), rel=1e-6)
    assert run.metrics["certificate"]["loss"] == pytest.approx(ours, rel=1e-10)
    assert run.metrics["certificate"]["converged"] is True
    if l2 == 0:
        np.testing.assert_array_equal(kernel == 0, theirs.coef_ == 0)
