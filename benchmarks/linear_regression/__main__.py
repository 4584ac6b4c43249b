"""Linear regression compared with scikit-learn, oneDAL and the article's loop.

`python -m benchmarks.linear_regression` measures everything and writes
`results/linear_regression.md`, `.svg` and `.json`; `--parts` measures some parts and
keeps the other results. Each program has a process of its own; they run in turn.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import record
from benchmarks.data import store
from benchmarks.linear_regression import stream
from benchmarks.linear_regression.data import excess, make_data
from benchmarks.linear_regression.programs import (
    PROGRAMS,
    article_loop,
    is_installed,
    make,
)
from benchmarks.linear_regression.report import plot, text
from benchmarks.measure import fits_in_turn
from benchmarks.record import Environment
from benchmarks.worker import Worker, run_alone

ROWS, FEATURES = 1_000_000, 100
BY_ROWS = [(n, FEATURES) for n in (10_000, 100_000, 1_000_000)]
BY_FEATURES = [(100_000, features) for features in (10, 500, 1000, 2000)]
STREAMED = 10_000_000
# Seconds for all fits of one program on one size.
BUDGET = 30.0


class Benchmark:
    """One run: a folder for the data, and the largest number of rows.

    Args:
        scratch: A folder for the arrays.
        rows: The largest number of rows to use.
    """

    def __init__(self, scratch: Path, rows: int) -> None:
        self.scratch, self.rows = scratch, rows
        self.programs = [*filter(is_installed, PROGRAMS)]

    def large(self, environment: Environment) -> dict[str, Any]:
        """Compare times and quality of all programs on one large data set."""
        x, y, stored = self._data(ROWS, FEATURES)
        excess_of = excess(x, y)
        with self._workers(environment, self.programs) as workers:
            fits = self._fit(workers, stored, runs=7)
            answers = {name: worker.ask("answer") for name, worker in workers.items()}
            certificate = workers["ours"].ask("certificate_seconds")
            rates = workers["ours"].ask("rates")
        programs = {
            name: {
                "seconds": [fit["seconds"] for fit in each],
                "excess": excess_of(answers[name]),
            }
            for name, each in fits.items()
        }
        return {
            **{"rows": len(x), "features": FEATURES, "programs": programs},
            **{"certificate": certificate, "rates": rates},
        }

    def article(self, environment: Environment) -> dict[str, Any]:
        """Time the article's loop on the same data."""
        x, y, stored = self._data(ROWS, FEATURES)
        loop = run_alone(environment, article_loop, stored)
        return {"seconds": loop["seconds"], "excess": excess(x, y)(loop["theta"])}

    def memory(self, environment: Environment) -> dict[str, Any]:
        """Measure the peak of a fit above the memory of the process with its data."""
        x, _, stored = self._data(ROWS, FEATURES)
        with self._workers(environment, ["ours"]) as workers:
            workers["ours"].ask("load", stored)
            baseline, peak = workers["ours"].ask("peak_bytes")
        return {"data": x.nbytes, "over": peak - baseline}

    def growth(self, environment: Environment) -> dict[str, Any]:
        """Measure how the time grows with rows and features, and a fit from disk."""
        points = []
        names = [name for name in self.programs if name != "ours_loose"]
        with self._workers(environment, names) as workers:
            for axis, sizes in (("rows", BY_ROWS), ("features", BY_FEATURES)):
                for n, features in sizes:
                    print(f" {n} × {features}", flush=True)
                    x, _, stored = self._data(n, features)
                    fits = self._fit(workers, stored, runs=3)
                    seconds = {
                        name: [fit["seconds"] for fit in each]
                        for name, each in fits.items()
                    }
                    points.append(
                        {"axis": axis, "rows": len(x), "features": features,
                         "seconds": seconds}
                    )  # fmt: skip
        file, n = self.scratch / "rows.f32", min(STREAMED, 10 * self.rows)
        stream.write(file, n, FEATURES)
        with self._workers(environment, ["ours"]) as workers:
            streamed = workers["ours"].ask("fit_stream", file, FEATURES)
        file.unlink()
        return {"points": points, "streamed": {"rows": n, **streamed}}

    def _data(self, n: int, features: int) -> tuple[Any, Any, Path]:
        x, y = make_data(min(n, self.rows), features)
        return x, y, store({"x": x, "y": y}, self.scratch / "rows")

    def _fit(
        self, workers: dict[str, Worker], stored: Path, runs: int
    ) -> dict[str, list[dict[str, Any]]]:
        for worker in workers.values():
            worker.ask("load", stored)
        return fits_in_turn(workers, runs, BUDGET)

    @contextmanager
    def _workers(
        self, environment: Environment, names: Sequence[str]
    ) -> Iterator[dict[str, Worker]]:
        workers = {name: Worker(environment, make, name) for name in names}
        try:
            yield workers
        finally:
            for worker in workers.values():
                worker.close()


PARTS = {
    "large": Benchmark.large,
    "article": Benchmark.article,
    "memory": Benchmark.memory,
    "growth": Benchmark.growth,
}
ONCE = ("article", "memory", "growth")


def main() -> None:
    """Measure the requested parts, and write the results after each."""
    parser = record.parser("linear_regression", __doc__, [*PARTS])
    chosen = record.parse(parser)
    with tempfile.TemporaryDirectory() as scratch:
        benchmark = Benchmark(Path(scratch), chosen.rows or ROWS)
        parts = {name: partial(PARTS[name], benchmark) for name in chosen.parts}
        measured = record.measure(chosen.out, "linear_regression", parts, text, ONCE)
    if "growth" in measured:
        plot(measured, chosen.out / "linear_regression.svg")
    print(text(measured))


if __name__ == "__main__":
    main()
