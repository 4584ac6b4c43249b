"""An attempt to train: the validation rows, the callbacks, and the result."""

import dataclasses
import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from recipes.errors import ConvergenceWarning
from recipes.neural_network.config import Config
from recipes.neural_network.training.certificate import (
    compute_training_errors,
    has_learned,
)
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
from recipes.pipeline.run.atomic_files import errors_as_input_errors, write_text
from recipes.pipeline.run.checkpoint import Checkpoint
from recipes.pipeline.run.folder import RunFolder, reading_backup

# What an attempt can fail by.
DIVERGED, LEARNED_NOTHING = "diverged", "learned nothing"
MOST_ATTEMPTS = 3
# Stands beside the backup of any attempt but the first.
_ATTEMPTS_FILE = "attempts.json"


@dataclass(frozen=True)
class Failure:
    """An attempt that failed.

    Attributes:
        learning_rate: The learning rate.
        outcome: `DIVERGED` or `LEARNED_NOTHING`.
    """

    learning_rate: float
    outcome: str


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
        failures: The attempts before, at larger rates.
    """

    model: Any
    history: dict[str, list[float]]
    layer_names: list[str]
    weight_norms: Matrix
    gradient_norms: Matrix
    best_kept: bool
    learning_rate: float
    range_test: RangeTest | None
    failures: tuple[Failure, ...]

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
            tuple(Failure(**each) for each in record["failures"]),
        )


class TrainingAttempt:
    """A training that may fail.

    Where a range test chose the rate, a tenth of it is tried next: up to twice if the
    training diverges, once if it learned nothing. Then either the features tell nothing
    of the target, or steps were too large to learn anything.

    Args:
        config: The settings.
        folder: The run's folder.
        failures: The attempts before this one.
        range_test: The range test of the first, with the rate of this one; `None` for
            the first itself.
        is_resumed: Whether a killed run was at this attempt.
    """

    def __init__(
        self,
        config: Config,
        folder: RunFolder,
        failures: tuple[Failure, ...] = (),
        range_test: RangeTest | None = None,
        *,
        is_resumed: bool = False,
    ) -> None:
        self._config, self._folder = config, folder
        self.failures, self.range_test = failures, range_test
        self._is_resumed = is_resumed

    @classmethod
    def begin(cls, config: Config, folder: RunFolder) -> "TrainingAttempt":
        """Return the first attempt or, in a resumed run, that in which it was killed.

        Raises:
            InputError: If that cannot be read from the backup.
        """
        path = folder.backup / _ATTEMPTS_FILE
        if not (folder.is_resumed and path.exists()):
            return cls(config, folder, is_resumed=folder.is_resumed)
        with reading_backup(path):
            stored = json.loads(path.read_text(encoding="utf-8"))
            failures = tuple(Failure(**each) for each in stored["failures"])
            rates, losses, chosen = stored["range_test"]
            test = RangeTest(np.array(rates), np.array(losses), float(chosen))
        return cls(config, folder, failures, test, is_resumed=True)

    def retry(self, range_test: RangeTest | None, outcome: str) -> "TrainingAttempt":
        """Return the next attempt, at a tenth of the rate; `self` if there is none.

        Args:
            range_test: The model's, which chose the rate.
            outcome: What this attempt failed by.
        """
        known = [each.outcome for each in self.failures]
        if (
            range_test is None
            or len(known) + 1 >= MOST_ATTEMPTS
            or (outcome == LEARNED_NOTHING and LEARNED_NOTHING in known)
        ):
            return self
        failures = (*self.failures, Failure(range_test.chosen, outcome))
        test = dataclasses.replace(range_test, chosen=range_test.chosen / 10)
        stored = {
            "failures": [dataclasses.asdict(each) for each in failures],
            "range_test": _to_lists(test),
        }
        with errors_as_input_errors("the backup", self._folder.backup):
            write_text(self._folder.backup / _ATTEMPTS_FILE, json.dumps(stored))
        return TrainingAttempt(self._config, self._folder, failures, test)

    def fit(
        self, model: Any, data: Data, features: dict[str, np.ndarray]
    ) -> dict[str, Any]:
        """Fit the network.

        Args:
            model: The network, not yet fitted.
            data: The data set.
            features: The preprocessed rows of each part.

        Returns:
            The record of the training, in values that JSON can hold. Nothing is said
            yet if the network has learned nothing.

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
        backup = Checkpoint(
            self._folder.backup, restore=self._is_resumed, callbacks=stateful
        )
        model.range_test = self.range_test
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(
                x,
                y,
                sample_weight=data.train.weight,
                batch_size=config.batch_size,
                epochs=config.epochs,
                callbacks=[logs, *stateful, backup],
                verbose=session.verbosity(),
                **options,
            )
        test, rate = model.range_test, config.learning_rate
        is_learned = has_learned(model.certificate)
        if early_stopping:  # the weights are the best on the validation rows
            is_learned &= has_learned(
                _compare_with_constant(model, *options["validation_data"])
            )
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
            "learning_rate": test.chosen if test else float(rate),
            "range_test": test and _to_lists(test),
            "failures": [dataclasses.asdict(each) for each in self.failures],
            "has_learned": is_learned,
        }


def _to_lists(test: RangeTest) -> tuple[list[float], list[float], float]:
    return test.rates.tolist(), test.losses.tolist(), test.chosen


def _compare_with_constant(model: Any, x: Any, y: Any, weight: Any) -> dict[str, float]:
    """Return the error on rows held out, as the certificate gives that in training."""
    rows = model.prepare_evaluation(x, y, weight)
    return compute_training_errors(model, model.batch_rows(rows, len(x), None))


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
