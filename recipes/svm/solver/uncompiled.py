"""Problems that take few steps, solved in NumPy before XLA would have compiled.

The steps are those of `smo_steps`. One takes NumPy some 20 µs, of which most is calling
it, and the compiled loop a third of that; but the loop takes more than half a second to
compile, for every size of block.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from layers import kernels
from recipes.svm.solver.decomposition import (
    INNER_TOLERANCE_SHARE,
    choose_inner_tolerance,
)
from recipes.svm.solver.dual import DualProblem
from recipes.svm.solver.kernel_matrix import KernelMatrix, find_rows
from recipes.svm.solver.optimality import (
    Optimality,
    compute_margin,
    compute_multipliers,
)
from recipes.svm.solver.proof import Proof, build_proof
from recipes.svm.solver.rows import Rows
from recipes.svm.solver.smo_steps import SMALLEST_CURVATURE
from recipes.svm.solver.working_set import (
    Floats,
    Indices,
    choose_working_set,
    compute_kkt_violation,
)

# The kernel matrix has at most this many values, which take some 0.1 s to compute.
MOST_VALUES = 2**25
# As many problems as take some 0.5 s to load and to prove,
MOST_PROBLEMS = 256
# and as many steps, of all problems together, as take the time of a compilation.
MOST_STEPS = 2**14
# Up to this many variables, a step costs little more than calling NumPy. Of more, a
# working set of this size is solved at a time.
WORKING_SET_SIZE = 768


class UncompiledSolver:
    """A batch of problems: one iteration solves the dual of a working set of each.

    Up to `WORKING_SET_SIZE` variables, that is the problem.

    Args:
        kernel: The kernel.
        x: All training rows, `[all, d]`; an array or a `csr_array`.
        problems: All problems that will be loaded.

    Attributes:
        steps_left: How many steps may still be taken.
    """

    def __init__(
        self, kernel: kernels.Kernel, x: Rows, problems: Sequence[DualProblem]
    ) -> None:
        self.matrix = KernelMatrix(kernel, x, find_rows(problems))
        self.steps_left = MOST_STEPS

    def load_problems(self, problems: Sequence[DualProblem]) -> None:
        """Load problems that the solver was made for."""
        self.problems = problems
        self.own = [self.matrix.select(problem.rows) for problem in problems]

    def set_points(
        self,
        beta: Sequence[Floats],
        _: Sequence[Floats],
        tolerances: Sequence[float],
    ) -> None:
        """Continue from β `[V]`, to a violation, of each."""
        each = zip(self.problems, self.own, beta, tolerances, strict=True)
        self.descents = [_Descent(*descent) for descent in each]

    def get_points(self) -> list[Floats]:
        """Return β `[V]` of each problem."""
        return [descent.beta for descent in self.descents]

    def prove(self) -> list[Proof]:
        """Measure afresh how close each problem's β is to the optimum."""
        return [
            build_proof(problem, beta, own @ problem.sum_by_row(beta))
            for problem, own, beta in zip(
                self.problems, self.own, self.get_points(), strict=True
            )
        ]

    def iterate(self) -> list[Optimality]:
        """Solve a working set of every problem, from its β."""
        measured = []
        for descent in self.descents:
            with np.errstate(over="ignore", invalid="ignore"):
                optimality = descent.iterate(self.steps_left)
            self.steps_left -= optimality.steps
            measured.append(optimality)
        return measured


class _Descent:
    """The descent of one problem.

    Args:
        problem: The problem.
        kernel: K of its rows, float64, `[n, n]`.
        beta: β to start from, `[V]`.
        tolerance: The violation to reach.
    """

    def __init__(
        self, problem: DualProblem, kernel: Floats, beta: Floats, tolerance: float
    ) -> None:
        self.problem, self.kernel, self.tolerance = problem, kernel, tolerance
        self.beta = beta.copy()
        self.working_set = np.empty(0, np.intp)
        self.gradient = problem.linear.copy()
        self._add(kernel @ problem.sum_by_row(beta))

    def iterate(self, most: int) -> Optimality:
        """Solve the dual of a working set, in at most so many steps."""
        chosen, tolerance = self._choose()
        rows = chosen % len(self.kernel)
        block = _Block(
            self._select(rows),
            self.problem.lower[chosen],
            self.problem.upper[chosen],
            self.problem.group[chosen],
            self.problem.groups,
        )
        after, f, steps = block.descend(
            self.gradient[chosen], self.beta[chosen], tolerance, most
        )
        change = after - self.beta[chosen]
        moved = change != 0
        self.beta[chosen] = after
        if len(chosen) == len(self.beta):
            self.gradient = f
        else:
            self._add(change[moved] @ self.kernel[rows[moved]])
        product = (self.gradient - self.problem.linear)[: len(self.kernel)]
        return build_proof(self.problem, self.beta, product).optimality._replace(
            steps=steps, moved=bool(moved.any())
        )

    def _choose(self) -> tuple[Indices, float]:
        """Return the variables to optimise, and to what violation."""
        problem = self.problem
        point = self.gradient, self.beta, problem
        is_whole = len(self.beta) <= WORKING_SET_SIZE
        if self._is_solved():
            tolerance = np.inf
        elif is_whole and not problem.unit_margin:
            tolerance = INNER_TOLERANCE_SHARE * self.tolerance
        else:  # a margin, too, is found step by step
            tolerance = choose_inner_tolerance(
                *point,
                self.tolerance,
                groups=problem.groups,
                unit_margin=problem.unit_margin,
            )
        everything = np.arange(len(self.beta))
        if is_whole:
            return everything, tolerance
        self.working_set = choose_working_set(
            *point, self.working_set, size=WORKING_SET_SIZE, groups=problem.groups
        )
        return self.working_set, tolerance

    def _is_solved(self) -> bool:
        """Return whether β is within the tolerance, as at the end of another fit."""
        problem = self.problem
        point = self.gradient, self.beta, problem
        worst = compute_kkt_violation(*point, groups=problem.groups)
        multipliers = compute_multipliers(*point, groups=problem.groups)
        margin = compute_margin(multipliers, unit_margin=problem.unit_margin)
        return bool(worst <= self.tolerance * margin)

    def _select(self, rows: Indices) -> Floats:
        """Return K among `rows` `[m]`, without a copy if that is all of K."""
        if np.array_equal(rows, np.arange(len(self.kernel))):
            return self.kernel
        return self.kernel[np.ix_(rows, rows)]

    def _add(self, product: Floats) -> None:
        by_row = self.gradient.reshape(-1, len(self.kernel))
        by_row += product


class _Block:
    """The constants of two-variable steps in a working set of m variables."""

    def __init__(
        self, kernel: Floats, lower: Floats, upper: Floats, group: Any, groups: int
    ) -> None:
        self.kernel, self.lower, self.upper = kernel, lower, upper
        diagonal = np.diagonal(kernel)
        self.curvature = diagonal[:, np.newaxis] + diagonal - 2 * kernel
        least = SMALLEST_CURVATURE * np.abs(diagonal).max()
        np.maximum(self.curvature, least or SMALLEST_CURVATURE, out=self.curvature)
        self.members = [group == g for g in range(groups)]
        # Of memory that is there already, a step takes half the time.
        self.rising, self.violation, self.gain = np.empty((3, len(lower)))

    def descend(
        self, f: Floats, beta: Floats, tolerance: float, most: int
    ) -> tuple[Floats, Floats, int]:
        """Take steps until no pair violates optimality by more than the tolerance.

        Args:
            f: The gradient, `[m]`; it changes in place.
            beta: β, `[m]`.
            tolerance: The violation.
            most: The maximum number of steps.

        Returns:
            β, in which a variable at its bound equals it exactly; f at that β; and the
            number of steps.
        """
        beta = beta.copy()
        # Added to f, they leave the variables that may move, and the others nowhere.
        barriers = [
            (
                np.where(member & (beta < self.upper), 0.0, np.inf),
                np.where(member & (beta > self.lower), 0.0, -np.inf),
            )
            for member in self.members
        ]
        for step in range(most):
            pair = self._select(f, barriers, tolerance)
            if pair is None:
                return beta, f, step
            g, i, j, length = pair
            rises, falls = barriers[g]
            room_i, room_j = self.upper[i] - beta[i], beta[j] - self.lower[j]
            length = min(length, room_i, room_j)
            # The bound itself, not β + length, which may miss it by rounding.
            beta[i] = self.upper[i] if length == room_i else beta[i] + length
            beta[j] = self.lower[j] if length == room_j else beta[j] - length
            rises[i], falls[i] = (np.inf if length == room_i else 0.0), 0.0
            rises[j], falls[j] = 0.0, (-np.inf if length == room_j else 0.0)
            np.subtract(self.kernel[i], self.kernel[j], out=self.gain)
            self.gain *= length
            f += self.gain
        return beta, f, most

    def _select(
        self, f: Floats, barriers: list[tuple[Floats, Floats]], tolerance: float
    ) -> tuple[int, int, int, float] | None:
        """Return a group, the variables to raise and to lower in it, and how far."""
        best, found = 0.0, None
        rising, violation, gain = self.rising, self.violation, self.gain
        for g, (rises, falls) in enumerate(barriers):
            # In each group the variable with the least f rises,
            np.add(f, rises, out=rising)
            i = int(rising.argmin())
            np.add(f, falls, out=violation)
            violation -= rising[i]
            if not violation.max() > tolerance:  # nor of NaN
                continue
            # and over all groups the one falls that gains most with its group's first.
            np.maximum(violation, 0.0, out=violation)
            np.multiply(violation, violation, out=gain)
            gain /= self.curvature[i]
            j = int(gain.argmax())
            if gain[j] > best:
                best = gain[j]
                found = g, i, j, float(violation[j] / self.curvature[i, j])
        return found


def takes_few_steps(problems: Sequence[DualProblem], cache_bytes: float) -> bool:
    """Return whether an `UncompiledSolver` suits the problems.

    Args:
        problems: The problems.
        cache_bytes: Memory for the kernel matrix of all their rows, and for copies.
    """
    if len(problems) > MOST_PROBLEMS:
        return False
    values = len(find_rows(problems)) ** 2
    return values <= min(MOST_VALUES, cache_bytes / 16)


def choose_batch_size(problems: Sequence[DualProblem], cache_bytes: float) -> int:
    """Return how many of the problems may be loaded at a time.

    The kernel matrix of all rows and that of each problem fit in `cache_bytes`.
    """
    largest = max(len(problem.rows) for problem in problems)
    if largest > WORKING_SET_SIZE:
        return 1
    return max(1, int(cache_bytes / (8 * len(find_rows(problems)) ** 2)) - 1)
