"""Callbacks for a `fit` that receives chunks of batches."""

from typing import Any

import keras

from recipes.fast_fit.feed import RowFeed


class SetFirstEpoch(keras.callbacks.Callback):
    """Sets the number of the first epoch in the feed of rows."""

    def __init__(self, feed: RowFeed) -> None:
        super().__init__()
        self._feed: RowFeed | None = feed

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Set the epoch's number before the feed is asked for its rows."""
        if self._feed:
            self._feed.epoch, self._feed = epoch, None


class BatchCallbacks(keras.callbacks.CallbackList):
    """Callbacks and a progress bar that count batches where Keras counts chunks.

    `on_…_batch_begin` receives the number of a chunk's first batch, `on_…_batch_end`
    that of its last and the logs after it, as with Keras's `steps_per_execution`.
    """

    _trained = _tested = 0

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Announce the first training batch of a chunk."""
        self._trained = self._trained if batch else 0
        super().on_train_batch_begin(self._trained, logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Announce the last training batch of a chunk."""
        self._trained += self.model.train_function.batches
        super().on_train_batch_end(self._trained - 1, logs)

    def on_test_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Announce the first validation batch of a chunk."""
        self._tested = self._tested if batch else 0
        super().on_test_batch_begin(self._tested, logs)

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        """Announce the last validation batch of a chunk."""
        self._tested += self.model.test_function.batches
        super().on_test_batch_end(self._tested - 1, logs)
