"""An attempt to train: the validation rows, the callbacks, and the result."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from recipes.neural_network.config import Config
from recipes.neural_network.training.early_stopping import EarlyStopping
from recipes.neural_network.training.history_callback import (
    HistoryCallback,
    Matrix,
    sample_rows,
)
from recipes.neural_network.training.learning_rate import RangeTest
from recipes.pipeline.datasets import split
from recipes.pipeline.datasets.description import Data
from recipes.pipeline.run import session
from recipes.pipeline.run.checkpoint import Checkpoint
from recipes.pipeline.run.folder import RunFolder, reading_backup

# Stands beside the backup of any attempt but the first.
_LEARNING_RATE_FILE = "learning_rate.txt"


@dataclass(frozen=True)
class TrainingResult:
    """The outcome of a training that did not diverge.

    Attributes:
        model: The fitted network, for preprocessed features.
        history: What a `HistoryCallback` recorded of each epoch.
        layer_names: The layers with a kernel.
        weight_norms: The norm of each layer's kernel after each epoch, `[epochs,
            layers]`.
        gradient_norms: The norm of the loss's gradient by each kernel, likewise.
        best_kept: Whether the weights are those of the best epoch, not of the last.
        learning_rate: The learning rate before any schedule.
        range_test: The range test that found it, if there was one.
    """

    model: Any
    history: dict[str, list[float]]
    layer_names: list[str]
    weight_norms: Matrix
    gradient_norms: Matrix
    best_kept: bool
    learning_rate: float
    range_test: RangeTest | None

    @classmethod
    def from_record(cls, model: Any, record: Mapping[str, Any]) -> "TrainingResult":
        """Read the record of a training, which `TrainingAttempt.fit` returned."""
        model.certificate = record["certificate"]
        if record["range_test"]:
            rates, losses, chosen = record["range_test"]
            model.range_test = RangeTest(np.array(rates), np.array(losses), chosen)
        return cls(
            model,
            record["history"],
            record["layer_names"],
            np.array(record["weight_norms"]),
            np.array(record["gradient_norms"]),
            record["best_kept"],
            record["learning_rate"],
            model.range_test,
        )


class TrainingAttempt:
    """A training that may diverge.

    A resumed run continues the attempt in which it was killed.

    Args:
        config: The settings.
        folder: The run's folder.
        learning_rate: The learning rate; for the first attempt, that of the settings.
        is_first: Whether this is the first attempt.

    Attributes:
        learning_rate: The learning rate; in a resumed run, that of the continued
            attempt.

    Raises:
        InputError: If that cannot be read from the backup.
    """

    def __init__(
        self,
        config: Config,
        folder: RunFolder,
        learning_rate: float | Literal["auto"],
        *,
        is_first: bool,
    ) -> None:
        self._config, self._folder = config, folder
        self._is_first, self._is_resumed = is_first, folder.is_resumed and is_first
        self.learning_rate = learning_rate
        self._learning_rate_path = folder.backup / _LEARNING_RATE_FILE
        if self._is_resumed and self._learning_rate_path.exists():
            with reading_backup(self._learning_rate_path):
                self.learning_rate = float(self._learning_rate_path.read_text())

    def resolve_learning_rate(self, model: Any) -> float:
        """Return the rate that the model was trained with, before any schedule."""
        return float(
            model.range_test.chosen if model.range_test else self.learning_rate
        )

    def fit(
        self, model: Any, data: Data, features: dict[str, np.ndarray]
    ) -> dict[str, Any]:
        """Fit the network.

        Args:
            model: The network, not yet fitted.
            data: The data set.
            features: The preprocessed rows of each part.

        Returns:
            The record of the training, in values that JSON can hold.

        Raises:
            DivergenceError: If the training diverges.
        """
        config = self._config
        x, y = features["train"], data.targets["train"]
        options: dict[str, Any] = {}
        history, early_stopping = HistoryCallback(*sample_rows(x, y, config.seed)), None
        if data.validation:
            options["validation_data"] = (
                features["validation"],
                data.targets["validation"],
                data.validation.weight,
            )
            if config.patience:
                early_stopping = EarlyStopping(config.patience)
        if config.class_weight != "none":
            options["class_weight"] = config.class_weight
        logs = session.tensorboard(self._folder, resumes=self._is_resumed)
        stateful: list[Any] = [history, *([early_stopping] if early_stopping else [])]
        model.fit(
            x,
            y,
            sample_weight=data.train.weight,
            batch_size=config.batch_size,
            epochs=config.epochs,
            callbacks=[logs, *stateful, self._checkpoint(stateful)],
            verbose=session.verbosity(),
            **options,
        )
        test = model.range_test
        return {
            # The model itself knows only the epochs since the run was resumed.
            "certificate": {
                **model.certificate,
                "epochs": len(history.history["train_loss"]),
                "best_epoch": history.best_epoch + 1,
            },
            "history": history.history,
            "layer_names": history.layer_names,
            "weight_norms": history.weight_norms.tolist(),
            "gradient_norms": history.gradient_norms.tolist(),
            "best_kept": early_stopping is not None,
            "learning_rate": self.resolve_learning_rate(model),
            "range_test": test
            and (test.rates.tolist(), test.losses.tolist(), test.chosen),
        }

    def _checkpoint(self, stateful: list[Any]) -> Checkpoint:
        made = Checkpoint(
            self._folder.backup, restore=self._is_resumed, callbacks=stateful
        )
        if not self._is_first:
            self._learning_rate_path.write_text(repr(self.learning_rate))
        return made


def hold_out(config: Config, data: Data) -> Data:
    """Split the training rows into rows to train on and validation rows.

    Args:
        config: The settings.
        data: The data set.

    Returns:
        The data set with fewer training rows, and with validation rows chosen as the
        test rows were, by default at random with each class in proportion; unchanged
        if the settings ask for none.

    Raises:
        InputError: If there are too few rows.
    """
    fraction, rows = config.validation_fraction, data.train
    if not fraction:
        return data
    kept, held_out = split.divide(
        rows,
        config.split,
        fraction,
        config.seed,
        "validation_fraction",
        has_classes=data.description.task == "classification",
    )
    train, validation = rows.take(kept), rows.take(held_out)
    data = dataclasses.replace(data, train=train, validation=validation)
    if levels := data.description.target.levels:
        # Those that the test rows lack, too, are told already.
        known = np.isin(train.target, data.test.target)
        data = data.with_notes(
            *split.describe_undivided(levels, train.target[known], validation.target)
        )
    return data.with_notes(
        f"{len(held_out):,} of {len(rows.target):,} training rows held out for "
        "validation"
    )
