"""Callbacks of every training: one stops divergence, one makes draws reproducible."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from recipes.errors import DivergenceError

# Features that exceed this have not been scaled.
LARGEST_SCALED_FEATURE = 100.0


def describe_unscaled_features(largest: float) -> str:
    """Return a message if features that reach `largest` are unscaled, else `""`."""
    if largest <= LARGEST_SCALED_FEATURE:
        return ""
    return (
        f"the features are not scaled, they reach {largest:.3g}: standardise them "
        "(keras.layers.Normalization)"
    )


class DivergenceGuard(keras.callbacks.Callback):
    """A callback that ends a diverging training and restores the last good weights.

    Args:
        largest_feature: The largest absolute value of the features.
    """

    takes_chunks = True  # the mean loss stays NaN

    def __init__(self, largest_feature: float) -> None:
        super().__init__()
        self._largest_feature = largest_feature
        self._saved_values: list[Any] = []
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Save the weights and the optimiser's state, which are still finite."""
        self._epoch = epoch + 1
        self._saved_values = [variable.numpy() for variable in self._variables()]

    def on_train_batch_end(
        self, batch: int, logs: Mapping[str, Any] | None = None
    ) -> None:
        """Check the epoch's mean loss, which stays NaN after a single bad step.

        Raises:
            DivergenceError: If it is NaN or infinite.
        """
        loss = float((logs or {}).get("loss", 0.0))
        if not np.isfinite(loss):
            raise self._roll_back("the loss is NaN or infinite")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Check the weights, which the last step may have made NaN.

        Raises:
            DivergenceError: If a weight is NaN or infinite.
        """
        if not all(np.isfinite(weight).all() for weight in self.model.get_weights()):
            raise self._roll_back("weights are NaN or infinite")

    def _roll_back(self, symptom: str) -> DivergenceError:
        """Restore the values from before the epoch, and return the error to raise."""
        optimizer = self.model.optimizer
        # Read before the roll-back, which also resets a schedule's rate.
        rate = float(optimizer.learning_rate)
        steps = int(optimizer.iterations)
        for variable, value in zip(self._variables(), self._saved_values, strict=True):
            variable.assign(value)
        cause = describe_unscaled_features(self._largest_feature) or (
            f"the learning rate is too large: take {rate / 10:.2g}"
            f"{_suggest_auto(self.model)}"
        )
        return DivergenceError(
            f"Training diverged in epoch {self._epoch}, within {steps} steps: {symptom}"
            f" at learning_rate={rate:.3g}. The likely cause: {cause}. The weights from"
            f" before epoch {self._epoch} are kept"
        )

    def _variables(self) -> list[Any]:
        return [*self.model.weights, *self.model.optimizer.variables]


def _suggest_auto(model: Any) -> str:
    return "" if model.learning_rate == "auto" else ", or learning_rate='auto'"


class SynchronizeRandomState(keras.callbacks.Callback):
    """A callback that makes all draws follow from the seed, the epoch and the step.

    A training that was killed and resumes from a backup, which holds only the weights
    and the optimiser's state, then draws what it would have drawn without the break.
    This callback must come after the one that restores the backup.

    Args:
        epoch: The variable that seeds the rows' order, int64, `[]`.
        generators: The generators of dropout and augmentation, which each draw once per
            step.
    """

    def __init__(self, epoch: tf.Variable, generators: Sequence[Any]) -> None:
        super().__init__()
        self._epoch, self._generators = epoch, generators

    def on_train_begin(self, logs: Any = None) -> None:
        """Set each generator's counter to the number of steps taken.

        And the epoch to the last one, which the certificate depends on if a resumed
        training has none left: it reads the rows in their last order.
        """
        if self.model._initial_epoch:
            self._epoch.assign(self.model._initial_epoch - 1)
        for generator in self._generators:
            seed, _ = generator.state.numpy()
            generator.state.assign([seed, int(self.model.optimizer.iterations)])

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Set the epoch before its first batch is loaded."""
        self._epoch.assign(epoch)
