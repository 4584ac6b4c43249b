"""Small dual problems, each of which is its own working set."""

import concurrent.futures
import os
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from layers import kernels
from recipes.svm.solver import decomposition
from recipes.svm.solver.dual import DualProblem
from recipes.svm.solver.optimality import Optimality, measure_optimality
from recipes.svm.solver.rows import Rows
from recipes.svm.solver.smo_steps import choose_block_size, solve_working_set
from recipes.svm.solver.sparse_kernel import make_kernel_function

# Problems of up to this many variables are their own working set.
SMALL_PROBLEM_SIZE = 2048


class SmallProblemBatch:
    """A batch of small problems: one iteration solves each to the tolerance.

    The state is each problem's β, and its product Kβ.

    Args:
        kernel: The kernel.
        x: All rows, `[n, d]`, a tensor or a `csr_array`.
        variables: Number of variables of the largest problem.
        cache_bytes: Memory for the kernel matrices of problems that are solved at a
            time; one problem takes its memory in any case.
    """

    def __init__(
        self,
        kernel: kernels.Kernel,
        x: tf.Tensor | Rows,
        variables: int,
        cache_bytes: float,
    ) -> None:
        self.working_set_size = choose_block_size(variables)
        self.function = make_kernel_function(kernel, x)
        # One on each core. Each takes twice its kernel matrix: K and the products.
        matrix = self.working_set_size**2 * tf.as_dtype(x.dtype).size
        fitting = int(cache_bytes / (2 * matrix))
        self.parallel_problems = max(1, min(os.cpu_count() or 1, fitting))

    def load_problems(self, problems: Sequence[DualProblem]) -> None:
        """Load problems over the rows of `x`."""
        self.problems = problems

    def set_points(
        self,
        beta: Sequence[np.ndarray],
        product: Sequence[np.ndarray],
        tolerances: Sequence[float],
    ) -> None:
        """Continue from β `[V]` and `product` = Kβ `[n]`, to a violation, of each."""
        self.beta, self.product = list(beta), list(product)
        self.tolerances = tolerances

    def get_points(self) -> list[np.ndarray]:
        """Return β `[V]` of each problem."""
        return self.beta

    def iterate(self) -> list[Optimality]:
        """Solve every problem from its β."""
        numbers = range(len(self.problems))
        with concurrent.futures.ThreadPoolExecutor(self.parallel_problems) as pool:
            return list(pool.map(self._solve, numbers))

    def _solve(self, number: int) -> Optimality:
        problem, before = self.problems[number], self.beta[number]
        product = self.product[number]
        gradient = np.tile(product, problem.variables_per_row) + problem.linear
        everything = np.arange(len(before))
        after, gradient, steps = solve_working_set(
            self.function,
            problem.rows[everything % len(product)],
            problem,
            everything,
            gradient,
            before,
            self._choose_inner_tolerance(number, gradient),
            size=self.working_set_size,
        )
        self.beta[number] = after
        self.product[number] = (gradient - problem.linear)[: len(product)]
        optimality, _ = measure_optimality(
            self.product[number],
            after,
            problem,
            groups=problem.groups,
            unit_margin=problem.unit_margin,
        )
        return optimality._replace(steps=steps, moved=bool((after != before).any()))

    def _choose_inner_tolerance(self, number: int, gradient: np.ndarray) -> float:
        problem, tolerance = self.problems[number], self.tolerances[number]
        if not problem.unit_margin:
            return decomposition.INNER_TOLERANCE_SHARE * tolerance
        return float(  # the margin is found step by step
            decomposition.choose_inner_tolerance(
                gradient,
                self.beta[number],
                problem,
                tolerance,
                groups=problem.groups,
                unit_margin=True,
            )
        )
