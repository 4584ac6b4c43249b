"""Callbacks of a `fit` whose elements are chunks of batches."""

from typing import Any

import keras

from recipes.fast_fit.feed import RowFeed


class SetFirstEpoch(keras.callbacks.Callback):
    """Tells the rows' feed with which epoch a training begins."""

    def __init__(self, feed: RowFeed) -> None:
        super().__init__()
        self._feed: RowFeed | None = feed

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Comes before the first epoch's rows are asked for."""
        if self._feed:
            self._feed.epoch, self._feed = epoch, None


class BatchCallbacks(keras.callbacks.CallbackList):
    """Callbacks and a progress bar that count batches where Keras counts chunks.

    `on_…_batch_begin` gets the number of a chunk's first batch, `on_…_batch_end` that
    of its last, with the logs after it: as with Keras's `steps_per_execution`.
    """

    _trained = _tested = 0

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Tells of a chunk's first batch."""
        self._trained = self._trained if batch else 0
        super().on_train_batch_begin(self._trained, logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Tells of its last batch."""
        self._trained += self.model.train_function.batches
        super().on_train_batch_end(self._trained - 1, logs)

    def on_test_batch_begin(self, batch: int, logs: Any = None) -> None:
        """The same in a validation."""
        self._tested = self._tested if batch else 0
        super().on_test_batch_begin(self._tested, logs)

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        """The same in a validation."""
        self._tested += self.model.test_function.batches
        super().on_test_batch_end(self._tested - 1, logs)
