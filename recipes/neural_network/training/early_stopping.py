"""Early stopping that survives the interruption of a run."""

from collections.abc import Mapping
from typing import Any

import keras


class EarlyStopping(keras.callbacks.EarlyStopping):
    """Keras's early stopping on the validation loss, with a state that can be saved.

    Training stops after `patience` epochs without a lower validation loss. Whether it
    stops early or not, the model ends with the weights of the best epoch.

    Args:
        patience: Number of epochs.
    """

    def __init__(self, patience: int) -> None:
        super().__init__("val_loss", patience=patience, restore_best_weights=True)

    def state(self) -> dict[str, Any]:
        """Return the counters, the best loss, and the best weights so far."""
        state: dict[str, Any] = {"wait": self.wait, "best_epoch": self.best_epoch}
        if self.best is not None:
            state["best"] = self.best
        for number, weight in enumerate(self.best_weights or ()):
            state[f"weight_{number}"] = weight
        return state

    def restore_state(self, state: Mapping[str, Any]) -> None:
        """Resume from a state that `state` returned."""
        self.wait = int(state["wait"])
        self.best_epoch = int(state["best_epoch"])
        self.best = float(state["best"]) if "best" in state else None
        count = sum(name.startswith("weight_") for name in state)
        self.best_weights = [state[f"weight_{i}"] for i in range(count)] or None
