"""The state of a training, saved as it progresses, so that a killed run can resume."""

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
from recipes.pipeline.run.atomic_files import write_atomically, write_text

FOLDER = "backup"  # in the run's folder


class StatefulCallback(Protocol):
    """A callback with a state of its own, to be saved with the model's."""

    def state(self) -> dict[str, Any]:
        """Return the state by name, in values that `numpy.savez` can store."""

    def restore_state(self, state: Mapping[str, Any]) -> None:
        """Restore a state that `state` returned, read back as NumPy arrays."""


class Checkpoint(keras.callbacks.Callback):
    """Saves the model's state in a folder, so that a killed run can resume.

    It differs from `keras.callbacks.BackupAndRestore` in three ways. A process that is
    killed while writing leaves the previous state intact. It writes at most once a
    second, as an epoch can be shorter than that. The file is not HDF5, which crashes
    the process when the disk is full.

    Args:
        folder: where to save the state, in a file `EPOCHS.npz`.
        restore: whether to start from the state in the folder.
        callbacks: callbacks whose state is saved with the model's. They must precede
            this one in the list of callbacks.
    """

    def __init__(
        self,
        folder: Path,
        *,
        restore: bool,
        callbacks: Sequence[StatefulCallback] = (),
    ) -> None:
        super().__init__()
        self._folder = folder
        self._restore = restore
        self._callbacks = callbacks
        self._due = 0.0

    def on_train_begin(self, logs: Any = None) -> None:
        """Restore the saved state; the model must be built."""
        path = latest_state(self._folder)
        if self._restore and path:
            with np.load(path) as saved:
                for number, variable in enumerate(self._variables()):
                    variable.assign(saved[f"arr_{number}"])
                for number, callback in enumerate(self._callbacks):
                    prefix = f"{number}_"
                    callback.restore_state(
                        {
                            name.removeprefix(prefix): saved[name]
                            for name in saved.files
                            if name.startswith(prefix)
                        }
                    )
            # What Keras's own callback sets.
            self.model._initial_epoch = _epochs_in(path)
        self._restore = False  # a second `fit` continues from the first

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Save the state, unless it was saved less than a second ago."""
        if time.monotonic() < self._due or self.model.stop_training:
            return
        last = latest_state(self._folder)
        path = self._folder / f"{epoch + 1}.npz"
        states = {
            f"{number}_{name}": value
            for number, callback in enumerate(self._callbacks)
            for name, value in callback.state().items()
        }
        variables = (each.numpy() for each in self._variables())
        with write_atomically(path, "the backup") as temporary:
            np.savez(temporary, *variables, **states)
        if last and last != path:
            last.unlink()
        self._due = time.monotonic() + 1

    def on_train_end(self, logs: Any = None) -> None:
        """Remove the folder: the training is complete."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _variables(self) -> list[Any]:
        optimizer = self.model.optimizer
        if optimizer is None:
            return list(self.model.variables)
        if not optimizer.built:
            optimizer.build(self.model.trainable_variables)
        return [*self.model.variables, *optimizer.variables]


def latest_state(folder: Path) -> Path | None:
    """Return the file of the most recent state in a folder, if there is one."""
    return max(folder.glob("[0-9]*.npz"), key=_epochs_in, default=None)


def _epochs_in(state: Path) -> int:
    return int(state.stem)


def create(
    config: DataConfig, folder: Path, callbacks: Sequence[StatefulCallback] = ()
) -> Checkpoint:
    """Return the callback that saves a run's state, for `--resume` if it is killed.

    Args:
        config: the run's settings.
        folder: the run's folder.
        callbacks: callbacks before it whose state is to be saved too.

    Raises:
        InputError: with `--resume`, if the backup in the folder was made with other
            settings.
    """
    place = folder / FOLDER
    settings = place / "flags.txt"
    text = flags.flags_text(config)
    if config.resume and settings.exists():
        saved = settings.read_text(encoding="utf-8").splitlines()
        other = sorted(set(saved) ^ set(text.splitlines()))
        if other:
            raise InputError(
                f"--resume: the backup in {str(place)!r} was made with other settings "
                f"({other[0]}); give the same flags, or omit --resume"
            )
    elif place.exists():
        shutil.rmtree(place)
    if config.resume and not latest_state(place):
        print(f"no backup in {folder}: starting from the beginning")
    write_text(settings, text)
    return Checkpoint(place, restore=config.resume, callbacks=callbacks)
