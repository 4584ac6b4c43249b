"""Batches in chunks: what one call of the compiled loop takes.

tf.data hands its elements over one by one, at some ten microseconds each, and so does
Keras at hundreds; a small network trains on a batch in sixty. So a chunk, many
batches, is one element.
"""

import itertools
from typing import Any, NamedTuple, Protocol

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from recipes.fast_fit.buffer_pool import BufferPool

CHUNK_BYTES = 16 * 2**20  # two or three chunks are in memory at a time
CHUNK_BATCHES = 256  # most batches between two calls of the callbacks
RowNumbers = npt.NDArray[np.int64]
USUAL_BATCH = 128  # rows: assumed where a data set does not tell the size of a batch


class Chunk(NamedTuple):
    """Consecutive batches.

    Attributes:
        batches: What `train_step` takes, with one axis before: each tensor [k, b, …].
        sizes: [k, tensors] int32, how many rows of each are its own; what follows them
            is padding.
    """

    batches: Any
    sizes: Any


class Feed(Protocol):
    """Batches for `fit` or its validation."""

    @property
    def spec(self) -> Any:
        """The batches' types, like `Dataset.element_spec`."""

    @property
    def steps(self) -> int | None:
        """How many batches an epoch has, if that is known and finite."""

    def as_chunks(self, count: int) -> tf.data.Dataset:
        """They, `count` at a time, as `Chunk`s; an epoch's last has what is left."""

    def as_batches(self) -> tf.data.Dataset:
        """They, one by one."""

    def count_chunks(self, count: int, given: int | None) -> int | None:
        """That number of chunks, or batches; `None` where the data set's end tells.

        Args:
            count: Batches in a chunk.
            given: `steps_per_epoch` as `fit` was called with it.
        """


class DatasetFeed:
    """The batches of a data set."""

    def __init__(self, dataset: tf.data.Dataset) -> None:
        self._dataset = dataset
        self.spec = dataset.element_spec

    @property
    def steps(self) -> int | None:
        """How many there are, if that is known and finite."""
        count = int(self._dataset.cardinality())
        return count if count >= 0 else None

    def as_chunks(self, count: int) -> tf.data.Dataset:
        """They, `count` at a time; a shorter one is padded to the longest."""

        def with_sizes(*parts: Any) -> Chunk:
            batch = parts if type(self.spec) is tuple else parts[0]
            leaves = tf.nest.flatten(batch)
            return Chunk(batch, tf.stack([tf.shape(leaf)[0] for leaf in leaves]))

        sized = self._dataset.map(with_sizes)
        if all(leaf.shape.is_fully_defined() for leaf in tf.nest.flatten(self.spec)):
            return sized.batch(count).prefetch(1)
        return sized.padded_batch(count).prefetch(1)

    def as_batches(self) -> tf.data.Dataset:
        """The data set itself."""
        return self._dataset

    def count_chunks(self, count: int, given: int | None) -> int | None:
        """As given; `count` divides it."""
        return given and given // count


class RowFeed:
    """Arrays in memory in batches, in a new order in every epoch.

    Only the rows' numbers are permuted, and the rows of a whole chunk are gathered from
    the arrays at once, without a copy of all of them in TensorFlow. The order is drawn
    from the seed and the epoch's number: a training that was stopped and goes on takes
    the rows as it would have.

    Args:
        arrays: Structure of arrays [n, …]; floats come out as `keras.config.floatx()`.
        batch_size: Rows in a batch; the last batch has what is left over.
        shuffle_seed: What the order is drawn from; `None` keeps the rows' own.

    Attributes:
        epoch: Number of the first epoch of an iteration, to be set before it.
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
        """The batches' types."""
        leaves = [
            tf.TensorSpec([self._batch_size, *array.shape[1:]], dtype)
            for array, dtype in zip(self._arrays, self._dtypes, strict=True)
        ]
        return tf.nest.pack_sequence_as(self._structure, leaves)

    @property
    def steps(self) -> int:
        """How many batches an epoch has."""
        return -(-self._rows // self._batch_size)

    def as_chunks(self, count: int) -> tf.data.Dataset:
        """They, `count` at a time, epoch after epoch; a shorter one comes alone.

        Without an end the next epoch's first chunk is made while one ends, and it needs
        no iterator of its own, which would take some milliseconds.
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
        # There is nothing to tune, and the end of its thread can take 0.1 s an epoch.
        options.autotune.enabled = False
        numbers = tf.data.Dataset.counter()
        return numbers.map(load).prefetch(2).with_options(options)

    def as_batches(self) -> tf.data.Dataset:
        """They, one by one, likewise without an end."""
        return self.as_chunks(1).map(
            lambda chunk: tf.nest.map_structure(lambda leaf: leaf[0], chunk.batches)
        )

    def count_chunks(self, count: int, given: int | None) -> int | None:
        """How many chunks an epoch has."""
        return len(self._split_into_chunks(count))

    def _split_into_chunks(self, count: int) -> list[tuple[int, int]]:
        """The first row of each chunk, and the one behind its last."""
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
        drawn, order = self._order
        if self._seed is not None and drawn != epoch:
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
            np.take(array, rows, axis=0, out=taken, mode="clip")  # "raise" has a buffer
        else:
            taken[:] = array[rows]
        return taken


def is_chunked(iterator: Any) -> bool:
    """Whether an iterator's elements are chunks."""
    return isinstance(getattr(iterator, "element_spec", None), Chunk)


def find_obstacle(spec: Any) -> str:
    """Why batches of these types cannot be stacked for XLA; empty where they can."""
    for leaf in tf.nest.flatten(spec):
        if not isinstance(leaf, tf.TensorSpec):
            return "its batches are not dense tensors alone"
        if leaf.dtype == tf.string:
            return "its batches hold strings"
        if not leaf.shape.rank or None in leaf.shape[1:]:
            return "the shape of its batches' rows is not known beforehand"
    return ""


def choose_chunk_size(spec: Any, wanted: int, period: int | None = None) -> int:
    """How many batches make a chunk.

    Args:
        spec: The batches' types.
        wanted: Where greater than 1, that many.
        period: A chunk must end after so many, too.
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
