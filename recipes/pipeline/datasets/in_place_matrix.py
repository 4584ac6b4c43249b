"""Float matrices that grow and shrink where they lie.

A table's matrix may take most of the memory there is, so nothing here makes a second
one: what moves, moves inside the matrix, some rows at a time.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

_BLOCK_BYTES = 4 << 20  # what is moved at once: small beside any matrix that matters


class GrowingMatrix:
    """A matrix that takes rows at its end.

    Its memory is reallocated in place (large blocks move by their page table, not by
    copying), an eighth more than is needed, and cut to size at the end.

    Args:
        width: Number of columns.
        dtype: Type of the entries.
    """

    def __init__(self, width: int, dtype: npt.DTypeLike = np.float32) -> None:
        self.width = width
        self.rows = 0
        self._flat = np.empty(0, dtype)

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
        """Give the matrix [rows, width]; nothing can be added afterwards."""
        flat, self._flat = self._flat, np.empty(0, self._flat.dtype)
        flat.resize(self.rows * self.width, refcheck=False)
        return flat.reshape(self.rows, self.width)

    def _reserve(self, size: int) -> None:
        # No view of the buffer outlives a method, so the reference check, which
        # debuggers and tracers upset, is not needed.
        if size > self._flat.size:
            self._flat.resize(size + size // 8, refcheck=False)


def keep_in_place(
    matrix: npt.NDArray[np.float32],
    *,
    rows: npt.NDArray[np.int64] | None = None,
    columns: npt.NDArray[np.int64] | None = None,
) -> npt.NDArray[np.float32]:
    """Keep some rows and columns of a matrix, moving them to its front.

    Args:
        matrix: [n, d], C-contiguous; its contents are lost.
        rows: Row numbers to keep, ascending. Default value: `None`, all.
        columns: Column numbers to keep, in the order wanted, none twice.
            Default value: `None`, all.

    Returns:
        The kept part, a view of the same memory.
    """
    if rows is None:
        rows = np.arange(len(matrix))
    width = matrix.shape[1] if columns is None else len(columns)
    flat = matrix.reshape(-1)
    for start, stop in _iterate_blocks(len(rows), matrix.shape[1]):
        # Rows come from at or behind the place where they go, so none is lost.
        part = matrix[rows[start:stop]]
        if columns is not None:
            part = part[:, columns]
        flat[start * width : stop * width] = part.reshape(-1)
    return flat[: len(rows) * width].reshape(-1, width)


def count_nan(matrix: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """Count the NaN of each column [d]."""
    counts = np.zeros(matrix.shape[1], np.int64)
    for start, stop in _iterate_blocks(*matrix.shape):
        counts += np.isnan(matrix[start:stop]).sum(axis=0)
    return counts


def find_first_infinite(matrix: npt.NDArray[np.floating]) -> tuple[int, int] | None:
    """Find the first infinite entry as (row, column), both from 0, if there is one."""
    for start, stop in _iterate_blocks(*matrix.shape):
        found = np.argwhere(np.isinf(matrix[start:stop]))
        if len(found):
            return start + int(found[0, 0]), int(found[0, 1])
    return None


def _iterate_blocks(rows: int, width: int) -> Iterator[tuple[int, int]]:
    step = max(1, _BLOCK_BYTES // (4 * max(1, width)))
    for start in range(0, rows, step):
        yield start, min(start + step, rows)
