"""A run's folder, its clock and its record: what is the same whatever was trained."""

import contextlib
import importlib.metadata
import json
import math
import os
import platform
import resource
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import keras
import numpy as np
import tensorflow as tf

from recipes.pipeline import export, flags
from recipes.pipeline.config import DataConfig
from recipes.pipeline.datasets import Data, Description
from recipes.pipeline.errors import InputError

BACKUP = "backup"
LOGS = "logs"


@dataclass(frozen=True)
class Run:
    """What a recipe's `train_and_evaluate` gives back.

    Attributes:
        model: the trained learner, on preprocessed features.
        serving_model: from raw inputs to predictions.
        metrics: as written to `metrics.json`.
        out_dir: the folder that holds the run's files.
        data: what it was trained and tested on.
        predictions: of the training and of the test rows: `[n, 1]` each, or of
            classes `evaluation.Decisions`.
    """

    model: keras.Model
    serving_model: keras.Model
    metrics: dict[str, Any]
    out_dir: Path
    data: Data
    predictions: tuple[Any, Any]


class Stopwatch:
    """Seconds of each stage of a run, by name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Times the block under it as `stage`."""
        start = time.perf_counter()
        yield
        self.seconds[stage] = round(time.perf_counter() - start, 4)


def open_folder(config: DataConfig, recipe: str, description: Description) -> Path:
    """Makes the run's folder and checks that files can be written there.

    Args:
        config: the run's settings.
        recipe: the recipe's name, for the default folder.
        description: the data set's, likewise.

    Raises:
        InputError: if the folder cannot be made or written.
    """
    folder = Path(config.out_dir or Path("runs", recipe, description.name))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InputError(
            f"--out_dir: cannot write in {str(folder)!r} ({error.strerror}); "
            "name a folder that you may write to"
        ) from None
    return folder


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
        with export.whole_file(path, "the backup") as temporary:
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


def backup(
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
    place = folder / BACKUP
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
    _write_text(settings, text)
    return callback


def interrupted(folder: Path, callback: Backup | None = None) -> KeyboardInterrupt:
    """Makes the interrupt that says what a stopped training has kept in `folder`.

    Args:
        folder: the run's folder.
        callback: what keeps the model's state, where the recipe has one.
    """
    if callback and callback.newest():
        return KeyboardInterrupt(
            f"the backup in {folder} is kept; the same command with --resume goes on "
            "from there"
        )
    discard(folder)
    when = "before the first backup" if callback else "before the training was done"
    return KeyboardInterrupt(f"{when}; nothing is kept in {folder}")


def discard(folder: Path) -> None:
    """Removes what a training that came to nothing has left in the run's folder."""
    for name in (BACKUP, LOGS):
        shutil.rmtree(folder / name, ignore_errors=True)
    with contextlib.suppress(OSError):  # an earlier run's files are in it
        folder.rmdir()


def record(
    recipe: str,
    data: Data,
    parts: Mapping[str, Any],
    seconds: dict[str, float],
) -> dict[str, Any]:
    """The content of `metrics.json`.

    Args:
        recipe: the recipe's name.
        data: what it was trained and tested on.
        parts: scores under `train`, `test` and `baseline`, the `certificate`, and what
            else the recipe tells.
        seconds: of each stage; the same dict, so that stages to come are in it too.
    """
    description = data.description
    return {
        "recipe": recipe,
        "dataset": {
            "name": description.name,
            "train_rows": len(data.train.target),
            "test_rows": len(data.test.target),
            "features": len(description.columns),
            "classes": list(description.target.levels),
        },
        **parts,
        "seconds": seconds,
        "peak_memory_bytes": _peak_memory_bytes(),
        "versions": {
            "python": platform.python_version(),
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            "recipes": importlib.metadata.version("descent-recipes"),
        },
    }


def finish(run: Run, config: DataConfig) -> None:
    """Writes `metrics.json` and `flags.txt`, prints the outcome."""
    known = _without_nan(run.metrics)
    text = json.dumps(known, indent=2, ensure_ascii=False, allow_nan=False)
    _write_text(run.out_dir / "metrics.json", text + "\n")
    _write_text(run.out_dir / "flags.txt", flags.flags_text(config))
    print("\n".join(_summary(run, config)))


def _summary(run: Run, config: DataConfig) -> Iterator[str]:
    yield from run.data.description.notes
    yield _told("test", run.metrics["test"])
    yield _told("certificate", run.metrics["certificate"])
    if config.report:
        yield f"report: {run.out_dir / 'report.html'}"
    if config.export:
        yield f"SavedModel: {newest_export(run.out_dir)}"


def newest_export(folder: Path) -> Path:
    """The SavedModel that was written last into a run's folder."""
    versions = (p for p in (folder / "export").iterdir() if p.name.isdecimal())
    return max(versions, key=lambda version: int(version.name))


def _told(what: str, numbers: Mapping[str, Any]) -> str:
    words = (
        f"{name}={value:.6g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in numbers.items()
        if value is not None and " " not in str(value)  # sentences are for the report
    )
    return f"{what}: {' '.join(words)}"


def _without_nan(value: Any) -> Any:
    """The same with null for numbers that JSON cannot hold."""
    if isinstance(value, Mapping):
        return {key: _without_nan(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _write_text(path: Path, text: str) -> None:
    with export.whole_file(path, path.name) as temporary:
        temporary.write_text(text, encoding="utf-8")


def verbosity() -> int:
    """Keras's `verbose`: a bar on a terminal, plain lines elsewhere."""
    return 1 if sys.stdout.isatty() else 2


def _peak_memory_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
