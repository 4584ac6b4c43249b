"""The state of a training, kept while it goes on, so that a killed run can go on."""

import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import keras
import numpy as np

from recipes.errors import InputError
from recipes.pipeline.cli import flags
from recipes.pipeline.cli.config import DataConfig
from recipes.pipeline.run.atomic_files import whole_file, write_text

FOLDER = "backup"  # in that of the run


class Companion(Protocol):
    """A callback with a state of its own, to be kept with the model's."""

    def state(self) -> dict[str, Any]:
        """The state, by name: what `numpy.savez` can keep."""

    def restore_state(self, state: Mapping[str, Any]) -> None:
        """Takes up a state that `state` gave, as numpy arrays."""


class Backup(keras.callbacks.Callback):
    """Keeps the model's state in a folder, so that a killed run can go on.

    As `keras.callbacks.BackupAndRestore`, but killed while it writes it leaves the last
    state whole, and it writes once a second at most: an epoch can be shorter than that.
    The file is none of HDF5's, which crashes the process where the disk is full.

    Args:
        folder: where the state is kept, in a file `EPOCHS.npz`.
        restore: whether to begin with the state that is there.
        companions: callbacks whose state is kept with the model's. They stand before
            this one in the list of callbacks.
    """

    def __init__(
        self, folder: Path, *, restore: bool, companions: Sequence[Companion] = ()
    ) -> None:
        super().__init__()
        self._folder = folder
        self._restore = restore
        self._companions = companions
        self._due = 0.0

    def on_train_begin(self, logs: Any = None) -> None:
        """Takes up the state that was kept; the model must be built."""
        path = self.newest()
        if self._restore and path:
            with np.load(path) as kept:
                for number, variable in enumerate(self._variables()):
                    variable.assign(kept[f"arr_{number}"])
                for number, companion in enumerate(self._companions):
                    head = f"{number}_"
                    companion.restore_state(
                        {
                            name.removeprefix(head): kept[name]
                            for name in kept.files
                            if name.startswith(head)
                        }
                    )
            self.model._initial_epoch = _epochs(path)  # what Keras's callback sets
        self._restore = False  # a second `fit` goes on from the first

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Keeps the state, unless that was done less than a second ago."""
        if time.monotonic() < self._due or self.model.stop_training:
            return
        last, path = self.newest(), self._folder / f"{epoch + 1}.npz"
        states = {
            f"{number}_{name}": value
            for number, companion in enumerate(self._companions)
            for name, value in companion.state().items()
        }
        variables = (each.numpy() for each in self._variables())
        with whole_file(path, "the backup") as temporary:
            np.savez(temporary, *variables, **states)
        if last and last != path:
            last.unlink()
        self._due = time.monotonic() + 1

    def on_train_end(self, logs: Any = None) -> None:
        """Removes the folder: the training is done."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def newest(self) -> Path | None:
        """The state that was kept last, if one was."""
        return max(self._folder.glob("[0-9]*.npz"), key=_epochs, default=None)

    def _variables(self) -> list[Any]:
        optimizer = self.model.optimizer
        if optimizer is None:
            return list(self.model.variables)
        if not optimizer.built:
            optimizer.build(self.model.trainable_variables)
        return [*self.model.variables, *optimizer.variables]


def _epochs(state: Path) -> int:
    return int(state.stem)


def begin(
    config: DataConfig, folder: Path, companions: Sequence[Companion] = ()
) -> Backup:
    """The callback that keeps a run's state, for `--resume` after it was killed.

    Args:
        config: the run's settings.
        folder: the run's folder.
        companions: callbacks before it whose state is to be kept too.

    Raises:
        InputError: with `--resume`, if the backup there was made with other settings.
    """
    place = folder / FOLDER
    settings = place / "flags.txt"
    text = flags.flags_text(config)
    callback = Backup(place, restore=config.resume, companions=companions)
    if config.resume and settings.exists():
        kept = settings.read_text(encoding="utf-8").splitlines()
        other = sorted(set(kept) ^ set(text.splitlines()))
        if other:
            raise InputError(
                f"--resume: the backup in {str(place)!r} was made with other settings "
                f"({other[0]}); give the same flags, or leave --resume away"
            )
    elif place.exists():
        shutil.rmtree(place)
    if config.resume and not callback.newest():
        print(f"no backup in {folder}: starting from the beginning")
    write_text(settings, text)
    return callback
