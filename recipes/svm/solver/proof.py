"""The proof of how close a β is to the optimum, in float64.

All that counts is computed afresh from the rows and β alone; the descent's running sums
serve to find the rows that do not count, see `decided_rows`.
"""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from layers import kernels
from recipes.svm.solver.decided_rows import Estimate, compute_undecided, may_decide
from recipes.svm.solver.dual import DualProblem
from recipes.svm.solver.float64_product import compute_kernel_product
from recipes.svm.solver.optimality import Optimality, measure_optimality
from recipes.svm.solver.rows import Rows, compute_diagonal

# Where the cost is high, or the objective small, rows within the tolerance may still be
# far from the optimum. A solution's gap is at most this share of the objective.
LARGEST_RELATIVE_GAP = 0.01
# The objective counts as this share of the problem's scale at least.
NEGLIGIBLE_OBJECTIVE = 1e-8


class Proof(NamedTuple):
    """A point β with everything computed from it afresh.

    Attributes:
        beta: float64, `[V]`.
        product: Kβ of the problem's rows, float64, `[n]`.
        optimality: Objectives, duality gap and KKT violation, as NumPy scalars.
        multipliers: The multiplier of each group's equality, float64, `[groups]`.
        checked: Which rows have a product in float64: an index array or a slice. Those
            of the others are estimates, by which these rows are optimal.
        error: How far an estimate may be off.
        reserve: How far an estimate is from the nearest value at which its row would
            count.
    """

    beta: np.ndarray
    product: np.ndarray
    optimality: Optimality
    multipliers: np.ndarray
    checked: npt.NDArray[np.int64] | slice = slice(None)
    error: float = 0.0
    reserve: float = math.inf


def prove(
    kernel: kernels.Kernel,
    x: Rows,
    problem: DualProblem,
    beta: np.ndarray,
    estimate: Estimate | None = None,
) -> Proof:
    """Measure how close β is to the optimum.

    Args:
        kernel: The kernel.
        x: All training rows, `[all, d]`; an array or a `csr_array`.
        problem: The problem; its `rows` are indices into `x`.
        beta: β, float64, `[V]`.
        estimate: Kβ as the descent knows it; `None` to compute all of it afresh.
    """
    coefficients = problem.sum_by_row(beta)
    if estimate and may_decide(kernel, x, coefficients):
        product, checked, error, reserve = compute_undecided(
            kernel, x, problem, beta, estimate
        )
        proof = build_proof(problem, beta, product)
        return proof._replace(checked=checked, error=error, reserve=reserve)
    product = compute_kernel_product(kernel, x, problem.rows, coefficients)
    return build_proof(problem, beta, product)


def build_proof(problem: DualProblem, beta: np.ndarray, product: np.ndarray) -> Proof:
    """Measure how close β `[V]` is to the optimum, given `product` = Kβ `[n]`."""
    optimality, multipliers = measure_optimality(
        product,
        beta,
        problem,
        groups=problem.groups,
        unit_margin=problem.unit_margin,
    )
    return Proof(beta, product, optimality, multipliers)


def compute_relative_gap(
    kernel: kernels.Kernel, x: Rows, problem: DualProblem, proof: Proof
) -> float:
    """Return the duality gap as a share of the larger objective, at least 0.

    The objective may be zero at the optimum, and a gap is then all that there is. So
    the objective counts as a tiny share of the problem's scale at least.

    Args:
        kernel: The kernel.
        x: All training rows, `[all, d]`.
        problem: The problem.
        proof: The proof of a β.
    """
    dual = float(proof.optimality.dual_objective)
    gap = float(proof.optimality.duality_gap)
    larger = max(abs(dual), abs(dual + gap))
    if not gap > LARGEST_RELATIVE_GAP * larger:  # the scale takes longer than the rest
        return gap / max(larger, np.finfo(float).tiny)
    least = NEGLIGIBLE_OBJECTIVE * _measure_scale(kernel, x, problem, proof.beta)
    return gap / max(larger, least, np.finfo(float).tiny)


def _measure_scale(
    kernel: kernels.Kernel, x: Rows, problem: DualProblem, beta: np.ndarray
) -> float:
    """Compute ½ Σ βᵢ² k(xᵢ, xᵢ): how large W is where its parts do not cancel."""
    coefficients = problem.sum_by_row(beta)
    used = coefficients != 0
    rows = x[problem.rows[used]].astype(np.float64)
    if isinstance(kernel, kernels.PrecomputedKernel):
        diagonal = rows[np.arange(len(rows)), problem.rows[used]]
    else:
        diagonal = compute_diagonal(kernel, rows)
    return float(np.square(coefficients[used]) @ np.abs(diagonal)) / 2
