"""What all benchmarks share: timing, peak memory, the machine, and tables."""

import contextlib
import datetime
import importlib.metadata
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import threadpoolctl

# Threads of one program may spin for this many seconds after its end, which would slow
# down the next program.
PAUSE = 0.3
RESULTS = Path(__file__).parent / "results"


def seconds(function: Callable[[], Any], runs: int = 3) -> tuple[float, float, Any]:
    """Return the seconds of the first call, the median of `runs` more, the result."""
    return in_turn({"": function}, runs)[""]


def in_turn(
    functions: Mapping[str, Callable[[], Any]], runs: int, pause: float = PAUSE
) -> dict[str, tuple[float, float, Any]]:
    """Time several functions in turn, so that drift affects all alike.

    Returns:
        For each name, what `seconds` returns.
    """
    times: dict[str, list[float]] = {name: [] for name in functions}
    results = {}
    for _ in range(runs + 1):
        for name, function in functions.items():
            time.sleep(pause)
            begin = time.perf_counter()
            results[name] = function()
            times[name].append(time.perf_counter() - begin)
    return {
        name: (first, statistics.median(later), results[name])
        for name, (first, *later) in times.items()
    }


def peak_bytes_over_baseline(module: str, *arguments: str) -> tuple[int, int]:
    """Run `python -m module`, and return the two numbers of bytes that it prints."""
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    baseline, peak = done.stdout.split()[-2:]
    return int(baseline), int(peak)


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
