"""Support vector machines compared with oneDAL (scikit-learn-intelex) and LIBSVM.

`python -m benchmarks.svm` measures everything and writes `results/svm.md`, `.svg` and
`.json`. `--parts` measures some parts and keeps the other results; every part records
when it was measured. Within a part all programs run in turn, so the ratios hold.
"""

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import record
from benchmarks.data import Split, folder, store
from benchmarks.measure import Call, fits_in_turn, in_turn_within
from benchmarks.record import Environment
from benchmarks.svm import gap
from benchmarks.svm.data import TASKS
from benchmarks.svm.programs import CACHE_MB, PROGRAMS, is_installed, make
from benchmarks.svm.report import GROWTH, plot, text
from benchmarks.worker import Worker

ONCE = ("growth", "memory")
SIZES = (1_000, 3_000, 10_000, 30_000)
GROWTH_BUDGET = 30.0
PREDICTION_BUDGET = 20.0
MEMORY = ("a9a", "mnist_even_odd")
CACHES_MB = (CACHE_MB, CACHE_MB // 4)
# Keras's default, and a batch size for speed.
BATCHES = (32, 4096)


class Benchmark:
    """One run: its options, and a folder for the data.

    Args:
        options: The parsed command line.
        scratch: A folder for the arrays.
    """

    def __init__(self, options: argparse.Namespace, scratch: Path) -> None:
        self.options, self.scratch = options, scratch
        self.programs = ["ours", *filter(is_installed, options.peers)]
        # Not tried again under a narrower instruction set: (task, program).
        self.over_budget: set[tuple[str, str]] = set()

    def part(self, name: str, environment: Environment) -> dict[str, Any]:
        """Measure a data set, `"growth"` or `"memory"`."""
        if name in ONCE:
            return getattr(self, name)(environment)
        return self.compare(name, environment)

    def data(self, task: str) -> tuple[Split, Path]:
        """Load a data set, and store it in a folder for the programs."""
        split = TASKS[task].load()
        rows = self.options.rows
        split = Split(*(array[:rows] for array in split))
        return split, store(split._asdict(), self.scratch / task)

    def compare(self, task: str, environment: Environment) -> dict[str, Any]:
        """Compare all programs on one data set: times, and quality of the solutions."""
        split, stored = self.data(task)
        workers = {
            name: Worker(environment, make, name, task, stored)
            for name in self.programs
            if (task, name) not in self.over_budget
        }
        fits = fits_in_turn(workers, self.options.runs, self.options.budget)
        done = {name: worker for name, worker in workers.items() if fits[name]}
        answers = {name: worker.ask("answer") for name, worker in done.items()}
        predictions = self._predictions(done)
        for worker in workers.values():
            worker.close()
        programs: dict[str, Any] = {}
        for name in self.programs:
            if name not in done:
                self.over_budget.add((task, name))
                programs[name] = {"fits": [], "over_budget": self.options.budget}
                continue
            given = predictions[name]
            programs[name] = {
                "fits": fits[name],
                **_quality(task, split, answers[name]),
                "predictions": {
                    batch: [each["seconds"] for each in calls]
                    for batch, calls in given.items()
                },
            }
            if calls := next(iter(given.values())):
                programs[name]["score"] = _score(
                    task, split.test_y, calls[0]["predicted"]
                )
        return {
            "rows": len(split.x),
            "features": split.x.shape[1],
            "test_rows": len(split.test_x),
            "programs": programs,
        }

    def growth(self, environment: Environment) -> dict[str, Any]:
        """Fit the first n rows; results for all rows come from their own part."""
        split, stored = self.data(GROWTH)
        points: dict[str, Any] = {}
        programs = self.programs
        for n in [n for n in SIZES if n < len(split.x)]:
            print(f" {n} rows", flush=True)
            workers = {
                name: Worker(environment, make, name, GROWTH, stored, n)
                for name in programs
            }
            points[str(n)] = fits_in_turn(workers, self.options.runs, GROWTH_BUDGET)
            for worker in workers.values():
                worker.close()
            # A program that was too slow on these rows is not tried on more.
            programs = [name for name in programs if points[str(n)][name]]
        return {"title": TASKS[GROWTH].title, "points": points}

    def memory(self, environment: Environment) -> dict[str, Any]:
        """Measure the peak of each fit in a process that has only done a small one."""
        measured = []
        for task in MEMORY:
            split, stored = self.data(task)
            for cache_mb in CACHES_MB:
                worker = Worker(environment, make, "ours", task, stored, None, cache_mb)
                before, peak = worker.ask("peak_bytes")
                worker.close()
                measured.append(
                    {
                        "task": task,
                        "rows": len(split.x),
                        "cache_bytes": cache_mb * 1_000_000,
                        "data_bytes": split.x.nbytes,
                        "baseline_bytes": before,
                        "peak_bytes": peak,
                    }
                )
                print(f"  {measured[-1]}", flush=True)
        return {"fits": measured}

    def _predictions(self, workers: Mapping[str, Worker]) -> dict[str, dict[str, Any]]:
        """Time predictions of the test rows, by program and batch size."""
        asked = [
            (name, batch)
            for name in workers
            for batch in (BATCHES if name == "ours" else ("",))
        ]
        calls: dict[str, Call] = {
            f"{name} {batch}".strip(): lambda timeout, name=name, batch=batch: workers[
                name
            ].ask("predict", *([batch] if batch else []), timeout=timeout)
            for name, batch in asked
        }
        given = in_turn_within(calls, self.options.runs, PREDICTION_BUDGET)
        return {
            name: {
                str(batch): given[f"{name} {batch}".strip()]
                for who, batch in asked
                if who == name
            }
            for name in workers
        }


def _quality(task: str, split: Split, answer: gap.Answer) -> dict[str, Any]:
    """Compute the true KKT gap and dual objective of a solution."""
    settings = TASKS[task]
    if settings.epsilon is not None:
        truth = gap.of_regression(
            split.x, split.y, answer, settings.C, settings.gamma, settings.epsilon
        )
    else:
        truth = gap.of_classes(split.x, split.y, answer, settings.C, settings.gamma)
    print(f"  true KKT gap {truth.kkt_gap:.2e}", flush=True)
    return {**truth._asdict(), "support_vectors": len(answer.support)}


def _score(task: str, y: np.ndarray, predicted: np.ndarray) -> float:
    """Return the accuracy, or the root mean squared error."""
    if TASKS[task].is_regression:
        return float(np.sqrt(np.mean((predicted - y) ** 2)))
    return float(np.mean(predicted == y))


def options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = record.parser("svm", __doc__, [*TASKS, *ONCE])
    peers = [name for name in PROGRAMS if name != "ours"]
    parser.add_argument("--peers", nargs="*", choices=peers, default=peers)
    parser.add_argument("--runs", type=int, default=2, help="fits after the first")
    parser.add_argument(
        "--budget",
        type=float,
        default=60.0,
        help="seconds for all fits of one program on one data set",
    )
    chosen = record.parse(parser, arguments)
    if set(chosen.parts) != {"synthetic"}:
        folder()
    return chosen


def main() -> None:
    """Measure the requested parts, and write the results after each."""
    chosen = options()
    with tempfile.TemporaryDirectory() as scratch:
        benchmark = Benchmark(chosen, Path(scratch))
        parts = {name: partial(benchmark.part, name) for name in chosen.parts}
        measured = record.measure(chosen.out, "svm", parts, text, ONCE)
    if "growth" in measured:
        plot(measured, chosen.out / "svm.svg")
    print(text(measured))


if __name__ == "__main__":
    main()
