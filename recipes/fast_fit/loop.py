"""A model's unchanged step, many batches at a time in one compiled loop."""

import itertools
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import tensorflow as tf

from recipes import interrupts
from recipes.fast_fit.feed import Chunk, is_chunked

# Every shape is compiled. Batches of further ones are taken step by step.
MAX_SHAPES = 4


class Loop:
    """What `fit` calls as `Model.train_function`, with the iterator of its batches.

    XLA makes every variable that the loop's body reads or writes a value that the loop
    carries (weights, the optimiser's slots and step number, metrics, seeds): they are
    read once before it and written once after. So the step stays as it is.

    Args:
        step: `train_step` or `test_step`.
        keras_function: Keras's own function. It is called with any iterator of
            batches, not only tf.data's, as Keras itself does in `train_on_batch`;
            Keras does not document this.

    Attributes:
        batches: How many batches the last call took.
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
        """Takes the iterator's next element: a chunk or, as Keras does, a batch.

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
        """The batches from `begin` to `end`, none of which is padded."""
        leaves = tf.nest.flatten(chunk.batches)
        key = tuple((leaf.dtype, *leaf.shape[1:]) for leaf in leaves)
        count, capacity = end - begin, self._capacity.get(key, 0)
        is_worth_it = capacity or (count > 1 and len(self._capacity) < MAX_SHAPES)
        if self._is_broken or not is_worth_it:
            return self._run_one_by_one(chunk, begin, end)
        # A last, shorter chunk takes the room of the others: nothing to compile anew.
        filling = max(capacity - count, 0)
        if (begin, filling) != (0, 0) or end < len(chunk.sizes):
            leaves = [
                tf.pad(leaf[begin:end], [[0, filling], *[[0, 0]] * (leaf.ndim - 1)])
                for leaf in leaves
            ]
        batches = tf.nest.pack_sequence_as(chunk.batches, leaves)
        try:
            logs = self._compiled(batches, tf.constant(count))
        except Exception as error:  # whatever fails here, Keras's own way may not
            if count <= capacity or interrupts.was_pressed():
                raise
            self._is_broken = True
            _warn_not_compiled(error)
            return self._run_one_by_one(chunk, begin, end)
        self._capacity[key] = max(count, capacity)
        return logs

    def _run_one_by_one(self, chunk: Chunk, begin: int, end: int) -> Any:
        """The same by Keras's own function, each without its padding."""
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
        """Takes the first `count` of the batches; gives the last one's logs.

        As the last chunk has fewer batches, `count` is a tensor, not a constant.
        """
        spec = tf.nest.map_structure(
            lambda leaf: tf.TensorSpec(leaf.shape[1:], leaf.dtype), batches
        )
        # Traced apart, since the loop must know beforehand what the logs look like.
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
        "fit goes step by step, as XLA cannot compile this model's step: "
        + reason[0][:200],
        stacklevel=2,
    )
