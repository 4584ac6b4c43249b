"""The precision of kernel values: float32 where it keeps the digits that count."""

import numpy as np
import numpy.typing as npt
import scipy.sparse

from layers import kernels
from recipes.svm.solver.rows import Rows, compute_values, find_center

# Kernel values are compared among this many rows,
SAMPLE_ROWS = 128
# and float32 should be off by at most this share of the squared distance, in the
# kernel's space, of an ordinary pair of them.
LARGEST_ERROR = 1e-4
# Rows are far from zero if their mean is this many standard deviations away from it.
FAR = 10.0


def prepare_rows(
    kernel: kernels.Kernel, x: Rows, dtype: str, used: Rows | None = None
) -> Rows:
    """Return the rows whose products give the kernel's values with least rounding.

    Args:
        kernel: The kernel.
        x: Rows, `[n, d]`, float32 or float64; an array or a `csr_array`.
        dtype: `"float32"` or `"float64"`.
        used: The rows that count, which the centre should be close to; `None` for all.

    Returns:
        The rows around the kernel's centre, of `dtype`: subtracted first, then rounded.
    """
    center = find_center(kernel, x if used is None else used)
    if center is None:
        with np.errstate(over="ignore", under="ignore"):
            return x.astype(dtype, copy=False)
    rows = np.empty(x.shape, dtype)
    exact = np.result_type(x.dtype, dtype)
    with np.errstate(over="ignore", under="ignore"):
        return np.subtract(x, center, out=rows, dtype=exact, casting="same_kind")


def choose_origin(x: Rows) -> npt.NDArray[np.float64] | None:
    """Return the mean of the rows where they are far from zero, `[d]`, or `None`.

    Args:
        x: The training rows, `[n, d]`, float32 or float64; sparse ones have none.
    """
    if scipy.sparse.issparse(x):
        return None
    mean = x.mean(axis=0, dtype=np.float64)
    square = np.einsum("ij,ij->", x, x, dtype=np.float64) / len(x)
    return mean if FAR**2 * (square - mean @ mean) < mean @ mean else None


def needs_float64(kernel: kernels.Kernel, x: Rows) -> bool:
    """Return whether float32 loses the digits by which kernel values differ.

    Squared distances in the kernel's space, k(x, x) + k(z, z) − 2·k(x, z), are all that
    a support vector machine sees of the rows. Far from the origin they are small
    differences of large values.

    Args:
        kernel: The kernel.
        x: The training rows, `[n, d]`, float32 or float64; an array or a `csr_array`.
    """
    # Other kernels have no products that could cancel.
    if not isinstance(kernel, kernels.InnerProductKernel):
        return False
    sample = x[:: max(1, x.shape[0] // SAMPLE_ROWS)][:SAMPLE_ROWS]
    # What is beyond float32 is no error here.
    with np.errstate(all="ignore"):
        exact, rounded = (
            compute_values(kernel, prepare_rows(kernel, sample, dtype)).astype(
                np.float64
            )
            for dtype in ("float64", "float32")
        )
        diagonal = np.diag(exact)
        distances = diagonal[:, np.newaxis] + diagonal - 2 * exact
        different = distances[distances > 0]
        if not different.size:
            return False
        error = np.abs(rounded - exact).max()
        return not error <= LARGEST_ERROR * np.median(different)
