"""The compared programs: this recipe and its peers, with one interface."""

import importlib.util
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.data import load
from benchmarks.measure import (
    high_water,
    median_after_first,
    reset_high_water,
    timed,
)

# The recipe's default, and one that float32 predictions cannot tell from it.
TOLERANCES = {"ours": 1e-14, "ours_loose": 1e-10}
# Name, package.
PROGRAMS = {
    "ours": ("this recipe, tolerance 1e-14 (default)", "recipes"),
    "ours_loose": ("this recipe, tolerance 1e-10", "recipes"),
    "intelex32": ("scikit-learn-intelex, float32", "sklearnex"),
    "sklearn": ("scikit-learn LinearRegression", "sklearn"),
    "ridge": ("scikit-learn Ridge(cholesky)", "sklearn"),
}


def is_installed(program: str) -> bool:
    """Return whether the program's package is installed, without importing it."""
    return importlib.util.find_spec(PROGRAMS[program][1]) is not None


def make(program: str) -> "Ours | Peer":
    """Return a program, a name of `PROGRAMS`, without data."""
    if program in TOLERANCES:
        return Ours(TOLERANCES[program])
    return Peer(program)


def article_loop(stored: Path) -> dict[str, Any]:
    """Run the article's listing, corrected: 1000 steps at a learning rate of 0.01."""
    arrays = load(stored)
    x, y = arrays["x"], arrays["y"]
    theta = np.zeros(x.shape[1], np.float32)
    begin = time.perf_counter()
    for _ in range(1000):
        y_pred = x @ theta
        theta -= np.float32(0.01 * 2 / len(x)) * (x.T @ (y_pred - y))
    return {"seconds": time.perf_counter() - begin, "theta": np.append(theta, 0.0)}


class Program:
    """A program with the rows that its next fits are of."""

    def load(self, stored: Path) -> None:
        """Read the rows from a folder that `data.store` wrote."""
        arrays = load(stored)
        self.x, self.y = arrays["x"], arrays["y"]


class Peer(Program):
    """An estimator with scikit-learn's interface."""

    def __init__(self, program: str) -> None:
        if program == "intelex32":
            from sklearnex.linear_model import LinearRegression, Ridge
        else:
            from sklearn.linear_model import LinearRegression, Ridge
        self.new = (
            partial(Ridge, 1e-6, solver="cholesky")
            if program == "ridge"
            else LinearRegression
        )

    def fit(self) -> dict[str, float]:
        """Fit a new model, and return the seconds it took."""
        model = self.new()
        taken = timed(lambda: model.fit(self.x, self.y))
        self.theta = np.append(model.coef_, model.intercept_)
        return {"seconds": taken}

    def answer(self) -> np.ndarray:
        """Return (w, b) of the last fit."""
        return self.theta


class Ours(Program):
    """This recipe; every fit is of a new model."""

    def __init__(self, tolerance: float) -> None:
        from recipes.linear_regression.model import LinearRegression

        self.new = partial(LinearRegression, tolerance=tolerance)

    def fit(self) -> dict[str, float]:
        """Fit a new model, certificate included, and return the seconds it took."""
        return self._fit(self.x, self.y)

    def fit_stream(self, file: Path, columns: int) -> dict[str, float]:
        """Fit rows from a file that `stream.write` wrote."""
        from benchmarks.linear_regression.stream import read

        return self._fit(read(file, columns))

    def answer(self) -> np.ndarray:
        """Return (w, b) of the last fit."""
        return np.append(self.model.linear.kernel, self.model.linear.bias)

    def certificate_seconds(self, calls: int = 9) -> float:
        """Return the median seconds of a pass over the rows: loss and gradient."""
        from recipes.linear_regression.solver.row_sums import compute_squared_error

        features = self.x.shape[1]
        mean, w, parts = np.zeros(features + 1), np.zeros(features), [(self.x, self.y)]
        return _median_seconds(
            lambda: compute_squared_error(parts, mean, w, 0.0), calls
        )

    def rates(self, calls: int = 25) -> dict[str, float]:
        """Return the bytes per second of a plain sum of x, and of a step over x."""
        import tensorflow as tf

        x = tf.constant(self.x)
        read = _median_seconds(lambda: tf.reduce_sum(x).numpy(), calls)
        step = self.certificate_seconds(calls)
        return {"read": self.x.nbytes / read, "step": self.x.nbytes / step}

    def peak_bytes(self) -> tuple[int, int]:
        """Return the resident bytes before a fit, after a small one, and its peak."""
        self._fit(self.x[:1000].copy(), self.y[:1000])
        reset_high_water()
        before = high_water()
        self.fit()
        return before, high_water()

    def _fit(self, *data: Any) -> dict[str, float]:
        self.model = self.new()
        taken = timed(lambda: self.model.fit(*data, verbose=0))
        if not self.model.certificate["converged"]:
            raise RuntimeError(f"not converged: {self.model.certificate}")
        return {"seconds": taken}


def _median_seconds(function: Callable[[], Any], calls: int) -> float:
    return median_after_first([timed(function) for _ in range(calls + 1)])
