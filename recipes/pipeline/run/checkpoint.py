"""The backup of a training, during it and after it, so that a killed run can resume."""

import json
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Protocol

import keras
import numpy as np

from recipes import interrupts
from recipes.errors import ConvergenceWarning, DivergenceError, InputError
from recipes.pipeline.run.atomic_files import (
    errors_as_input_errors,
    write_atomically,
    write_text,
)
from recipes.pipeline.run.export import save_keras
from recipes.pipeline.run.folder import STATES, TRAINED, RunFolder, reading_backup


class StatefulCallback(Protocol):
    """A callback with a state of its own, to be saved with the model's."""

    def state(self) -> dict[str, Any]:
        """Return the state by name, in values that `numpy.savez` can store."""

    def restore_state(self, state: Mapping[str, Any]) -> None:
        """Restore a state that `state` returned, read back as NumPy arrays."""


class Checkpoint(keras.callbacks.Callback):
    """Saves the model's state as it is trained, so that a killed run can resume.

    It differs from `keras.callbacks.BackupAndRestore` in three ways. A process that is
    killed while writing leaves the previous state intact. It writes at most once a
    second, as an epoch can be shorter than that. The file is not HDF5, which crashes
    the process when the disk is full.

    Args:
        backup: The folder to save the state in, in a file `EPOCHS.npz`.
        restore: Whether to start from the state in the folder. Otherwise what is there
            is removed.
        callbacks: Callbacks whose state is saved with the model's. They must precede
            this one in the list of callbacks.
    """

    def __init__(
        self,
        backup: Path,
        *,
        restore: bool,
        callbacks: Sequence[StatefulCallback] = (),
    ) -> None:
        super().__init__()
        self._backup = backup
        self._restore = restore
        self._callbacks = callbacks
        self._due = 0.0
        if not restore:
            for state in _list_states(backup):
                state.unlink()

    def on_train_begin(self, logs: Any = None) -> None:
        """Restore the saved state; the model must be built.

        Raises:
            InputError: If it cannot be read, or is that of another model.
        """
        path = max(_list_states(self._backup), key=_epochs_in, default=None)
        if self._restore and path:
            with reading_backup(path):
                self._read(path)
                # What Keras's own callback sets.
                self.model._initial_epoch = _epochs_in(path)
        self._restore = False  # a second `fit` continues from the first

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Save the state, unless it was saved less than a second ago.

        Raises:
            InputError: If the disk is full or the folder cannot be written to.
            KeyboardInterrupt: If Ctrl-C was pressed, and C++ code has swallowed it.
        """
        interrupts.check()
        if time.monotonic() < self._due or self.model.stop_training:
            return
        earlier = _list_states(self._backup)
        path = self._backup / f"{epoch + 1}.npz"
        states = {
            f"{number}_{name}": value
            for number, callback in enumerate(self._callbacks)
            for name, value in callback.state().items()
        }
        variables = (each.numpy() for each in self._variables())
        with errors_as_input_errors("the backup", path):
            with write_atomically(path) as temporary:
                np.savez(temporary, *variables, **states)
            for state in earlier:
                if state != path:
                    state.unlink()
        self._due = time.monotonic() + 1

    def _read(self, path: Path) -> None:
        # NumPy leaves a damaged file open if it has opened it itself.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as saved:
            values = {name: saved[name] for name in saved.files}
        variables = self._variables()
        for number, variable in enumerate(variables):
            value = values[f"arr_{number}"]
            if (value.shape, value.dtype) != (variable.shape, np.dtype(variable.dtype)):
                raise ValueError(f"{variable.path} is {variable.shape}: {value.shape}")
        for number, variable in enumerate(variables):
            variable.assign(values[f"arr_{number}"])
        for number, callback in enumerate(self._callbacks):
            prefix = f"{number}_"
            callback.restore_state(
                {
                    name.removeprefix(prefix): value
                    for name, value in values.items()
                    if name.startswith(prefix)
                }
            )

    def _variables(self) -> list[Any]:
        optimizer = self.model.optimizer
        if optimizer is None:
            return list(self.model.variables)
        if not optimizer.built:
            optimizer.build(self.model.trainable_variables)
        return [*self.model.variables, *optimizer.variables]


def _list_states(backup: Path) -> list[Path]:
    return list(backup.glob(STATES))


def _epochs_in(state: Path) -> int:
    return int(state.stem)


@dataclass(frozen=True)
class Trained:
    """A trained model.

    Attributes:
        model: The model.
        record: What else the run needs of the training, in values that JSON can hold.
        warnings: What was said of the convergence.
        seconds: The time that an earlier process took to train it, 0 if it was this.
    """

    model: keras.Model
    record: dict[str, Any]
    warnings: list[str]
    seconds: float = 0.0


def train_once(
    folder: RunFolder, train: Callable[[], tuple[keras.Model, dict[str, Any]]]
) -> Trained:
    """Train a model and save it, or load the one that a killed run has saved.

    Args:
        folder: The run's folder.
        train: Returns the trained model and its record.

    Raises:
        InputError: If the backup cannot be written or read.
    """
    rest_file = folder.backup / TRAINED
    model_file = rest_file.with_suffix(".keras")
    if rest_file.exists():
        print("the model is trained already: loading it from the backup", flush=True)
        with reading_backup(rest_file):
            rest = json.loads(rest_file.read_text(encoding="utf-8"))
            names = {field.name for field in fields(Trained)} - {"model"}
            rest = {name: rest[name] for name in names}
        with reading_backup(model_file):
            trained = Trained(keras.saving.load_model(model_file), **rest)
    else:
        start = time.perf_counter()
        with errors_as_input_errors("the run's files", folder.path):
            trained = _train(folder, train)
        _save(trained, time.perf_counter() - start, model_file, rest_file)
    for message in trained.warnings:
        warnings.warn(message, ConvergenceWarning, stacklevel=2)
    return trained


def _train(
    folder: RunFolder, train: Callable[[], tuple[keras.Model, dict[str, Any]]]
) -> Trained:
    """Train, and hold back what is said of the convergence."""
    held: list[warnings.WarningMessage] = []
    try:
        with warnings.catch_warnings(record=True) as held:
            warnings.simplefilter("always", ConvergenceWarning)
            model, record = train()
    except DivergenceError:  # resumed, it would diverge again
        folder.clear_backup()
        raise
    finally:
        for each in held:
            if not issubclass(each.category, ConvergenceWarning):
                warnings.warn_explicit(
                    each.message, each.category, each.filename, each.lineno
                )
    messages = [
        str(each.message)
        for each in held
        if issubclass(each.category, ConvergenceWarning)
    ]
    return Trained(model, record, messages)


def _save(trained: Trained, seconds: float, model_file: Path, rest_file: Path) -> None:
    """Save a trained model; if the disk is full, the run may end without a backup."""
    rest = {"record": trained.record, "warnings": trained.warnings, "seconds": seconds}
    try:
        with errors_as_input_errors("the backup", model_file):
            with write_atomically(model_file) as temporary:
                save_keras(trained.model, temporary)
            # With this file the backup counts: it is written last.
            write_text(rest_file, json.dumps(rest))
    except InputError as error:
        warnings.warn(f"{error}; the run goes on without", stacklevel=2)
