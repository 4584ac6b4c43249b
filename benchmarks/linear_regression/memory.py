"""Prints the resident bytes before a large fit, and the peak up to its end."""

import numpy as np

from benchmarks.linear_regression.__main__ import FEATURES, ROWS, ours
from benchmarks.measure import high_water, reset_high_water

if __name__ == "__main__":
    # Generated in pieces, so that this is not the peak.
    x = np.empty((ROWS, FEATURES), np.float32)
    for i in range(0, ROWS, 10_000):
        x[i : i + 10_000] = np.random.default_rng(i).standard_normal(
            (10_000, FEATURES), dtype=np.float32
        )
    y = x @ np.ones(FEATURES, np.float32)
    y += np.random.default_rng(0).standard_normal(ROWS, dtype=np.float32)
    ours(x[:1000].copy(), y[:1000])()
    reset_high_water()
    before = high_water()
    ours(x, y)()
    print(before, high_water())
