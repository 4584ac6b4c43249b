"""What every benchmark needs: a clock, a memory gauge, the machine, and tables."""

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

# So long threads of one program may spin after it is done, at the next one's cost.
PAUSE = 0.3
RESULTS = Path(__file__).parent / "results"


def seconds(function: Callable[[], Any], runs: int = 3) -> tuple[float, float, Any]:
    """Seconds of the first call, the median of `runs` later ones, the last result."""
    return in_turn({"": function}, runs)[""]


def in_turn(
    functions: Mapping[str, Callable[[], Any]], runs: int, pause: float = PAUSE
) -> dict[str, tuple[float, float, Any]]:
    """The same for several functions, called in turn, so that drift hits all alike."""
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
    """Runs `python -m module`, which prints two numbers of bytes, and returns them."""
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    baseline, peak = done.stdout.split()[-2:]
    return int(baseline), int(peak)


def machine() -> str:
    """The processor, its cores and the memory, in a line."""
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
    """The time, to the minute."""
    return f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC"


def versions(*packages: str) -> list[str]:
    """Those of the packages that are installed, with their names."""
    found = []
    for name in packages:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found.append(f"{name} {importlib.metadata.version(name)}")
    return found


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, the first column to the left and the others to the right."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
