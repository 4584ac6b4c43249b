"""What goes on between training steps: the next problem, and when to stop."""

from typing import Any

import keras

from recipes.svm.solver.scheduler import Scheduler


class Monitor(keras.callbacks.Callback):
    """Lets the solver look at each step, and ends the training when it is done."""

    def __init__(self, solver: Scheduler) -> None:
        super().__init__()
        self.solver = solver

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Finishes, continues or begins problems."""
        if not self.solver.advance():
            self.model.stop_training = True
