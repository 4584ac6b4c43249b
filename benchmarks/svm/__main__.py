"""Support vector machines beside oneDAL (scikit-learn-intelex) and LIBSVM.

`python -m benchmarks.svm` measures everything and writes `results/svm.md`, `.svg` and
`.json`. `--parts` measures some of it and keeps the rest of the file; every part says
when it was measured. Within a part all programs run in turn, so the ratios hold.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import threadpoolctl

from benchmarks.measure import PAUSE, RESULTS, machine, now, versions
from benchmarks.svm import gap
from benchmarks.svm.data import TASKS, Split, require_folder
from benchmarks.svm.programs import CACHE_MB, PROGRAMS, is_installed
from benchmarks.svm.report import plot, text
from benchmarks.svm.worker import Worker, store

GROWTH = "mnist_even_odd"
SIZES = (1_000, 3_000, 10_000, 30_000, 60_000)
GROWTH_BUDGET = 120.0
PREDICTION_BUDGET = 120.0
MEMORY = ("a9a", "mnist_even_odd")
CACHES_MB = (CACHE_MB, CACHE_MB // 4)
# Beside Keras's default, a batch as somebody chooses it who wants speed.
BATCHES = (32, 4096)

Call = Callable[[float | None], dict[str, Any]]


def in_turn_within(
    calls: Mapping[str, Call], runs: int, budget: float, pause: float = PAUSE
) -> dict[str, list[dict[str, Any]]]:
    """Calls each once, then up to `runs` times more, all in turn.

    Args:
        calls: What to call with the seconds that it may take; each gives a dict with
            the `seconds` it took, or raises `TimeoutError`.
        runs: Most calls after the first.
        budget: Seconds for each: the first call may take so long, later ones are left
            out where they would take the sum above it.
        pause: Seconds between two calls.

    Returns:
        What was given; nothing of a call that took too long.
    """
    given: dict[str, list[dict[str, Any]]] = {name: [] for name in calls}
    for run in range(runs + 1):
        for name, call in calls.items():
            past = [each["seconds"] for each in given[name]]
            if run and (not past or sum(past) + max(past) > budget):
                continue
            time.sleep(pause)
            try:
                given[name].append(call(None if run else budget))
            except TimeoutError:
                continue
            print(f"  {name}: {given[name][-1]['seconds']:.2f} s", flush=True)
    return given


class Benchmark:
    """One run: what was asked for, the data in a folder, the programs.

    Args:
        options: The parsed command line.
        scratch: A folder for the arrays.
    """

    def __init__(self, options: argparse.Namespace, scratch: Path) -> None:
        self.options, self.scratch = options, scratch
        self.programs = ["ours", *filter(is_installed, options.peers)]
        self.parts: dict[str, Any] = {}
        self.run = {
            "started": now(),
            "machine": machine(),
            "versions": _versions(),
        }

    def part(self, name: str) -> dict[str, Any]:
        """Measures a data set, `"growth"` or `"memory"`."""
        special = {"growth": self.growth, "memory": self.memory}
        measured = special[name]() if name in special else self.compare(name)
        self.parts[name] = {**self.run, **measured}
        return self.parts[name]

    def data(self, task: str) -> tuple[Split, Path]:
        """A data set, and the folder that holds it for the programs."""
        split = TASKS[task].load()
        rows = self.options.rows
        split = Split(*(array[:rows] for array in split))
        return split, store(split, self.scratch / task)

    def compare(self, task: str) -> dict[str, Any]:
        """All programs on one data set: times, and what their answers are worth."""
        split, stored = self.data(task)
        workers = {name: Worker(name, task, stored) for name in self.programs}
        fits = self._fits(workers, self.options.budget)
        done = {name: worker for name, worker in workers.items() if fits[name]}
        answers = {name: worker.ask("answer") for name, worker in done.items()}
        predictions = self._predictions(done)
        for worker in workers.values():
            worker.close()
        programs: dict[str, Any] = {}
        for name in workers:
            if name not in done:
                programs[name] = {"fits": [], "over_budget": self.options.budget}
                continue
            given = predictions[name]
            programs[name] = {
                "fits": fits[name],
                **_worth(task, split, answers[name]),
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

    def growth(self) -> dict[str, Any]:
        """Fits of the first n rows; those of all rows are taken from their own part."""
        split, stored = self.data(GROWTH)
        sizes = [n for n in SIZES if n <= len(split.x)]
        points: dict[str, Any] = {}
        programs = self.programs
        for n in sizes:
            print(f" {n} rows", flush=True)
            if n == len(split.x) and GROWTH in self.parts:
                measured = self.parts[GROWTH]["programs"]
                points[str(n)] = {name: p["fits"] for name, p in measured.items()}
                continue
            workers = {name: Worker(name, GROWTH, stored, n) for name in programs}
            points[str(n)] = self._fits(workers, GROWTH_BUDGET)
            for worker in workers.values():
                worker.close()
            # What took too long on these rows need not be tried on more.
            programs = [name for name in programs if points[str(n)][name]]
        return {"title": TASKS[GROWTH].title, "points": points}

    def memory(self) -> dict[str, Any]:
        """The peak of a fit, each in a process that has only done a small one."""
        measured = []
        for task in MEMORY:
            split, stored = self.data(task)
            for cache_mb in CACHES_MB:
                worker = Worker("ours", task, stored, cache_mb=cache_mb)
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

    def _fits(
        self, workers: Mapping[str, Worker], budget: float
    ) -> dict[str, list[dict[str, Any]]]:
        calls: dict[str, Call] = {
            name: lambda timeout, worker=worker: worker.ask("fit", timeout=timeout)
            for name, worker in workers.items()
        }
        return in_turn_within(calls, self.options.runs, budget)

    def _predictions(self, workers: Mapping[str, Worker]) -> dict[str, dict[str, Any]]:
        """Predictions of the test rows, by program and size of batch."""
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


def _worth(task: str, split: Split, answer: gap.Answer) -> dict[str, Any]:
    """The true KKT gap and dual objective of an answer."""
    posed = TASKS[task]
    if posed.epsilon is not None:
        truth = gap.of_regression(
            split.x, split.y, answer, posed.C, posed.gamma, posed.epsilon
        )
    else:
        truth = gap.of_classes(split.x, split.y, answer, posed.C, posed.gamma)
    print(f"  true KKT gap {truth.kkt_gap:.2e}", flush=True)
    return {**truth._asdict(), "support_vectors": len(answer.support)}


def _score(task: str, y: np.ndarray, predicted: np.ndarray) -> float:
    """Accuracy, or root mean squared error."""
    if TASKS[task].is_regression:
        return float(np.sqrt(np.mean((predicted - y) ** 2)))
    return float(np.mean(predicted == y))


def _versions() -> str:
    packages = ("tensorflow", "scikit-learn", "scikit-learn-intelex", "numpy")
    blas = {
        f"{each['internal_api']} {each.get('architecture') or ''}".strip()
        for each in threadpoolctl.threadpool_info()
    }
    return f"{', '.join(versions(*packages))}; {', '.join(sorted(blas))}"


def options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.svm", description=__doc__)
    parts = [*TASKS, "growth", "memory"]
    parser.add_argument("--parts", nargs="+", choices=parts, default=parts)
    peers = [name for name in PROGRAMS if name != "ours"]
    parser.add_argument("--peers", nargs="*", choices=peers, default=peers)
    parser.add_argument("--runs", type=int, default=3, help="fits after the first")
    parser.add_argument(
        "--budget",
        type=float,
        default=600.0,
        help="seconds for all fits of one program on one data set",
    )
    parser.add_argument("--rows", type=int, help="only the first rows: a trial")
    parser.add_argument("--out", type=Path, default=RESULTS)
    chosen = parser.parse_args(arguments)
    if chosen.rows and chosen.out == RESULTS:
        parser.error("--rows is for trials: give an --out that keeps the results apart")
    if set(chosen.parts) != {"synthetic"}:
        require_folder(parser)
    return chosen


def main() -> None:
    """Measures the parts that are asked for, and writes the results after each."""
    chosen = options()
    chosen.out.mkdir(parents=True, exist_ok=True)
    stored = chosen.out / "svm.json"
    record = json.loads(stored.read_text()) if stored.exists() else {}
    with tempfile.TemporaryDirectory() as scratch:
        benchmark = Benchmark(chosen, Path(scratch))
        for name in chosen.parts:
            print(name, flush=True)
            record[name] = benchmark.part(name)
            stored.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
            (chosen.out / "svm.md").write_text(text(record), encoding="utf-8")
            if "growth" in record:
                plot(record["growth"], chosen.out / "svm.svg")
    print(text(record))


if __name__ == "__main__":
    main()
