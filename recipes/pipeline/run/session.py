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
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from recipes.errors import InputError
from recipes.pipeline import report
from recipes.pipeline.cli import flags
from recipes.pipeline.cli.config import DataConfig
from recipes.pipeline.datasets import Data, Description
from recipes.pipeline.run import atomic_files, checkpoint, export
from recipes.pipeline.run.checkpoint import Backup

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


class Session:
    """A run under way: its settings, its clock, its folder.

    It begins with the seed, so that the same one gives the same numbers.

    Args:
        recipe: the recipe's name.
        config: the run's settings.

    Attributes:
        folder: the run's, once it is open.
        seconds: of each stage so far, by name.
    """

    def __init__(self, recipe: str, config: DataConfig) -> None:
        keras.utils.set_random_seed(config.seed)
        self._recipe, self._config = recipe, config
        self.folder = Path(config.out_dir)
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Times the block under it."""
        start = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - start, 4)

    def open_folder(self, description: Description) -> None:
        """Makes the run's folder and checks that files can be written there.

        Args:
            description: of the data set, whose name is in the default folder's.

        Raises:
            InputError: if the folder cannot be made or written.
        """
        default = Path("runs", self._recipe, description.name)
        self.folder = folder = Path(self._config.out_dir or default)
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

    def finish(
        self,
        model: keras.Model,
        serving: Any,
        data: Data,
        answers: Mapping[str, Any],
        contents: Mapping[str, Any],
        page: Callable[[Run, list[str]], report.Page],
    ) -> Run:
        """Exports the model, records the numbers, reports and tells the outcome.

        Args:
            model: the trained learner, on preprocessed features.
            serving: from raw inputs to predictions.
            data: what it was trained and tested on.
            answers: what it makes of the rows of each part, `train` and `test` at
                least.
            contents: scores of each part and of the `baseline`, the `certificate`, and
                what else the recipe tells.
            page: makes the report's page of the run and of the words of the command
                that repeats it.

        Returns:
            The run.

        Raises:
            InputError: if a file cannot be written.
        """
        config, folder = self._config, self.folder
        if config.export:
            with self.stage("export"):
                outputs = export.outputs(data.description)
                export.save_keras(serving, folder / "model.keras")
                export.save_model(serving, folder / "export", outputs)
        metrics = record(self._recipe, data, contents, self.seconds)
        predictions = answers["train"], answers["test"]
        run = Run(model, serving, metrics, folder, data, predictions)
        if config.report:
            with self.stage("report"):
                html = report.render(page(run, flags.command(config, self._recipe)))
                place = folder / "report.html"
                with atomic_files.whole_file(place, "the report") as path:
                    # The command may hold a path that is not valid Unicode: escape it.
                    path.write_text(html, encoding="utf-8", errors="backslashreplace")
        _write(run, config)
        print("\n".join(_summary(run, config)))
        return run


def tensorboard(
    folder: Path, *, goes_on: bool = False, **options: Any
) -> keras.callbacks.Callback:
    """The callback that logs a training for TensorBoard.

    Args:
        folder: the run's folder.
        goes_on: whether it adds to what an earlier training logged there.
        **options: of Keras's `TensorBoard`.
    """
    logs = folder / LOGS
    if not goes_on:
        shutil.rmtree(logs, ignore_errors=True)
    return keras.callbacks.TensorBoard(str(logs), write_graph=False, **options)


def interrupted(folder: Path, kept: Backup | None = None) -> KeyboardInterrupt:
    """Makes the interrupt that says what a stopped training has kept in `folder`.

    Args:
        folder: the run's folder.
        kept: what keeps the model's state, where the recipe has one.
    """
    if kept and kept.newest():
        return KeyboardInterrupt(
            f"the backup in {folder} is kept; the same command with --resume goes on "
            "from there"
        )
    discard(folder)
    when = "before the first backup" if kept else "before the training was done"
    return KeyboardInterrupt(f"{when}; nothing is kept in {folder}")


def discard(folder: Path) -> None:
    """Removes what a training that came to nothing has left in the run's folder."""
    for name in (checkpoint.FOLDER, LOGS):
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


def _write(run: Run, config: DataConfig) -> None:
    known = _without_nan(run.metrics)
    text = json.dumps(known, indent=2, ensure_ascii=False, allow_nan=False)
    atomic_files.write_text(run.out_dir / "metrics.json", text + "\n")
    atomic_files.write_text(run.out_dir / "flags.txt", flags.flags_text(config))


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


def verbosity() -> int:
    """Keras's `verbose`: a bar on a terminal, plain lines elsewhere."""
    return 1 if sys.stdout.isatty() else 2


def _peak_memory_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
