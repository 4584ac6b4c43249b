"""Hundreds of tiny dual problems, solved side by side.

A pair of classes with a few rows each takes less time to solve than to look at. So what
the problems share is computed once, the kernel matrix of all their rows, in float64;
and all problems of a batch take their steps together.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from layers import kernels
from recipes.svm.solver import decomposition
from recipes.svm.solver.batched_steps import solve_blocks
from recipes.svm.solver.dual import DualProblem
from recipes.svm.solver.optimality import DualTensors, Optimality
from recipes.svm.solver.padding import Padding
from recipes.svm.solver.precision import prepare_rows
from recipes.svm.solver.proof import Proof, measure_batch
from recipes.svm.solver.rows import Rows
from recipes.svm.solver.sparse_kernel import make_kernel_function

# Problems of up to this many variables are tiny,
TINY_PROBLEM_SIZE = 64
# if there are more of them than this.
FEW_PROBLEMS = 32
# Variables of all problems of a batch, whose vectors fit in the processor's cache.
BATCH_VARIABLES = 2**13


class TinyProblemBatch(tf.Module):
    """A batch of tiny problems: one iteration solves each to the tolerance.

    The state is each problem's β, and its product Kβ.

    Args:
        kernel: The kernel.
        x: All training rows, `[all, d]`.
        problems: All problems that will be loaded, with one variable per row.
    """

    def __init__(
        self,
        kernel: kernels.Kernel,
        x: Rows,
        problems: Sequence[DualProblem],
    ) -> None:
        super().__init__()
        self.groups = problems[0].groups
        self.unit_margin = problems[0].unit_margin
        # Powers of two, so that few shapes compile.
        self.size = _round_up(max(len(problem.linear) for problem in problems))
        self.working_set_size = self.size
        self.batch_size = min(_round_up(len(problems)), BATCH_VARIABLES // self.size)
        rows = _find_rows(problems)
        self.place = np.zeros(x.shape[0], np.int32)
        self.place[rows] = np.arange(len(rows))
        function = make_kernel_function(
            kernel, prepare_rows(kernel, x[rows], "float64")
        )
        self.matrix = function.compute_block(tf.range(len(rows))).numpy()
        self.kernel = tf.Variable(self.matrix, trainable=False)

        def state(dtype: Any = tf.float64) -> tf.Variable:
            none = tf.zeros([self.batch_size, self.size], dtype)
            return tf.Variable(none, trainable=False)

        self.rows = state(tf.int32)
        self.beta, self.product = state(), state()
        self.dual = DualTensors(state(), state(), state(), state(tf.int32))
        self.tolerances = tf.Variable(
            tf.zeros([self.batch_size], tf.float64), trainable=False
        )

    def load_problems(
        self, _: Any, problems: Sequence[DualProblem], tolerances: Sequence[float]
    ) -> None:
        """Load problems that the solver was made for, to solve to violations."""
        padding = self._padding(problems)
        self.rows.assign(self._pad_rows(padding, problems))
        for variable, values in zip(
            self.dual, _pad_dual(padding, problems), strict=True
        ):
            variable.assign(values)
        zeros = [np.zeros(len(p.rows)) for p in problems]
        self.set_points(problems, [p.start for p in problems], zeros, tolerances)

    def set_points(
        self,
        problems: Sequence[DualProblem],
        beta: Sequence[np.ndarray],
        product: Sequence[np.ndarray],
        tolerances: Sequence[float],
    ) -> None:
        """Continue from β `[n]` and `product` = Kβ `[n]`, to a violation, of each."""
        extra = self.batch_size - len(tolerances)
        self.tolerances.assign(np.pad(tolerances, (0, extra), constant_values=1.0))
        padding = self._padding(problems)
        self.beta.assign(padding.pad(beta))
        self.product.assign(padding.pad(product))

    def get_points(self, problems: Sequence[DualProblem]) -> list[np.ndarray]:
        """Return β `[n]` of each problem."""
        return self._padding(problems).unpad(self.beta.numpy())

    def prove(
        self, problems: Sequence[DualProblem], beta: Sequence[np.ndarray]
    ) -> list[Proof]:
        """Measure afresh how close each problem's β `[n]` is to the optimum.

        As `proof.prove`, from the float64 kernel matrix of the rows.
        """
        padding = self._padding(problems)
        rows, points = self._pad_rows(padding, problems), padding.pad(beta)
        own = self.matrix[rows[:, :, np.newaxis], rows[:, np.newaxis]]
        products = np.einsum("pij,pj->pi", own, points)
        optimality, multipliers = measure_batch(
            products,
            points,
            _pad_dual(padding, problems),
            self.groups,
            self.unit_margin,
        )
        columns = zip(*(column.numpy() for column in optimality), strict=True)
        return [
            Proof(*each)
            for each in zip(
                beta,
                padding.unpad(products),
                (Optimality(*values) for values in columns),
                multipliers.numpy(),
                strict=False,  # the batch is padded
            )
        ]

    def iterate(self) -> Optimality:
        """Solve every problem from its β; the result has shape `[batch_size]`."""
        dual = DualTensors(*(tf.identity(each) for each in self.dual))
        before, rows = tf.identity(self.beta), tf.identity(self.rows)
        gradient = self.product + dual.linear
        beta, gradient, steps = solve_blocks(
            tf.gather(tf.gather(self.kernel, rows), rows, axis=2, batch_dims=1),
            gradient,
            before,
            dual.lower,
            dual.upper,
            dual.group,
            self._choose_inner_tolerances(gradient, before, dual),
            tf.constant(decomposition.STEPS_PER_VARIABLE * self.size),
            groups=self.groups,
        )
        product = gradient - dual.linear
        self.beta.assign(beta)
        self.product.assign(product)
        optimality, _ = measure_batch(
            product, beta, dual, self.groups, self.unit_margin
        )
        return optimality._replace(
            steps=steps, moved=tf.reduce_any(beta != before, axis=1)
        )

    def _choose_inner_tolerances(
        self, gradient: tf.Tensor, beta: tf.Tensor, dual: DualTensors
    ) -> tf.Tensor:
        if not self.unit_margin:
            return decomposition.INNER_TOLERANCE_SHARE * self.tolerances

        def choose(problem: Any) -> tf.Tensor:
            gradient, beta, tolerance, *constants = problem
            return decomposition.choose_inner_tolerance(
                gradient,
                beta,
                DualTensors(*constants),
                tolerance,
                groups=self.groups,
                unit_margin=True,
            )

        problems = (gradient, beta, tf.identity(self.tolerances), *dual)
        return tf.vectorized_map(choose, problems)

    def _padding(self, problems: Sequence[DualProblem]) -> Padding:
        lengths = [len(problem.linear) for problem in problems]
        return Padding(lengths, (self.batch_size, self.size))

    def _pad_rows(self, padding: Padding, problems: Sequence[DualProblem]) -> Any:
        return padding.pad([self.place[problem.rows] for problem in problems])


def are_many_tiny(problems: Sequence[DualProblem], cache_bytes: float) -> bool:
    """Return whether a `TinyProblemBatch` suits the problems.

    Args:
        problems: The problems.
        cache_bytes: Memory for the kernel matrix of all their rows.
    """
    if len(problems) <= FEW_PROBLEMS or problems[0].variables_per_row > 1:
        return False
    is_tiny = max(len(problem.rows) for problem in problems) <= TINY_PROBLEM_SIZE
    return is_tiny and 8 * len(_find_rows(problems)) ** 2 <= cache_bytes


def _find_rows(problems: Sequence[DualProblem]) -> npt.NDArray[np.int64]:
    """Return the rows that any of the problems uses, ascending."""
    return np.unique(np.concatenate([problem.rows for problem in problems]))


def _pad_dual(padding: Padding, problems: Sequence[DualProblem]) -> DualTensors:
    return DualTensors(
        *(
            padding.pad([getattr(problem, name) for problem in problems])
            for name in DualTensors._fields
        )
    )


def _round_up(count: int) -> int:
    """Return the next power of two."""
    return 1 << (count - 1).bit_length()
