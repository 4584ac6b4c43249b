"""Feeds of batches in chunks, one chunk for each call of the compiled loop.

Per element, tf.data has an overhead of some ten microseconds and Keras of hundreds; a
small network trains on a batch in sixty. So one element is a chunk of many batches.
"""

import itertools
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

    def count_chunks(self, count: int, steps: int | None) -> int | None:
        """Return the chunks in an epoch; `None` if it ends with the data set.

        Args:
            count: Batches in a chunk.
            steps: The argument `steps_per_epoch` of `fit`.
        """


class DatasetFeed:
    """The batches of a data set."""

    def __init__(self, dataset: tf.data.Dataset) -> None:
        self._dataset = dataset
        self.spec = dataset.element_spec

    @property
    def steps(self) -> int | None:
        """Number of batches in an epoch, or `None` if unknown or infinite."""
        count = int(self._dataset.cardinality())
        return count if count >= 0 else None

    def as_chunks(self, count: int) -> tf.data.Dataset:
        """Return the batches, `count` at a time; shorter ones are padded."""

        def with_sizes(*parts: Any) -> Chunk:
            batch = parts if type(self.spec) is tuple else parts[0]
            leaves = tf.nest.flatten(batch)
            return Chunk(batch, tf.stack([tf.shape(leaf)[0] for leaf in leaves]))

        sized = self._dataset.map(with_sizes)
        if all(leaf.shape.is_fully_defined() for leaf in tf.nest.flatten(self.spec)):
            return sized.batch(count).prefetch(1)
        return sized.padded_batch(count).prefetch(1)

    def as_batches(self) -> tf.data.Dataset:
        """Return the data set itself."""
        return self._dataset

    def count_chunks(self, count: int, steps: int | None) -> int | None:
        """Divide `steps`, a multiple of `count`, by it."""
        return steps and steps // count


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
        """Return the batches, `count` at a time, without end.

        A shorter last batch is a chunk of its own. As the data set does not end with
        the epoch, the next epoch's first chunk is made while the last one is trained
        on, and no new iterator is needed, which would take some milliseconds.
        """
        spans = self._split_into_chunks(count)

        def gather(number: Any) -> list[npt.NDArray[Any]]:
            epoch, chunk = divmod(int(number), len(spans))
            return self._gather_chunk(self.epoch + epoch, *spans[chunk])

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
        return self.as_chunks(1).map(
            lambda chunk: tf.nest.map_structure(lambda leaf: leaf[0], chunk.batches)
        )

    def count_chunks(self, count: int, steps: int | None) -> int | None:
        """Return the number of chunks in an epoch."""
        return len(self._split_into_chunks(count))

    def _split_into_chunks(self, count: int) -> list[tuple[int, int]]:
        """Return the first row of each chunk, and the row after its last."""
        whole = self._rows // self._batch_size * self._batch_size
        bounds = {*range(0, whole, count * self._batch_size), whole, self._rows}
        return list(itertools.pairwise(sorted(bounds)))

    def _gather_chunk(self, epoch: int, begin: int, end: int) -> list[npt.NDArray[Any]]:
        chosen = self._permute(epoch)[begin:end]
        size = min(self._batch_size, len(chosen))
        leaves = [
            self._gather_rows(array, chosen, dtype).reshape(-1, size, *array.shape[1:])
            for array, dtype in zip(self._arrays, self._dtypes, strict=True)
        ]
        return [*leaves, np.full((len(leaves[0]), len(leaves)), size, np.int32)]

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
        taken = self._pool.allocate((len(rows), *array.shape[1:]), dtype)
        if array.dtype == dtype:
            np.take(array, rows, axis=0, out=taken, mode="clip")  # "raise" would buffer
        else:
            taken[:] = array[rows]
        return taken


def is_chunked(iterator: Any) -> bool:
    """Return whether an iterator's elements are chunks."""
    return isinstance(getattr(iterator, "element_spec", None), Chunk)


def find_obstacle(spec: Any) -> str:
    """Return why XLA cannot process batches of these types stacked; "" if it can."""
    for leaf in tf.nest.flatten(spec):
        if not isinstance(leaf, tf.TensorSpec):
            return "its batches contain tensors that are not dense"
        if leaf.dtype == tf.string:
            return "its batches contain strings"
        if not leaf.shape.rank or None in leaf.shape[1:]:
            return "the shape of its batches' rows is not known in advance"
    return ""


def choose_chunk_size(spec: Any, wanted: int, period: int | None = None) -> int:
    """Return the number of batches in a chunk.

    Args:
        spec: Types of the batches.
        wanted: The number, if greater than 1; otherwise it is chosen by their size.
        period: A multiple of the result, if any.
    """
    count = wanted
    if wanted == 1:
        size = sum(
            leaf.dtype.size * np.prod([each or USUAL_BATCH for each in leaf.shape])
            for leaf in tf.nest.flatten(spec)
        )
        count = int(np.clip(CHUNK_BYTES // max(size, 1), 1, CHUNK_BATCHES))
    if period:
        count = max(each for each in range(1, count + 1) if period % each == 0)
    return count
