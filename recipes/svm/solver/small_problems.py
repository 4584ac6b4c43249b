"""Small dual problems, worked on side by side: each is its own working set."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from layers import kernels
from recipes.svm.solver import decomposition
from recipes.svm.solver.dual import Problem
from recipes.svm.solver.kernel_cache import KernelFunction
from recipes.svm.solver.optimality import Dual, Progress, measure
from recipes.svm.solver.smo_steps import block_size, solve_block

# Problems of so many variables are their own working set.
SMALL = 2048


class SideBySide(tf.Module):
    """Several small problems: each is its own working set, solved to the tolerance.

    Args:
        kernel: The kernel.
        x: All rows, `[n, d]`.
        variables: Most variables that a problem has.
        copies: Variables a row.
        groups: Groups of variables.
        tolerance: Violation to stop at.
    """

    def __init__(
        self,
        kernel: kernels.Kernel,
        x: tf.Tensor,
        variables: int,
        copies: int,
        groups: int,
        tolerance: float,
    ) -> None:
        super().__init__()
        self.size = self.working_set_size = block_size(variables)
        self.copies, self.groups, self.tolerance = copies, groups, tolerance
        self.function = KernelFunction(kernel, x)

        def state(dtype: tf.DType = tf.float64) -> tf.Variable:
            none = tf.zeros([0, self.size], dtype)
            return tf.Variable(none, shape=[None, self.size], trainable=False)

        self.rows = state(tf.int32)
        self.beta, self.product = state(), state()
        self.dual = Dual(state(), state(), state(), state(tf.int32))

    def begin(self, x: tf.Tensor, problems: Sequence[Problem]) -> None:
        """Takes on problems of the rows of `x` `[all, d]`."""
        self.rows.assign(
            self._padded([np.tile(p.rows, p.copies).astype(np.int32) for p in problems])
        )
        for variable, name in zip(self.dual, Dual._fields, strict=True):
            variable.assign(self._padded([getattr(p, name) for p in problems]))
        self.set_point(
            problems,
            [p.start for p in problems],
            [np.zeros(len(p.rows)) for p in problems],
        )

    def set_point(
        self,
        problems: Sequence[Problem],
        beta: Sequence[np.ndarray],
        product: Sequence[np.ndarray],
    ) -> None:
        """Goes on from β `[V]` with `product` Kβ `[n]`, one of each problem."""
        self.beta.assign(self._padded(beta))
        self.product.assign(self._padded([np.tile(p, self.copies) for p in product]))

    def point(self, problems: Sequence[Problem]) -> list[np.ndarray]:
        """β `[V]` of each problem."""
        beta = self.beta.numpy()
        return [b[: len(p.linear)] for p, b in zip(problems, beta, strict=True)]

    def iterate(self) -> Progress:
        """Solves every problem from where it is; progress `[problems]` each."""
        problems = (self.rows, self.beta, self.product, *self.dual)
        beta, product, progress = tf.map_fn(
            self._solve,
            tuple(tf.identity(each) for each in problems),
            # One on each core. A problem takes the memory of its kernel matrix.
            parallel_iterations=2,
            fn_output_signature=(tf.float64, tf.float64, _progress_dtypes()),
        )
        self.beta.assign(beta)
        self.product.assign(product)
        return progress

    def _solve(self, problem: Any) -> tuple[tf.Tensor, tf.Tensor, Progress]:
        rows, before, product, *constants = problem
        dual = Dual(*constants)
        after, gradient, steps = solve_block(
            self.function.block(rows),
            product + dual.linear,
            before,
            dual.lower,
            dual.upper,
            dual.group,
            tf.constant(decomposition.INNER_TOLERANCE * self.tolerance, tf.float64),
            tf.constant(decomposition.STEPS_PER_VARIABLE * self.size),
            groups=self.groups,
        )
        product = gradient - dual.linear
        progress = measure(
            product,
            after,
            dual,
            steps,
            tf.reduce_any(after != before),
            copies=1,
            groups=self.groups,
        )
        return after, product, progress

    def _padded(self, values: Sequence[np.ndarray]) -> np.ndarray:
        return np.stack([np.pad(v, (0, self.size - len(v))) for v in values])


def _progress_dtypes() -> Progress:
    return Progress(tf.float64, tf.float64, tf.float64, tf.int32, tf.int32, tf.bool)
