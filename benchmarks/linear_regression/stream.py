"""Rows on disk, in records that `tf.data` reads."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.linear_regression.data import make_data

BLOCK = 4000


def write(path: Path, n: int, columns: int) -> None:
    """Write rows to a file, 4000 per record, dropped from the system's cache."""
    with path.open("wb") as file:
        for i in range(n // BLOCK):
            x, y = make_data(BLOCK, columns, seed=i)
            np.column_stack([x, y]).tofile(file)
        file.flush()
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def read(path: Path, columns: int) -> Any:
    """Return the rows as a dataset of (x, y)."""
    import tensorflow as tf

    def parse(record: Any) -> tuple[Any, Any]:
        values = tf.reshape(tf.io.decode_raw(record, tf.float32), [BLOCK, columns + 1])
        return values[:, :-1], values[:, -1]

    records = tf.data.FixedLengthRecordDataset(str(path), BLOCK * (columns + 1) * 4)
    return records.map(parse, num_parallel_calls=2).prefetch(4)
