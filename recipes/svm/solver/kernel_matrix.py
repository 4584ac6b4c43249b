"""The whole kernel matrix of some training rows, in float64."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from layers import kernels
from recipes.svm.solver.dual import DualProblem
from recipes.svm.solver.float64_product import compute_kernel_matrix
from recipes.svm.solver.rows import Rows

Indices = npt.NDArray[np.int64]


class KernelMatrix:
    """The kernel's values for all pairs of some rows.

    Args:
        kernel: The kernel.
        x: All training rows, `[all, d]`; an array or a `csr_array`.
        rows: Indices into `x`, ascending, `[n]`.

    Attributes:
        values: K, float64, `[n, n]`.
    """

    def __init__(self, kernel: kernels.Kernel, x: Rows, rows: Indices) -> None:
        self.values = compute_kernel_matrix(kernel, x, rows)
        self._rows = rows

    def find(self, rows: Indices) -> Indices:
        """Return the positions in the matrix of rows of `x` that are in it."""
        return np.searchsorted(self._rows, rows)

    def select(self, rows: Indices) -> npt.NDArray[np.float64]:
        """Return K among rows of `x` that are in it, `[m, m]`."""
        if len(rows) == len(self._rows):
            return self.values
        places = self.find(rows)
        return self.values[np.ix_(places, places)]


def find_rows(problems: Sequence[DualProblem]) -> Indices:
    """Return the rows that any of the problems uses, ascending."""
    return np.unique(np.concatenate([problem.rows for problem in problems]))
