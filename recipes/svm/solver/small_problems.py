"""Small dual problems, solved in batches: each is its own working set."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from layers import kernels
from recipes.svm.solver import decomposition
from recipes.svm.solver.dual import DualProblem
from recipes.svm.solver.optimality import DualTensors, Optimality, measure_optimality
from recipes.svm.solver.rows import Rows
from recipes.svm.solver.smo_steps import choose_block_size, solve_block
from recipes.svm.solver.sparse_kernel import make_kernel_function

# Problems of up to this many variables are their own working set.
SMALL_PROBLEM_SIZE = 2048


class SmallProblemBatch(tf.Module):
    """A batch of small problems: one iteration solves each to the tolerance.

    The state is each problem's β, and its product Kβ.

    Args:
        kernel: The kernel.
        x: All rows, `[n, d]`, a tensor or a `csr_array`.
        variables: Number of variables of the largest problem.
        variables_per_row: Number of variables per row.
        groups: Number of groups of variables.
        unit_margin: That of the problems.
        cache_bytes: Memory for the kernel matrices of problems that are solved at a
            time; one problem takes its memory in any case.
    """

    def __init__(
        self,
        kernel: kernels.Kernel,
        x: tf.Tensor | Rows,
        variables: int,
        variables_per_row: int,
        groups: int,
        unit_margin: bool,
        cache_bytes: float,
    ) -> None:
        super().__init__()
        self.size = self.working_set_size = choose_block_size(variables)
        self.variables_per_row, self.groups = variables_per_row, groups
        self.unit_margin = unit_margin
        self.function = make_kernel_function(kernel, x)
        # One on each core. Each takes twice its kernel matrix: K and the products.
        fitting = int(cache_bytes / (2 * self.size**2 * tf.as_dtype(x.dtype).size))
        self.parallel_problems = max(1, min(os.cpu_count() or 1, fitting))

        def state(dtype: tf.DType = tf.float64) -> tf.Variable:
            none = tf.zeros([0, self.size], dtype)
            return tf.Variable(none, shape=[None, self.size], trainable=False)

        self.rows = state(tf.int32)
        self.beta, self.product = state(), state()
        self.dual = DualTensors(state(), state(), state(), state(tf.int32))
        self.tolerances = tf.Variable(
            tf.zeros([0], tf.float64), shape=[None], trainable=False
        )

    def load_problems(
        self,
        x: tf.Tensor | Rows,
        problems: Sequence[DualProblem],
        tolerances: Sequence[float],
    ) -> None:
        """Load problems over the rows of `x` `[all, d]`, to solve to violations."""
        self.rows.assign(
            self._pad(
                [np.tile(p.rows, self.variables_per_row) for p in problems]
            ).astype(np.int32)
        )
        for variable, name in zip(self.dual, DualTensors._fields, strict=True):
            variable.assign(self._pad([getattr(p, name) for p in problems]))
        self.set_points(
            problems,
            [p.start for p in problems],
            [np.zeros(len(p.rows)) for p in problems],
            tolerances,
        )

    def set_points(
        self,
        problems: Sequence[DualProblem],
        beta: Sequence[np.ndarray],
        product: Sequence[np.ndarray],
        tolerances: Sequence[float],
    ) -> None:
        """Continue from β `[V]` and `product` = Kβ `[n]`, to a violation, of each."""
        self.tolerances.assign(tolerances)
        self.beta.assign(self._pad(beta))
        self.product.assign(
            self._pad([np.tile(p, self.variables_per_row) for p in product])
        )

    def get_points(self, problems: Sequence[DualProblem]) -> list[np.ndarray]:
        """Return β `[V]` of each problem."""
        beta = self.beta.numpy()
        return [b[: len(p.linear)] for p, b in zip(problems, beta, strict=True)]

    def iterate(self) -> Optimality:
        """Solve every problem from its β; the result has shape `[problems]`."""
        problems = (self.rows, self.beta, self.product, self.tolerances, *self.dual)
        beta, product, optimality = tf.map_fn(
            self._solve,
            tuple(tf.identity(each) for each in problems),
            parallel_iterations=self.parallel_problems,
            fn_output_signature=(tf.float64, tf.float64, _optimality_dtypes()),
        )
        self.beta.assign(beta)
        self.product.assign(product)
        return optimality

    def _solve(self, problem: Any) -> tuple[tf.Tensor, tf.Tensor, Optimality]:
        rows, before, product, tolerance, *constants = problem
        dual = DualTensors(*constants)
        gradient = product + dual.linear
        after, gradient, steps = solve_block(
            self.function.compute_block(rows),
            gradient,
            before,
            dual.lower,
            dual.upper,
            dual.group,
            self._choose_inner_tolerance(gradient, before, dual, tolerance),
            tf.constant(decomposition.STEPS_PER_VARIABLE * self.size),
            groups=self.groups,
        )
        product = gradient - dual.linear
        optimality = measure_optimality(
            product,
            after,
            dual,
            steps,
            tf.reduce_any(after != before),
            variables_per_row=1,
            groups=self.groups,
            unit_margin=self.unit_margin,
        )
        return after, product, optimality

    def _choose_inner_tolerance(
        self, gradient: tf.Tensor, beta: tf.Tensor, dual: DualTensors, tolerance: Any
    ) -> tf.Tensor:
        if self.unit_margin:  # which is found step by step
            return decomposition.choose_inner_tolerance(
                gradient, beta, dual, tolerance, groups=self.groups, unit_margin=True
            )
        return decomposition.INNER_TOLERANCE_SHARE * tolerance

    def _pad(self, values: Sequence[np.ndarray]) -> np.ndarray:
        return np.stack([np.pad(v, (0, self.size - len(v))) for v in values])


def _optimality_dtypes() -> Optimality:
    return Optimality(tf.float64, tf.float64, tf.float64, tf.int32, tf.int32, tf.bool)
