"""The proof of how close a β is to the optimum: from the rows and β alone, in float64.

The descent's running sums play no part: the product of every row with all support
vectors is computed afresh.
"""

from collections.abc import Callable
from typing import NamedTuple

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
    kernel: kernels.Kernel, x: np.ndarray, problem: DualProblem, beta: np.ndarray
) -> Proof:
    """Measure afresh how close β is to the optimum.

    Args:
        kernel: The kernel.
        x: All training rows, `[all, d]`.
        problem: The problem; its `rows` are indices into `x`.
        beta: β, float64, `[V]`.
    """
    coefficients = beta.reshape(problem.variables_per_row, -1).sum(axis=0)
    product = compute_kernel_product(kernel, x, problem.rows, coefficients)
    dual = DualTensors(*(getattr(problem, name) for name in DualTensors._fields))
    optimality, multipliers = _measure(
        product, beta, dual, problem.variables_per_row, problem.groups
    )
    return Proof(
        beta,
        product,
        Optimality(*(value.numpy() for value in optimality)),
        multipliers.numpy(),
    )


@tf.function(autograph=False, reduce_retracing=True)
def _measure(
    product: tf.Tensor,
    beta: tf.Tensor,
    dual: DualTensors,
    variables_per_row: int,
    groups: int,
) -> tuple[Optimality, tf.Tensor]:
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
