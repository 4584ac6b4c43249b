"""The way of some rows through the model: from a table's cells to lines of the output.

Each step is independent of the others, so they run on all cores at once.
"""

from collections import Counter
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
from recipes.predict.cells import TextColumn, to_numbers
from recipes.predict.drift import Counts
from recipes.predict.exported import Exported
from recipes.predict.plan import Plan
from recipes.predict.truth import encode_classes, encode_numbers
from recipes.predict.writing import format_rows

STEP_ROWS = 8192


@dataclass
class Scored:
    """What some rows have become.

    Attributes:
        rows: Their number.
        part: What the output's writer takes.
        outputs: What the model answers, by name.
        target: The truth, if it is there, as `Truth.add` takes it.
        others: Texts of the target that are no class of the model, or no number.
        blanks: Needed cells of each row that are blank, or not in their column's
            format, [n].
        unseen: Texts of each row that no level is, [n].
        misfits: Cells that are not in their column's format, by column.
        bins: Rows in each bin of a column, by column.
    """

    rows: int
    blanks: npt.NDArray[np.int64]
    unseen: npt.NDArray[np.int64]
    part: Any = None
    outputs: Mapping[str, Any] = field(default_factory=dict)
    target: npt.NDArray[Any] | None = None
    others: set[str] = field(default_factory=set)
    misfits: Counter[str] = field(default_factory=Counter)
    bins: dict[str, Counts] = field(default_factory=dict)


def cut(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield rows in steps of limited size."""
    for batch in batches:
        for start in range(0, batch.num_rows, STEP_ROWS):
            step = batch.slice(start, STEP_ROWS)
            if step.num_rows < batch.num_rows:
                columns = [_shorten_dictionary(column) for column in step.columns]
                step = pa.RecordBatch.from_arrays(columns, names=step.schema.names)
            yield step


def _shorten_dictionary(column: pa.Array) -> pa.Array:
    """Leave texts out that many more rows have brought."""
    if pa.types.is_dictionary(column.type) and len(column.dictionary) > len(column):
        return column.dictionary_decode().dictionary_encode()
    return column


class Scorer:
    """Makes predictions for rows of a table.

    Args:
        model: The model.
        plan: Which columns are for what.
        columns: What is known of the columns; None if nothing is.
        classes: The names of the classes, if known.
        names: Those of the output's columns.
        as_text: Whether the output is a text.
    """

    def __init__(
        self,
        model: Exported,
        plan: Plan,
        columns: ColumnsFile | None,
        classes: Sequence[str],
        names: Sequence[str],
        *,
        as_text: bool,
    ) -> None:
        self._model, self.plan, self.columns = model, plan, columns
        self._classes, self._as_text = classes, as_text
        self.names = list(names)
        self.known: dict[str, Column] = {
            column.name: column
            for column in ((*columns.columns, columns.target) if columns else ())
        }
        self._texts = {name: TextColumn(self.known.get(name)) for name in plan.texts}

    def __call__(self, batch: pa.RecordBatch) -> Scored:
        """Predict some rows.

        Raises:
            NotNumbersError: A cell of a column of numbers is none.
        """
        zeros = np.zeros(batch.num_rows, np.int64)
        scored = Scored(batch.num_rows, zeros, zeros.copy())
        inputs = {
            **{n: self._read_numbers(n, batch[n], scored) for n in self.plan.numbers},
            **{n: self._read_texts(n, batch[n], scored) for n in self.plan.texts},
        }
        scored.outputs = self._model.predict(self._as_tensors(inputs))
        self._read_target(batch, scored)
        unseen = scored.unseen if self.columns else None
        answers = answer_columns(scored.outputs, scored.blanks, unseen)
        kept = [batch[name] for name in self.plan.kept]
        table = pa.RecordBatch.from_arrays([*kept, *answers], names=self.names)
        scored.part = format_rows(table, as_text=self._as_text)
        return scored

    def dtype_of(self, name: str) -> Any:
        """Return the dtype that the numbers of a column have to fit into."""
        return self._model.inputs.get(name, self._model.dtype).as_numpy_dtype

    def na_values_of(self, name: str) -> Sequence[str]:
        """Return the texts that are blank in a column, besides the usual ones."""
        return self.known[name].na_values if name in self.known else ()

    def _read_numbers(self, name: str, cells: pa.Array, scored: Scored) -> Any:
        na_values = self.na_values_of(name)
        values = to_numbers(name, cells, self.dtype_of(name), na_values)
        scored.blanks += np.isnan(values)
        self._count(name, values, scored)
        return values

    def _read_texts(self, name: str, cells: pa.Array, scored: Scored) -> Any:
        texts = self._texts[name](cells)
        scored.blanks += texts.blank
        column = self.known.get(name)
        if column and column.format:
            scored.blanks += texts.other
            scored.misfits[name] = int(texts.other.sum())
        else:
            scored.unseen += texts.other
        if column and texts.values is not None:
            dtype = column.dtype if column.format else np.int64
            self._count(name, texts.values.astype(dtype), scored)
        return texts.tensor

    def _count(self, name: str, values: npt.NDArray[Any], scored: Scored) -> None:
        """Count the rows in each bin of a column."""
        known = self.columns
        # Nothing drifts from no rows, which is what a file without their number says.
        training = known.training.get(name) if known and known.training_rows else None
        if training and training.levels:
            bins = np.bincount(values, minlength=len(training.levels) + 2)
            scored.bins[name] = bins
        elif training:
            scored.bins[name] = count_bins(values, training.cuts)

    def _as_tensors(self, inputs: dict[str, Any]) -> Any:
        if self._model.inputs:
            return {name: tf.convert_to_tensor(value) for name, value in inputs.items()}
        matrix = np.stack([*inputs.values()], axis=1)
        return tf.convert_to_tensor(matrix.reshape(-1, *self._model.shape))

    def _read_target(self, batch: pa.RecordBatch, scored: Scored) -> None:
        name = self.plan.target
        if not name:
            return
        if "prediction" not in self._model.outputs:
            scored.target, scored.others = encode_classes(batch[name], self._classes)
        else:
            column = self.known.get(name, Column(name))
            scored.target, scored.others = encode_numbers(batch[name], column)
