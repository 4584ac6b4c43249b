"""Which rows of a proof need float64, and which an estimate of Kβ decides.

A variable at zero that may only rise adds nothing to the duality gap or to the KKT
violation while its f is above the multiplier and above every f that may fall; one that
may only fall, the other way round. For most rows without a coefficient f is far beyond
that limit, and an estimate shows it. All others, support vectors first, are computed in
float64. So objectives, gap and violation are those of float64 sums over all rows as
long as no estimate is off by more than `error`.

That bound is measured, because bounds from the rounding of each value are useless here:
with u = 2⁻²⁴, float32 products of d features err by |δ(x·z)| ≤ d·u·|x|·|z| (Higham,
"Accuracy and Stability of Numerical Algorithms", section 3.1), so that

    |δf(x)| ≤ Σⱼ |βⱼ|·|δk(x, xⱼ)|,   |δk(x, xⱼ)| ≤ L·d·u·|x|·|xⱼ|,

where L is the slope of the kernel as a function of the product. Where Σ|β| is 10⁵ this
allows an f off by 1, a thousand times what is found: errors of either sign cancel, and
f errs as the square root of the sum of squares does (Higham & Mary, "A New Approach to
Probabilistic Rounding Error Analysis", 2019). But the bound tells which rows are alike:
it grows with |x| alone. Rows that are no longer than the longest support vector have
errors as those of the support vectors, which are known exactly, and thousands of them.
A sample of the other rows is computed as well, and so is every longer one. `SAFETY`
times the largest error of all of these is what the rest are granted.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from layers import kernels
from recipes.svm.solver.dual import DualProblem
from recipes.svm.solver.float64_product import (
    compute_kernel_product,
    compute_symmetric_product,
)
from recipes.svm.solver.rows import Rows, compute_squares, find_center

# So many rows without a coefficient are computed in any case, at regular distances.
SAMPLE_ROWS = 256
# An estimate may be off by this many times the largest error that was found.
SAFETY = 8.0
# Rows are decided if they are this many times as far from their limit: the function
# that is exported has rounding of its own.
RESERVE = 4.0
# With less to multiply, all rows are computed: few support vectors are no sample.
LEAST_PRODUCTS = 2**28
LEAST_SUPPORT_VECTORS = 256

# Rows whose lengths are computed at a time.
CHUNK_ROWS = 4096

Vector = npt.NDArray[np.float64]


class Estimate(NamedTuple):
    """Kβ as a descent knows it.

    Attributes:
        product: Kβ, float64, `[n]`.
        error: How far it was off already when the descent began from it.
    """

    product: Vector
    error: float = 0.0


def may_decide(kernel: Any, x: Rows, coefficients: Vector) -> bool:
    """Return whether an estimate may save much of the work.

    Args:
        kernel: The kernel.
        x: All training rows, `[all, d]`.
        coefficients: The sum of each row's variables, float64, `[n]`.
    """
    count = int(np.count_nonzero(coefficients))
    return (
        isinstance(kernel, kernels.InnerProductKernel)
        # Its sums take no longer than the search for decided rows.
        and not isinstance(kernel, kernels.LinearKernel)
        and count >= LEAST_SUPPORT_VECTORS
        and len(coefficients) * count * int(x.shape[1]) >= LEAST_PRODUCTS
    )


def compute_undecided(
    kernel: kernels.Kernel,
    x: Rows,
    problem: DualProblem,
    beta: Vector,
    estimate: Estimate,
) -> tuple[Vector, npt.NDArray[np.int64], float, float]:
    """Compute Kβ in float64 where the estimate does not decide.

    Args:
        kernel: A kernel that is a function of inner products.
        x: All training rows, `[all, d]`; an array or a `csr_array`.
        problem: The problem; its `rows` are indices into `x`.
        beta: β, float64, `[V]`.
        estimate: Kβ as the descent knows it.

    Returns:
        Kβ `[n]`, and `checked`, `error` and `reserve` as of a `Proof`.
    """
    by_row = beta.reshape(problem.variables_per_row, -1)
    coefficients = problem.sum_by_row(beta)
    support = np.flatnonzero(coefficients)
    rows = problem.rows[support]
    product = estimate.product.copy()
    product[support] = compute_symmetric_product(kernel, x, rows, coefficients[support])
    exact = coefficients != 0
    long = _find_long(kernel, x, problem.rows, exact)
    missing = ~exact & (by_row.any(axis=0) | long)
    missing[:: max(1, len(missing) // SAMPLE_ROWS)] = True
    missing &= ~exact
    while True:
        at = np.flatnonzero(missing)
        product[at] = compute_kernel_product(
            kernel, x, rows, coefficients[support], at=problem.rows[at]
        )
        exact |= missing
        if exact.all():
            return product, np.arange(len(product)), 0.0, np.inf
        with np.errstate(invalid="ignore"):
            found = np.abs(product - estimate.product)[exact & ~long].max()
        error = estimate.error + SAFETY * float(found)
        distances = _measure_distances(problem, beta, product, exact)
        # Not `<=`: a NaN decides nothing, nor does infinity.
        decided = np.isfinite(product) & (distances - RESERVE * error > 0)
        missing = ~exact & ~decided
        if not missing.any():
            reserve = float(distances[~exact].min())
            return product, np.flatnonzero(exact), error, reserve


def _find_long(
    kernel: kernels.Kernel,
    x: Rows,
    rows: npt.NDArray[np.int64],
    support: npt.NDArray[np.bool_],
) -> npt.NDArray[np.bool_]:
    """Return which rows are not at most as long as the longest of `support`: `[n]`."""
    center = find_center(kernel, x[rows[support]])
    squares = np.empty(len(rows))
    for start in range(0, len(rows), CHUNK_ROWS):
        part = slice(start, start + CHUNK_ROWS)
        own = x[rows[part]]
        squares[part] = compute_squares(own if center is None else own - center)
    return ~(squares <= squares[support].max())


def _measure_distances(
    problem: DualProblem,
    beta: Vector,
    product: Vector,
    exact: npt.NDArray[np.bool_],
) -> Vector:
    """Measure how far beyond the limit of its group each row is; negative within it.

    Each group's limits are its extremes over exact rows: the least f that may rise and
    the greatest that may fall. Its multiplier lies between the two.

    Args:
        problem: The problem.
        beta: β, float64, `[V]`.
        product: Kβ, float64, `[n]`.
        exact: Which rows to take the limits from, `[n]`.

    Returns:
        The least distance of any of the row's variables, `[n]`.
    """
    gradient = np.tile(product, problem.variables_per_row) + problem.linear
    exact = np.tile(exact, problem.variables_per_row)
    may_rise, may_fall = beta < problem.upper, beta > problem.lower
    distances = np.full(len(gradient), np.inf)
    for group in range(problem.groups):
        member = problem.group == group
        ends = (
            gradient[member & exact & may_rise].min(initial=np.inf),
            gradient[member & exact & may_fall].max(initial=-np.inf),
        )
        rises, falls = member & may_rise, member & may_fall
        distances[rises] = gradient[rises] - max(ends)
        distances[falls] = np.minimum(distances[falls], min(ends) - gradient[falls])
    by_row: Vector = distances.reshape(problem.variables_per_row, -1).min(axis=0)
    return by_row
