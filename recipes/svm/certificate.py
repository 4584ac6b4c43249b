"""The proof of a dual solution: from the rows and β alone, in float64.

Nothing of the descent's running sums enters. Every row's product with all support
vectors is computed anew, tile by tile, so memory does not grow with their number.
"""

import concurrent.futures
import os
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf
import threadpoolctl

from layers import kernels
from recipes.svm.problem import Problem
from recipes.svm.progress import Dual, Progress, measure, multipliers

# A tile's kernel values; with what they are computed from they stay in the cache.
TILE_BYTES = 2**23
# With more tiles it pays to begin threads.
FEW_TILES = 4
# With more features numpy's matrix product pays, which takes half the time of
# TensorFlow's in float64 but has to be handed over.
FEW_FEATURES = 64


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
    variables = tf.constant(beta)
    with tf.GradientTape() as tape:
        tape.watch(variables)
        objective = dual_objective(kernel, x, problem, variables)
    gradient = tape.gradient(objective, variables)
    product = gradient - problem.linear
    dual = Dual(*(tf.constant(getattr(problem, name)) for name in Dual._fields))
    measured, found = _measured(
        product, variables, dual, problem.copies, problem.groups
    )
    return Proof(
        beta,
        product.numpy()[: len(problem.rows)],
        Progress(*(value.numpy() for value in measured)),
        found.numpy(),
    )


@tf.function(autograph=False, reduce_retracing=True)
def _measured(
    product: tf.Tensor, beta: tf.Tensor, dual: Dual, copies: int, groups: int
) -> tuple[Progress, tf.Tensor]:
    progress = measure(
        product,
        beta,
        dual,
        tf.constant(0),
        tf.constant(False),
        copies=copies,
        groups=groups,
    )
    found = multipliers(product + dual.linear, beta, dual, groups=groups)
    return progress, found


def dual_objective(
    kernel: kernels.Kernel, x: np.ndarray, problem: Problem, beta: tf.Tensor
) -> tf.Tensor:
    """W(β) = ½ βᵀKβ + pᵀβ, which a gradient tape can differentiate; eager only.

    Args:
        kernel: The kernel.
        x: All training rows, `[all, d]`.
        problem: The problem.
        beta: β, float64, `[V]`.

    Returns:
        float64, `[]`.
    """
    coefficients = tf.reduce_sum(tf.reshape(beta, [problem.copies, -1]), axis=0)

    @tf.custom_gradient
    def quadratic(c: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        # The tape would multiply by K once more to find that ∂/∂c ½cᵀKc is Kc.
        product = tf.constant(kernel_product(kernel, x, problem.rows, c.numpy()))
        return tf.tensordot(c, product, 1) / 2, lambda upstream: upstream * product

    return quadratic(coefficients) + tf.tensordot(beta, tf.constant(problem.linear), 1)


def kernel_product(
    kernel: kernels.Kernel,
    x: np.ndarray,
    rows: np.ndarray,
    coefficients: np.ndarray,
    at: np.ndarray | None = None,
) -> np.ndarray:
    """Σⱼ cⱼ k(xᵢ, xⱼ) over j of `rows`, for all i of `at`, in float64.

    Args:
        kernel: The kernel.
        x: All training rows, `[all, d]`.
        rows: The rows that j runs through, `[n]`.
        coefficients: c, float64, `[n]`.
        at: The rows that i runs through, `[m]`; `None` for `rows`.

    Returns:
        float64, `[m]`.
    """
    used = np.flatnonzero(coefficients)
    at = rows if at is None else at
    product = np.zeros(len(at))
    if not len(used):
        return product
    tiles = _Tiles(kernel, x, rows[used], coefficients[used], len(at))
    starts = range(0, len(at), tiles.rows)

    def fill(start: int) -> None:
        tile = at[start : start + tiles.rows]
        product[start : start + len(tile)] = tiles.sums(x[tile])[: len(tile)]

    if len(starts) <= FEW_TILES:
        for start in starts:
            fill(start)
        return product
    # A tile on each core. Should BLAS share each product out instead, its idle threads
    # would take the cores from what follows.
    with (
        threadpoolctl.threadpool_limits(1, user_api="blas"),
        concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        for _ in pool.map(fill, starts):  # raises what a tile raised
            pass
    return product


class _Tiles:
    """Σⱼ cⱼ k(x, xⱼ) of a tile of rows; shapes are rounded up, so that few compile."""

    def __init__(
        self,
        kernel: kernels.Kernel,
        x: np.ndarray,
        vectors: np.ndarray,
        coefficients: np.ndarray,
        rows: int,
    ) -> None:
        extra = _rounded_up(len(vectors)) - len(vectors)
        self.kernel = kernel
        self.coefficients = tf.constant(np.pad(coefficients, (0, extra)))
        if isinstance(kernel, kernels.PrecomputedKernel):
            own = vectors[:, np.newaxis]
        else:
            own = x[vectors]
        self.vectors = np.pad(np.asarray(own, np.float64), ((0, extra), (0, 0)))
        self.wide = (
            isinstance(kernel, kernels.InnerProductKernel) and x.shape[1] > FEW_FEATURES
        )
        self.squares = tf.constant(_squares(self.vectors)) if self.wide else None
        fitting = TILE_BYTES // (8 * len(self.vectors))
        self.rows = min(1 << max(0, fitting.bit_length() - 1), _rounded_up(rows))

    def sums(self, own: np.ndarray) -> np.ndarray:
        """Sums of at most `rows` rows `[t, d]`, followed by those of empty rows."""
        own = np.asarray(own, np.float64)
        own = np.pad(own, ((0, self.rows - len(own)), (0, 0)))
        if self.wide:
            products = own @ self.vectors.T
            sums = _sums_of_products(
                self.kernel, products, _squares(own), self.squares, self.coefficients
            )
        elif isinstance(self.kernel, kernels.CallableKernel):
            # What the user wrote may not compile under XLA.
            sums = tf.linalg.matvec(self.kernel(own, self.vectors), self.coefficients)
        else:
            sums = _sums(self.kernel, own, self.vectors, self.coefficients)
        return np.asarray(sums)


@tf.function(jit_compile=True, autograph=False, reduce_retracing=True)
def _sums(
    kernel: kernels.Kernel, own: tf.Tensor, vectors: tf.Tensor, coefficients: tf.Tensor
) -> tf.Tensor:
    return tf.linalg.matvec(kernel(own, vectors), coefficients)


@tf.function(jit_compile=True, autograph=False, reduce_retracing=True)
def _sums_of_products(
    kernel: kernels.InnerProductKernel,
    products: tf.Tensor,
    own_squares: tf.Tensor,
    squares: tf.Tensor,
    coefficients: tf.Tensor,
) -> tf.Tensor:
    return tf.linalg.matvec(
        kernel.of_products(products, own_squares, squares), coefficients
    )


def _squares(rows: np.ndarray) -> np.ndarray:
    return np.einsum("ij,ij->i", rows, rows)


def _rounded_up(count: int) -> int:
    """The next number of three leading binary digits and zeros, at least 64."""
    step = max(64, 1 << max(0, count.bit_length() - 3))
    return -(-count // step) * step
