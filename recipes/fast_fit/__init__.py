"""A `fit` that runs a model's unchanged `train_step` on many batches per call.

Usage: `class Network(FastFit, keras.Model)`. Keras calls the step from Python for each
batch, which takes longer than the step of a small network. Here a loop compiled by XLA
processes a chunk of batches in one call.
"""

import inspect
import warnings
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from recipes.fast_fit.callbacks import BatchCallbacks, SetFirstEpoch
from recipes.fast_fit.feed import RowFeed, choose_chunk_size, find_obstacle
from recipes.fast_fit.fit_arguments import build_training_feed, build_validation_feed
from recipes.fast_fit.loop import Loop

__all__ = ["FastFit"]


if TYPE_CHECKING:
    from keras import Model as _Model
else:
    _Model = object


class FastFit(_Model):
    """Mixin, before `keras.Model`, that makes `fit` and its validation fast.

    Metrics, schedules, the progress bar and tf.data work as usual. If the model or its
    data rule out the compiled loop, `fit` warns, gives the reason, and proceeds step by
    step as Keras does, on the same batches.

    Callbacks: `on_train_batch_begin` and `on_train_batch_end` are called once per
    chunk, with the numbers of its first and its last batch. What they change, such as
    the learning rate, takes effect with the next chunk. A chunk has up to 256 batches
    and 16 MiB, or N batches after `compile(steps_per_execution=N)`.

    Attributes:
        fast_fit: Whether `fit` uses the compiled loop. Defaults to `True`; `False`
            trains as Keras does.
        shuffle_seed: Seed of the order of arrays' rows, combined with the number of the
            epoch. Defaults to `None`: each `fit` draws a seed from NumPy's global
            generator, which `keras.utils.set_random_seed` seeds.
    """

    fast_fit: bool = True
    shuffle_seed: int | None = None
    # Keras's attributes. `fit` reads them in 3.10 to 3.15, but this is undocumented.
    steps_per_execution: int
    train_function: Any
    test_function: Any

    def fit(self, *args: Any, **kwargs: Any) -> Any:
        """Train the model.

        Args:
            *args: Arguments of `keras.Model.fit`.
            **kwargs: Arguments of `keras.Model.fit`.

        Returns:
            Keras's `History`.
        """
        bound = inspect.signature(super().fit).bind(*args, **kwargs)
        bound.apply_defaults()
        arguments = bound.arguments
        is_list = isinstance(arguments["callbacks"], keras.callbacks.CallbackList)
        if is_list or not self.compiled:
            return super().fit(**arguments)
        feed = build_training_feed(arguments, self.shuffle_seed)
        if feed is None:
            if self.fast_fit:
                _warn("its data are neither plain arrays nor a tf.data.Dataset")
            return super().fit(**arguments)
        callbacks = keras.tree.flatten(arguments["callbacks"] or [])
        if isinstance(feed, RowFeed):
            callbacks = [SetFirstEpoch(feed), *callbacks]
        # Keras 3.15 warns about its own default, `shuffle=True`, if x is a data set.
        arguments.update(callbacks=callbacks, shuffle=False)
        reason = self._find_obstacle() or find_obstacle(feed.spec)
        if not self.fast_fit or reason:
            if self.fast_fit:
                _warn(reason)
            steps = feed.count_chunks(1, arguments["steps_per_epoch"])
            arguments.update(x=feed.as_batches(), steps_per_epoch=steps)
            return super().fit(**arguments)
        wanted, self.steps_per_execution = self.steps_per_execution, 1
        try:
            return super().fit(**self._chunk_arguments(arguments, feed, wanted))
        finally:
            self.steps_per_execution = wanted

    def make_train_function(self, force: bool = False) -> Any:
        """Wrap Keras's function in the loop, which falls back on it."""
        super().make_train_function(force)
        if not isinstance(self.train_function, Loop):
            self.train_function = Loop(self.train_step, self.train_function)
        return self.train_function

    def make_test_function(self, force: bool = False) -> Any:
        """Wrap Keras's function for validation likewise."""
        super().make_test_function(force)
        if not isinstance(self.test_function, Loop):
            self.test_function = Loop(self.test_step, self.test_function)
        return self.test_function

    def _chunk_arguments(
        self, arguments: dict[str, Any], feed: Any, wanted: int
    ) -> dict[str, Any]:
        """Replace the batches in the arguments of `fit` by chunks."""
        period = arguments["steps_per_epoch"]
        count = choose_chunk_size(feed.spec, wanted, period)
        arguments["callbacks"] = BatchCallbacks(
            arguments["callbacks"],
            add_history=True,
            add_progbar=arguments["verbose"] != 0,
            model=self,
            verbose=arguments["verbose"],
            epochs=arguments["epochs"],
            steps=period or feed.steps,
        )
        arguments["x"] = feed.as_chunks(count)
        arguments["steps_per_epoch"] = feed.count_chunks(count, period)
        size = arguments["validation_batch_size"]
        validation = build_validation_feed(arguments["validation_data"], size)
        if (
            validation is not None
            and arguments["validation_steps"] is None
            and not find_obstacle(validation.spec)
        ):
            count = choose_chunk_size(validation.spec, wanted)
            arguments["validation_data"] = validation.as_chunks(count)
            arguments["validation_steps"] = validation.count_chunks(count, None)
            arguments["validation_batch_size"] = None
        return arguments

    def _find_obstacle(self) -> str:
        """Return why this model cannot be trained in a compiled loop; "" if it can."""
        if self.run_eagerly:
            return "it runs eagerly"
        with self.distribute_strategy.scope():
            if tf.distribute.has_strategy():
                return "it is trained with a tf.distribute strategy"
        return ""


def _warn(reason: str) -> None:
    warnings.warn(f"fit proceeds step by step: {reason}", stacklevel=3)
