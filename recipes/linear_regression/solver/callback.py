"""The callback that ends the descent: arrived, diverging, stalled, or out of steps."""

from typing import Any

import keras
import numpy as np

from recipes.errors import DivergenceError
from recipes.linear_regression.solver.objective import Problem

# Epochs without a lower loss, after which rounding is all that still moves.
STALLED_EPOCHS = 50


class Monitor(keras.callbacks.Callback):
    """Collects the losses of a descent and says when and why it ended.

    Args:
        problem: The problem that the model descends on.
        optimizer: The Keras optimiser that takes the steps, if one does.

    Attributes:
        losses: The objective at the points seen, an array for each epoch.
        stop_reason: `"tolerance"`, `"max_iterations"`, `"stalled"`, or `"epochs"` where
            the epochs asked for ran out or another callback stopped it.
    """

    def __init__(self, problem: Problem, optimizer: Any = None) -> None:
        super().__init__()
        self._problem, self._optimizer = problem, optimizer
        self._best, self._best_epoch = np.inf, 0
        self.losses: list[np.ndarray] = []
        self.stop_reason = "epochs"

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Stops the training where there is nothing left to do.

        Raises:
            DivergenceError: If the descent diverges.
        """
        logs = logs or {}
        target = self._problem.target
        self.losses.append(self.model.descent_losses())
        loss, excess = logs["loss"], logs["relative_excess_loss"]
        if not loss <= float(target.loss_limit):
            raise DivergenceError(self._divergence(logs["iteration"], loss))
        measure = logs["gradient_norm"] if np.isnan(excess) else excess
        if measure < self._best:
            self._best, self._best_epoch = measure, epoch
        if excess <= float(target.tolerance) or (
            np.isnan(excess)
            and logs["gradient_norm"] <= float(target.gradient_tolerance)
        ):
            self._stop("tolerance")
        elif logs["iteration"] >= int(self._problem.last_iteration):
            self._stop("max_iterations")
        elif epoch - self._best_epoch >= STALLED_EPOCHS:
            self._stop("stalled")

    def _divergence(self, iteration: float, loss: float) -> str:
        if self._optimizer is None:
            rate = float(self._problem.step.learning_rate)
            limit = float(self._problem.learning_rate_limit)
            advice = f"The largest rate that works here is {limit:.6g}"
        else:
            rate = float(self._optimizer.learning_rate)
            advice = f"Give {self._optimizer.name} a lower rate"
        return (
            f"Gradient descent diverges at learning_rate={rate:.6g}: after "
            f"{iteration:.0f} iterations the loss is {loss:.3g}. {advice}"
        )

    def _stop(self, reason: str) -> None:
        self.stop_reason = reason
        self.model.stop_training = True
