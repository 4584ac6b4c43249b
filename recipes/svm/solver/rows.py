"""Training rows, dense or sparse: all that differs between the two in NumPy.

Sparse rows are a `scipy.sparse.csr_array`. They are never centred, which would make
them dense.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse

from layers import kernels
from recipes.svm.solver.dual import DualProblem

# SciPy's product of sparse matrices is sparse, though most of its entries are there.
# So many of them at a time take some ten megabytes.
PRODUCTS = 2**20

# A NumPy array or a `csr_array`, `[n, d]`; SciPy has no type hints.
Rows = Any
Matrix = npt.NDArray[Any]


def select_used(x: Rows, problems: Sequence[DualProblem]) -> Rows:
    """Return the rows that any of the problems uses: those with a weight."""
    used = np.unique(np.concatenate([problem.rows for problem in problems]))
    return x if len(used) == x.shape[0] else x[used]


def find_center(kernel: kernels.Kernel, x: Rows) -> Matrix | None:
    """Return the row to subtract from all others, `[d]`, or `None`; see `center`."""
    if scipy.sparse.issparse(x):
        return None
    center = kernel.center(x)
    return None if center is None else np.asarray(center)


def transpose(x: Rows) -> Rows:
    """Return the second factor of `multiply`, `[d, n]`: made once for many products."""
    return x.T.tocsr() if scipy.sparse.issparse(x) else x.T


def multiply(x: Rows, transposed: Rows, out: Matrix | None = None) -> Matrix:
    """Compute products of all pairs, dense: `[a, d]`, `[d, b]` → `[a, b]`.

    Args:
        x: Rows.
        transposed: What `transpose` returns for the others, of the same dtype.
        out: C-contiguous memory for the result.
    """
    if not scipy.sparse.issparse(x):
        return np.matmul(x, transposed, out=out)
    rows, columns = x.shape[0], transposed.shape[1]
    out = np.empty((rows, columns), x.dtype) if out is None else out
    size = max(1, PRODUCTS // columns)
    for start in range(0, rows, size):
        part = slice(start, start + size)
        (x[part] @ transposed).toarray(out=out[part])
    return out


def compute_squares(x: Rows) -> Matrix:
    """Compute x·x of each row, `[n]`."""
    if scipy.sparse.issparse(x):
        return np.asarray(x.multiply(x).sum(axis=1))
    return np.einsum("ij,ij->i", x, x)


def compute_values(kernel: kernels.InnerProductKernel, x: Rows) -> Matrix:
    """Compute k(xᵢ, xⱼ) of rows around the centre, in their dtype: `[n, d]` → `[n, n]`.

    Values beyond that dtype are infinite.
    """
    squares = compute_squares(x)
    with np.errstate(over="ignore", invalid="ignore"):
        products = multiply(x, transpose(x))
        return np.asarray(kernel.of_products(products, squares, squares))


def compute_diagonal(kernel: kernels.Kernel, x: Rows) -> Matrix:
    """Compute k(xᵢ, xᵢ) of each row, in its dtype: `[n, d]` → `[n]`."""
    if scipy.sparse.issparse(x):
        # Of inner products alone: rows of one column and the same squares will do.
        x = np.sqrt(compute_squares(x))[:, np.newaxis]
    return np.asarray(kernel.diagonal(x))


def compute_deviations(x: Rows) -> npt.NDArray[np.float64]:
    """Compute the standard deviation of each column, `[d]`."""
    if not scipy.sparse.issparse(x):
        return np.asarray(x.std(axis=0, dtype=np.float64))
    x = x.astype(np.float64)
    variance = x.multiply(x).mean(axis=0) - np.square(x.mean(axis=0))
    return np.sqrt(np.maximum(variance, 0))
