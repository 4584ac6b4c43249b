"""The data sets that support vector machines are measured on, as float32 arrays."""

import argparse
import gzip
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Split(NamedTuple):
    """Rows to train on and rows to test on; labels are integers."""

    x: npt.NDArray[np.float32]
    y: npt.NDArray[np.int64] | npt.NDArray[np.float32]
    test_x: npt.NDArray[np.float32]
    test_y: npt.NDArray[np.int64] | npt.NDArray[np.float32]


@dataclass(frozen=True)
class Task:
    """What is trained, always with the rbf kernel; regression where ε is given."""

    title: str
    load: Callable[[], Split]
    C: float
    gamma: float
    epsilon: float | None = None

    @property
    def is_regression(self) -> bool:
        """Whether the target is a number."""
        return self.epsilon is not None


def folder() -> Path:
    """Return the folder of the public data sets, which `RECIPES_DATA` names."""
    return Path(os.environ["RECIPES_DATA"])


def require_folder(parser: argparse.ArgumentParser) -> None:
    """Exit with an error of the command line unless there is such a folder."""
    name = os.environ.get("RECIPES_DATA", "")
    if not os.path.isdir(name):
        parser.error(
            "set the environment variable RECIPES_DATA to the folder of the data sets"
            + f": {name!r} is not a folder" * bool(name)
        )


def a9a() -> Split:
    """Census income, one-hot coded."""
    return _libsvm("a9a/a9a.gz", "a9a/a9a.t.gz", features=123)


def letter() -> Split:
    """Letters by 16 measures of their shape."""
    return _libsvm("letter/letter.scale.gz", "letter/letter.scale.t.gz", features=16)


def mnist() -> Split:
    """Ten digits; pixels from 0 to 1."""
    (x, y), (test_x, test_y) = (
        (_pixels(f"mnist/{part}-images-idx3-ubyte.gz"),
         _labels(f"mnist/{part}-labels-idx1-ubyte.gz"))
        for part in ("train", "t10k")
    )  # fmt: skip
    return Split(x, y, test_x, test_y)


def mnist_even_odd() -> Split:
    """The same, odd digits against even ones."""
    x, y, test_x, test_y = mnist()
    return Split(x, y % 2, test_x, test_y % 2)


def housing() -> Split:
    """Median house values in 100,000 dollars; every tenth row of a shuffle is a test.

    Features are standardised by the training rows.
    """
    path = folder() / "california-housing" / "cal.housing.arff.gz"
    text = gzip.decompress(path.read_bytes()).decode()
    lines = text.lower().split("@data")[1].split()
    table = np.array([line.split(",") for line in lines], np.float64)
    table = np.random.default_rng(0).permutation(table)
    return _split(table[:, :-1], table[:, -1] / 1e5, np.arange(len(table)) % 10 == 0)


def synthetic() -> Split:
    """25,000 rows by scikit-learn's `make_classification`, 5,000 of them to test."""
    from sklearn.datasets import make_classification

    x, y = make_classification(
        25_000, 100, n_informative=30, n_redundant=20, random_state=0
    )
    return _split(x, y, np.arange(len(x)) >= 20_000)


def _split(x: np.ndarray, y: np.ndarray, is_test: np.ndarray) -> Split:
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


def _pixels(name: str) -> npt.NDArray[np.float32]:
    raw = gzip.decompress((folder() / name).read_bytes())
    return (
        np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 784) / np.float32(255)
    ).astype(np.float32)


def _labels(name: str) -> npt.NDArray[np.int64]:
    raw = gzip.decompress((folder() / name).read_bytes())
    return np.frombuffer(raw, np.uint8, offset=8).astype(np.int64)


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
