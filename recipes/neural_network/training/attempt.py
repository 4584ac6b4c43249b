"""An attempt to train: the validation rows, the callbacks, and the result."""

import dataclasses
import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from recipes.errors import ConvergenceWarning
from recipes.neural_network.config import Config
from recipes.neural_network.training.early_stopping import EarlyStopping
from recipes.neural_network.training.held_out import compare_with_constant
from recipes.neural_network.training.history_callback import (
    HistoryCallback,
    Matrix,
    sample_rows,
)
from recipes.neural_network.training.learning_rate import RangeTest
from recipes.pipeline.datasets import split
from recipes.pipeline.datasets.description import Data
from recipes.pipeline.run import session
from recipes.pipeline.run.atomic_files import (
    errors_as_input_errors,
    write_atomically,
    write_text,
)
from recipes.pipeline.run.checkpoint import Checkpoint
from recipes.pipeline.run.export import save_keras
from recipes.pipeline.run.folder import RunFolder, reading_backup

# What an attempt can fail by.
DIVERGED, LEARNED_NOTHING = "diverged", "learned nothing"
MOST_ATTEMPTS = 3
# After fewer, a network has learned nothing for want of them: smaller steps would not
# help.
_LEAST_EPOCHS = 5
# Stands beside the backup of any attempt but the first.
_ATTEMPTS_FILE = "attempts.json"
# The network of an attempt that learned nothing, in case the next one is no better.
_MODEL_FILE = "attempt.keras"


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
        failures: The other attempts.
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
    of the target, or steps were too large to learn anything. Of two attempts that end,
    the better one counts.

    Args:
        config: The settings.
        folder: The run's folder.
        failures: The attempts before this one.
        range_test: The range test of the first, with the rate of this one; `None` for
            the first itself.
        earlier_record: The record of the attempt before that learned nothing, if any;
            its network is in the backup.
        is_resumed: Whether a killed run was at this attempt.
    """

    def __init__(
        self,
        config: Config,
        folder: RunFolder,
        failures: tuple[Failure, ...] = (),
        range_test: RangeTest | None = None,
        earlier_record: dict[str, Any] | None = None,
        *,
        is_resumed: bool = False,
    ) -> None:
        self._config, self._folder = config, folder
        self.failures, self.range_test = failures, range_test
        self.earlier_record = earlier_record
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
            record = stored["earlier_record"]
        return cls(config, folder, failures, test, record, is_resumed=True)

    def retry(
        self, model: Any, record: dict[str, Any] | None = None
    ) -> "TrainingAttempt":
        """Return the next attempt, at a tenth of the rate; `self` if there is none.

        Args:
            model: The network, whose range test chose the rate.
            record: What `fit` returned, which learned nothing; `None` if it diverged.
        """
        range_test, kept = model.range_test, record or self.earlier_record
        if (
            range_test is None
            or len(self.failures) + 1 >= MOST_ATTEMPTS
            or (record and self.earlier_record)
            or (record and record["certificate"]["epochs"] < _LEAST_EPOCHS)
        ):
            return self
        outcome = LEARNED_NOTHING if record else DIVERGED
        if record:
            path = self._folder.backup / _MODEL_FILE
            writing = errors_as_input_errors("the backup", path)
            with writing, write_atomically(path) as temporary:
                save_keras(model, temporary)
        failures = (*self.failures, Failure(range_test.chosen, outcome))
        test = dataclasses.replace(range_test, chosen=range_test.chosen / 10)
        stored = {
            "failures": [dataclasses.asdict(each) for each in failures],
            "range_test": _to_lists(test),
            "earlier_record": kept,
        }
        with errors_as_input_errors("the backup", self._folder.backup):
            write_text(self._folder.backup / _ATTEMPTS_FILE, json.dumps(stored))
        return TrainingAttempt(self._config, self._folder, failures, test, kept)

    def choose(
        self, model: Any, record: dict[str, Any] | None
    ) -> tuple[Any, dict[str, Any]]:
        """Return the better of this attempt, the last, and one that learned nothing.

        Args:
            model: The network.
            record: What `fit` returned; `None` if it diverged, which it may if there
                is an earlier record.

        Returns:
            A network and its record.

        Raises:
            InputError: If the earlier network cannot be read from the backup.
        """
        ended = [each for each in (record, self.earlier_record) if each]
        best = min(ended, key=_rank)
        if best is record:
            return model, best
        kept, rate = best["learning_rate"], model.range_test.chosen
        last = Failure(rate, LEARNED_NOTHING if record else DIVERGED)
        others = [
            dataclasses.asdict(each)
            for each in (*self.failures, last)
            if each.learning_rate != kept
        ]
        print(f"the network of the rate {kept:.3g} is kept: no better one was found")
        path = self._folder.backup / _MODEL_FILE
        with reading_backup(path):
            model = keras.saving.load_model(path)
        return model, {**best, "failures": others}

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
        certificate = model.certificate
        error, is_learned = certificate["relative_train_loss"], certificate["learned"]
        if data.validation:
            error, is_worse = compare_with_constant(
                model, y, data.train.weight, options
            )
            # Only then are the weights those that suit the validation rows best.
            is_learned &= not (early_stopping and is_worse)
        model.certificate = {
            **certificate,
            # The model itself knows only the epochs since the run was resumed.
            "epochs": len(history.history["train_loss"]),
            "best_epoch": history.best_epoch + 1,
            "learned": is_learned,
            "converged": certificate["converged"] and is_learned,
        }
        return {
            "certificate": model.certificate,
            "history": history.history,
            "layer_names": history.layer_names,
            "weight_norms": history.weight_norms.tolist(),
            "gradient_norms": history.gradient_norms.tolist(),
            "best_kept": early_stopping is not None,
            "learning_rate": test.chosen if test else float(rate),
            "range_test": test and _to_lists(test),
            "failures": [dataclasses.asdict(each) for each in self.failures],
            "error": error,
        }


def _to_lists(test: RangeTest) -> tuple[list[float], list[float], float]:
    return test.rates.tolist(), test.losses.tolist(), test.chosen


def _rank(record: Mapping[str, Any]) -> tuple[bool, float]:
    """Return what is smaller for the better of two trainings."""
    return not record["certificate"]["learned"], record["error"]


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
