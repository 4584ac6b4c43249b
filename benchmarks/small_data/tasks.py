"""Small data sets, as standardised float32 arrays."""

import gzip
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.data import folder

Arrays = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Task:
    """Data for one kind of model: `"classifier"`, `"regressor"` or `"linear"`."""

    title: str
    kind: str
    load: Callable[[], Arrays]


def _embedded(name: str) -> Callable[[], Arrays]:
    def load() -> Arrays:
        import sklearn.datasets

        return getattr(sklearn.datasets, f"load_{name}")(return_X_y=True)

    return load


def _abalone() -> Arrays:
    """Load the first 4,000 rows: seven measures and the number of rings."""
    path = folder() / "abalone" / "abalone.data.gz"
    lines = gzip.decompress(path.read_bytes()).decode().split()[:4000]
    table = np.array([line.split(",")[1:] for line in lines], np.float64)
    return table[:, :-1], table[:, -1]


def _synthetic(n: int, features: int, classes: bool = False) -> Callable[[], Arrays]:
    def load() -> Arrays:
        rng = np.random.default_rng(0)
        x = rng.standard_normal((n, features))
        y = np.sin(2 * x[:, 0]) + x[:, 1] + 0.3 * rng.standard_normal(n)
        return x, (y > 0).astype(int) if classes else y

    return load


def arrays(task: Task) -> dict[str, np.ndarray]:
    """Load the rows in a random order, x and a regression's y standardised."""
    x, y = task.load()
    order = np.random.default_rng(0).permutation(len(x))
    x, y = x[order], y[order]
    scale = x.std(axis=0)
    x = ((x - x.mean(axis=0)) / np.where(scale > 0, scale, 1)).astype(np.float32)
    if task.kind == "classifier":
        return {"x": x, "y": y}
    return {"x": x, "y": ((y - y.mean()) / y.std()).astype(np.float32)}


TASKS = {
    "iris": Task("iris, SVC", "classifier", _embedded("iris")),
    "breast_cancer": Task(
        "breast_cancer, SVC", "classifier", _embedded("breast_cancer")
    ),
    "digits": Task("digits, SVC", "classifier", _embedded("digits")),
    "classes_1000": Task(
        "synthetic, SVC", "classifier", _synthetic(1000, 20, classes=True)
    ),
    "classes_3089": Task(
        "synthetic, SVC", "classifier", _synthetic(3089, 4, classes=True)
    ),
    "diabetes": Task("diabetes, SVR", "regressor", _embedded("diabetes")),
    "abalone": Task("abalone, SVR", "regressor", _abalone),
    "linear_diabetes": Task("diabetes, linear", "linear", _embedded("diabetes")),
    "linear_1000": Task("synthetic, linear", "linear", _synthetic(1000, 20)),
    "linear_3089": Task("synthetic, linear", "linear", _synthetic(3089, 4)),
    "linear_10000": Task("synthetic, linear", "linear", _synthetic(10_000, 100)),
}
