"""Rows in batches: sparse ones, of which a few are made dense at a time, and dense."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse
import tensorflow as tf

# The most memory for a batch of rows that is made dense.
BATCH_BYTES = 2**24


def as_dense(x: Any) -> npt.NDArray[Any]:
    """Return rows as an array."""
    return x.toarray() if scipy.sparse.issparse(x) else x


def get_entries(x: Any) -> npt.NDArray[Any]:
    """Return all entries of an array, or those that a sparse one stores."""
    return x.data if scipy.sparse.issparse(x) else x


def as_csr(x: Any, dtype: npt.DTypeLike) -> Any:
    """Return a sparse array as `csr_array`, each entry stored once; `x` is unchanged.

    Raises:
        TypeError: If it holds no real numbers.
    """
    if x.dtype.kind not in "fiub":
        raise TypeError(f"dtype {x.dtype}")
    with np.errstate(over="ignore"):
        rows = scipy.sparse.csr_array(x, dtype=dtype)
    if not rows.has_canonical_format:
        rows = rows.copy()
        rows.sum_duplicates()
    return rows


def limit_size(x: Any, batch_size: int) -> int:
    """Return how many rows make a batch: fewer of sparse rows with many columns."""
    if not scipy.sparse.issparse(x):
        return batch_size
    row_bytes = x.dtype.itemsize * x.shape[1]
    return max(1, min(batch_size, BATCH_BYTES // row_bytes))


def cut_dense(x: Any, batch_size: int) -> Iterator[npt.NDArray[Any]]:
    """Yield the rows in dense batches, of limited memory where they were sparse."""
    size = limit_size(x, batch_size)
    for start in range(0, x.shape[0], size):
        yield as_dense(x[start : start + size])


def make_batches(x: Any, batch_size: int) -> tf.data.Dataset:
    """Return the same batches as a dataset, which copies no more than one of them.

    Args:
        x: `[n, …]`, an array; or `[n, d]`, a `csr_array`.
        batch_size: The most rows in a batch.
    """
    size = limit_size(x, batch_size)
    if x.shape[0] <= size:  # one batch: a copy takes less time than tracing `load`
        return tf.data.Dataset.from_tensor_slices(as_dense(x)).batch(size)

    def cut(start: np.int64) -> npt.NDArray[Any]:
        return as_dense(x[start : start + size])

    def load(start: tf.Tensor) -> tf.Tensor:
        rows = tf.numpy_function(cut, [start], x.dtype)
        return tf.ensure_shape(rows, [None, *x.shape[1:]])

    return tf.data.Dataset.range(0, x.shape[0], size).map(load)
