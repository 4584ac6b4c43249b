"""A training: the rows held out to watch it, its callbacks, and what came of it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from recipes.neural_network.training.early_stopping import EarlyStopping
from recipes.neural_network.training.history_callback import Course, sample
from recipes.pipeline.datasets import split
from recipes.pipeline.datasets.description import Data, Examples
from recipes.pipeline.run import checkpoint, session

if TYPE_CHECKING:
    from recipes.neural_network.config import Config
    from recipes.neural_network.training.learning_rate import RangeTest

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
        learning_rate: float | Literal["auto"],
        *,
        is_first: bool,
    ) -> None:
        self._config, self._folder = config, folder
        self.learning_rate, self._is_resumed = learning_rate, config.resume and is_first
        self._place = folder / checkpoint.FOLDER / _RATE
        if self._is_resumed and self._place.exists():
            self.learning_rate = float(self._place.read_text())
        self._is_first = is_first

    def rate_of(self, model: Any) -> float:
        """The rate that the model was trained with, before any schedule."""
        return float(
            model.range_test.chosen if model.range_test else self.learning_rate
        )

    def fit(self, model: Any, data: Data, features: dict[str, np.ndarray]) -> Training:
        """Fits the network.

        Args:
            model: the network, not yet fitted.
            data: the data set.
            features: the preprocessed rows of its parts.

        Raises:
            DivergenceError: if it diverges.
        """
        config = self._config
        x, y = features["train"], data.train.target
        options: dict[str, Any] = {}
        course, stopper = Course(*sample(x, y, config.seed)), None
        if data.validation:
            held_out = features["validation"], data.validation.target
            options["validation_data"] = held_out
            if config.patience:
                stopper = EarlyStopping(config.patience)
        if config.class_weight != "none":
            options["class_weight"] = config.class_weight
        logs = session.tensorboard(self._folder, resumes=self._is_resumed)
        companions: list[Any] = [course, *([stopper] if stopper else [])]
        model.fit(
            x,
            y,
            batch_size=config.batch_size,
            epochs=config.epochs,
            callbacks=[logs, *companions, self._checkpoint(companions)],
            verbose=session.verbosity(),
            **options,
        )
        # The model's own tells of the epochs since the run was resumed, if it was.
        model.certificate |= {"best_epoch": course.best_epoch + 1}
        return Training(
            model, course, stopper is not None, self.rate_of(model), model.range_test
        )

    def _checkpoint(self, companions: list[Any]) -> checkpoint.Checkpoint:
        config = dataclasses.replace(self._config, resume=self._is_resumed)
        made = checkpoint.create(config, self._folder, companions)
        if not self._is_first:
            self._place.write_text(repr(self.learning_rate))
        return made


def hold_out(config: Config, data: Data) -> Data:
    """Takes the validation rows out of the training rows.

    Args:
        config: the settings.
        data: the data set.

    Returns:
        The data set with the training rows that are left, and the validation rows
        apart, chosen at random, of every class its share; none where none were asked
        for.

    Raises:
        InputError: there are too few rows.
    """
    fraction, rows = config.validation_fraction, data.train
    if not fraction:
        return data
    how = fraction, config.seed, "validation_fraction"
    if data.description.task == "classification":
        kept, held_out = split.split_stratified(rows.target, *how)
    else:
        kept, held_out = split.split(len(rows.target), *how)
    train, validation = (
        Examples(rows.features[part], rows.target[part]) for part in (kept, held_out)
    )
    data = dataclasses.replace(data, train=train, validation=validation)
    return data.with_notes(
        f"{len(held_out):,} of {len(rows.target):,} training rows held out for "
        "validation"
    )
