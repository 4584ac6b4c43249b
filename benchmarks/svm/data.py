"""The data sets for support vector machines, as float32 arrays."""

import gzip
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.data import Split, folder, mnist


@dataclass(frozen=True)
class Task:
    """A task for the rbf kernel; a regression if ε is given."""

    title: str
    load: Callable[[], Split]
    C: float
    gamma: float
    epsilon: float | None = None

    @property
    def is_regression(self) -> bool:
        """Whether the target is a number."""
        return self.epsilon is not None


def a9a() -> Split:
    """Load census income, one-hot encoded."""
    return _libsvm("a9a/a9a.gz", "a9a/a9a.t.gz", features=123)


def letter() -> Split:
    """Load letters, described by 16 measures of their shape."""
    return _libsvm("letter/letter.scale.gz", "letter/letter.scale.t.gz", features=16)


def mnist_even_odd() -> Split:
    """Load MNIST with odd digits against even ones."""
    x, y, test_x, test_y = mnist()
    return Split(x, y % 2, test_x, test_y % 2)


def housing() -> Split:
    """Load median house values in 100,000 dollars.

    Every tenth row of a permutation is a test row. Features are standardised by the
    training rows.
    """
    path = folder() / "california-housing" / "cal.housing.arff.gz"
    text = gzip.decompress(path.read_bytes()).decode()
    lines = text.lower().split("@data")[1].split()
    table = np.array([line.split(",") for line in lines], np.float64)
    table = np.random.default_rng(0).permutation(table)
    return _standardise(
        table[:, :-1], table[:, -1] / 1e5, np.arange(len(table)) % 10 == 0
    )


def synthetic() -> Split:
    """Make 25,000 rows by `make_classification`, 5,000 of them for testing."""
    from sklearn.datasets import make_classification

    x, y = make_classification(
        25_000, 100, n_informative=30, n_redundant=20, random_state=0
    )
    return _standardise(x, y, np.arange(len(x)) >= 20_000)


def _standardise(x: np.ndarray, y: np.ndarray, is_test: np.ndarray) -> Split:
    centre, scale = x[~is_test].mean(axis=0), x[~is_test].std(axis=0)
    x = ((x - centre) / scale).astype(np.float32)
    y = y.astype(np.float32 if y.dtype.kind == "f" else np.int64)
    return Split(x[~is_test], y[~is_test], x[is_test], y[is_test])


def _libsvm(train: str, test: str, features: int) -> Split:
    from sklearn.datasets import load_svmlight_file

    arrays = []
    for name in (train, test):
        with gzip.open(folder() / name) as file:
            x, y = load_svmlight_file(file, n_features=features, dtype=np.float32)
        arrays += [np.ascontiguousarray(x.toarray()), y.astype(np.int64)]
    return Split(*arrays)


TASKS = {
    "a9a": Task("a9a", a9a, C=32.0, gamma=2.0**-5),
    "mnist_even_odd": Task("MNIST, even or odd", mnist_even_odd, C=10.0, gamma=0.02),
    "mnist": Task("MNIST, ten classes", mnist, C=10.0, gamma=0.02),
    "letter": Task("letter, 26 classes", letter, C=16.0, gamma=4.0),
    "housing": Task(
        "california-housing, regression", housing, C=10.0, gamma=0.25, epsilon=0.1
    ),
    "synthetic": Task("synthetic, 100 features", synthetic, C=1.0, gamma=0.01),
}
