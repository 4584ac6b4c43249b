"""One trace of a model's step, and two loops over it: TensorFlow's and XLA's."""

import functools
import logging
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from recipes import interrupts
from recipes.fast_fit.feed import Chunk
from recipes.fast_fit.operations import UnguardedOperation, add_guards

# XLA compiles each shape of batches. Those of further shapes run in TensorFlow's loop.
MAX_SHAPES = 4
_log = logging.getLogger(__name__)


class TracedStep:
    """A step, traced for batches of one type, and the loops over it.

    XLA's loop is the fastest. It turns every variable that the step reads or writes
    (weights, the optimiser's slots and step number, metrics) into a value that is read
    once before the loop and written once after it. It runs whole batches, if each
    operation of the step is known to raise no error, or none while its guard holds. A
    chunk in which a guard fails is undone, to be repeated in TensorFlow's loop.

    TensorFlow's loop does what Keras's function does, with the same errors, random
    numbers and prints, but without Python between the steps.

    Args:
        step: `train_step` or `test_step`.
        spec: Types of a chunk's batches: each tensor [k, b, …].
        jit_compile: As for `Loop`.

    Raises:
        TypeError: If the logs are such that no loop can carry them.
    """

    def __init__(
        self, step: Callable[[Any], Any], spec: Any, jit_compile: bool | None
    ) -> None:
        self._obstacle = ""  # why XLA is not used
        self._guards: list[tf.Tensor] = []
        self._capacity: dict[Any, int] = {}  # batches in a compiled chunk, by shape
        self._spec = spec
        if jit_compile is False:
            self._rule_out_xla("compile(jit_compile=False)")

        def guarded_step(batch: Any) -> tuple[Any, tf.Tensor]:
            logs = step(batch)
            if jit_compile is None:
                self._guard(tf.compat.v1.get_default_graph())
            return logs, tf.reduce_all(tf.stack([tf.constant(True), *self._guards]))

        batch = tf.nest.map_structure(
            lambda leaf: tf.TensorSpec(leaf.shape[1:], leaf.dtype), spec
        )
        self._step = tf.function(guarded_step, autograph=False).get_concrete_function(
            batch
        )
        if not all(
            isinstance(each, tf.Tensor | tf.TensorSpec)
            for each in tf.nest.flatten(self._logs)
        ):
            raise TypeError("its logs hold something other than dense tensors")
        captured = sum(each.dtype == tf.resource for each in self._step.captured_inputs)
        if self._guards and captured > len(self._step.variables):
            self._rule_out_xla("the step has state that could not be undone")

    def run(self, chunk: Chunk, begin: int, end: int) -> Any:
        """Run the batches from `begin` to `end` in TensorFlow's loop.

        Returns:
            The logs after the last one.
        """
        return self._loop(
            chunk.batches, chunk.sizes, tf.constant(begin), tf.constant(end)
        )

    def run_compiled(self, chunk: Chunk, begin: int, end: int) -> Any:
        """Run the unpadded batches from `begin` to `end` in XLA's loop.

        Returns:
            The logs after the last one; `None` if XLA should not or could not do it, in
            which case no variable has changed.

        Raises:
            tf.errors.OpError: What TensorFlow's loop raises, if a guard has failed.
        """
        leaves = tf.nest.flatten(chunk.batches)
        shape = tuple(leaf.shape[1:] for leaf in leaves)
        count, capacity = end - begin, self._capacity.get(shape, 0)
        is_worthwhile = capacity or (count > 1 and len(self._capacity) < MAX_SHAPES)
        if self._obstacle or not is_worthwhile:
            return None
        # A shorter last chunk is padded to the size of the others: no new compilation.
        filling = max(capacity - count, 0)
        if (begin, filling) != (0, 0) or end < len(chunk.sizes):
            leaves = [
                tf.pad(leaf[begin:end], [[0, filling], *[[0, 0]] * (leaf.ndim - 1)])
                for leaf in leaves
            ]
        batches = tf.nest.pack_sequence_as(chunk.batches, leaves)
        variables = self._step.variables if self._guards else ()
        before = [variable.read_value() for variable in variables]
        try:
            logs, held = self._compiled_loop(batches, tf.constant(count))
        except Exception as error:
            if count <= capacity or interrupts.has_come():
                raise
            self._rule_out_xla(f"XLA cannot compile the step: {error}")
            return None
        if self._guards and not held:
            for variable, value in zip(variables, before, strict=True):
                variable.assign(value)
            logs = self.run(chunk, begin, end)  # raises what Keras raises
            self._rule_out_xla("a guard has failed, but no error has followed")
            return logs
        self._capacity[shape] = max(count, capacity)
        return logs

    @functools.cached_property
    def _loop(self) -> Any:
        """TensorFlow's loop, from one batch of a chunk to another."""

        def loop(batches: Any, sizes: Any, begin: tf.Tensor, end: tf.Tensor) -> Any:
            def body(number: tf.Tensor, *_: Any) -> Any:
                leaves = tf.nest.flatten(batches)
                rows = [
                    tf.ensure_shape(leaf[number, : sizes[number, i]], leaf.shape[1:])
                    for i, leaf in enumerate(leaves)
                ]
                logs, _ = self._step(tf.nest.pack_sequence_as(batches, rows))
                return number + 1, *tf.nest.flatten(logs)

            _, *logs = self._while(lambda number, *_: number < end, body, [begin])
            return tf.nest.pack_sequence_as(self._logs, logs)

        number = tf.TensorSpec([], tf.int32)
        sizes = tf.TensorSpec([None, len(tf.nest.flatten(self._spec))], tf.int32)
        return tf.function(loop, autograph=False).get_concrete_function(
            self._spec, sizes, number, number
        )

    @functools.cached_property
    def _compiled_loop(self) -> Any:
        """XLA's loop, over the first batches of a chunk, until a guard fails.

        As the last chunk may have fewer batches, their number is a tensor.
        """

        def loop(batches: Any, count: tf.Tensor) -> Any:
            def body(number: tf.Tensor, _: tf.Tensor, *__: Any) -> Any:
                batch = tf.nest.map_structure(
                    lambda leaf: tf.gather(leaf, number), batches
                )
                logs, held = self._step(batch)
                return number + 1, held, *tf.nest.flatten(logs)

            start = [tf.constant(0), tf.constant(True)]
            _, held, *logs = self._while(
                lambda number, held, *_: (number < count) & held, body, start
            )
            return tf.nest.pack_sequence_as(self._logs, logs), held

        return tf.function(
            loop, autograph=False, jit_compile=True
        ).get_concrete_function(self._spec, tf.TensorSpec([], tf.int32))

    @property
    def _logs(self) -> Any:
        """The types of the step's logs."""
        return self._step.structured_outputs[0]

    def _while(self, condition: Any, body: Any, start: list[tf.Tensor]) -> Any:
        """Run a loop over `start` and the logs, which are zeros at first."""
        logs = tf.nest.flatten(self._logs)
        zeros = [tf.zeros([n or 0 for n in each.shape], each.dtype) for each in logs]
        shapes = [each.shape for each in [*start, *logs]]
        return tf.while_loop(condition, body, [*start, *zeros], shapes)

    def _guard(self, graph: Any) -> None:
        """Add the guards to the step's graph, or rule XLA out."""
        self._obstacle = ""  # a first trace that creates variables is not the last
        try:
            self._guards = add_guards(graph)
        except UnguardedOperation as operation:
            self._rule_out_xla(f"the step has the operation {operation}")

    def _rule_out_xla(self, reason: str) -> None:
        self._obstacle = reason
        _log.info("The loop runs without XLA: %s", reason)
