"""The proof of how close a β is to the optimum: from the rows and β alone, in float64.

The descent's running sums play no part: the product of every row with all support
vectors is computed afresh.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from layers import kernels
from recipes.svm.solver.dual import DualProblem
from recipes.svm.solver.float64_product import compute_kernel_product
from recipes.svm.solver.optimality import (
    DualTensors,
    Optimality,
    compute_multipliers,
    measure_optimality,
)
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
    """

    beta: np.ndarray
    product: np.ndarray
    optimality: Optimality
    multipliers: np.ndarray


def prove(
    kernel: kernels.Kernel, x: Rows, problem: DualProblem, beta: np.ndarray
) -> Proof:
    """Measure afresh how close β is to the optimum.

    Args:
        kernel: The kernel.
        x: All training rows, `[all, d]`; an array or a `csr_array`.
        problem: The problem; its `rows` are indices into `x`.
        beta: β, float64, `[V]`.
    """
    coefficients = beta.reshape(problem.variables_per_row, -1).sum(axis=0)
    product = compute_kernel_product(kernel, x, problem.rows, coefficients)
    dual = DualTensors(*(getattr(problem, name) for name in DualTensors._fields))
    optimality, multipliers = _measure(
        product,
        beta,
        dual,
        problem.variables_per_row,
        problem.groups,
        problem.unit_margin,
    )
    return Proof(
        beta,
        product,
        Optimality(*(value.numpy() for value in optimality)),
        multipliers.numpy(),
    )


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
    coefficients = beta.reshape(problem.variables_per_row, -1).sum(axis=0)
    used = coefficients != 0
    rows = x[problem.rows[used]].astype(np.float64)
    if isinstance(kernel, kernels.PrecomputedKernel):
        diagonal = rows[np.arange(len(rows)), problem.rows[used]]
    else:
        diagonal = compute_diagonal(kernel, rows)
    return float(np.square(coefficients[used]) @ np.abs(diagonal)) / 2


@tf.function(autograph=False, reduce_retracing=True)
def measure_batch(
    product: tf.Tensor,
    beta: tf.Tensor,
    dual: DualTensors,
    groups: int,
    unit_margin: bool,
) -> tuple[Optimality, tf.Tensor]:
    """Measure how close each of p problems of n rows and variables is to its optimum.

    Args:
        product: Kβ, float64, `[p, n]`.
        beta: β, float64, `[p, n]`.
        dual: The constants, `[p, n]` each.
        groups: Number of groups.
        unit_margin: That of the problems.

    Returns:
        The optimality of each, `[p]`, and its multipliers, `[p, groups]`.
    """

    def measure_one(problem: Any) -> tuple[Optimality, tf.Tensor]:
        product, beta, *constants = problem
        return _measure.python_function(
            product, beta, DualTensors(*constants), 1, groups, unit_margin
        )

    return tf.vectorized_map(measure_one, (product, beta, *dual))


@tf.function(autograph=False, reduce_retracing=True)
def _measure(
    product: tf.Tensor,
    beta: tf.Tensor,
    dual: DualTensors,
    variables_per_row: int,
    groups: int,
    unit_margin: bool,
) -> tuple[Optimality, tf.Tensor]:
    beta = tf.convert_to_tensor(beta)  # an array, where functions run eagerly
    with tf.GradientTape() as tape:
        tape.watch(beta)
        objective = compute_objective(beta, product, dual.linear, variables_per_row)
    gradient = tape.gradient(objective, beta)
    optimality = measure_optimality(
        gradient - dual.linear,
        beta,
        dual,
        tf.constant(0),
        tf.constant(False),
        variables_per_row=variables_per_row,
        groups=groups,
        unit_margin=unit_margin,
    )
    return optimality, compute_multipliers(gradient, beta, dual, groups=groups)


def compute_objective(
    beta: tf.Tensor, product: tf.Tensor, linear: tf.Tensor, variables_per_row: int
) -> tf.Tensor:
    """Compute W(β) = ½ βᵀKβ + pᵀβ so that a gradient tape can differentiate it.

    Args:
        beta: β, float64, `[V]`.
        product: Kβ of the rows, float64, `[n]`.
        linear: p, float64, `[V]`.
        variables_per_row: V / n.

    Returns:
        float64, `[]`.
    """

    @tf.custom_gradient
    def quadratic(c: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        # The gradient of ½cᵀKc is Kc, which is known: the tape need not multiply by K.
        return tf.tensordot(c, product, 1) / 2, lambda upstream: upstream * product

    coefficients = tf.reduce_sum(tf.reshape(beta, [variables_per_row, -1]), axis=0)
    return quadratic(coefficients) + tf.tensordot(beta, linear, 1)
