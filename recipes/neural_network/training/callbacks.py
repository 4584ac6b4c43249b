"""What watches over a training: the draws it goes on with, and its divergence."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from recipes.errors import DivergenceError

# Features that exceed this have not been scaled.
LARGE_FEATURE = 100.0


def unscaled(largest: float) -> str:
    """Words on features that reach `largest` where they have not been scaled."""
    if largest <= LARGE_FEATURE:
        return ""
    return (
        f"the features are not scaled, they reach {largest:.3g}: standardise them "
        "(keras.layers.Normalization)"
    )


class Guard(keras.callbacks.Callback):
    """Stops a training whose loss is no number any more, and restores its weights.

    Args:
        largest: The features' largest absolute value.
    """

    def __init__(self, largest: float) -> None:
        super().__init__()
        self._largest = largest
        self._kept: list[Any] = []
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Keeps weights, and the optimiser's state, that are good."""
        self._epoch = epoch + 1
        self._kept = [variable.numpy() for variable in self._variables()]

    def on_train_batch_end(
        self, batch: int, logs: Mapping[str, Any] | None = None
    ) -> None:
        """Looks at the epoch's mean loss, which one bad step spoils for good.

        Raises:
            DivergenceError: If it is NaN or infinite.
        """
        loss = float((logs or {}).get("loss", 0.0))
        if not np.isfinite(loss):
            raise self._divergence("the loss is NaN or infinite")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Looks at the weights, which the last step may have spoilt.

        Raises:
            DivergenceError: If one is NaN or infinite.
        """
        if not all(np.isfinite(weight).all() for weight in self.model.get_weights()):
            raise self._divergence("weights are NaN or infinite")

    def _divergence(self, what: str) -> DivergenceError:
        optimizer = self.model.optimizer
        # Before a schedule's rate is set back to that of the epoch's begin.
        rate = float(optimizer.learning_rate)
        steps = int(optimizer.iterations)
        for variable, value in zip(self._variables(), self._kept, strict=True):
            variable.assign(value)
        cause = unscaled(self._largest) or (
            f"the learning rate is too large: take {rate / 10:.2g}, or "
            "learning_rate='auto'"
        )
        return DivergenceError(
            f"Training diverged in epoch {self._epoch}, within {steps} steps: {what} "
            f"at learning_rate={rate:.3g}. The likely cause: {cause}. The weights from "
            f"before epoch {self._epoch} are kept"
        )

    def _variables(self) -> list[Any]:
        return [*self.model.weights, *self.model.optimizer.variables]


class Epoch(keras.callbacks.Callback):
    """Lets all draws follow from the seed, the epoch and the step.

    So a training that was killed and goes on from a backup, which holds the weights and
    the optimiser's state alone, draws what it would have drawn. This callback comes
    after the one that restores the backup.

    Args:
        number: What the rows' order is drawn by, int64, `[]`.
        generators: What dropout and augmentation draw by, once in every step.
    """

    def __init__(self, number: tf.Variable, generators: Sequence[Any]) -> None:
        super().__init__()
        self._number, self._generators = number, generators

    def on_train_begin(self, logs: Any = None) -> None:
        """Sets each generator's count of draws to the number of steps taken."""
        for generator in self._generators:
            seed, _ = generator.state.numpy()
            generator.state.assign([seed, int(self.model.optimizer.iterations)])

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Notes the epoch before its first batch is asked for."""
        self._number.assign(epoch)
