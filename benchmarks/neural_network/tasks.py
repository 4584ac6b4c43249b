"""Public data on which networks are scored, with the flags for each."""

import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.data import folder

SPLITS = 20
Flags = tuple[str, ...]


@dataclass(frozen=True)
class Task:
    """Data, and the flags of a network that is trained on them.

    Attributes:
        title: Name in the table.
        data: Function of a folder for temporary files that returns the flags naming the
            data, for each split.
        flags: The other flags.
        score: Key in `metrics.json`: `accuracy` or `rmse`.
        published: Published scores, in words.
        has_peer: Whether to train scikit-learn's `MLPRegressor` on the same rows.
    """

    title: str
    data: Callable[[Path], list[Flags]]
    flags: str
    score: str
    published: str = ""
    has_peer: bool = False


def _embedded(scratch: Path) -> list[Flags]:
    return [()]


def _mnist(scratch: Path) -> list[Flags]:
    name = "mnist/{}-images-idx3-ubyte.gz"
    train, test = (folder() / name.format(part) for part in ("train", "t10k"))
    return [(f"--dataset={train}", f"--test_dataset={test}")]


def _libsvm(name: str) -> Callable[[Path], list[Flags]]:
    def data(scratch: Path) -> list[Flags]:
        flags = ["--task=classification"]
        for flag, part in (("dataset", ""), ("test_dataset", ".t")):
            link = scratch / f"{Path(name).name}{part}.libsvm.gz"  # names the format
            link.symlink_to((folder() / f"{name}{part}.gz").resolve())
            flags.append(f"--{flag}={link}")
        return [tuple(flags)]

    return data


def _housing(scratch: Path) -> list[Flags]:
    path = folder() / "california-housing" / "housing.csv.gz"
    return [(f"--dataset={path}", "--target=median_house_value")]


def public_splits(name: str) -> Callable[[Path], list[Flags]]:
    """Return a task's `data` for a regression of `uci-regression`."""

    def data(scratch: Path) -> list[Flags]:
        place = folder() / "uci-regression" / name
        table = np.loadtxt(place / "data.txt.gz")
        flags = []
        with tarfile.open(place / "splits.tar.xz") as archive:

            def numbers(part: str) -> np.ndarray:
                return np.loadtxt(archive.extractfile(f"index_{part}.txt"), int)

            columns, target = numbers("features"), numbers("target")
            for split in range(SPLITS):
                arrays = {}
                for part in ("train", "test"):
                    rows = table[numbers(f"{part}_{split}")]
                    arrays |= {
                        f"x_{part}": rows[:, columns],
                        f"y_{part}": rows[:, target],
                    }
                path = scratch / f"{name}_{split}.npz"
                np.savez(path, **arrays)
                flags.append((f"--dataset={path}", "--task=regression"))
        return flags

    return data


_SMALL = (
    "--hidden_sizes=50 --noskip_layer --validation_fraction=0 --dropout=0 --l2={} "
    "--optimizer=adam --learning_rate=0.01 --schedule=cosine --epochs=400"
)
_PUBLISHED = "dropout {:.2f}, trained ten times longer {:.2f}; PBP {:.2f}"

TASKS = {
    "digits": Task("digits", _embedded, "", "accuracy"),
    "letter": Task(
        "letter",
        _libsvm("letter/letter.scale"),
        "",
        "accuracy",
    ),
    "a9a": Task(
        "a9a",
        _libsvm("a9a/a9a"),
        "--hidden_sizes=64 --dropout=0.5 --label_smoothing=0 --schedule=cosine "
        "--batch_size=128 --epochs=10",
        "accuracy",
    ),
    "mnist": Task(
        "MNIST",
        _mnist,
        "--hidden_sizes=512,256 --dropout=0.3 --label_smoothing=0 --shift=1 "
        "--learning_rate=0.1 --nesterov --schedule=cosine --batch_size=128 --epochs=20",
        "accuracy",
    ),
    "mnist_cnn": Task(
        "MNIST, convolutional",
        _mnist,
        "--architecture=cnn --hidden_sizes=128 --batch_normalization --dropout=0 "
        "--label_smoothing=0 --shift=2 --learning_rate=0.1 --nesterov "
        "--schedule=cosine --batch_size=128 --epochs=8",
        "accuracy",
    ),
    "housing": Task(
        "california-housing",
        _housing,
        "--noskip_layer --dropout=0.1 --optimizer=adam --learning_rate=0.003 "
        "--schedule=cosine --batch_size=128 --epochs=60",
        "rmse",
        has_peer=True,
    ),
    "concrete": Task(
        "concrete, 20 public splits",
        public_splits("concrete"),
        _SMALL.format("0.0003"),
        "rmse",
        _PUBLISHED.format(5.23, 4.81, 5.67),
    ),
    "energy": Task(
        "energy, 20 public splits",
        public_splits("energy"),
        _SMALL.format("0.0001"),
        "rmse",
        _PUBLISHED.format(1.66, 1.09, 1.80),
    ),
    "yacht": Task(
        "yacht, 20 public splits",
        public_splits("yacht"),
        _SMALL.format("0.0001"),
        "rmse",
        _PUBLISHED.format(1.11, 0.72, 1.02),
    ),
}
