"""A loop that runs a model's unchanged step on many batches in one call."""

import itertools
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import tensorflow as tf

from recipes import interrupts
from recipes.fast_fit.feed import Chunk, is_chunked
from recipes.fast_fit.traced_step import TracedStep


class Loop:
    """A replacement for `Model.train_function`, called with the iterator of batches.

    A step that cannot be traced in a loop runs in Keras's function, batch by batch.

    Args:
        step: `train_step` or `test_step`.
        keras_function: Keras's own function. It is called with any iterator of
            batches, not only tf.data's, as Keras itself does in `train_on_batch`;
            Keras does not document this.
        jit_compile: `True` if Keras itself compiles the step by XLA, `False` if the
            user has ruled that out, `None` to choose by the operations of the step.

    Attributes:
        batches: Number of batches that the last call processed.
    """

    def __init__(
        self,
        step: Callable[[Any], Any],
        keras_function: Callable[[Iterable[Any]], Any],
        jit_compile: bool | None,
    ) -> None:
        self._step, self._keras_function = step, keras_function
        self._jit_compile = jit_compile
        self._traced: dict[Any, TracedStep] = {}
        self._is_broken = False
        self.batches = 0

    def __call__(self, iterator: Any) -> Any:
        """Process the iterator's next element: a chunk or, as Keras does, a batch.

        Returns:
            The logs after its last batch.
        """
        if not is_chunked(iterator):
            self.batches = 1
            return self._keras_function(iterator)
        chunk, spec = next(iterator), iterator.element_spec.batches
        sizes = chunk.sizes.numpy()
        rows = [leaf.shape[1] for leaf in tf.nest.flatten(chunk.batches)]
        logs, begin = None, 0
        for is_full, group in itertools.groupby((sizes == rows).all(axis=1)):
            end = begin + len(list(group))
            logs = self._run(chunk, begin, end, is_full, spec)
            begin = end
        self.batches = len(sizes)
        return logs

    def _run(self, chunk: Chunk, begin: int, end: int, is_full: bool, spec: Any) -> Any:
        """Run the batches from `begin` to `end` in the fastest loop that may."""
        step = self._trace(spec)
        if step is None:
            return self._run_one_by_one(chunk, begin, end)
        if is_full and (logs := step.run_compiled(chunk, begin, end)) is not None:
            return logs
        if self._jit_compile:  # Keras raises an error if XLA cannot compile the step
            return self._run_one_by_one(chunk, begin, end)
        return step.run(chunk, begin, end)

    def _trace(self, spec: Any) -> Any:
        """Return the step traced for batches of these types; `None` if it cannot be."""
        key = tuple(tf.nest.flatten(spec))
        if not self._is_broken and key not in self._traced:
            try:
                self._traced[key] = TracedStep(self._step, spec, self._jit_compile)
            except Exception as error:  # it may succeed in Keras's function
                if interrupts.has_come():
                    raise
                self._is_broken = True
                _warn_not_traced(error)
        return None if self._is_broken else self._traced[key]

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


def _warn_not_traced(error: Exception) -> None:
    reason = str(error).strip().splitlines() or [type(error).__name__]
    warnings.warn(
        "fit proceeds step by step: TensorFlow cannot trace this model's step in a "
        "loop: " + reason[0][:200],
        stacklevel=2,
    )
