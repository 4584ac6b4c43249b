"""The time a SavedModel takes for one row, and for many."""

import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np

CALLS, ROWS = 500, 1024


def inference(folder: Path | str) -> dict[str, float]:
    """Call the `serving_default` signature of a SavedModel, as a server would.

    Args:
        folder: The SavedModel; its one input is `features`, [batch, …] float32.

    Returns:
        `latency_ms` and `latency_99_ms`, median and 99th percentile for a batch of one;
        `rows_per_second` in batches of 1,024.
    """
    import tensorflow as tf

    loaded = tf.saved_model.load(str(folder))
    serve = loaded.signatures["serving_default"]
    shape = serve.structured_input_signature[1]["features"].shape.as_list()[1:]
    data = np.random.default_rng(0).random((ROWS, *shape), np.float32)

    def seconds(rows: int, calls: int) -> list[float]:
        features = tf.constant(data[:rows])
        taken = []
        for _ in range(calls + 1):
            begin = time.perf_counter()
            answer: dict[str, Any] = serve(features=features)
            for tensor in answer.values():
                tensor.numpy()
            taken.append(time.perf_counter() - begin)
        return taken[1:]

    one, many = seconds(1, CALLS), seconds(ROWS, CALLS // 10)
    return {
        "latency_ms": 1e3 * statistics.median(one),
        "latency_99_ms": 1e3 * float(np.quantile(one, 0.99)),
        "rows_per_second": ROWS / statistics.median(many),
    }
