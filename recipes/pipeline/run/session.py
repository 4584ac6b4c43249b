"""A run's folder, timing and record: all that does not depend on the learner."""

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
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from recipes import interrupts
from recipes.errors import DivergenceError, InputError
from recipes.pipeline import report
from recipes.pipeline.cli import flags
from recipes.pipeline.cli.config import DataConfig
from recipes.pipeline.datasets import Data, Description
from recipes.pipeline.run import atomic_files, checkpoint, export

LOGS = "logs"


@dataclass(frozen=True)
class Run:
    """The result of a recipe's `train_and_evaluate`.

    Attributes:
        model: the trained learner, on preprocessed features.
        serving_model: from raw inputs to predictions.
        metrics: as written to `metrics.json`.
        out_dir: the folder that holds the run's files.
        data: the data that the learner was trained and tested on.
        predictions: for the training and for the test rows: `[n, 1]` each, or for
            classes `evaluation.Decisions`.
    """

    model: keras.Model
    serving_model: keras.Model
    metrics: dict[str, Any]
    out_dir: Path
    data: Data
    predictions: tuple[Any, Any]


class Session:
    """A run in progress: its settings, its folder and the time its stages take.

    It sets the random seed, so that runs with the same seed give the same numbers.

    Args:
        recipe: the recipe's name.
        config: the run's settings.

    Attributes:
        folder: the run's folder, once it is open.
        seconds: the time of each stage so far, by name.
    """

    def __init__(self, recipe: str, config: DataConfig) -> None:
        keras.utils.set_random_seed(config.seed)
        self._recipe, self._config = recipe, config
        self.folder = Path(config.out_dir)
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the block."""
        start = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - start, 4)

    def open_folder(self, description: Description) -> None:
        """Create the run's folder and check that it is writable.

        Args:
            description: of the data set, whose name is part of the default folder.

        Raises:
            InputError: if the folder cannot be created or written to.
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

    @contextlib.contextmanager
    def training(self, *, has_checkpoints: bool = False) -> Iterator[None]:
        """Train in the block, and clean up if it is interrupted or fails.

        A checkpoint is kept for `--resume`, unless the training diverged: resumed, it
        would diverge again. Without a checkpoint nothing of the training is kept.

        Args:
            has_checkpoints: whether the recipe saves checkpoints.

        Raises:
            KeyboardInterrupt: after Ctrl-C; its message says what is kept.
        """
        try:
            with interrupts.as_keyboard_interrupt():
                yield
        except (Exception, KeyboardInterrupt) as error:
            state = checkpoint.latest_state(self.folder / checkpoint.FOLDER)
            is_kept = bool(has_checkpoints and state)
            if not is_kept or isinstance(error, DivergenceError):
                self._discard()
            if not isinstance(error, KeyboardInterrupt):
                raise
            if is_kept:
                raise KeyboardInterrupt(
                    f"the backup in {self.folder} is kept; the same command with "
                    "--resume goes on from there"
                ) from None
            end = "first backup" if has_checkpoints else "training was done"
            raise KeyboardInterrupt(
                f"before the {end}; nothing is kept in {self.folder}"
            ) from None

    def _discard(self) -> None:
        """Remove what the training has left in the run's folder."""
        for name in (checkpoint.FOLDER, LOGS):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        with contextlib.suppress(OSError):  # it holds files of an earlier run
            self.folder.rmdir()

    def finish(
        self,
        model: keras.Model,
        serving: Any,
        data: Data,
        predictions: Mapping[str, Any],
        contents: Mapping[str, Any],
        page: Callable[[Run, list[str]], report.Page],
    ) -> Run:
        """Export the model, write the metrics and the report, and print a summary.

        Args:
            model: the trained learner, on preprocessed features.
            serving: from raw inputs to predictions.
            data: the data that the learner was trained and tested on.
            predictions: for the rows of each part, at least `train` and `test`.
            contents: the scores of each part and of the `baseline`, the `certificate`,
                and what else the recipe records.
            page: builds the report's page from the run and the words of the command
                that reproduces it.

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
        metrics = build_metrics(self._recipe, data, contents, self.seconds)
        both = predictions["train"], predictions["test"]
        run = Run(model, serving, metrics, folder, data, both)
        if config.report:
            with self.stage("report"):
                html = report.render(page(run, flags.command(config, self._recipe)))
                atomic_files.write_text(
                    folder / "report.html",
                    html,
                    "the report",
                    # The command may hold a path that is not valid Unicode.
                    errors="backslashreplace",
                )
        _write_record(run, config)
        print("\n".join(_summarise(run, config)))
        return run


def tensorboard(
    folder: Path, *, resumes: bool = False, **options: Any
) -> keras.callbacks.Callback:
    """Return the callback that logs a training for TensorBoard.

    Args:
        folder: the run's folder.
        resumes: whether to add to the logs of an earlier training.
        **options: of Keras's `TensorBoard`.
    """
    logs = folder / LOGS
    if not resumes:
        shutil.rmtree(logs, ignore_errors=True)
    return keras.callbacks.TensorBoard(str(logs), write_graph=False, **options)


def build_metrics(
    recipe: str,
    data: Data,
    contents: Mapping[str, Any],
    seconds: dict[str, float],
) -> dict[str, Any]:
    """Return the content of `metrics.json`.

    Args:
        recipe: the recipe's name.
        data: the data that the learner was trained and tested on.
        contents: scores under `train`, `test` and `baseline`, the `certificate`, and
            what else the recipe records.
        seconds: the time of each stage. The same dict is put into the metrics, so that
            they include later stages.
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
        **contents,
        "seconds": seconds,
        "peak_memory_bytes": _peak_memory_bytes(),
        "versions": {
            "python": platform.python_version(),
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            "recipes": _version(),
        },
    }


def _version() -> str:
    """Return the project's version, also in a checkout that is not installed."""
    try:
        return importlib.metadata.version("descent-recipes")
    except importlib.metadata.PackageNotFoundError:
        project = Path(__file__).parents[3] / "pyproject.toml"
        return tomllib.loads(project.read_text("utf-8"))["project"]["version"]


def _write_record(run: Run, config: DataConfig) -> None:
    metrics = _replace_nan(run.metrics)
    text = json.dumps(metrics, indent=2, ensure_ascii=False, allow_nan=False)
    atomic_files.write_text(run.out_dir / "metrics.json", text + "\n")
    atomic_files.write_text(run.out_dir / "flags.txt", flags.flags_text(config))


def _summarise(run: Run, config: DataConfig) -> Iterator[str]:
    yield from run.data.description.notes
    yield _format_numbers("test", run.metrics["test"])
    yield _format_numbers("certificate", run.metrics["certificate"])
    if config.report:
        yield f"report: {run.out_dir / 'report.html'}"
    if config.export:
        yield f"SavedModel: {newest_export(run.out_dir)}"


def newest_export(folder: Path) -> Path:
    """Return the SavedModel that was written last to a run's folder."""
    versions = (p for p in (folder / "export").iterdir() if p.name.isdecimal())
    return max(versions, key=lambda version: int(version.name))


def _format_numbers(title: str, numbers: Mapping[str, Any]) -> str:
    words = (
        f"{name}={value:.6g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in numbers.items()
        if value is not None and " " not in str(value)  # sentences are for the report
    )
    return f"{title}: {' '.join(words)}"


def _replace_nan(value: Any) -> Any:
    """Return the value with None in place of numbers that JSON cannot represent."""
    if isinstance(value, Mapping):
        return {key: _replace_nan(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_replace_nan(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def verbosity() -> int:
    """Return Keras's `verbose`: a progress bar on a terminal, plain lines elsewhere."""
    return 1 if sys.stdout.isatty() else 2


def _peak_memory_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
