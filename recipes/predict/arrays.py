"""Arrays as a table of rows: `.npz`, LIBSVM and idx files, which have no names."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import scipy.sparse

from recipes.errors import InputError
from recipes.pipeline.datasets.encoding import format_class
from recipes.pipeline.datasets.readers import files, idx, libsvm, npz
from recipes.pipeline.datasets.readers.table_source import CellType
from recipes.pipeline.datasets.source import Source, number_columns
from recipes.predict.exported import Exported

_LIBSVM = (".libsvm", ".svm")
_CELLS_AT_A_TIME = 1 << 20


def is_array_file(value: str) -> bool:
    """Return whether a user names a file of arrays."""
    path = Path(value)
    known = (".npz", files.IDX, *_LIBSVM)
    return path.is_file() and files.detect_format(path) in known


class ArrayTable:
    """A file of arrays as `table_source.Table`: columns x1, x2, … and the target.

    The file is held in memory, sparse if it is.

    Args:
        path: The file.
        model: The model that takes its rows. Of a LIBSVM file it has the columns whose
            indices do not occur.

    Attributes:
        features: The names of the columns that the model takes, in its order.

    Raises:
        InputError: The file is malformed, or its rows are of another size.
    """

    header = False
    layout: Mapping[str, Any]

    def __init__(self, path: Path, model: Exported) -> None:
        found = _read(path)
        width = math.prod(model.shape)
        features = found.train.features
        self.notes = found.notes
        if found.first_index is not None and features.shape[1] <= width:
            features = libsvm.widen(features, width)
            self.notes += (f"the model's first column is index {found.first_index}",)
        if model.inputs or features.shape[1] != width:
            wanted = f"{width} numbers" if not model.inputs else "columns by name"
            raise InputError(
                f"--dataset: {path} has rows of {features.shape[1]} numbers, but the "
                f"model takes {wanted}"
            )
        self.name, self.where, self.layout = found.name, str(path), {}
        self._features, self._target = features, found.train.target
        self._levels = found.target.levels
        self.features = tuple(column.name for column in number_columns(width))
        self.names = (*self.features, found.target.name)

    def read_head(self) -> pa.Table:
        """Return the first rows, all cells as strings."""
        return pa.Table.from_batches(
            [next(self.read(dict.fromkeys(self.names, "text")))]
        )

    def read(self, types: Mapping[str, CellType]) -> Iterator[pa.RecordBatch]:
        """Read columns, as `table_source.Table.read`."""
        rows, width = self._features.shape
        step = max(1, _CELLS_AT_A_TIME // width)
        for start in range(0, rows, step):
            part = self._features[start : start + step]
            block = part.toarray() if scipy.sparse.issparse(part) else part
            columns = dict(
                zip(self.names, np.asarray(block, np.float64).T, strict=False)
            )
            columns[self.names[-1]] = self._target[start : start + step]
            yield pa.RecordBatch.from_arrays(
                [self._convert(n, columns[n], kind) for n, kind in types.items()],
                names=list(types),
            )

    def locate(self, column: str, text: str) -> str:
        """Return the row in which a text first stands in a column."""
        row = 0
        for batch in self.read({column: "text"}):
            texts = batch[column].to_pylist()
            if text in texts:
                return f"row {row + texts.index(text) + 1}"
            row += len(texts)
        return "some row"

    def _convert(self, name: str, values: Any, kind: CellType) -> pa.Array:
        if kind == "number":
            return pa.array(values, from_pandas=True)
        if name == self.names[-1] and self._levels:
            known, codes = [*self._levels], values
        else:
            different, codes = np.unique(values, return_inverse=True)
            known = ["" if np.isnan(v) else format_class(v) for v in different.tolist()]
        texts = pa.array(known, pa.string())
        return pa.DictionaryArray.from_arrays(codes.astype(np.int32), texts)


def _read(path: Path) -> Source:
    file_format = files.detect_format(path)
    if file_format == ".npz":
        return npz.read(path)
    return idx.read(path) if file_format == files.IDX else libsvm.read(path)
