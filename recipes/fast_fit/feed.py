"""Feeds of batches in chunks, one chunk for each call of the compiled loop.

Per element, tf.data has an overhead of some ten microseconds and Keras of hundreds; a
small network trains on a batch in sixty. So one element is a chunk of many batches.
"""

from typing import Any, NamedTuple, Protocol

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from recipes.fast_fit.buffer_pool import BufferPool

CHUNK_BYTES = 16 * 2**20  # two or three chunks are in memory at a time
CHUNK_BATCHES = 256  # at most, between two calls of the callbacks
RowNumbers = npt.NDArray[np.int64]
USUAL_BATCH = 128  # rows, assumed if a data set does not state its batch size


class Chunk(NamedTuple):
    """Consecutive batches.

    Attributes:
        batches: The input of `train_step` with a leading axis: each tensor [k, b, …].
        sizes: [k, tensors] int32, the number of rows in each; the rest is padding.
    """

    batches: Any
    sizes: Any


class Feed(Protocol):
    """Batches for `fit` or its validation."""

    @property
    def spec(self) -> Any:
        """Types of the batches, as in `Dataset.element_spec`."""

    @property
    def steps(self) -> int | None:
        """Number of batches in an epoch, or `None` if unknown or infinite."""

    def as_chunks(self, count: int) -> tf.data.Dataset:
        """Return chunks of `count` batches; an epoch's last one may be shorter."""

    def as_batches(self) -> tf.data.Dataset:
        """Return the batches one by one."""

    def count_chunks(self, count: int) -> int | None:
        """Return the chunks in an epoch; `None` if it ends with the data set."""


class DatasetFeed:
    """The batches of a data set.

    Args:
        dataset: The data set.
        period: Batches in an epoch, if it does not end with the data set. No chunk
            goes beyond an epoch.
    """

    def __init__(self, dataset: tf.data.Dataset, period: int | None = None) -> None:
        self._dataset, self._period = dataset, period
        self.spec = dataset.element_spec

    @property
    def steps(self) -> int | None:
        """Number of batches in an epoch, or `None` if unknown or infinite."""
        return self._period or self._cardinality()

    def as_chunks(self, count: int) -> tf.data.Dataset:
        """Return the batches, `count` at a time; shorter ones are padded."""

        def with_sizes(*parts: Any) -> Chunk:
            batch = parts if type(self.spec) is tuple else parts[0]
            leaves = tf.nest.flatten(batch)
            return Chunk(batch, tf.stack([tf.shape(leaf)[0] for leaf in leaves]))

        leaves = tf.nest.flatten(self.spec)
        is_regular = all(leaf.shape.is_fully_defined() for leaf in leaves)

        def join(batches: tf.data.Dataset) -> tf.data.Dataset:
            return batches.batch(count) if is_regular else batches.padded_batch(count)

        sized = self._dataset.map(with_sizes)
        if self._period is None:
            return join(sized).prefetch(1)
        return self._group(sized, count, self._period, join).prefetch(1)

    def as_batches(self) -> tf.data.Dataset:
        """Return the data set itself."""
        return self._dataset

    def count_chunks(self, count: int) -> int | None:
        """Divide the period by `count`, and round up."""
        return self._period and -(-self._period // count)

    def _cardinality(self) -> int | None:
        count = int(self._dataset.cardinality())
        return count if count >= 0 else None

    def _group(
        self, batches: tf.data.Dataset, count: int, period: int, join: Any
    ) -> tf.data.Dataset:
        """Join the batches of each epoch, `count` at a time, and then what remains."""
        remainder = period % count

        def is_remainder(number: Any, _: Any) -> Any:
            return tf.cast(number % period >= period - remainder, tf.int64)

        chunks = batches.enumerate().group_by_window(
            is_remainder,
            lambda _, window: join(window.map(lambda _, batch: batch)),
            window_size_func=lambda key: tf.where(
                key == 1, tf.constant(max(remainder, 1), tf.int64), count
            ),
        )
        total = self._cardinality()
        if total is None:
            return chunks
        epochs, rest = divmod(total, period)
        number = epochs * -(-period // count) + -(-rest // count)
        return chunks.apply(tf.data.experimental.assert_cardinality(number))


class RowFeed:
    """Batches of arrays in memory, in a new order each epoch.

    Only the row numbers are permuted. The rows of a chunk are gathered from the arrays
    together, so TensorFlow never holds a copy of the arrays. The order depends on the
    seed and the number of the epoch alone: a resumed training sees the rows in the same
    order as an uninterrupted one.

    Args:
        arrays: Structure of arrays [n, …]; floats are cast to `keras.config.floatx()`.
        batch_size: Rows in a batch; the last batch holds the remainder.
        shuffle_seed: Seed of the order. Defaults to `None`: no shuffling.

    Attributes:
        epoch: Number of the first epoch of an iteration; set it before iterating.
    """

    def __init__(
        self, arrays: Any, batch_size: int, shuffle_seed: int | None = None
    ) -> None:
        self._structure, self._batch_size, self._seed = arrays, batch_size, shuffle_seed
        self._arrays = [np.asarray(leaf) for leaf in tf.nest.flatten(arrays)]
        self._dtypes = [
            np.dtype(keras.config.floatx()) if each.dtype.kind == "f" else each.dtype
            for each in self._arrays
        ]
        self._rows = len(self._arrays[0])
        self._order: tuple[int, RowNumbers] = -1, np.arange(self._rows)
        self._pool = BufferPool()
        self.epoch = 0

    @property
    def spec(self) -> Any:
        """Types of the batches."""
        leaves = [
            tf.TensorSpec([self._batch_size, *array.shape[1:]], dtype)
            for array, dtype in zip(self._arrays, self._dtypes, strict=True)
        ]
        return tf.nest.pack_sequence_as(self._structure, leaves)

    @property
    def steps(self) -> int:
        """Number of batches in an epoch."""
        return -(-self._rows // self._batch_size)

    def as_chunks(self, count: int) -> tf.data.Dataset:
        """Return the batches, `count` at a time, without end; a short one is padded.

        As the data set does not end with the epoch, the next epoch's first chunk is
        made while the last one is trained on, and no new iterator is needed, which
        would take some milliseconds.
        """
        chunks, span = self.count_chunks(count), count * self._batch_size

        def gather(number: Any) -> list[npt.NDArray[Any]]:
            epoch, chunk = divmod(int(number), chunks)
            rows = self._permute(self.epoch + epoch)[chunk * span : (chunk + 1) * span]
            return self._gather_chunk(rows)

        def load(number: Any) -> Chunk:
            types = [*self._dtypes, np.dtype(np.int32)]
            *leaves, sizes = tf.numpy_function(gather, [number], types)
            for leaf, array in zip(leaves, self._arrays, strict=True):
                leaf.set_shape([None, None, *array.shape[1:]])
            sizes.set_shape([None, len(leaves)])
            return Chunk(tf.nest.pack_sequence_as(self._structure, leaves), sizes)

        options = tf.data.Options()
        # Nothing needs tuning, and ending the tuner's thread can take 0.1 s an epoch.
        options.autotune.enabled = False
        numbers = tf.data.Dataset.counter()
        return numbers.map(load).prefetch(2).with_options(options)

    def as_batches(self) -> tf.data.Dataset:
        """Return the batches one by one, without end."""

        def take_first(chunk: Chunk) -> Any:
            leaves = tf.nest.flatten(chunk.batches)
            rows = [leaf[0, : chunk.sizes[0, 0]] for leaf in leaves]
            return tf.nest.pack_sequence_as(chunk.batches, rows)

        return self.as_chunks(1).map(take_first)

    def count_chunks(self, count: int) -> int:
        """Return the number of chunks in an epoch."""
        return -(-self.steps // count)

    def _gather_chunk(self, rows: RowNumbers) -> list[npt.NDArray[Any]]:
        starts = np.arange(0, len(rows), self._batch_size)
        sizes = np.minimum(len(rows) - starts, self._batch_size).astype(np.int32)
        leaves = [
            self._gather_rows(array, rows, dtype).reshape(
                len(starts), self._batch_size, *array.shape[1:]
            )
            for array, dtype in zip(self._arrays, self._dtypes, strict=True)
        ]
        return [*leaves, np.repeat(sizes[:, np.newaxis], len(leaves), axis=1)]

    def _permute(self, epoch: int) -> RowNumbers:
        last_epoch, order = self._order
        if self._seed is not None and last_epoch != epoch:
            order = np.random.default_rng((self._seed, epoch)).permutation(self._rows)
            self._order = epoch, order
        return order

    def _gather_rows(
        self,
        array: npt.NDArray[Any],
        rows: RowNumbers,
        dtype: np.dtype[Any],
    ) -> npt.NDArray[Any]:
        whole = -(-len(rows) // self._batch_size) * self._batch_size
        padded = self._pool.allocate((whole, *array.shape[1:]), dtype)
        taken, padded[len(rows) :] = padded[: len(rows)], 0
        if array.dtype == dtype:
            np.take(array, rows, axis=0, out=taken, mode="clip")  # "raise" would buffer
        else:
            taken[:] = array[rows]
        return padded


def is_chunked(iterator: Any) -> bool:
    """Return whether an iterator's elements are chunks."""
    return isinstance(getattr(iterator, "element_spec", None), Chunk)


def choose_chunk_size(spec: Any) -> int:
    """Return the number of batches of these types in a chunk."""
    size = sum(
        leaf.dtype.size * np.prod([each or USUAL_BATCH for each in leaf.shape])
        for leaf in tf.nest.flatten(spec)
    )
    return int(np.clip(CHUNK_BYTES // max(size, 1), 1, CHUNK_BATCHES))


def round_up(steps: int, count: int) -> int:
    """Return the batches that Keras takes, `count` at a time, for `steps` of them."""
    return -(-steps // count) * count
