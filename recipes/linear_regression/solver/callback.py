"""The callbacks of a descent: one ends it and records why, one keeps its losses."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from recipes.checks.arguments import listed
from recipes.errors import DivergenceError
from recipes.linear_regression.solver.objective import Problem

# After this many epochs without progress, only rounding still changes.
STALLED_EPOCHS = 50


def check_callbacks(callbacks: Any, optimizer: Any) -> list[Any]:
    """Return the callbacks as a list.

    Args:
        callbacks: A list, one alone, or `None`.
        optimizer: The Keras optimiser; `None` for the model's own step.

    Raises:
        ValueError: If one changes the learning rate of an optimiser that is not there.
    """
    schedules = (
        keras.callbacks.LearningRateScheduler,
        keras.callbacks.ReduceLROnPlateau,
    )
    for callback in listed(callbacks):
        if optimizer is None and isinstance(callback, schedules):
            raise ValueError(
                f"{type(callback).__name__} should come with a Keras optimizer, as in "
                '`compile(optimizer="sgd")`: the model\'s own step has a fixed rate.'
            )
    return listed(callbacks)


class DescentMonitor(keras.callbacks.Callback):
    """Callback that collects the losses of a descent, ends it, and records why.

    Args:
        problem: The problem that the model solves.
        optimizer: The Keras optimiser that takes the steps; `None` for the model's own.

    Attributes:
        losses: The objective at each point, one array per epoch.
        stop_reason: `"tolerance"`, `"max_iterations"`, `"stalled"`, `"diverged"`,
            `"epochs"` if the requested epochs ran out, or `"interrupted"` if another
            callback, or an error of one, stopped the training.
    """

    def __init__(self, problem: Problem, optimizer: Any = None) -> None:
        super().__init__()
        self._problem, self._optimizer = problem, optimizer
        self._best, self._best_epoch = np.inf, 0
        self.losses: list[np.ndarray] = []
        self.stop_reason = "interrupted"

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Stop the training when converged, stalled or out of iterations.

        Raises:
            DivergenceError: If the descent diverges.
        """
        logs = logs or {}
        rule = self._problem.rule
        self.losses.append(self.model.read_step_losses())
        loss, excess = logs["loss"], logs["relative_excess_loss"]
        if not loss <= float(rule.loss_limit):
            self.stop_reason = "diverged"
            raise DivergenceError(self._describe_divergence(logs["iteration"], loss))
        measure = logs["gradient_norm"] if np.isnan(excess) else excess
        if measure < self._best:
            self._best, self._best_epoch = measure, epoch
        if excess <= float(rule.tolerance) or (
            np.isnan(excess) and logs["gradient_norm"] <= float(rule.gradient_tolerance)
        ):
            self._stop("tolerance")
        elif logs["iteration"] >= int(self._problem.last_iteration):
            self._stop("max_iterations")
        elif epoch - self._best_epoch >= STALLED_EPOCHS:
            self._stop("stalled")
        elif epoch + 1 == self.params["epochs"]:
            self.stop_reason = "epochs"

    def _describe_divergence(self, iteration: float, loss: float) -> str:
        if self._optimizer is None:
            rate = float(self._problem.settings.learning_rate)
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


class LossHistory(keras.callbacks.Callback):
    """Callback that keeps the losses of a descent, with a state that can be saved.

    Attributes:
        earlier: The objective at each point of the training that this one resumes, an
            array; empty if it resumes none.
    """

    def __init__(self) -> None:
        super().__init__()
        self.earlier = np.empty(0)
        self._losses: list[np.ndarray] = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Add the losses of the epoch."""
        self._losses.append(self.model.read_step_losses())

    def state(self) -> dict[str, Any]:
        """Return all losses so far."""
        return {"losses": np.concatenate([self.earlier, *self._losses])}

    def restore_state(self, state: Mapping[str, Any]) -> None:
        """Resume from a state that `state` returned."""
        self.earlier = state["losses"]
