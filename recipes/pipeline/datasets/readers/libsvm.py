"""Files in LIBSVM's sparse format: a label and index:value pairs on each line."""

import re
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
from sklearn.datasets import load_svmlight_file

from recipes.errors import InputError, quote, shorten
from recipes.pipeline.datasets import in_place_matrix, source
from recipes.pipeline.datasets.description import Column, Examples, FeatureMatrix
from recipes.pipeline.datasets.in_place_matrix import GrowingMatrix
from recipes.pipeline.datasets.precision import GrowingFeatures
from recipes.pipeline.datasets.readers import files
from recipes.pipeline.datasets.source import Source

_BLOCK_BYTES = 8 << 20
_WIDEST = np.iinfo(np.int32).max
_LARGEST = np.finfo(np.float32).max
# Of the entries: below it CSR, with 32-bit indices, takes less than half the memory.
_DENSE_FROM = 1 / 4


def read(path: Path, like: Source | None = None) -> Source:
    """Read a LIBSVM file, block by block.

    Indices count from 1 unless index 0 occurs. The rows are dense as long as at
    least a quarter of the entries are stored; from the first block below that they are
    sparse, and stay so.

    Args:
        path: The file.
        like: For a test set: the training set, whose first index applies here, too.

    Raises:
        InputError: A line is not in LIBSVM's format, or a number is not finite.
    """
    collector = _Collector()
    with files.open_decompressed(path) as stream:
        for line, block in files.read_whole_lines(path, stream, _BLOCK_BYTES):
            collector.add(*_parse_block(path, block, line))
    if not collector.labels.rows or not collector.width:
        what = "features" if collector.labels.rows else "rows"
        raise InputError(f"{path} has no {what}; expected lines such as '1 3:0.5 7:2'")
    first = _choose_first_index(path, collector, like)
    features = collector.finish(first)
    labels = collector.labels.finish().reshape(-1)
    return Source(
        name=files.strip_suffixes(path),
        where=str(path),
        tabular=False,
        columns=source.number_columns(features.shape[1]),
        target=Column("y"),
        train=Examples(features, labels.astype(np.float64, copy=False)),
        first_index=first,
    )


def widen(features: FeatureMatrix, width: int) -> FeatureMatrix:
    """Add columns of zeros on the right, for indices that this file does not use."""
    missing = width - features.shape[1]
    if scipy.sparse.issparse(features):
        shape = (features.shape[0], width)
        parts = (features.data, features.indices, features.indptr)
        return scipy.sparse.csr_array(parts, shape=shape)
    return np.pad(features, ((0, 0), (0, missing))) if missing else features


class _Collector:
    """The blocks parsed so far; column i is index i, so column 0 may be empty.

    Dense as long as a quarter of the entries are stored, then sparse.
    """

    def __init__(self) -> None:
        self.labels = GrowingMatrix(1, np.float64)
        self.width = 0
        self.smallest = np.iinfo(np.int32).max
        self._entries = 0
        self._dense: GrowingMatrix | None = GrowingFeatures(0)
        self._values = GrowingMatrix(1, np.float64)
        self._indices = GrowingMatrix(1, np.int32)
        self._lengths = GrowingMatrix(1, np.int64)

    def add(self, block: Any, labels: np.ndarray[Any, Any]) -> None:
        """Add rows [b, width of the block], CSR."""
        self._entries += block.nnz
        if block.nnz:
            self.width = max(self.width, block.shape[1])
            self.smallest = min(self.smallest, int(block.indices.min()))
        self.labels.append(labels)
        size = self.labels.rows * (self.width - min(self.smallest, 1))
        if self._dense is not None and self._entries < _DENSE_FROM * size:
            self._add_sparse(scipy.sparse.csr_array(self._dense.finish()))
            self._dense = None
        if self._dense is None:
            self._add_sparse(block)
        else:
            self._dense.widen(self.width)
            block.resize(block.shape[0], self.width)
            self._dense.append(block.toarray())

    def finish(self, first: int) -> FeatureMatrix:
        """Return the features [n, d], with index `first` in column 0."""
        width = self.width - first
        if self._dense is not None:
            dense = self._dense.finish()
            return in_place_matrix.keep_in_place(
                dense, columns=np.arange(first, self.width)
            )
        indices = self._indices.finish().reshape(-1)
        indices -= first
        starts = np.concatenate([[0], np.cumsum(self._lengths.finish())])
        if starts[-1] <= np.iinfo(np.int32).max:  # or SciPy widens the indices, too
            starts = starts.astype(np.int32)
        parts = (self._values.finish().reshape(-1), indices, starts)
        return scipy.sparse.csr_array(parts, shape=(self.labels.rows, width))

    def _add_sparse(self, block: Any) -> None:
        self._values.append(block.data)
        self._indices.append(block.indices)
        self._lengths.append(np.diff(block.indptr))


def _parse_block(path: Path, block: bytes, line: int) -> tuple[Any, Any]:
    try:
        return _parse(block)
    except (ValueError, OverflowError):
        lines = block.splitlines(keepends=True)
    low, high = 0, len(lines)  # the first bad line is in lines[low:high]
    while high - low > 1:
        middle = (low + high) // 2
        try:
            _parse(b"".join(lines[low:middle]))
            low = middle
        except (ValueError, OverflowError):
            high = middle
    where, text = f"{path}, line {line + low}", lines[low].decode(errors="replace")
    _check_indices(where, text)
    raise InputError(
        f"{where}: {quote(text.strip())} is not a LIBSVM line; expected a label and "
        "index:value pairs with rising indices, all finite, as in '1 3:0.5 7:2'"
    )


def _check_indices(where: str, text: str) -> None:
    for index in re.findall(r"\s0*(\d+):", text):
        if len(index) > len(str(_WIDEST)) or int(index) >= _WIDEST:
            raise InputError(
                f"{where}: the index {shorten(index)} is too large; indices go up to "
                f"{_WIDEST - 1}"
            )
        source.check_width(int(index), where)


def _parse(block: bytes) -> tuple[Any, Any]:
    features, labels = load_svmlight_file(
        BytesIO(block), zero_based=True, dtype=np.float64
    )
    finite = np.abs(features.data).max(initial=0) <= _LARGEST
    if not (finite and np.isfinite(labels).all()):
        raise ValueError("not finite")
    if features.shape[1] > _WIDEST:
        raise ValueError("index too large")
    source.check_width(features.shape[1], "this block")
    return features, labels


def _choose_first_index(path: Path, collector: _Collector, like: Source | None) -> int:
    first = min(collector.smallest, 1)
    if like is None or like.first_index is None:
        return first
    if first < like.first_index:
        raise InputError(
            f"{path} has an index 0, but the indices of the training set "
            f"{like.where} count from 1"
        )
    return like.first_index
