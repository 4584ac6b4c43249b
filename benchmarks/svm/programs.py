"""The compared programs: this recipe and its peers, with one interface."""

import ctypes
import gc
import importlib
import importlib.util
import os
import re
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.data import Split, load
from benchmarks.measure import high_water, reset_high_water
from benchmarks.svm.data import TASKS, Task
from benchmarks.svm.gap import Answer, pairwise

TOLERANCE = 1e-3
CACHE_MB = 2000
# Name, module, dtype of the rows.
PROGRAMS = {
    "ours": ("this recipe", "recipes.svm", np.float32),
    "intelex32": ("scikit-learn-intelex, float32", "sklearnex.svm", np.float32),
    "intelex64": ("scikit-learn-intelex, float64", "sklearnex.svm", np.float64),
    "sklearn": ("scikit-learn (LIBSVM)", "sklearn.svm", np.float64),
}
# More rows than the recipe solves as one block, so that all of its code is warm.
SMALL_FIT = 3000


def make(
    program: str,
    task: str,
    stored: Path,
    rows: int | None = None,
    cache_mb: float = CACHE_MB,
) -> "Ours | Peer":
    """Return a program with its data.

    Args:
        program: A name of `PROGRAMS`.
        task: A name of `TASKS`.
        stored: Folder with the arrays of a `Split`.
        rows: Number of training rows to use; all of them if `None`.
        cache_mb: Megabytes for kernel values in this recipe.
    """
    data = Split(**load(stored))
    data = data._replace(x=data.x[:rows], y=data.y[:rows])
    if program == "ours":
        return Ours(TASKS[task], data, cache_mb)
    return Peer(program, TASKS[task], data)


class Peer:
    """An estimator with scikit-learn's interface."""

    def __init__(self, program: str, task: Task, data: Split) -> None:
        _, module, dtype = PROGRAMS[program]
        self.task, self.labels = task, data.y
        self.machines = importlib.import_module(module)
        self.x, self.test_x = data.x.astype(dtype), data.test_x.astype(dtype)
        self.y = data.y.astype(dtype) if task.is_regression else data.y
        self.model: Any = None

    def fit(self) -> dict[str, float]:
        """Fit a new model, and return the seconds it took."""
        settings: dict[str, Any] = {
            "C": self.task.C,
            "gamma": self.task.gamma,
            "tol": TOLERANCE,
            "cache_size": CACHE_MB,
        }
        if self.task.is_regression:
            self.model = self.machines.SVR(epsilon=self.task.epsilon, **settings)
        else:
            self.model = self.machines.SVC(**settings)
        begin = time.perf_counter()
        self.model.fit(self.x, self.y)
        return {"seconds": time.perf_counter() - begin}

    def predict(self) -> dict[str, Any]:
        """Return labels or values of the test rows, and the seconds."""
        begin = time.perf_counter()
        predicted = self.model.predict(self.test_x)
        return {"seconds": time.perf_counter() - begin, "predicted": predicted}

    def answer(self) -> Answer:
        """Return the dual coefficients of the last fit."""
        support = np.asarray(self.model.support_, np.int64)
        if self.task.is_regression:
            return Answer(support, np.asarray(self.model.dual_coef_, np.float64).T)
        _, classes = np.unique(self.labels, return_inverse=True)
        return Answer(support, pairwise(self.model.dual_coef_, classes[support]))


class Ours:
    """This recipe; every fit is of a new model."""

    def __init__(self, task: Task, data: Split, cache_mb: float = CACHE_MB) -> None:
        self.task, self.data, self.cache_mb = task, data, cache_mb
        self.compilations = CompileLog()
        self.machines = importlib.import_module(PROGRAMS["ours"][1])
        self.proofs = _ProofTimes()
        self.model: Any = None

    def fit(self, rows: int | None = None) -> dict[str, float]:
        """Fit a new model, and return the seconds and what they were spent on."""
        settings: dict[str, Any] = {
            "C": self.task.C,
            "gamma": self.task.gamma,
            "tolerance": TOLERANCE,
            "cache_mb": self.cache_mb,
        }
        if self.task.is_regression:
            self.model = self.machines.SupportVectorRegressor(
                epsilon=self.task.epsilon, **settings
            )
        else:
            self.model = self.machines.SupportVectorClassifier(**settings)
        self.proofs.clear()
        self.compilations.new()
        begin = time.perf_counter()
        self.model.fit(self.data.x[:rows], self.data.y[:rows], verbose=0)
        seconds = time.perf_counter() - begin
        if not self.model.certificate["converged"]:
            raise RuntimeError(f"not converged: {self.model.certificate}")
        # The descent continues from a proof that fails, so that proof belongs to the
        # solution; the last proof of each problem is the certificate.
        return {
            "seconds": seconds,
            "certificate": self.proofs.certificate,
            "rebuilds": self.proofs.rebuilds,
            "iterations": int(self.model.certificate["iterations"]),
            **self.compilations.new(),
        }

    def predict(self, batch_size: int = 32) -> dict[str, Any]:
        """Return labels or values of the test rows, and the seconds."""
        model, x = self.model, self.data.test_x
        begin = time.perf_counter()
        if self.task.is_regression:
            predicted = model.predict(x, batch_size=batch_size, verbose=0)[:, 0]
        else:
            predicted = model.predict_classes(x, batch_size=batch_size, verbose=0)
        return {"seconds": time.perf_counter() - begin, "predicted": predicted}

    def answer(self) -> Answer:
        """Return the dual coefficients of the last fit."""
        return Answer(
            np.asarray(self.model.support_indices),
            np.asarray(self.model.dual_coefficients, np.float64),
        )

    def peak_bytes(self) -> tuple[int, int]:
        """Return the resident bytes before a fit, after a small one, and its peak."""
        self.fit(SMALL_FIT)
        self.model = None
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
        reset_high_water()
        before = high_water()
        self.fit()
        return before, high_water()


class CompileLog:
    """What XLA compiles, from TensorFlow's own log.

    Redirects the standard error of the process. Create it before importing TensorFlow.
    """

    def __init__(self) -> None:
        os.environ["TF_CPP_VMODULE"] = "device_compiler=1"
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "0"
        file = tempfile.TemporaryFile()  # noqa: SIM115  lives as long as the process
        os.dup2(file.fileno(), 2)
        self.file = file
        self.read = 0

    def new(self) -> dict[str, float]:
        """Return the number of compilations since the last call, and their seconds."""
        text = os.pread(self.file.fileno(), 2**24, self.read)
        self.read += len(text)
        seconds = compile_seconds(text.decode(errors="replace"))
        return {"compiled": len(seconds), "compile": sum(seconds)}


def compile_seconds(log: str) -> list[float]:
    """Return the seconds of each compilation by XLA that TensorFlow has logged."""
    # TensorFlow 2.19 logs "1.78 s (cumulative: …", later ones "1.78 s (1780000 us) …".
    found = re.findall(r"XLA executable time: (\S+) (us|ms|s|min) \(", log)
    units = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0}
    return [float(number) * units[unit] for number, unit in found]


class _ProofTimes:
    """Times the recipe's proofs and comparisons, without changing them."""

    def __init__(self) -> None:
        self.clear()
        scheduler = importlib.import_module("recipes.svm.solver.scheduler").Scheduler
        base = importlib.import_module("recipes.svm.models.base").SupportVectorMachine
        prove, compare = scheduler._prove_batch, base._compare

        def timed_prove(self_: Any) -> Any:
            begin = time.perf_counter()
            proofs = prove(self_)
            # The problems of a batch are proved again where a proof fails.
            batch = self_._queue[0]
            self.proofs.setdefault(id(batch), []).append(time.perf_counter() - begin)
            self._batches.append(batch)  # so that its id is not used again
            return proofs

        def timed_compare(self_: Any, *arguments: Any) -> None:
            begin = time.perf_counter()
            compare(self_, *arguments)
            self.comparison = time.perf_counter() - begin

        scheduler._prove_batch, base._compare = timed_prove, timed_compare

    def clear(self) -> None:
        """Forget the last fit."""
        self.proofs: dict[int, list[float]] = {}
        self._batches: list[Any] = []
        self.comparison = 0.0

    @property
    def certificate(self) -> float:
        """Seconds of the last proof of each batch, and of the last comparison."""
        return sum(times[-1] for times in self.proofs.values()) + self.comparison

    @property
    def rebuilds(self) -> int:
        """Number of proofs before these."""
        return sum(len(times) - 1 for times in self.proofs.values())


def is_installed(program: str) -> bool:
    """Return whether the program's package is installed, without importing it."""
    package = PROGRAMS[program][1].split(".")[0]
    return importlib.util.find_spec(package) is not None
