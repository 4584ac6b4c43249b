"""What all benchmarks share: timing, peak memory, the machine, and tables."""

import contextlib
import datetime
import importlib.metadata
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import threadpoolctl

from benchmarks.worker import PAUSE, Worker

RESULTS = Path(__file__).parent / "results"
Call = Callable[[float | None], dict[str, Any]]


def in_turn_within(
    calls: Mapping[str, Call], runs: int, budget: float, pause: float = PAUSE
) -> dict[str, list[dict[str, Any]]]:
    """Call each once, then up to `runs` more times, all in turn.

    Args:
        calls: Functions of a limit in seconds; each returns a dict with the `seconds`
            it took, or raises `TimeoutError`.
        runs: Maximal number of calls after the first.
        budget: Seconds for each: the limit of the first call; later calls are omitted
            if they would raise the sum above it.
        pause: Seconds between two calls.

    Returns:
        What the calls returned, without those that took too long.
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
            print(f"  {name}: {given[name][-1]['seconds']:.4f} s", flush=True)
    return given


def fits_in_turn(
    workers: Mapping[str, Worker], runs: int, budget: float
) -> dict[str, list[dict[str, Any]]]:
    """Call the `fit` of each worker as `in_turn_within` calls."""
    return in_turn_within(
        {name: partial(_fit, worker) for name, worker in workers.items()}, runs, budget
    )


def _fit(worker: Worker, timeout: float | None) -> dict[str, Any]:
    return worker.ask("fit", timeout=timeout)


def timed(function: Callable[[], Any]) -> float:
    """Return the seconds that a call takes."""
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin


def median_after_first(values: Sequence[float]) -> float:
    """Return the median without the first value, unless there is no other."""
    return statistics.median(values[1:] or values)


def high_water() -> int:
    """Return the largest resident memory of this process since the last reset."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def reset_high_water() -> None:
    """Make the current resident memory the largest so far."""
    Path("/proc/self/clear_refs").write_text("5")


def blas() -> str:
    """Return the numerical libraries that are loaded, and their kernels."""
    loaded = {
        f"{each['internal_api']} {each.get('architecture') or ''}".strip()
        for each in threadpoolctl.threadpool_info()
    }
    return ", ".join(sorted(loaded))


def machine() -> str:
    """Return the processor, its cores and the memory, in one line."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                name = line.split(":", 1)[1].strip()
                break
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return f"{name}, {os.cpu_count()} cores, {memory:.0f} GiB"


def now() -> str:
    """Return the time, to the minute."""
    return f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC"


def versions(*packages: str) -> list[str]:
    """Return names and versions of those packages that are installed."""
    found = []
    for name in packages:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found.append(f"{name} {importlib.metadata.version(name)}")
    return found


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table, the first column left-aligned, the others right."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def target_table(
    targets: Iterable[tuple[str, float, Mapping[str, float | None]]],
    instructions: Iterable[str],
) -> str:
    """Return a section on whether targets are met.

    Args:
        targets: What each is of, the largest value that meets it, and the value for
            each instruction set, `None` if it was not measured.
        instructions: The instruction sets, a column each.
    """
    names = list(instructions)

    def cell(value: float | None, limit: float) -> str:
        if value is None:
            return "—"
        return f"{value:.3g}{'' if value <= limit else ' (missed)'}"

    rows = [
        [what, f"≤ {limit:g}", *(cell(values.get(name), limit) for name in names)]
        for what, limit, values in targets
    ]
    return f"## Targets\n\n{table(['', 'target', *names], rows)}\n"
