"""The SavedModel that a run has exported, and what the run's folder says of it."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tensorflow as tf

from recipes.errors import InputError, quote
from recipes.pipeline.datasets.columns_file import NAME, ColumnsFile, read_columns
from recipes.pipeline.run import newest_export
from recipes.pipeline.run.folder import EXPORT, RECORD, read_record

_MODEL = "saved_model.pb"
_SIGNATURE = "serving_default"


@dataclass(frozen=True)
class Exported:
    """A SavedModel, ready to predict.

    Attributes:
        path: Its folder.
        inputs: The dtype of each input column, by name; empty if the input is a matrix.
        shape: Of a row, if the input is a matrix or images: (d,) or (h, w(, c)).
        dtype: Of the matrix.
        outputs: The width of each output, by name; 1 for those without a second axis.
    """

    path: Path
    inputs: Mapping[str, tf.DType]
    shape: tuple[int, ...]
    dtype: tf.DType
    outputs: Mapping[str, int]
    _module: Any = field(repr=False)

    def predict(self, inputs: Any) -> dict[str, Any]:
        """Return the outputs for some rows, as NumPy arrays [b, width] or [b].

        Args:
            inputs: A dict of columns [b], or a matrix [b, *shape].
        """
        answer = self._module.serve(inputs)
        return {name: value.numpy() for name, value in answer.items()}


@dataclass(frozen=True)
class Extras:
    """What a run's folder says of the model besides, as far as it does.

    Attributes:
        columns: The content of `columns.json`.
        metrics: The content of `metrics.json`; empty without it.
        notes: What is missing, and what is left out for it.
    """

    columns: ColumnsFile | None
    metrics: Mapping[str, Any]
    notes: tuple[str, ...] = ()

    @property
    def target(self) -> str:
        """The target column's name, "" if it is not known."""
        if self.columns:
            return self.columns.target.name
        return str(self.metrics.get("dataset", {}).get("target", ""))

    @property
    def classes(self) -> Sequence[str]:
        """The names of the classes, in the order of their indices, if known."""
        if self.columns:
            return self.columns.target.levels
        return [*map(str, self.metrics.get("dataset", {}).get("classes", ()))]


def find(run: str) -> tuple[Path, Path | None]:
    """Find the SavedModel that a user names.

    Args:
        run: A run's folder, or a SavedModel.

    Returns:
        The SavedModel's folder, and the run's if the SavedModel is its newest.

    Raises:
        InputError: There is none.
    """
    path = Path(run)
    if (path / _MODEL).is_file():
        folder = path.absolute().parent.parent
        name, place = path.absolute().name, path.absolute().parent.name
        is_version = place == EXPORT and name.isdecimal()
        is_newest = is_version and newest_export(folder).name == name
        return path, folder if is_newest else None
    if not path.is_dir():
        raise InputError(f"--run: there is no folder {quote(run)}")
    try:
        newest = newest_export(path)
    except ValueError:
        raise InputError(
            f"--run: {quote(run)} has no {EXPORT}/1; name the folder of a run that has "
            "exported its model, or a SavedModel"
        ) from None
    if not (newest / _MODEL).is_file():
        raise InputError(f"--run: {quote(newest)} is no SavedModel: it has no {_MODEL}")
    return newest, path


def load(path: Path) -> Exported:
    """Load a SavedModel.

    Raises:
        InputError: It is damaged, or has other inputs than a run's.
    """
    try:
        # TensorFlow warns of names that no Python parameter can have.
        logging.disable(logging.WARNING)
        module = tf.saved_model.load(str(path))
        signature = module.signatures[_SIGNATURE]
        specs = {
            spec.name: spec for spec in signature.structured_input_signature[1].values()
        }
        widths = {
            name: int(spec.shape[1]) if spec.shape.rank == 2 else 1
            for name, spec in signature.structured_outputs.items()
        }
        module.serve  # noqa: B018, whether it is there
    except Exception as error:  # of a dozen types
        raise InputError(
            f"--run: {path} cannot be loaded as a SavedModel of a run: "
            f"{str(error).splitlines()[0] if str(error) else type(error).__name__}"
        ) from error
    finally:
        logging.disable(logging.NOTSET)
    (first, *_) = specs.values()
    if first.shape.rank == 1:
        dtypes = {name: spec.dtype for name, spec in specs.items()}
        return Exported(path, dtypes, (), first.dtype, widths, module)
    shape = tuple(map(int, first.shape[1:]))
    return Exported(path, {}, shape, first.dtype, widths, module)


def read_extras(folder: Path | None, model: Exported) -> Extras:
    """Read what a run's folder says besides its SavedModel.

    Args:
        folder: The run's, if the SavedModel is its newest.
        model: The SavedModel.

    Raises:
        InputError: `columns.json` is there and damaged.
    """
    if folder is None or not _is_of_last_run(folder):
        why = f"{model.path} is not the model of the last run in its folder"
        return Extras(None, {}, (f"{why}: {_LEFT_OUT}",))
    columns, metrics, notes = None, _read_metrics(folder / "metrics.json"), []
    if (folder / NAME).is_file():
        columns = read_columns(folder / NAME)
        if why := _find_mismatch(columns, model, metrics):
            notes.append(f"{folder / NAME} {why}: ignored")
            columns = None
    if columns is None and model.inputs:
        notes.append(f"without {NAME}: no drift of the columns, no unseen_levels")
    if not metrics:
        notes.append("without metrics.json: no comparison with the run's test scores")
    return Extras(columns, metrics, tuple(notes))


def _find_mismatch(
    columns: ColumnsFile, model: Exported, metrics: Mapping[str, Any]
) -> str:
    """Return in what an edited `columns.json` is not the model's, "" if in nothing."""
    if {column.name for column in columns.columns} != set(model.inputs):
        return "names other columns than the model"
    for column in columns.columns:
        takes_texts = model.inputs[column.name] == tf.string
        if takes_texts != (column.kind != "numeric" or bool(column.format)):
            taken = "texts" if takes_texts else "numbers"
            return f"reads {quote(column.name)} otherwise than the model, as {taken}"
    levels = [*columns.target.levels]
    if metrics and metrics["dataset"].get("classes", levels) != levels:
        return "names other classes than metrics.json, or in another order"
    return ""


_LEFT_OUT = "no drift of the columns, no unseen_levels, no comparison of scores"


def _is_of_last_run(folder: Path) -> bool:
    """Return whether the newest SavedModel is the last run's, as far as is known."""
    try:
        record = read_record(folder / RECORD)
    except InputError:
        return True
    return record is None or "model.keras" in record.files


def _read_metrics(path: Path) -> Mapping[str, Any]:
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    is_record = isinstance(metrics, dict) and isinstance(metrics.get("dataset"), dict)
    return metrics if is_record else {}
