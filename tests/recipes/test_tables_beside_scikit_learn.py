"""Real tables as they are, beside a scikit-learn pipeline written for each of them.

The pipeline encodes categories one by one, blanks among them, fills numbers by the
median with an indicator, and standardises.
"""

import csv
import gzip
import random
import shlex

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVR

from recipes import linear_regression, svm


def read_cars(folder):
    with gzip.open(folder / "auto-mpg" / "auto-mpg.data.gz", "rt") as file:
        rows = [shlex.split(line) for line in file if line.strip()]
    names = ["cylinders", "displacement", "power", "weight", "acceleration", "year"]
    return [*names, "origin", "mpg"], [[*row[1:8], row[0]] for row in rows], []


def read_houses(folder):
    path = folder / "california-housing" / "housing.csv.gz"
    with gzip.open(path, "rt", newline="") as file:
        header, *rows = csv.reader(file)
    place = header.index("median_house_value")
    rows = [[*row[:place], *row[place + 1 :], row[place]] for row in rows]
    random.Random(0).shuffle(rows)
    return [*header[:place], *header[place + 1 :], header[place]], rows[:4000], [8]


def predict_by_scikit_learn(estimator, train, test, categories):
    """Return what the pipeline predicts for the test rows."""
    width = len(train[0]) - 1

    def matrix(rows):
        cells = [
            [
                cell if place in categories else float(cell.replace("?", "") or "nan")
                for place, cell in enumerate(row[:width])
            ]
            for row in rows
        ]
        return np.array(cells, object)

    numbers = [place for place in range(width) if place not in categories]
    fill = SimpleImputer(strategy="median", add_indicator=True)
    encode = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    model = make_pipeline(
        ColumnTransformer([("n", fill, numbers), ("c", encode, categories)]),
        StandardScaler(),
        estimator,
    )
    y = np.array([float(row[-1]) for row in train])
    model.fit(matrix(train), (y - y.mean()) / y.std())
    return model.predict(matrix(test)) * y.std() + y.mean()


@pytest.mark.slow
@pytest.mark.parametrize("read", [read_cars, read_houses])
@pytest.mark.parametrize("recipe", [linear_regression, svm])
def test_scores_are_level(recipes_data, tmp_path, read, recipe):
    header, rows, categories = read(recipes_data)
    random.Random(1).shuffle(rows)
    cut = len(rows) * 3 // 4
    for name, part in (("train", rows[:cut]), ("test", rows[cut:])):
        with (tmp_path / f"{name}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([header, *part])
    estimator = LinearRegression() if recipe is linear_regression else SVR(epsilon=0.1)
    theirs = predict_by_scikit_learn(estimator, rows[:cut], rows[cut:], categories)
    run = recipe.train_and_evaluate(
        recipe.Config(
            dataset=str(tmp_path / "train.csv"),
            test_dataset=str(tmp_path / "test.csv"),
            task="regression",
            out_dir=str(tmp_path / "run"),
            report=False,
            export=False,
        )
    )
    y = np.array([float(row[-1]) for row in rows[cut:]])
    r2 = 1 - np.mean((theirs - y) ** 2) / y.var()
    assert run.metrics["test"]["r2"] == pytest.approx(r2, abs=0.003)
