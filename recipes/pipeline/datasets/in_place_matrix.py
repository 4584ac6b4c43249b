"""Float matrices that grow and shrink in place.

A table's matrix may take most of the memory, so nothing here makes a second one: rows
move within the matrix, a block at a time.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from recipes.checks import memory

_BLOCK_BYTES = 4 << 20  # moved at a time; small compared with a large matrix


class GrowingMatrix:
    """A matrix to which rows are appended.

    Its memory is reallocated in place (the system remaps the pages of large blocks
    instead of copying), an eighth more than needed, and cut to size at the end.

    Args:
        width: Number of columns.
        dtype: Type of the entries.
    """

    def __init__(self, width: int, dtype: npt.DTypeLike = np.float32) -> None:
        self.width = width
        self.rows = 0
        self._flat = np.empty(0, dtype)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the entries."""
        return self._flat.dtype

    def convert(self, dtype: npt.DTypeLike) -> None:
        """Change the type of the entries."""
        self._flat = self._flat.astype(dtype)

    def append(self, block: npt.NDArray[Any]) -> None:
        """Add rows [b, width]."""
        start, stop = self.rows, self.rows + len(block)
        self._reserve(stop * self.width)
        self._flat[start * self.width : stop * self.width] = block.reshape(-1)
        self.rows = stop

    def widen(self, width: int) -> None:
        """Add columns of zeros on the right, up to `width` columns."""
        old, self.width = self.width, width
        self._reserve(self.rows * width)
        for start, stop in reversed(list(_iterate_blocks(self.rows, width))):
            part = self._flat[start * old : stop * old].reshape(-1, old).copy()
            wide = self._flat[start * width : stop * width].reshape(-1, width)
            wide[:, :old] = part
            wide[:, old:] = 0

    def finish(self) -> npt.NDArray[Any]:
        """Return the matrix [rows, width]; no rows can be appended afterwards."""
        flat, self._flat = self._flat, np.empty(0, self._flat.dtype)
        flat.resize(self.rows * self.width, refcheck=False)
        return flat.reshape(self.rows, self.width)

    def _reserve(self, size: int) -> None:
        # No view of the buffer outlives a method, so the reference check, which fails
        # under debuggers and tracers, is not needed.
        if size > self._flat.size:
            size += size // 8
            memory.require(
                (size - self._flat.size) * self._flat.itemsize,
                f"after {self.rows:,} rows of {self.width:,} numbers: the next rows",
            )
            self._flat.resize(size, refcheck=False)


def keep_in_place(
    matrix: npt.NDArray[np.floating],
    *,
    rows: npt.NDArray[np.int64] | None = None,
    columns: npt.NDArray[np.int64] | None = None,
) -> npt.NDArray[np.floating]:
    """Keep some rows and columns of a matrix by moving them to its front.

    Args:
        matrix: [n, d], C-contiguous; overwritten.
        rows: Numbers of the rows to keep, ascending. Defaults to `None`: all.
        columns: Numbers of the columns to keep, in the new order, without repeats.
            Defaults to `None`: all.

    Returns:
        The kept part, a view of the same memory.
    """
    if rows is None:
        rows = np.arange(len(matrix))
    width = matrix.shape[1] if columns is None else len(columns)
    flat = matrix.reshape(-1)
    for start, stop in _iterate_blocks(len(rows), matrix.shape[1]):
        # No row moves towards the end, so none is overwritten before it has moved.
        part = matrix[rows[start:stop]]
        if columns is not None:
            part = part[:, columns]
        flat[start * width : stop * width] = part.reshape(-1)
    return flat[: len(rows) * width].reshape(-1, width)


def count_nan(matrix: npt.NDArray[np.floating]) -> npt.NDArray[np.int64]:
    """Count the NaNs in each column [d]."""
    counts = np.zeros(matrix.shape[1], np.int64)
    for start, stop in _iterate_blocks(*matrix.shape):
        counts += np.isnan(matrix[start:stop]).sum(axis=0)
    return counts


def find_first_infinite(matrix: npt.NDArray[Any]) -> tuple[int, int] | None:
    """Return (row, column) of the first entry beyond float32, both from 0, if any."""
    for start, stop in _iterate_blocks(*matrix.shape):
        with np.errstate(over="ignore"):
            found = np.argwhere(np.isinf(matrix[start:stop].astype(np.float32)))
        if len(found):
            return start + int(found[0, 0]), int(found[0, 1])
    return None


def _iterate_blocks(rows: int, width: int) -> Iterator[tuple[int, int]]:
    step = max(1, _BLOCK_BYTES // (4 * max(1, width)))
    for start in range(0, rows, step):
        yield start, min(start + step, rows)
