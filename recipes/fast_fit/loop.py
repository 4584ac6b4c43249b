"""A compiled loop that runs a model's unchanged step on many batches."""

import itertools
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import tensorflow as tf

from recipes import interrupts
from recipes.fast_fit.feed import Chunk, is_chunked

# Each shape of batches is compiled. Batches of further shapes run step by step.
MAX_SHAPES = 4


class Loop:
    """A replacement for `Model.train_function`, called with the iterator of batches.

    XLA turns every variable that the loop's body reads or writes (weights, the
    optimiser's slots and step number, metrics, seeds) into a value carried by the loop,
    read once before it and written once after it. So the step needs no change.

    Args:
        step: `train_step` or `test_step`.
        keras_function: Keras's own function. It is called with any iterator of
            batches, not only tf.data's, as Keras itself does in `train_on_batch`;
            Keras does not document this.

    Attributes:
        batches: Number of batches that the last call processed.
    """

    def __init__(
        self, step: Callable[[Any], Any], keras_function: Callable[[Iterable[Any]], Any]
    ) -> None:
        self._step, self._keras_function = step, keras_function
        self._compiled = tf.function(self._loop, autograph=False, jit_compile=True)
        # Batches in a compiled chunk, by their types and shapes.
        self._capacity: dict[Any, int] = {}
        self._is_broken = False
        self.batches = 0

    def __call__(self, iterator: Any) -> Any:
        """Process the iterator's next element: a chunk or, as Keras does, a batch.

        Returns:
            The logs after its last batch.
        """
        if not is_chunked(iterator):
            return self._keras_function(iterator)
        chunk = next(iterator)
        sizes = chunk.sizes.numpy()
        rows = [leaf.shape[1] for leaf in tf.nest.flatten(chunk.batches)]
        logs, begin = None, 0
        for is_full, group in itertools.groupby((sizes == rows).all(axis=1)):
            end = begin + len(list(group))
            logs = (self._run_compiled if is_full else self._run_one_by_one)(
                chunk, begin, end
            )
            begin = end
        self.batches = len(sizes)
        return logs

    def _run_compiled(self, chunk: Chunk, begin: int, end: int) -> Any:
        """Run the unpadded batches from `begin` to `end` in the compiled loop."""
        leaves = tf.nest.flatten(chunk.batches)
        key = tuple((leaf.dtype, *leaf.shape[1:]) for leaf in leaves)
        count, capacity = end - begin, self._capacity.get(key, 0)
        is_worthwhile = capacity or (count > 1 and len(self._capacity) < MAX_SHAPES)
        if self._is_broken or not is_worthwhile:
            return self._run_one_by_one(chunk, begin, end)
        # A shorter last chunk is padded to the size of the others: no new compilation.
        filling = max(capacity - count, 0)
        if (begin, filling) != (0, 0) or end < len(chunk.sizes):
            leaves = [
                tf.pad(leaf[begin:end], [[0, filling], *[[0, 0]] * (leaf.ndim - 1)])
                for leaf in leaves
            ]
        batches = tf.nest.pack_sequence_as(chunk.batches, leaves)
        try:
            logs = self._compiled(batches, tf.constant(count))
        except Exception as error:  # it may succeed in Keras's function
            if count <= capacity or interrupts.was_pressed():
                raise
            self._is_broken = True
            _warn_not_compiled(error)
            return self._run_one_by_one(chunk, begin, end)
        self._capacity[key] = max(count, capacity)
        return logs

    def _run_one_by_one(self, chunk: Chunk, begin: int, end: int) -> Any:
        """Run the batches from `begin` to `end`, unpadded, by Keras's function."""
        leaves = tf.nest.flatten(chunk.batches)
        logs = None
        for number in range(begin, end):
            sizes = chunk.sizes[number].numpy()
            batch = [
                leaf[number, :size] for leaf, size in zip(leaves, sizes, strict=True)
            ]
            logs = self._keras_function(
                iter([tf.nest.pack_sequence_as(chunk.batches, batch)])
            )
        return logs

    def _loop(self, batches: Any, count: tf.Tensor) -> Any:
        """Run the first `count` of the batches and return the last one's logs.

        As the last chunk may have fewer batches, `count` is a tensor, not a constant.
        """
        spec = tf.nest.map_structure(
            lambda leaf: tf.TensorSpec(leaf.shape[1:], leaf.dtype), batches
        )
        # Traced first, because the loop needs the structure of the logs in advance.
        step = tf.function(self._step, autograph=False).get_concrete_function(spec)
        logs = step.structured_outputs

        def body(number: tf.Tensor, *_: Any) -> Any:
            batch = tf.nest.map_structure(lambda leaf: tf.gather(leaf, number), batches)
            return number + 1, *tf.nest.flatten(step(batch))

        start = [tf.zeros(leaf.shape, leaf.dtype) for leaf in tf.nest.flatten(logs)]
        _, *last = tf.while_loop(
            lambda number, *_: number < count, body, (tf.constant(0), *start)
        )
        return tf.nest.pack_sequence_as(logs, last)


def _warn_not_compiled(error: Exception) -> None:
    reason = str(error).strip().splitlines() or [type(error).__name__]
    warnings.warn(
        "fit proceeds step by step, as XLA cannot compile this model's step: "
        + reason[0][:200],
        stacklevel=2,
    )
