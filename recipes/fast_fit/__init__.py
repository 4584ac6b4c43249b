"""A `fit` that runs a model's unchanged `train_step` on many batches per call.

Usage: `class Network(FastFit, keras.Model)`. Keras calls the step from Python for each
batch, which takes longer than the step of a small network. Here a loop processes a
chunk of batches in one call, compiled by XLA where no error of Keras is lost by that.
"""

import contextlib
import dataclasses
import inspect
import warnings
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import keras

from recipes.fast_fit.callbacks import BatchCallbacks, SetFirstEpoch, thin_out_lines
from recipes.fast_fit.feed import (
    DatasetFeed,
    Feed,
    RowFeed,
    choose_chunk_size,
    round_up,
)
from recipes.fast_fit.fit_arguments import build_training_feed, build_validation_feed
from recipes.fast_fit.loop import Loop
from recipes.fast_fit.obstacles import (
    Obstacle,
    check_callbacks,
    check_model,
    check_spec,
    is_from_keras,
)

__all__ = ["FastFit"]

# Arguments of `compile` that Keras stores alike whether given or by default.
EXPLICIT = ("steps_per_execution", "jit_compile")
# Keras passes it to `evaluate` in `fit`, which has prepared the data.
CACHED = "_use_cached_eval_dataset"

if TYPE_CHECKING:
    from keras import Model as _Model
else:
    _Model = object


@dataclasses.dataclass
class _Loops:
    """The loops in place of Keras's functions, while those stay the same."""

    keras_functions: tuple[Any, Any]
    train: Loop
    test: Loop


class FastFit(_Model):
    """Mixin, before `keras.Model`, that makes `fit` and its validation fast.

    Metrics, schedules, the progress bar, tf.data and the errors of a step are those of
    Keras. If the model, its callbacks or its data rule the loop out, `fit` warns, gives
    the reason, and proceeds step by step as Keras does, on the same batches.

    The loop is compiled by XLA where that is safe and fast, as the operations of the
    step tell (`recipes.fast_fit.operations`). Otherwise it is TensorFlow's own.

    A loop processes a chunk of up to 256 batches and 16 MiB, or of N batches after
    `compile(steps_per_execution=N)`, given explicitly. Callbacks that act on each batch
    rule the loop out, unless they accept to be called once per chunk, with the numbers
    of its first and last batch: `steps_per_execution` says so for all, an attribute
    `takes_chunks = True` for one. What they change takes effect with the next chunk.

    With `verbose="auto"` and no terminal, more than ten epochs print every tenth and
    the last.

    Attributes:
        fast_fit: Whether `fit` uses the loop. Defaults to `True`; `False` trains as
            Keras does.
        shuffle_seed: Seed of the order of arrays' rows, combined with the number of the
            epoch. Defaults to `None`: each `fit` draws a seed from NumPy's global
            generator, which `keras.utils.set_random_seed` seeds.
    """

    fast_fit: bool = True
    shuffle_seed: int | None = None
    _explicit: Mapping[str, Any] = MappingProxyType({})  # of the arguments of `compile`
    _loops: _Loops | None = None
    # Keras's attributes. `fit` reads them in 3.10 to 3.15, but this is undocumented.
    steps_per_execution: int
    train_function: Any
    test_function: Any

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Configure the model, as Keras does.

        Args:
            *args: Arguments of `keras.Model.compile`.
            **kwargs: `steps_per_execution=N` makes chunks of N batches, and 1 rules the
                loop out; `jit_compile=False` rules XLA out.
        """
        bound = inspect.signature(super().compile).bind_partial(*args, **kwargs)
        super().compile(*args, **kwargs)
        given = {**bound.arguments, **kwargs}
        self._explicit = MappingProxyType(
            {name: given[name] for name in EXPLICIT if name in given}
        )

    def get_compile_config(self) -> dict[str, Any]:
        """Return the arguments of `compile`, without those that Keras has chosen."""
        config = dict(super().get_compile_config())
        for name in EXPLICIT:
            if name not in self._explicit:
                config.pop(name, None)
        return config

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile a loaded model, unless its class has a `compile` of its own."""
        is_own = type(self).compile is not FastFit.compile
        if is_own or not is_from_keras(super().compile):
            super().compile_from_config(config)  # it warns
            return
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.optimizer is not None and self.built:
            self.optimizer.build(self.trainable_variables)

    def fit(self, *args: Any, **kwargs: Any) -> Any:
        """Train the model.

        Args:
            *args: Arguments of `keras.Model.fit`.
            **kwargs: Arguments of `keras.Model.fit`.

        Returns:
            Keras's `History`.
        """
        if not is_from_keras(super().fit):
            if self.fast_fit:
                _warn("a class beneath FastFit has a `fit` of its own")
            return super().fit(*args, **kwargs)
        bound = inspect.signature(super().fit).bind(*args, **kwargs)
        bound.apply_defaults()
        arguments = bound.arguments
        if isinstance(arguments["callbacks"], keras.callbacks.CallbackList):
            if self.fast_fit:
                _warn("its callbacks are a CallbackList")
            return super().fit(**arguments)
        if not self.compiled:
            return super().fit(**arguments)
        arguments["callbacks"] = keras.tree.flatten(arguments["callbacks"] or [])
        if self.fast_fit:
            thin_out_lines(arguments)
        try:
            feed = build_training_feed(arguments, self.shuffle_seed)
        except Obstacle as obstacle:
            if self.fast_fit:
                _warn(obstacle)
            return super().fit(**arguments)
        if isinstance(feed, RowFeed):
            arguments["callbacks"].insert(0, SetFirstEpoch(feed))
        # Keras 3.15 warns about its own default, `shuffle=True`, if x is a data set.
        arguments["shuffle"] = False
        if self.fast_fit and self._explicit.get("steps_per_execution") != 1:
            try:
                chunked = self._chunk_arguments(arguments, feed)
            except Obstacle as obstacle:
                _warn(obstacle)
            else:
                with self._looping():
                    return super().fit(**chunked)
        steps = feed.count_chunks(1)
        arguments.update(x=feed.as_batches(), steps_per_epoch=steps)
        return super().fit(**arguments)

    def _chunk_arguments(self, arguments: dict[str, Any], feed: Feed) -> dict[str, Any]:
        """Return the arguments of `fit` with chunks in place of batches.

        Raises:
            Obstacle: If the model, the callbacks or the data rule that out.
        """
        size = self._explicit.get("steps_per_execution")
        check_model(self)
        check_spec(feed.spec)
        if size is None:
            check_callbacks(arguments["callbacks"])
        count, steps = size or choose_chunk_size(feed.spec), feed.steps
        if size is not None and arguments["steps_per_epoch"] is not None:
            period = round_up(arguments["steps_per_epoch"], size)
            feed = DatasetFeed(feed.as_batches(), period)
        callbacks = BatchCallbacks(
            arguments["callbacks"],
            size,
            add_history=True,
            add_progbar=arguments["verbose"] != 0,
            model=self,
            verbose=arguments["verbose"],
            epochs=arguments["epochs"],
            steps=steps,
        )
        chunked = {
            **arguments,
            "callbacks": callbacks,
            "x": feed.as_chunks(count),
            "steps_per_epoch": feed.count_chunks(count),
        }
        try:
            return {**chunked, **self._chunk_validation(arguments, size)}
        except Obstacle:
            if size is not None:  # Keras would call the callbacks once per chunk
                raise
            return chunked

    def _chunk_validation(
        self, arguments: dict[str, Any], size: int | None
    ) -> dict[str, Any]:
        """Return the arguments of `fit` for the validation, with chunks.

        Raises:
            Obstacle: If the model or the data rule that out.
        """
        if arguments["validation_data"] is None:
            return {}
        parameters = inspect.signature(self.evaluate).parameters
        if not is_from_keras(self.evaluate) and CACHED not in parameters:
            raise Obstacle("the model has an `evaluate` of its own")
        validation = build_validation_feed(
            arguments["validation_data"],
            arguments["validation_batch_size"],
            arguments["validation_steps"],
            size or 1,
        )
        check_spec(validation.spec)
        count = size or choose_chunk_size(validation.spec)
        return {
            "validation_data": validation.as_chunks(count),
            "validation_steps": validation.count_chunks(count),
            "validation_batch_size": None,
        }

    @contextlib.contextmanager
    def _looping(self) -> Iterator[None]:
        """Give Keras the loops, as if a chunk were a batch; then its own functions.

        Keras's functions bear the `steps_per_execution` that they were traced with. So
        those within the loops are traced apart, and the model's own stay as they were.
        """
        self.make_train_function()
        self.make_test_function()
        own = self.train_function, self.test_function
        wanted, self.steps_per_execution = self.steps_per_execution, 1
        try:
            if self._loops is None or self._loops.keras_functions != own:
                self._loops = self._make_loops(own)
            self.train_function = self._loops.train
            self.test_function = self._loops.test
            yield
        finally:
            self.steps_per_execution = wanted
            self.train_function, self.test_function = own

    def _make_loops(self, own: tuple[Any, Any]) -> _Loops:
        self.make_train_function(force=True)
        self.make_test_function(force=True)
        jit_compile = True if self.jit_compile else self._explicit.get("jit_compile")
        jit_compile = None if jit_compile == "auto" else jit_compile
        return _Loops(
            own,
            Loop(self.train_step, self.train_function, jit_compile),
            Loop(self.test_step, self.test_function, jit_compile),
        )


def _warn(reason: Any) -> None:
    warnings.warn(f"fit proceeds step by step: {reason}", stacklevel=3)
