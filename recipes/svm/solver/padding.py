"""Vectors of different lengths as the rows of one matrix."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class Padding:
    """Where the entries of vectors lie in a matrix that is as wide as the longest.

    Args:
        lengths: The vectors' lengths.
        shape: The shape of the matrix, or more rows and columns than there are.
    """

    def __init__(self, lengths: Sequence[int], shape: tuple[int, int]) -> None:
        self.ends = np.cumsum(lengths)
        self.filled = np.zeros(shape, bool)
        self.filled[: len(lengths)] = np.arange(shape[1]) < np.c_[lengths]

    def pad(self, vectors: Sequence[Array]) -> Array:
        """Return the vectors as rows, with zeros after each."""
        values = np.concatenate(vectors)
        matrix = np.zeros(self.filled.shape, values.dtype)
        matrix[self.filled] = values
        return matrix

    def unpad(self, matrix: Array) -> list[Array]:
        """Return the vectors that such a matrix holds."""
        return np.split(matrix[self.filled], self.ends[:-1])
