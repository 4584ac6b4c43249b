"""Hundreds of tiny dual problems, solved side by side.

A pair of classes with a few rows each takes less time to solve than to look at. So what
the problems share is computed once, the kernel matrix of all their rows, in float64;
and all problems of a batch take their steps together.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from layers import kernels
from recipes.svm.solver import decomposition, smo_steps
from recipes.svm.solver.batched_steps import solve_blocks
from recipes.svm.solver.dual import DualProblem
from recipes.svm.solver.kernel_matrix import KernelMatrix, find_rows
from recipes.svm.solver.optimality import Dual, Optimality, measure_optimality
from recipes.svm.solver.padding import Padding
from recipes.svm.solver.proof import Proof
from recipes.svm.solver.rows import Rows

# Problems of up to this many variables are tiny,
TINY_PROBLEM_SIZE = 64
# if there are more of them than this.
FEW_PROBLEMS = 32
# Variables of all problems of a batch, whose vectors fit in the processor's cache.
BATCH_VARIABLES = 2**13


class TinyProblemBatch:
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
        self.groups = problems[0].groups
        self.unit_margin = problems[0].unit_margin
        self.working_set_size = _choose_size(problems)
        self.batch_size = choose_batch_size(problems)
        self.matrix = KernelMatrix(kernel, x, find_rows(problems))

    def load_problems(self, problems: Sequence[DualProblem]) -> None:
        """Load problems that the solver was made for."""
        lengths = [len(problem.rows) for problem in problems]
        self.padding = Padding(lengths, (self.batch_size, self.working_set_size))
        places = [self.matrix.find(problem.rows) for problem in problems]
        rows = self.padding.pad(places)
        self.own = self.matrix.values[rows[:, :, np.newaxis], rows[:, np.newaxis]]
        self.dual = Dual(
            *(
                self.padding.pad([getattr(problem, name) for problem in problems])
                for name in Dual._fields
            )
        )

    def set_points(
        self,
        beta: Sequence[np.ndarray],
        product: Sequence[np.ndarray],
        tolerances: Sequence[float],
    ) -> None:
        """Continue from β `[n]` and `product` = Kβ `[n]`, to a violation, of each."""
        extra = self.batch_size - len(tolerances)
        self.tolerances = np.pad(tolerances, (0, extra), constant_values=1.0)
        self.beta, self.product = self.padding.pad(beta), self.padding.pad(product)

    def get_points(self) -> list[np.ndarray]:
        """Return β `[n]` of each problem."""
        return self.padding.unpad(self.beta)

    def prove(self) -> list[Proof]:
        """Measure afresh how close each problem's β is to the optimum.

        As `proof.prove`, from the float64 kernel matrix of the rows.
        """
        products = np.einsum("pij,pj->pi", self.own, self.beta)
        optimality, multipliers = self._measure(products)
        return [
            Proof(beta, product, each, multiplier)
            for beta, product, each, multiplier in zip(
                self.get_points(),
                self.padding.unpad(products),
                optimality,
                multipliers,
                strict=False,  # the batch is padded
            )
        ]

    def iterate(self) -> list[Optimality]:
        """Solve every problem from its β."""
        gradient = self.product + self.dual.linear
        tolerances = decomposition.INNER_TOLERANCE_SHARE * self.tolerances
        if self.unit_margin:  # which is found step by step
            tolerances = decomposition.choose_inner_tolerance(
                gradient,
                self.beta,
                self.dual,
                self.tolerances,
                groups=self.groups,
                unit_margin=True,
            )
        beta, gradient, steps = solve_blocks(
            self.own,
            gradient,
            self.beta,
            *self.dual[1:],
            tolerances,
            np.int32(smo_steps.STEPS_PER_VARIABLE * self.working_set_size),
            groups=self.groups,
        )
        moved = (beta.numpy() != self.beta).any(axis=1)
        self.beta, self.product = beta.numpy(), gradient.numpy() - self.dual.linear
        optimality, _ = self._measure(self.product)
        found = zip(optimality, steps.numpy(), moved, strict=True)
        return [each._replace(steps=s, moved=m) for each, s, m in found]

    def _measure(
        self, product: npt.NDArray[np.float64]
    ) -> tuple[list[Optimality], npt.NDArray[np.float64]]:
        optimality, multipliers = measure_optimality(
            product,
            self.beta,
            self.dual,
            groups=self.groups,
            unit_margin=self.unit_margin,
        )
        columns = zip(*optimality[:4], strict=True)
        return [Optimality(*each) for each in columns], multipliers


def are_many_tiny(problems: Sequence[DualProblem], cache_bytes: float) -> bool:
    """Return whether a `TinyProblemBatch` suits the problems.

    Args:
        problems: The problems.
        cache_bytes: Memory for the kernel matrix of all their rows.
    """
    if len(problems) <= FEW_PROBLEMS or problems[0].variables_per_row > 1:
        return False
    is_tiny = max(len(problem.rows) for problem in problems) <= TINY_PROBLEM_SIZE
    return is_tiny and 8 * len(find_rows(problems)) ** 2 <= cache_bytes


def choose_batch_size(problems: Sequence[DualProblem]) -> int:
    """Return how many of the problems are solved side by side."""
    most = BATCH_VARIABLES // _choose_size(problems)
    return min(_round_up(len(problems)), most)


def _choose_size(problems: Sequence[DualProblem]) -> int:
    # A power of two, so that few shapes compile.
    return _round_up(max(len(problem.linear) for problem in problems))


def _round_up(count: int) -> int:
    """Return the next power of two."""
    return 1 << (count - 1).bit_length()
