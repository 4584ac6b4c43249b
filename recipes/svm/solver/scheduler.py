"""The order in which dual problems are solved, and when each is finished."""

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse
import tensorflow as tf

from layers import kernels
from recipes.svm.solver import uncompiled
from recipes.svm.solver.decided_rows import Estimate
from recipes.svm.solver.decomposition import Decomposition, choose_working_set_size
from recipes.svm.solver.dual import DualProblem
from recipes.svm.solver.float64_product import compute_kernel_product
from recipes.svm.solver.optimality import Optimality
from recipes.svm.solver.precision import prepare_rows
from recipes.svm.solver.proof import (
    LARGEST_RELATIVE_GAP,
    Proof,
    compute_relative_gap,
    prove,
)
from recipes.svm.solver.rows import Rows, select_used
from recipes.svm.solver.small_problems import SMALL_PROBLEM_SIZE, SmallProblemBatch
from recipes.svm.solver.solution import Solution, Trace
from recipes.svm.solver.tiny_problems import (
    TinyProblemBatch,
    are_many_tiny,
    choose_batch_size,
)
from recipes.svm.solver.uncompiled import UncompiledSolver, takes_few_steps

Solver = Decomposition | SmallProblemBatch | TinyProblemBatch | UncompiledSolver

# Number of small problems to solve in one iteration.
BATCH_SIZE = 32
# A problem has stalled after this many iterations without a new smallest duality gap,
# one below this share of the last one,
PATIENCE = 100
GAP_DECREASE = 0.99
# and this many more for each working set that it takes to hold all variables: while
# most of them wait for their turn, the gap fluctuates.
PATIENCE_PER_WORKING_SET = 10
# It has stalled, too, if the running f has met the tolerance this often and the exact f
# has not: what is left is rounding.
MOST_FALSE_ENDS = 10
# Until the duality gap is a small share of the objective the tolerance is lowered, each
# time to this share of itself at least.
LEAST_DECREASE = 1e-3


@dataclass
class _ActiveProblem:
    """A problem in the queue, and the course of its descent so far."""

    index: int
    problem: DualProblem
    tolerance: float
    point: np.ndarray  # β, while no solver holds it
    steps: int = 0
    trace: list[tuple[float, float, float]] = field(default_factory=list)
    best_gap: float = math.inf
    iterations_since_best: int = 0
    # Whether the last iteration started from a product Kβ that was computed afresh.
    product_is_fresh: bool = False
    patience: int = PATIENCE
    false_ends: int = 0
    # How far that product may be off.
    product_error: float = 0.0

    def record(self, optimality: Optimality) -> None:
        self.steps += int(optimality.steps)
        self.trace.append(
            (
                float(optimality.dual_objective),
                float(optimality.duality_gap),
                float(optimality.max_kkt_violation),
            )
        )
        self.iterations_since_best += 1
        gap = float(optimality.duality_gap)
        if gap < GAP_DECREASE * self.best_gap:
            self.best_gap, self.iterations_since_best = gap, 0

    def tighten(self, optimality: Optimality) -> None:
        """Lower the tolerance as the gap requires, which is proportional to it."""
        allowed = LARGEST_RELATIVE_GAP * abs(float(optimality.dual_objective))
        decrease = allowed / float(optimality.duality_gap) / 2
        self.tolerance *= min(max(decrease, LEAST_DECREASE), 1 / 2)


@dataclass
class _Batch:
    """Problems that are solved side by side, and what makes their solver."""

    problems: list[_ActiveProblem]
    make_solver: Callable[[], Solver]


class Scheduler:
    """Solve a queue of dual problems, one iteration at a time.

    Call `iterate`, then `advance`, until `advance` returns False.

    Args:
        kernel: The kernel.
        x: All training rows, `[n, d]`, float32 or float64; an array or a `csr_array`.
        problems: The problems, which all have the same number of variables per row and
            of groups.
        tolerance: KKT violation to stop at, over all rows of a problem, in units of its
            margin.
        max_iterations: Maximum number of outer iterations of one problem.
        cache_bytes: Memory for kernel values.
        dtype: Of kernel values, `"float32"` or `"float64"`; `None` for that of `x`.

    Attributes:
        solutions: The solutions so far, by index of the problem.

    Raises:
        ValueError: If `cache_bytes` cannot hold the smallest working set.
    """

    def __init__(
        self,
        kernel: kernels.Kernel,
        x: Rows,
        problems: Sequence[DualProblem],
        tolerance: float,
        max_iterations: int,
        cache_bytes: float,
        dtype: str | None = None,
    ) -> None:
        self.kernel, self.x = kernel, x
        self.tolerance, self.max_iterations = tolerance, max_iterations
        self.cache_bytes = cache_bytes
        self.dtype = tf.as_dtype(dtype or x.dtype.name)
        self._used = select_used(x, problems)
        self.solutions: dict[int, Solution] = {}
        self._measured: list[Optimality] = []
        self._solver: Solver | None = None
        self._maker: Callable[[], Solver] | None = None
        # The batch whose points the solver holds: none while it is being replaced.
        self._loaded: _Batch | None = None
        active = [
            _ActiveProblem(i, problem, tolerance, problem.start)
            for i, problem in enumerate(problems)
        ]
        active.sort(key=lambda each: len(each.problem.linear))
        self._queue = self._plan(active)
        if takes_few_steps(problems, cache_bytes):
            ordered = [each.problem for each in active]
            size = min(BATCH_SIZE, uncompiled.choose_batch_size(ordered, cache_bytes))
            self._queue = _share_out(
                active, size, lambda: UncompiledSolver(kernel, x, ordered)
            )
        self._start_next_batch()

    @functools.cached_property
    def rows(self) -> Any:
        """All training rows as the compiled solvers take them."""
        rows = prepare_rows(self.kernel, self.x, self.dtype.name, self._used)
        return rows if scipy.sparse.issparse(rows) else tf.constant(rows)

    def iterate(self) -> Optimality:
        """Run an iteration; return sums over the batch, and the worst violation."""
        self._measured = self.solver.iterate()
        columns = [np.array(column) for column in zip(*self._measured, strict=True)]
        objective, gap, violation, vectors, steps, moved = columns
        return Optimality(
            objective.sum(),
            gap.sum(),
            violation.max(),
            vectors.sum(),
            steps.sum(),
            moved.any(),
        )

    def advance(self) -> bool:
        """Finish, continue or start problems; return whether any remain."""
        batch = self._queue[0].problems
        # A batch may be padded: there are more measurements than problems.
        measured = self._measured[: len(batch)]
        for active, optimality in zip(batch, measured, strict=True):
            active.record(optimality)
        if not all(map(self._may_stop, batch, measured)):
            for active in batch:
                active.product_is_fresh = False
            return True
        proofs = self._prove_batch()
        remaining: list[tuple[_ActiveProblem, Proof]] = []
        for active, optimality, proof in zip(batch, measured, proofs, strict=True):
            reason = self._find_stop_reason(active, optimality, proof)
            if reason:
                self._finish(active, proof, reason)
            else:
                active.point = proof.beta
                remaining.append((active, proof))
        self._loaded = None
        self._queue[0].problems = [active for active, _ in remaining]
        if not remaining:
            del self._queue[0]
            return self._start_next_batch()
        if self._is_out_of_steps:
            left = [active for each in self._queue for active in each.problems]
            self._queue = self._plan(left)
            return self._start_next_batch()
        for active, proof in remaining:
            active.product_error = proof.error
        if len(remaining) < len(batch):
            self._load_problems()
        self._set_points([proof.product for _, proof in remaining])
        return True

    def interrupt(self) -> bool:
        """End every remaining problem at its current β; return whether any remained."""
        remained = bool(self._queue)
        for batch in self._queue:
            if batch is self._loaded:
                points = self.solver.get_points()
                for each, point in zip(batch.problems, points, strict=True):
                    each.point = point
            for each in batch.problems:
                proof = prove(self.kernel, self.x, each.problem, each.point)
                self._finish(each, proof, "interrupted")
        self._queue = []
        return remained

    def _plan(self, problems: list[_ActiveProblem]) -> list[_Batch]:
        """Group problems, sorted by size, of similar sizes: few shapes compile."""
        batches = []
        for octave in _split_by_octave(problems):
            make_solver, size, working_set = self._choose_solver(
                [each.problem for each in octave]
            )
            working_sets = len(octave[-1].problem.linear) // working_set
            for each in octave:
                each.patience = PATIENCE + PATIENCE_PER_WORKING_SET * working_sets
            batches += _share_out(octave, size, make_solver)
        return batches

    def _choose_solver(
        self, problems: list[DualProblem]
    ) -> tuple[Callable[[], Solver], int, int]:
        """Choose a solver of these problems, the last of which is the largest.

        Returns:
            What makes it, how many problems it takes at a time, and how many of their
            variables.
        """
        largest = problems[-1]
        variables = len(largest.linear)
        if are_many_tiny(problems, self.cache_bytes):
            return (
                lambda: TinyProblemBatch(self.kernel, self.x, problems),
                choose_batch_size(problems),
                variables,
            )
        if variables <= SMALL_PROBLEM_SIZE:
            return (
                lambda: SmallProblemBatch(
                    self.kernel, self.rows, variables, self.cache_bytes
                ),
                BATCH_SIZE,
                variables,
            )
        rows, per_row = len(largest.rows), largest.variables_per_row
        return (
            lambda: Decomposition(
                self.kernel, self.rows, rows, per_row, self.cache_bytes
            ),
            1,
            # If the memory is too small for one, that is said before anything starts.
            choose_working_set_size(
                rows, self.x.shape[1], per_row, self.dtype, self.cache_bytes
            ),
        )

    def _start_next_batch(self) -> bool:
        self._loaded = None
        if not self._queue:
            return False
        batch = self._queue[0]
        if batch.make_solver is not self._maker:
            # The memory of the last one is free before the next one takes any.
            self._solver = None
            self._solver, self._maker = batch.make_solver(), batch.make_solver
        self._load_problems()
        self._set_points([self._compute_product(each) for each in batch.problems])
        return True

    @property
    def solver(self) -> Solver:
        """The solver of the batch at the head of the queue."""
        assert self._solver is not None  # noqa: S101, for mypy
        return self._solver

    def _load_problems(self) -> None:
        batch = self._queue[0]
        self.solver.load_problems([each.problem for each in batch.problems])

    def _set_points(self, products: list[np.ndarray]) -> None:
        batch = self._queue[0]
        for each in batch.problems:
            each.product_is_fresh = True
        self.solver.set_points(
            [each.point for each in batch.problems],
            products,
            [each.tolerance for each in batch.problems],
        )
        self._loaded = batch

    def _compute_product(self, active: _ActiveProblem) -> np.ndarray:
        """Compute Kβ at the start of a problem, unless its solver does so."""
        problem = active.problem
        if isinstance(self.solver, UncompiledSolver) or not active.point.any():
            return np.zeros(len(problem.rows))
        coefficients = problem.sum_by_row(active.point)
        return compute_kernel_product(self.kernel, self.x, problem.rows, coefficients)

    def _prove_batch(self) -> list[Proof]:
        if isinstance(self.solver, TinyProblemBatch | UncompiledSolver):
            return self.solver.prove()
        batch = self._queue[0].problems
        return [
            prove(self.kernel, self.x, each.problem, beta, self._get_estimate(each))
            for each, beta in zip(batch, self.solver.get_points(), strict=True)
        ]

    def _get_estimate(self, active: _ActiveProblem) -> Estimate | None:
        """Return Kβ as the descent knows it, where that saves the proof some work."""
        if isinstance(self.solver, Decomposition):
            return Estimate(self.solver.product, active.product_error)
        return None

    def _may_stop(self, problem: _ActiveProblem, optimality: Optimality) -> bool:
        return bool(
            optimality.max_kkt_violation <= problem.tolerance
            or not optimality.moved
            or self._is_out_of_patience(problem)
            or isinstance(self.solver, SmallProblemBatch | TinyProblemBatch)
            or self._is_out_of_steps
        )

    @property
    def _is_out_of_steps(self) -> bool:
        return isinstance(self.solver, UncompiledSolver) and not self.solver.steps_left

    def _is_out_of_patience(self, problem: _ActiveProblem) -> bool:
        return (
            len(problem.trace) >= self.max_iterations
            or problem.iterations_since_best >= problem.patience
        )

    def _find_stop_reason(
        self, problem: _ActiveProblem, optimality: Optimality, proof: Proof
    ) -> str:
        violation = proof.optimality.max_kkt_violation
        if (
            violation <= self.tolerance
            and self._compute_relative_gap(problem, proof) <= LARGEST_RELATIVE_GAP
        ):
            return "tolerance"
        if violation <= problem.tolerance:
            problem.tighten(proof.optimality)
            return ""
        problem.false_ends += bool(optimality.max_kkt_violation <= problem.tolerance)
        if len(problem.trace) >= self.max_iterations:
            return "max_iterations"
        is_stuck = problem.product_is_fresh and not optimality.moved
        is_stalled = (
            (is_stuck and not self._is_out_of_steps)
            or problem.iterations_since_best >= problem.patience
            or problem.false_ends >= MOST_FALSE_ENDS
        )
        return "stalled" if is_stalled else ""

    def _compute_relative_gap(self, problem: _ActiveProblem, proof: Proof) -> float:
        return compute_relative_gap(self.kernel, self.x, problem.problem, proof)

    def _finish(self, problem: _ActiveProblem, proof: Proof, reason: str) -> None:
        trace = np.array(problem.trace).reshape(-1, 3).T
        self.solutions[problem.index] = Solution(
            problem.problem,
            proof,
            reason,
            problem.steps,
            Trace(*trace),
            self._compute_relative_gap(problem, proof),
        )


def _split_by_octave(problems: list[_ActiveProblem]) -> Iterator[list[_ActiveProblem]]:
    """Split a list sorted by size where the size doubles."""
    rest = problems
    while rest:
        limit = 2 * len(rest[0].problem.linear)
        if len(rest[0].problem.linear) <= SMALL_PROBLEM_SIZE:
            limit = min(limit, SMALL_PROBLEM_SIZE + 1)
        octave = [each for each in rest if len(each.problem.linear) < limit]
        yield octave
        rest = rest[len(octave) :]


def _share_out(
    problems: list[_ActiveProblem], size: int, make_solver: Callable[[], Solver]
) -> list[_Batch]:
    return [
        _Batch(problems[start : start + size], make_solver)
        for start in range(0, len(problems), size)
    ]
