"""What rules the loops out: `fit` then proceeds as Keras does, and says why."""

from collections.abc import Iterable
from typing import Any

import keras
import tensorflow as tf

# Their batch methods only watch, in the second group if their frequency is "epoch".
_WATCHING = (keras.callbacks.Callback, keras.callbacks.ProgbarLogger)
_WATCHING_PER_EPOCH = (
    keras.callbacks.TensorBoard,
    keras.callbacks.ModelCheckpoint,
    keras.callbacks.BackupAndRestore,
)


class Obstacle(Exception):
    """The reason why `fit` should proceed step by step."""


def is_from_keras(method: Any) -> bool:
    """Return whether a method, or a function that Keras built, is Keras's own."""
    return str(getattr(method, "__module__", "")).startswith("keras.")


def check_model(model: Any) -> None:
    """Check that Keras would train the model by its own functions, in graphs.

    Raises:
        Obstacle: If not.
    """
    for name in ("make_train_function", "make_test_function"):
        if not is_from_keras(getattr(model, name)):
            raise Obstacle(f"the model has a `{name}` of its own")
    for name in ("train_function", "test_function"):
        function = getattr(model, name)
        if function is not None and not is_from_keras(function):
            raise Obstacle(f"`{name}` was set by hand")
    if model.run_eagerly:
        raise Obstacle("the model runs eagerly")
    if tf.config.functions_run_eagerly():
        raise Obstacle("`tf.config.run_functions_eagerly(True)` is set")
    with model.distribute_strategy.scope():
        if tf.distribute.has_strategy():
            raise Obstacle("the model is trained with a tf.distribute strategy")
    # Keras 3.10 has no such limits.
    if getattr(keras.config, "max_steps_per_epoch", lambda: None)():
        raise Obstacle("`keras.config.set_max_steps_per_epoch` limits the epochs")


def check_callbacks(callbacks: Iterable[keras.callbacks.Callback]) -> None:
    """Check that no callback acts on each batch.

    Raises:
        Obstacle: If one does.
    """
    for callback in callbacks:
        if acts_on_batches(callback):
            raise Obstacle(
                f"the callback {type(callback).__name__} acts on each batch; "
                "`compile(steps_per_execution=N)` calls it after N batches"
            )


def acts_on_batches(callback: keras.callbacks.Callback) -> bool:
    """Return whether a callback has methods to be called for each batch."""
    if getattr(callback, "takes_chunks", False):
        return False
    frequency = getattr(callback, "save_freq", getattr(callback, "update_freq", None))
    harmless = _WATCHING + (_WATCHING_PER_EPOCH if frequency == "epoch" else ())
    return any(
        getattr(getattr(callback, name), "__func__", None)
        not in [getattr(each, name) for each in harmless]
        for name in (
            "on_batch_begin",
            "on_batch_end",
            "on_train_batch_begin",
            "on_train_batch_end",
            "on_test_batch_begin",
            "on_test_batch_end",
        )
    )


def check_spec(spec: Any) -> None:
    """Check that batches of these types can be stacked.

    Raises:
        Obstacle: If not.
    """
    for leaf in tf.nest.flatten(spec):
        if not isinstance(leaf, tf.TensorSpec):
            raise Obstacle("the batches hold something other than dense tensors")
        if leaf.dtype == tf.string:
            raise Obstacle("the batches hold strings")
        if not leaf.shape.rank or None in leaf.shape[1:]:
            raise Obstacle("the shape of the batches' rows is not known in advance")
