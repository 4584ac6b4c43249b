"""Rows for linear regression, and the distance of a solution from the optimum."""

from collections.abc import Callable

import numpy as np


def make_data(n: int, features: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Make normal columns and a linear target with as much noise as one weight."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, features), dtype=np.float32)
    weights = np.random.default_rng(1).standard_normal(features).astype(np.float32)
    y = x @ weights + rng.standard_normal(n, dtype=np.float32)
    return x, y


def excess(x: np.ndarray, y: np.ndarray) -> Callable[[np.ndarray], float]:
    """Return θ ↦ relative excess loss, in float64 NumPy without the recipe's code."""
    gram, cross, n = 0.0, 0.0, len(x)
    for i in range(0, n, 100_000):
        z = np.column_stack([x[i : i + 100_000], np.ones(len(x[i : i + 100_000]))])
        z = z.astype(np.float64)
        gram = gram + z.T @ z
        cross = cross + z.T @ y[i : i + 100_000].astype(np.float64)
    best = np.linalg.solve(gram, cross)
    square = float(y.astype(np.float64) @ y.astype(np.float64))
    least = (square - cross @ best) / n

    def excess_of(theta: np.ndarray) -> float:
        away = np.asarray(theta, np.float64).reshape(-1) - best
        return float(away @ gram @ away / n / least)

    return excess_of
