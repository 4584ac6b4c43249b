"""The way of some rows through the model: from a table's cells to lines of the output.

Each step is independent of the others, so they run on all cores at once.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import tensorflow as tf

from recipes.pipeline.datasets import Column
from recipes.pipeline.datasets.columns_file import ColumnsFile
from recipes.pipeline.datasets.training_distribution import count_bins
from recipes.predict.answers import answer_columns
from recipes.predict.cells import to_numbers, to_texts
from recipes.predict.drift import Counts
from recipes.predict.exported import Exported
from recipes.predict.plan import Plan
from recipes.predict.truth import encode_classes
from recipes.predict.writing import format_rows

STEP_ROWS = 8192


@dataclass(frozen=True)
class Scored:
    """What some rows have become.

    Attributes:
        rows: Their number.
        part: What the output's writer takes.
        outputs: What the model answers, by name.
        target: The truth, if it is there, as `Truth.add` takes it.
        others: Texts of classes that the model does not know.
        blank_rows: Rows with a needed cell that is blank.
        unseen_rows: Rows with a text that no level is.
        counts: Rows in each bin of a column, by name.
    """

    rows: int
    part: Any
    outputs: Mapping[str, Any]
    target: npt.NDArray[Any] | None
    others: set[str]
    blank_rows: int
    unseen_rows: int
    counts: Mapping[str, Counts]


def cut(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield rows in steps of limited size."""
    for batch in batches:
        for start in range(0, batch.num_rows, STEP_ROWS):
            yield batch.slice(start, STEP_ROWS)


@dataclass(frozen=True)
class Scorer:
    """Makes predictions for rows of a table.

    Attributes:
        model: The model.
        plan: Which columns are for what.
        columns: What is known of the columns; None if nothing is.
        classes: The names of the classes, if known.
        names: Those of the output's columns.
        as_text: Whether the output is a text.
    """

    model: Exported
    plan: Plan
    columns: ColumnsFile | None
    classes: Sequence[str]
    names: Sequence[str]
    as_text: bool
    _by_name: dict[str, Column] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Index the columns."""
        for column in self.columns.columns if self.columns else ():
            self._by_name[column.name] = column

    def __call__(self, batch: pa.RecordBatch) -> Scored:
        """Predict some rows.

        Raises:
            NotNumbersError: A cell of a column is no number.
        """
        counts: dict[str, Counts] = {}
        rows = batch.num_rows
        blanks, unseen = np.zeros(rows, np.int64), np.zeros(rows, np.int64)
        inputs: dict[str, Any] = {}
        for name in self.plan.numbers:
            values = to_numbers(name, batch[name], self.dtype_of(name))
            blanks += np.isnan(values)
            self._count_numbers(name, values, counts)
            inputs[name] = values
        for name in self.plan.texts:
            inputs[name] = self._read_texts(name, batch[name], blanks, unseen, counts)
        outputs = self.model.predict(self._as_tensors(inputs))
        target, others = self._read_target(batch)
        answers = answer_columns(outputs, blanks, unseen if self.columns else None)
        kept = [batch[name] for name in self.plan.kept]
        table = pa.RecordBatch.from_arrays([*kept, *answers], names=[*self.names])
        return Scored(
            rows,
            format_rows(table, as_text=self.as_text),
            outputs,
            target,
            others,
            int((blanks > 0).sum()),
            int((unseen > 0).sum()),
            counts,
        )

    def dtype_of(self, name: str) -> Any:
        """Return the dtype that the numbers of a column have to fit into."""
        if name == self.plan.target:
            return np.float64
        return self.model.inputs.get(name, self.model.dtype).as_numpy_dtype

    def _as_tensors(self, inputs: dict[str, Any]) -> Any:
        if self.model.inputs:
            return {name: tf.convert_to_tensor(value) for name, value in inputs.items()}
        matrix = np.stack([*inputs.values()], axis=1)
        return tf.convert_to_tensor(matrix.reshape(-1, *self.model.shape))

    def _count_numbers(
        self, name: str, values: npt.NDArray[Any], counts: dict[str, Counts]
    ) -> None:
        training = self.columns.training.get(name) if self.columns else None
        if training and training.deciles:
            counts[name] = count_bins(values, training.cuts)

    def _read_texts(
        self,
        name: str,
        cells: pa.Array,
        blanks: npt.NDArray[np.int64],
        unseen: npt.NDArray[np.int64],
        counts: dict[str, Counts],
    ) -> tf.Tensor:
        """Return a column for the model, and count what is peculiar in it."""
        column = self._by_name.get(name)
        levels = column.levels if column else ()
        texts = to_texts(cells, levels, column.na_values if column else ())
        blanks += texts.blank
        if texts.codes is not None:
            unseen += texts.codes > len(levels)
            if self.columns and name in self.columns.training:
                counts[name] = np.bincount(texts.codes, minlength=len(levels) + 2)
        return texts.tensor

    def _read_target(
        self, batch: pa.RecordBatch
    ) -> tuple[npt.NDArray[Any] | None, set[str]]:
        target = self.plan.target
        if not target:
            return None, set()
        if "prediction" in self.model.outputs:
            return to_numbers(target, batch[target], np.float64), set()
        return encode_classes(batch[target], self.classes)
