"""Whether W is convex: only then does a small duality gap prove an optimum."""

import numpy as np
import numpy.typing as npt
import scipy.linalg

from layers import kernels
from recipes.svm.solver.precision import prepare_rows
from recipes.svm.solver.rows import Rows, compute_values

# Eigenvalues are computed of the kernel matrix of this many rows at most. The matrix of
# all rows has none larger than the least of these.
SAMPLE_ROWS = 500
CHUNK_ROWS = 1024
# A negative eigenvalue counts from this share of the largest on: matrices that were
# computed in float32 have some that are merely rounding.
NEGLIGIBLE = 1e-5


def is_convex(kernel: kernels.Kernel, x: Rows) -> bool:
    """Return whether no direction was found in which W curves downwards.

    The directions are those that change no sum of variables. For kernels that are known
    to be positive semidefinite there is nothing to find.

    Args:
        kernel: The kernel.
        x: All training rows, `[n, d]`; an array or a `csr_array`.

    Raises:
        ValueError: If the kernel's matrix is not symmetric.
    """
    if kernel.positive_semidefinite:
        return True
    random = np.random.default_rng(0)
    rows = np.sort(random.permutation(x.shape[0])[:SAMPLE_ROWS])
    if isinstance(kernel, kernels.PrecomputedKernel):
        _check_symmetric(x)
        matrix = x[np.ix_(rows, rows)].astype(np.float64)
    else:
        sample = prepare_rows(kernel, x[rows], "float64")
        matrix = (
            compute_values(kernel, sample)
            if isinstance(kernel, kernels.InnerProductKernel)
            else kernel(sample, kernel.vectors(sample)).numpy()
        )
        if not np.isfinite(matrix).all():
            return True  # the descent will not converge, and say so
        _check_symmetric(matrix)
    # Around its means, a matrix acts on directions whose sum is zero alone.
    matrix = matrix - matrix.mean(axis=0)
    matrix = matrix - matrix.mean(axis=1, keepdims=True)
    values = scipy.linalg.eigvalsh((matrix + matrix.T) / 2)
    return bool(values[0] >= -NEGLIGIBLE * max(abs(values[-1]), abs(values[0])))


def _check_symmetric(matrix: npt.NDArray[np.floating]) -> None:
    allowed = NEGLIGIBLE * np.abs(matrix).max()
    for start in range(0, len(matrix), CHUNK_ROWS):
        part = slice(start, start + CHUNK_ROWS)
        difference = np.abs(matrix[part] - matrix[:, part].T).max()
        if difference > allowed:
            raise ValueError(
                "The kernel's matrix should be symmetric, k(x, z) = k(z, x); rows of a "
                "precomputed one stand in the order of its columns. "
                f"Received: values of one pair that differ by {difference:.3g}"
            )
