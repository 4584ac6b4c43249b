"""Prints the bytes resident before a large fit, and the peak up to its end."""

from pathlib import Path

import numpy as np

from benchmarks.linear_regression.__main__ import FEATURES, ROWS, ours


def peak_bytes() -> int:
    """The process's largest resident memory since its peak was reset."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


if __name__ == "__main__":
    # Made piece by piece, so that making the data is not the peak.
    x = np.empty((ROWS, FEATURES), np.float32)
    for i in range(0, ROWS, 10_000):
        x[i : i + 10_000] = np.random.default_rng(i).standard_normal(
            (10_000, FEATURES), dtype=np.float32
        )
    y = x @ np.ones(FEATURES, np.float32)
    y += np.random.default_rng(0).standard_normal(ROWS, dtype=np.float32)
    ours(x[:1000].copy(), y[:1000])()
    Path("/proc/self/clear_refs").write_text("5")  # the peak is now what is resident
    before = peak_bytes()
    ours(x, y)()
    print(before, peak_bytes())
