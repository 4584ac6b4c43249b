"""The proof of a dual solution: from the rows and β alone, in float64.

Nothing of the descent's running sums enters: every row's product with all support
vectors is computed anew.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from layers import kernels
from recipes.svm.solver.dual import Problem
from recipes.svm.solver.float64_product import kernel_product
from recipes.svm.solver.optimality import Dual, Progress, measure, multipliers


class Proof(NamedTuple):
    """What is true of β.

    Attributes:
        beta: float64, `[V]`.
        product: Kβ of the problem's rows, float64, `[n]`.
        measured: Objectives, gap and violation.
        multipliers: Of the groups' equalities, float64, `[groups]`.
    """

    beta: np.ndarray
    product: np.ndarray
    measured: Progress
    multipliers: np.ndarray


def prove(
    kernel: kernels.Kernel, x: np.ndarray, problem: Problem, beta: np.ndarray
) -> Proof:
    """Measures β afresh.

    Args:
        kernel: The kernel.
        x: All training rows, `[all, d]`.
        problem: The problem; its `rows` are rows of `x`.
        beta: β, float64, `[V]`.
    """
    coefficients = beta.reshape(problem.copies, -1).sum(axis=0)
    product = kernel_product(kernel, x, problem.rows, coefficients)
    dual = Dual(*(getattr(problem, name) for name in Dual._fields))
    measured, found = _measured(product, beta, dual, problem.copies, problem.groups)
    return Proof(
        beta, product, Progress(*(value.numpy() for value in measured)), found.numpy()
    )


@tf.function(autograph=False, reduce_retracing=True)
def _measured(
    product: tf.Tensor, beta: tf.Tensor, dual: Dual, copies: int, groups: int
) -> tuple[Progress, tf.Tensor]:
    with tf.GradientTape() as tape:
        tape.watch(beta)
        objective = dual_objective(beta, product, dual.linear, copies)
    gradient = tape.gradient(objective, beta)
    progress = measure(
        gradient - dual.linear,
        beta,
        dual,
        tf.constant(0),
        tf.constant(False),
        copies=copies,
        groups=groups,
    )
    return progress, multipliers(gradient, beta, dual, groups=groups)


def dual_objective(
    beta: tf.Tensor, product: tf.Tensor, linear: tf.Tensor, copies: int
) -> tf.Tensor:
    """W(β) = ½ βᵀKβ + pᵀβ, which a gradient tape can differentiate.

    Args:
        beta: β, float64, `[V]`.
        product: Kβ of the rows, float64, `[n]`.
        linear: p, float64, `[V]`.
        copies: V / n: how many variables a row has.

    Returns:
        float64, `[]`.
    """

    @tf.custom_gradient
    def quadratic(c: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        # The tape would multiply by K once more to find that ∂/∂c ½cᵀKc is Kc.
        return tf.tensordot(c, product, 1) / 2, lambda upstream: upstream * product

    coefficients = tf.reduce_sum(tf.reshape(beta, [copies, -1]), axis=0)
    return quadratic(coefficients) + tf.tensordot(beta, linear, 1)
