"""Callbacks for a `fit` that receives chunks of batches."""

import sys
from typing import Any

import keras

from recipes.fast_fit.feed import RowFeed

FEW_EPOCHS = 10


class SetFirstEpoch(keras.callbacks.Callback):
    """Sets the number of the first epoch in the feed of rows."""

    def __init__(self, feed: RowFeed) -> None:
        super().__init__()
        self._feed: RowFeed | None = feed

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Set the epoch's number before the feed is asked for its rows."""
        if self._feed:
            self._feed.epoch, self._feed = epoch, None


class EveryTenthEpoch(keras.callbacks.Callback):
    """Prints every tenth epoch and the last, as `verbose=2` prints all."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Start the epoch's clock."""
        steps = self.params["steps"]
        self._line = keras.utils.Progbar(steps, verbose=2, unit_name="step")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Print the epoch, if it is due."""
        number, epochs = epoch + 1, self.params["epochs"]
        if number % 10 == 0 or number == epochs or self.model.stop_training:
            print(f"Epoch {number}/{epochs}")
            current = self._line.target or 1
            self._line.update(current, list((logs or {}).items()), finalize=True)


def thin_out_lines(arguments: dict[str, Any]) -> None:
    """Replace Keras's line for each of many epochs where the output is no terminal.

    Args:
        arguments: The arguments of `fit`, by name.
    """
    epochs = arguments["epochs"] - arguments["initial_epoch"]
    is_terminal = sys.stdout.isatty() or "ipykernel" in sys.modules
    if arguments["verbose"] == "auto" and epochs > FEW_EPOCHS and not is_terminal:
        arguments["verbose"] = 0
        arguments["callbacks"] = [*arguments["callbacks"], EveryTenthEpoch()]


class BatchCallbacks(keras.callbacks.CallbackList):
    """Callbacks and a progress bar that count batches where Keras counts chunks.

    `on_…_batch_begin` receives the number of a chunk's first batch, `on_…_batch_end`
    that of its last and the logs after it.

    Args:
        callbacks: The callbacks.
        size: Batches in a call, by which the numbers advance, as with Keras's
            `steps_per_execution`; `None` for the batches that there were in it.
        **options: Arguments of `CallbackList`.
    """

    def __init__(self, callbacks: Any, size: int | None, **options: Any) -> None:
        self._size = size
        self._trained = self._tested = 0
        super().__init__(callbacks, **options)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Announce the first training batch of a chunk."""
        self._trained = self._trained if batch else 0
        super().on_train_batch_begin(self._trained, logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Announce the last training batch of a chunk."""
        self._trained += self._size or self.model.train_function.batches
        super().on_train_batch_end(self._trained - 1, logs)

    def on_test_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Announce the first validation batch of a chunk, or a batch."""
        self._tested = self._tested if batch else 0
        super().on_test_batch_begin(self._tested, logs)

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        """Announce the last validation batch of a chunk, or a batch."""
        self._tested += self._size or self.model.test_function.batches
        super().on_test_batch_end(self._tested - 1, logs)
