"""Large files are read without holding them twice.

Each file is read in its own process, whose peak memory is compared with that just
before. The constant covers what does not grow with the file: Arrow's blocks in flight
and those that its allocator keeps, and the text and numbers of one LIBSVM block.
"""

import json
import subprocess
import sys

import numpy as np
import pytest

CONSTANT = 32 << 20
FEATURES = 100
CHILD = """
import json, resource, sys
import tensorflow as tf
from recipes.pipeline import datasets
from recipes.pipeline.cli.config import DataConfig

def peak():
    kibibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kibibytes << (0 if sys.platform == "darwin" else 10)

def run(name):
    data = datasets.load(DataConfig(dataset=name), task="regression")
    rows = sum(len(x) for x, _ in data.train_dataset(1024, shuffle_seed=1))
    return rows + len(data.test.target)

run("diabetes")  # lets TensorFlow allocate its own memory
before = peak()
rows = run(sys.argv[1])
print(json.dumps({"rows": rows, "taken": peak() - before}))
"""


def as_csv(rows):
    return "\n".join(",".join(f"{v:.7g}" for v in row) for row in rows) + "\n"


def as_libsvm(rows):
    lines = (
        f"{row[-1]:.7g} " + " ".join(f"{i + 1}:{v:.7g}" for i, v in enumerate(row[:-1]))
        for row in rows
    )
    return "\n".join(lines) + "\n"


WIDE = 20_000
SPARSE_CHILD = """
from recipes.pipeline.evaluation import preprocess
from recipes.pipeline.preprocessing import learn_preprocessing

def run(name):
    data = datasets.load(DataConfig(dataset=name), task="regression")
    layer = learn_preprocessing(data, sparse=True)
    parts = [preprocess(rows, layer) for rows in data.parts.values()]
    return sum(part.shape[0] for part in parts)
"""


@pytest.mark.slow
def test_a_wide_sparse_file_stays_sparse(tmp_path):
    """Dense, its rows would take 160 MB."""
    rng = np.random.default_rng(0)
    path = tmp_path / "wide.libsvm"
    with path.open("w") as stream:
        for number in range(2000):
            places = np.unique(rng.integers(1, WIDE + 1, 20))
            pairs = (f"{place}:{rng.random():.4f}" for place in places)
            stream.write(f"{number} {' '.join(pairs)}\n")
    code = CHILD.replace('run("diabetes")', SPARSE_CHILD + 'run("diabetes")')
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        check=True,
        capture_output=True,
        text=True,
    )
    result = json.loads(done.stdout)
    assert result["rows"] == 2000
    assert result["taken"] <= CONSTANT


@pytest.mark.parametrize(("form", "text"), [("csv", as_csv), ("libsvm", as_libsvm)])
def test_peak_memory(tmp_path, form, text):
    rows = np.random.default_rng(0).normal(size=(10_000, FEATURES + 1))
    part = text(rows)
    path = tmp_path / f"large.{form}"
    with path.open("w") as stream:
        for _ in range(8):
            stream.write(part)
    assert path.stat().st_size > 60e6
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(path)],
        check=True,
        capture_output=True,
        text=True,
    )
    result = json.loads(done.stdout)
    assert result["rows"] == 80_000
    assert result["taken"] <= 2.5 * 80_000 * FEATURES * 4 + CONSTANT
