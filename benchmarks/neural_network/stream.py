"""An epoch from disk, of a data set larger than the memory it may use."""

import os
import resource
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.data import mnist

MEMORY = 2**30
WIDTH = 785


def store(path: Path, copies: int) -> int:
    """Write `copies` shuffled copies of MNIST; return the number of rows."""
    data = mnist()
    rows = np.column_stack([data.x, data.y.astype(np.float32)])
    generator = np.random.default_rng(0)
    with path.open("wb") as file:
        for _ in range(copies):
            file.write(generator.permutation(rows).tobytes())
        file.flush()
        os.fsync(file.fileno())  # or the disk would still write during training
    return copies * len(rows)


def train(path: Path, rows: int, batch: int, epochs: int) -> dict[str, Any]:
    """Train on a file of rows, 784 pixels and a label each, all float32.

    After imports the process may use 1 GiB more for its data (`RLIMIT_DATA`).
    """
    import tensorflow as tf

    from benchmarks.neural_network.worker import clock, network

    status = Path("/proc/self/status").read_text()
    own = int(status.split("VmData:")[1].split()[0]) * 1024
    resource.setrlimit(resource.RLIMIT_DATA, (own + MEMORY, own + MEMORY))

    def batch_of(record: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        values = tf.reshape(tf.io.decode_raw(record, tf.float32), (batch, WIDTH))
        return values[:, :-1], tf.cast(values[:, -1], tf.int64)

    # A record is a batch: rows are shuffled in the file, batches while reading.
    data = tf.data.FixedLengthRecordDataset(str(path), batch * WIDTH * 4)
    data = data.shuffle(64, seed=0).map(batch_of, num_parallel_calls=2)
    data = data.apply(tf.data.experimental.assert_cardinality(rows // batch))
    model, timing = network(fast=True), clock()
    model.fit(data, epochs=epochs, verbose=0, callbacks=[timing])
    return {
        "rows": rows,
        "bytes": os.path.getsize(path),
        "epochs": timing.epochs,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
