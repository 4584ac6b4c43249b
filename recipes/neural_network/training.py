"""A training: the rows held out to watch it, its callbacks, and what came of it."""

from __future__ import annotations

import dataclasses
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from recipes.neural_network.course import Course, sample
from recipes.neural_network.early_stopping import EarlyStopping
from recipes.pipeline import run
from recipes.pipeline.datasets import split
from recipes.pipeline.datasets.description import Data, Rows

if TYPE_CHECKING:
    from recipes.neural_network.learning_rate import RangeTest
    from recipes.neural_network.recipe import Config, LearningRate

_RATE = "learning_rate.txt"  # beside a backup, of an attempt that was not the first


@dataclass(frozen=True)
class Training:
    """A training that is done.

    Attributes:
        model: the fitted network, on preprocessed features.
        course: what was recorded after each epoch.
        best_kept: whether the weights are those of the best epoch, not of the last.
        learning_rate: that it was fitted with.
        range_test: what found it, where a test did.
    """

    model: Any
    course: Course
    best_kept: bool
    learning_rate: float
    range_test: RangeTest | None


class Attempt:
    """A training that may diverge.

    A run that is resumed goes on with the attempt that it was killed in.

    Args:
        config: the settings.
        folder: the run's folder.
        learning_rate: to train with; of the first attempt that of the settings.
        is_first: whether it is.

    Attributes:
        learning_rate: to train with, in a resumed run that of the attempt it was in.
    """

    def __init__(
        self,
        config: Config,
        folder: Path,
        learning_rate: LearningRate,
        *,
        is_first: bool,
    ) -> None:
        self._config, self._folder = config, folder
        self.learning_rate, self._is_resumed = learning_rate, config.resume and is_first
        self._place = folder / run.BACKUP / _RATE
        if self._is_resumed and self._place.exists():
            self.learning_rate = float(self._place.read_text())
        self._is_first = is_first
        self.backup: run.Backup | None = None

    def rate_of(self, model: Any) -> float:
        """The rate that the model was trained with, before any schedule."""
        return float(
            model.range_test.chosen if model.range_test else self.learning_rate
        )

    def fit(
        self, model: Any, parts: dict[str, Rows], features: dict[str, np.ndarray]
    ) -> Training:
        """Fits the network.

        Args:
            model: the network, not yet fitted.
            parts: the rows by `train` and perhaps `validation`.
            features: the preprocessed rows, likewise.

        Raises:
            DivergenceError: if it diverges.
        """
        config = self._config
        x, y = features["train"], parts["train"].target
        options: dict[str, Any] = {}
        course, stopper = Course(*sample(x, y, config.seed)), None
        if "validation" in parts:
            held_out = features["validation"], parts["validation"].target
            options["validation_data"] = held_out
            if config.patience:
                stopper = EarlyStopping(config.patience)
        if config.class_weight != "none":
            options["class_weight"] = config.class_weight
        companions: list[Any] = [course, *([stopper] if stopper else [])]
        model.fit(
            x,
            y,
            batch_size=config.batch_size,
            epochs=config.epochs,
            callbacks=[self._board(), *companions, self._backup(companions)],
            verbose=run.verbosity(),
            **options,
        )
        # The model's own tells of the epochs since the run was resumed, if it was.
        model.certificate |= {"best_epoch": course.best_epoch + 1}
        return Training(
            model, course, stopper is not None, self.rate_of(model), model.range_test
        )

    def _board(self) -> keras.callbacks.Callback:
        logs = self._folder / run.LOGS
        if not self._is_resumed:
            shutil.rmtree(logs, ignore_errors=True)
        return keras.callbacks.TensorBoard(str(logs), write_graph=False)

    def _backup(self, companions: list[Any]) -> run.Backup:
        config = dataclasses.replace(self._config, resume=self._is_resumed)
        self.backup = run.backup(config, self._folder, companions)
        if not self._is_first:
            self._place.write_text(repr(self.learning_rate))
        return self.backup


def hold_out(config: Config, data: Data) -> tuple[Data, dict[str, Rows]]:
    """Takes the validation rows out of the training rows.

    Args:
        config: the settings.
        data: the data set.

    Returns:
        The data set with the training rows that are left, and all rows by `train`,
        `validation` and `test`. The validation rows are chosen at random, of every
        class its share; there is no such part where none were asked for.

    Raises:
        InputError: there are too few rows.
    """
    fraction, rows = config.validation_fraction, data.train
    if not fraction:
        return data, {"train": rows, "test": data.test}
    how = fraction, config.seed, "validation_fraction"
    if data.description.task == "classification":
        kept, held_out = split.stratified_split(rows.target, *how)
    else:
        kept, held_out = split.split(len(rows.target), *how)
    train, validation = (
        Rows(rows.features[part], rows.target[part]) for part in (kept, held_out)
    )
    data = dataclasses.replace(data, train=train).with_notes(
        f"{len(held_out):,} of {len(rows.target):,} training rows held out for "
        "validation"
    )
    return data, {"train": train, "validation": validation, "test": data.test}
