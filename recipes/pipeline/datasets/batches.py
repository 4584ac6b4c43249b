"""Rows in memory as a `tf.data.Dataset`, without a second copy of them.

A tensor captured by `Dataset.map` costs two copies of the matrix: TensorFlow copies the
array into the tensor, and tf.data's graph rewriting copies the tensor again. So each
batch is cut out of the NumPy arrays on demand. As the rows are in memory anyway,
`cache` would only add a copy.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse
import tensorflow as tf


def make_batches(
    features: Any,
    target: npt.NDArray[Any],
    batch_size: int,
    shuffle_seed: int | None,
    weight: npt.NDArray[np.float64] | None = None,
) -> tf.data.Dataset:
    """Return rows batch by batch.

    Args:
        features: [n, d], a NumPy array or a `csr_array`.
        target: [n], any dtype.
        batch_size: Rows in a batch; the last batch holds the remainder.
        shuffle_seed: Seed of the order, which is new in each epoch; `None` keeps the
            rows in order.
        weight: [n]; `None`: the rows have none.

    Returns:
        Dataset of (features [b, d], target [b, 1]), or (features, target, weight
        [b, 1]), with a known length.
    """
    columns = [target] if weight is None else [target, weight]

    def gather(start_or_index: npt.NDArray[np.int64]) -> tuple[Any, ...]:
        chosen: Any = start_or_index
        if chosen.ndim == 0:
            chosen = slice(int(chosen), int(chosen) + batch_size)
        part = features[chosen]
        if scipy.sparse.issparse(part):
            part = part.toarray()
        return part, *(column[chosen, None] for column in columns)

    def load(start_or_index: tf.Tensor) -> tuple[tf.Tensor, ...]:
        types = [features.dtype, *(column.dtype for column in columns)]
        x, *others = tf.numpy_function(gather, [start_or_index], types, stateful=False)
        x.set_shape([None, features.shape[1]])
        for column in others:
            column.set_shape([None, 1])
        return x, *others

    count = features.shape[0]
    if shuffle_seed is None:
        order = tf.data.Dataset.range(0, count, batch_size)
    else:
        order = _shuffle_row_numbers(count, batch_size, shuffle_seed)
    return order.map(load).prefetch(tf.data.AUTOTUNE)


def _shuffle_row_numbers(count: int, batch_size: int, seed: int) -> tf.data.Dataset:
    """Return batches of row numbers [b] int64, newly permuted in each epoch.

    `Dataset.shuffle` over the row numbers would hold a tensor of some hundred bytes per
    row; the permutation takes eight bytes per row.
    """

    def epoch(draw: tf.Tensor) -> tf.data.Dataset:
        order = tf.random.experimental.stateless_shuffle(
            tf.range(count, dtype=tf.int64), seed=tf.stack([draw, seed])
        )
        starts = tf.data.Dataset.range(0, count, batch_size)
        return starts.map(lambda start: order[start : start + batch_size])

    draws = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True)
    steps = -(-count // batch_size)
    return (
        draws.take(1)
        .flat_map(epoch)
        .apply(tf.data.experimental.assert_cardinality(steps))
    )
