"""A run's folder, timing and record: all that does not depend on the learner."""

import contextlib
import dataclasses
import shutil
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import scipy.sparse

from recipes import interrupts
from recipes.errors import InputError
from recipes.pipeline import bootstrap, report
from recipes.pipeline.cli import flags
from recipes.pipeline.cli.config import DataConfig
from recipes.pipeline.datasets import Data, columns_file
from recipes.pipeline.datasets.columns_file import ColumnsFile, columns_text
from recipes.pipeline.datasets.training_distribution import describe_training
from recipes.pipeline.run import checkpoint, export
from recipes.pipeline.run.folder import RunFolder, check_path, newest_export
from recipes.pipeline.run.metrics import build_metrics, metrics_text, summarise
from recipes.pipeline.verdict import beats_baseline, describe_failure

CHUNK_ROWS = 8192  # of which a copy may be made
# The flags that a run may be resumed with other values of.
OF_FILES = ("--out_dir=", "--report=", "--export=")


@dataclass(frozen=True)
class Run:
    """The result of a recipe's `train_and_evaluate`.

    Attributes:
        model: The trained learner, on preprocessed features.
        serving_model: From raw inputs to predictions.
        metrics: As written to `metrics.json`.
        out_dir: The folder that holds the run's files.
        data: The data that the learner was trained and tested on.
        predictions: For the training and for the test rows: `[n, 1]` each, or for
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
        recipe: The recipe's name.
        config: The run's settings.

    Attributes:
        folder: The run's folder, once it is open.
        seconds: The time of each stage so far, by name.

    Raises:
        InputError: If no folder can have the name that the settings give it.
    """

    def __init__(self, recipe: str, config: DataConfig) -> None:
        keras.utils.set_random_seed(config.seed)
        check_path(config.out_dir)
        self._recipe, self._config = recipe, config
        self.folder = RunFolder(Path(config.out_dir), recipe)
        self.seconds: dict[str, float] = {}

    def __enter__(self) -> "Session":
        """Begin the run."""
        return self

    def __exit__(self, kind: Any, error: BaseException | None, _: Any) -> None:
        """Keep what the run can be resumed from if it ends early, and say so.

        Raises:
            KeyboardInterrupt: After Ctrl-C; its message says what is kept.
            InputError: As in the block, with what is kept.
        """
        try:
            kept = self._close(is_done=error is None)
        finally:
            self.folder.release()
        if isinstance(error, KeyboardInterrupt) or (error and interrupts.has_come()):
            raise KeyboardInterrupt(kept or "nothing of this run is kept") from None
        if error and kept:
            if isinstance(error, InputError):
                raise InputError(f"{error}; {kept}") from error
            error.add_note(kept)

    def _close(self, *, is_done: bool) -> str:
        """Leave nothing unfinished but a backup; return what is to be said of it."""
        folder = self.folder
        if not folder.is_locked:
            return ""
        kept = folder.describe_kept()
        is_needed = folder.has_backup or folder.is_committed
        if is_done or folder.is_complete or not is_needed:
            folder.discard()
        return kept

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the block."""
        start = time.perf_counter()
        yield
        interrupts.check()
        seconds = self.seconds.get(name, 0.0) + time.perf_counter() - start
        self.seconds[name] = round(seconds, 4)

    def open_folder(self, data: Data) -> None:
        """Take the run's folder, and create it if necessary.

        Args:
            data: The data set, whose name is part of the default folder.

        Raises:
            InputError: As of `RunFolder.open`.
        """
        config = self._config
        default = Path("runs", self._recipe, data.description.name)
        self.folder = RunFolder(Path(config.out_dir or default), self._recipe)
        check_path(str(self.folder.path))
        settings = [
            line
            for line in flags.flags_text(config).splitlines()
            if not line.startswith(OF_FILES)
        ]
        self.folder.open(settings, fingerprint(data), resume=config.resume)

    def train(
        self, train: Callable[[], tuple[keras.Model, dict[str, Any]]]
    ) -> tuple[keras.Model, dict[str, Any]]:
        """Train a model, or load it if a killed run has trained it.

        Args:
            train: As of `checkpoint.train_once`.

        Returns:
            The model and the record of its training.
        """
        trained = checkpoint.train_once(self.folder, train)
        self.seconds["fit"] = trained.seconds
        return trained.model, trained.record

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
            model: The trained learner, on preprocessed features.
            serving: From raw inputs to predictions.
            data: The data that the learner was trained and tested on.
            predictions: For the rows of each part, at least `train` and `test`.
            contents: The scores of each part and of the `baseline`, the `certificate`,
                and what else the recipe records.
            page: Builds the report's page from the run and the words of the command
                that reproduces it.

        Returns:
            The run.

        Raises:
            InputError: If a file cannot be written.
        """
        config, folder = self._config, self.folder
        about = data.description
        if not about.weights:  # resamples count each row once
            with self.stage("evaluate"):
                intervals = bootstrap.score_intervals(
                    about.task, data.test.target, predictions["test"]
                )
            contents = {**contents, "test_interval": intervals}
        both = predictions["train"], predictions["test"]
        if not beats_baseline(data, both[1]):
            contents = {**contents, "warning": describe_failure(data)}
        if log := data.description.target_log:
            certificate = {**contents["certificate"], "target_scale": log}
            contents = {**contents, "certificate": certificate}
        if threshold := data.description.threshold:
            known = {k: v for k, v in dataclasses.asdict(threshold).items() if v != ""}
            contents = {**contents, "threshold": known}
        metrics = build_metrics(self._recipe, folder.run, data, contents, self.seconds)
        run = Run(model, serving, metrics, folder.path, data, both)
        if not folder.is_complete:
            if config.export:
                with self.stage("export"):
                    self._export(run)
            if config.report:
                with self.stage("report"):
                    words = flags.command(config, self._recipe)
                    self._write("report.html", report.render(page(run, words)))
            if about.tabular:
                content = ColumnsFile(
                    about.columns, about.target, *describe_training(data), about.layout
                )
                self._write(columns_file.NAME, columns_text(content))
            self._write("metrics.json", metrics_text(metrics))
            self._write("flags.txt", flags.flags_text(config), "surrogateescape")
            folder.finish()
        self._print_summary(run)
        return run

    def _print_summary(self, run: Run) -> None:
        about = run.data.description
        lines = [f"columns: {about.kinds}", *about.notes, *summarise(run.metrics)]
        files = self.folder.files
        if "report.html" in files:
            lines.append(f"report: {run.out_dir / 'report.html'}")
        if "model.keras" in files:
            lines.append(f"SavedModel: {newest_export(run.out_dir)}")
        if "warning" in run.metrics:  # the last line is the one that is read
            lines.append(f"warning: {run.metrics['warning']}")
        print("\n".join(lines))

    def _export(self, run: Run) -> None:
        with self.folder.writing("model.keras", "the model") as path:
            export.save_keras(run.serving_model, path)
        outputs = export.outputs(run.data.description)
        with self.folder.writing(self.folder.next_version(), "the SavedModel") as path:
            export.save_model(run.serving_model, path, outputs)

    def _write(self, name: str, text: str, errors: str = "backslashreplace") -> None:
        # The name of the data may not be valid Unicode; JSON has the same escapes.
        with self.folder.writing(name, name) as path:
            path.write_text(text, encoding="utf-8", errors=errors)


def tensorboard(
    folder: RunFolder, *, resumes: bool, **options: Any
) -> keras.callbacks.Callback:
    """Return the callback that logs a training for TensorBoard.

    Args:
        folder: The run's folder.
        resumes: Whether to add to the logs of an earlier training.
        **options: Of Keras's `TensorBoard`.
    """
    if not resumes:
        shutil.rmtree(folder.logs, ignore_errors=True)
    return keras.callbacks.TensorBoard(str(folder.logs), write_graph=False, **options)


def verbosity() -> int:
    """Return Keras's `verbose`: a progress bar on a terminal, plain lines elsewhere."""
    return 1 if sys.stdout.isatty() else 2


def fingerprint(data: Data) -> str:
    """Return a checksum of rows and names, which tells whether they have changed."""
    about = data.description
    texts = [column.texts for column in about.columns]
    names = repr((about.columns, texts, about.target, about.task))
    checksum = zlib.crc32(names.encode())
    for rows in data.parts.values():
        features = rows.features
        arrays = (
            (features.data, features.indices, features.indptr)
            if scipy.sparse.issparse(features)
            else (features,)
        )
        weight = () if rows.weight is None else (rows.weight,)
        for array in (*arrays, rows.target, *weight):
            checksum = zlib.crc32(f"{array.shape} {array.dtype}".encode(), checksum)
            for start in range(0, len(array), CHUNK_ROWS):
                chunk = np.ascontiguousarray(array[start : start + CHUNK_ROWS])
                checksum = zlib.crc32(chunk.data, checksum)
    return f"{checksum:08x}"
