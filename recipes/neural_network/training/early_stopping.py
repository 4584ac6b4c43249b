"""Early stopping that a run can be killed in the middle of."""

from collections.abc import Mapping
from typing import Any

import keras


class EarlyStopping(keras.callbacks.EarlyStopping):
    """Keras's own on the validation loss, with a state that can be kept.

    It stops after `patience` epochs without a lower validation loss, and gives the
    model the weights of the epoch with the lowest one, whether it stopped or not.

    Args:
        patience: in epochs.
    """

    def __init__(self, patience: int) -> None:
        super().__init__("val_loss", patience=patience, restore_best_weights=True)

    def state(self) -> dict[str, Any]:
        """How long it waits for what, and the best weights so far."""
        kept: dict[str, Any] = {"wait": self.wait, "best_epoch": self.best_epoch}
        if self.best is not None:
            kept["best"] = self.best
        for number, weight in enumerate(self.best_weights or ()):
            kept[f"weight_{number}"] = weight
        return kept

    def restore_state(self, state: Mapping[str, Any]) -> None:
        """Goes on from a state that `state` gave."""
        self.wait = int(state["wait"])
        self.best_epoch = int(state["best_epoch"])
        self.best = float(state["best"]) if "best" in state else None
        count = sum(name.startswith("weight_") for name in state)
        self.best_weights = [state[f"weight_{i}"] for i in range(count)] or None
