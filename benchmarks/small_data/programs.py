"""What is measured of a program on small data, each call in a process of its own."""

import importlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.data import load
from benchmarks.measure import timed

PROGRAMS = {
    "ours": "this recipe",
    "intelex32": "scikit-learn-intelex",
    "sklearn": "scikit-learn",
}
# Module and class by kind, and the settings by which the programs solve one problem.
OURS = {
    "classifier": ("recipes.svm", "SupportVectorClassifier"),
    "regressor": ("recipes.svm", "SupportVectorRegressor"),
    "linear": ("recipes.linear_regression", "LinearRegression"),
}
PEERS = {
    "classifier": ("svm", "SVC"),
    "regressor": ("svm", "SVR"),
    "linear": ("linear_model", "LinearRegression"),
}
PACKAGES = {"intelex32": "sklearnex", "sklearn": "sklearn"}
LATER, SHAPES, FOLDS = 9, 5, 10


def constructor(program: str, kind: str, features: int) -> Callable[[], Any]:
    """Import a program's class, and return what makes a new model."""
    if program == "ours":
        module, name = OURS[kind]
    else:
        module, name = PEERS[kind]
        module = f"{PACKAGES[program]}.{module}"
    made = getattr(importlib.import_module(module), name)
    if kind == "linear":
        return made
    return partial(made, C=1.0, gamma=1.0 / features)


def fit(new: Callable[[], Any], x: np.ndarray, y: np.ndarray, program: str) -> Any:
    """Fit a new model."""
    quiet = {"verbose": 0} if program == "ours" else {}
    model = new()
    model.fit(x, y, **quiet)
    return model


def fits(program: str, kind: str, stored: Path) -> dict[str, Any]:
    """Time fits of new models; imports are not timed.

    Returns:
        Seconds: `first`, of the process; `later`, of the same rows; `shapes`, each of a
        number of rows that the process has not seen.
    """
    arrays = load(stored)
    x, y = arrays["x"], arrays["y"]
    new = constructor(program, kind, x.shape[1])

    def seconds(rows: int) -> float:
        return timed(lambda: fit(new, x[:rows], y[:rows], program))

    return {
        "first": seconds(len(x)),
        "later": [seconds(len(x)) for _ in range(LATER)],
        "shapes": [seconds(len(x) - 1 - i) for i in range(SHAPES)],
    }


def cross_validate(program: str, kind: str, stored: Path) -> dict[str, float]:
    """Time a loop over folds: fit a new model, and predict the rows held out.

    Returns:
        `seconds`, imports excluded, and the mean `accuracy`.
    """
    arrays = load(stored)
    x, y = arrays["x"], arrays["y"]
    new = constructor(program, kind, x.shape[1])
    fold, right = np.arange(len(x)) % FOLDS, []

    def loop() -> None:
        for held_out in range(FOLDS):
            train, test = fold != held_out, fold == held_out
            model = fit(new, x[train], y[train], program)
            if program == "ours":
                predicted = model.predict_classes(x[test], verbose=0)
            else:
                predicted = model.predict(x[test])
            right.append(np.mean(predicted == y[test]))

    return {"seconds": timed(loop), "accuracy": float(np.mean(right))}
