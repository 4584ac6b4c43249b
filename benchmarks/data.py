"""The data that several benchmarks use: the folder of real data sets, and MNIST."""

import gzip
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt


class Split(NamedTuple):
    """Rows for training and for testing; labels are integers."""

    x: npt.NDArray[np.float32]
    y: npt.NDArray[np.int64] | npt.NDArray[np.float32]
    test_x: npt.NDArray[np.float32]
    test_y: npt.NDArray[np.int64] | npt.NDArray[np.float32]


def folder() -> Path:
    """Return the folder of real data sets; end with one line if there is none."""
    path = os.environ.get("RECIPES_DATA", "")
    if not path or not Path(path).is_dir():
        print(
            "RECIPES_DATA should be set to the folder of the benchmarks' data sets. "
            f"Received: RECIPES_DATA={path!r}",
            file=sys.stderr,
        )
        raise SystemExit(2)
    return Path(path)


def store(arrays: Mapping[str, npt.NDArray[Any]], folder: Path) -> Path:
    """Write arrays to a folder, so that each process reads them without parsing."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return folder


def load(folder: Path) -> dict[str, npt.NDArray[Any]]:
    """Read the arrays that `store` wrote."""
    return {path.stem: np.load(path) for path in folder.glob("*.npy")}


def mnist() -> Split:
    """Load MNIST with pixels from 0 to 1."""
    (x, y), (test_x, test_y) = (
        (_pixels(f"mnist/{part}-images-idx3-ubyte.gz"),
         _labels(f"mnist/{part}-labels-idx1-ubyte.gz"))
        for part in ("train", "t10k")
    )  # fmt: skip
    return Split(x, y, test_x, test_y)


def _pixels(name: str) -> npt.NDArray[np.float32]:
    raw = gzip.decompress((folder() / name).read_bytes())
    return (
        np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 784) / np.float32(255)
    ).astype(np.float32)


def _labels(name: str) -> npt.NDArray[np.int64]:
    raw = gzip.decompress((folder() / name).read_bytes())
    return np.frombuffer(raw, np.uint8, offset=8).astype(np.int64)
