"""The order in which dual problems are solved, and when each is finished."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import scipy.sparse
import tensorflow as tf

from layers import kernels
from recipes.svm.solver.decomposition import Decomposition
from recipes.svm.solver.dual import DualProblem
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
from recipes.svm.solver.tiny_problems import TinyProblemBatch, are_many_tiny

Solver = Decomposition | SmallProblemBatch | TinyProblemBatch

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
    steps: int = 0
    trace: list[tuple[float, float, float]] = field(default_factory=list)
    best_gap: float = math.inf
    iterations_since_best: int = 0
    # Whether the last iteration started from a product Kβ that was computed afresh.
    product_is_fresh: bool = False
    patience: int = PATIENCE
    false_ends: int = 0

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
        used = select_used(x, problems)
        rows = prepare_rows(kernel, x, dtype or x.dtype.name, used)
        self.is_sparse = scipy.sparse.issparse(rows)
        self.rows = rows if self.is_sparse else tf.constant(rows)
        self.solutions: dict[int, Solution] = {}
        self.solvers: list[Solver] = []
        self._queue: list[tuple[int, list[_ActiveProblem]]] = []
        # The batch whose points the solver holds: none while it is being replaced.
        self._loaded: list[_ActiveProblem] | None = None
        self._plan_queue(problems)
        self._current_solver = tf.Variable(0, trainable=False)
        self._optimality = Optimality(
            *(
                tf.Variable(tf.zeros([0], dtype), shape=[None], trainable=False)
                for dtype in (tf.float64,) * 3 + (tf.int32,) * 2 + (tf.bool,)
            )
        )
        self._start_next_batch()

    def iterate(self) -> Optimality:
        """Run an iteration; return sums over the batch, and the worst violation."""
        branches = [self._branch(solver) for solver in self.solvers]
        optimality = (
            tf.switch_case(tf.identity(self._current_solver), branches)
            if branches[1:]
            else branches[0]()
        )
        for variable, values in zip(self._optimality, optimality, strict=True):
            variable.assign(values)
        return Optimality(
            tf.reduce_sum(optimality.dual_objective),
            tf.reduce_sum(optimality.duality_gap),
            tf.reduce_max(optimality.max_kkt_violation),
            tf.reduce_sum(optimality.support_vectors),
            tf.reduce_sum(optimality.steps),
            tf.reduce_any(optimality.moved),
        )

    def advance(self) -> bool:
        """Finish, continue or start problems; return whether any remain."""
        solver_index, batch = self._queue[0]
        solver = self.solvers[solver_index]
        columns = [variable.numpy() for variable in self._optimality]
        # A batch may be padded: there are more measurements than problems.
        measured = [Optimality(*each) for each in zip(*columns, strict=True)]
        measured = measured[: len(batch)]
        for active, optimality in zip(batch, measured, strict=True):
            active.record(optimality)
        if not all(map(self._may_stop, batch, measured)):
            for active in batch:
                active.product_is_fresh = False
            return True
        problems = [each.problem for each in batch]
        proofs = self._prove(solver, problems, solver.get_points(problems))
        remaining: list[tuple[_ActiveProblem, Proof]] = []
        for active, optimality, proof in zip(batch, measured, proofs, strict=True):
            reason = self._find_stop_reason(active, optimality, proof)
            if reason:
                self._finish(active, proof, reason)
            else:
                remaining.append((active, proof))
        if not remaining:
            del self._queue[0]
            return self._start_next_batch()
        self._restart_from([p for p, _ in remaining], [q for _, q in remaining])
        return True

    def interrupt(self) -> bool:
        """End every remaining problem at its current β; return whether any remained."""
        remained = bool(self._queue)
        for solver_index, batch in self._queue:
            problems = [each.problem for each in batch]
            solver = self.solvers[solver_index]
            has_started = batch is self._loaded
            points = (
                solver.get_points(problems)
                if has_started
                else [problem.start for problem in problems]
            )
            proofs = self._prove(solver, problems, points)
            for each, proof in zip(batch, proofs, strict=True):
                self._finish(each, proof, "interrupted")
        self._queue = []
        return remained

    def _plan_queue(self, problems: Sequence[DualProblem]) -> None:
        """Group problems of similar size, so that few shapes compile."""
        active = [
            _ActiveProblem(i, problem, self.tolerance)
            for i, problem in enumerate(problems)
        ]
        active.sort(key=lambda each: len(each.problem.linear))
        octaves = list(_split_by_octave(active))
        large = sum(
            len(octave[-1].problem.linear) > SMALL_PROBLEM_SIZE for octave in octaves
        )
        for octave in octaves:
            solver_index = len(self.solvers)
            solver, size = self._make_solver([each.problem for each in octave], large)
            self.solvers.append(solver)
            working_sets = len(octave[-1].problem.linear) // solver.working_set_size
            patience = PATIENCE + PATIENCE_PER_WORKING_SET * working_sets
            for each in octave:
                each.patience = patience
            self._queue += [
                (solver_index, octave[k : k + size])
                for k in range(0, len(octave), size)
            ]

    def _make_solver(
        self, problems: list[DualProblem], large: int
    ) -> tuple[Solver, int]:
        """Return a solver of these problems, and how many it takes at a time.

        Args:
            problems: The problems, the last of which is the largest.
            large: How many solvers share the cache.
        """
        largest = problems[-1]
        if are_many_tiny(problems, self.cache_bytes):
            tiny = TinyProblemBatch(self.kernel, self.x, problems)
            return tiny, tiny.batch_size
        if len(largest.linear) <= SMALL_PROBLEM_SIZE:
            return SmallProblemBatch(
                self.kernel,
                self.rows,
                len(largest.linear),
                largest.variables_per_row,
                largest.groups,
                largest.unit_margin,
                self.cache_bytes,
            ), BATCH_SIZE
        return Decomposition(
            self.kernel,
            len(largest.rows),
            self.x.shape[1],
            largest.variables_per_row,
            largest.groups,
            largest.unit_margin,
            tf.as_dtype(self.rows.dtype),
            self.cache_bytes / large,
            sparse=self.is_sparse,
        ), 1

    def _branch(self, solver: Solver) -> Callable[[], Optimality]:
        def iterate() -> Optimality:
            optimality = solver.iterate()
            return Optimality(*(tf.reshape(value, [-1]) for value in optimality))

        return iterate

    def _start_next_batch(self) -> bool:
        if not self._queue:
            return False
        self._loaded = None
        solver_index, batch = self._queue[0]
        self._current_solver.assign(solver_index)
        problems = [each.problem for each in batch]
        solver = self.solvers[solver_index]
        solver.load_problems(self.rows, problems, [each.tolerance for each in batch])
        if any(problem.start.any() for problem in problems):
            points = [problem.start for problem in problems]
            self._set_points(batch, self._prove(solver, problems, points))
        self._loaded = batch
        return True

    def _restart_from(self, batch: list[_ActiveProblem], proofs: list[Proof]) -> None:
        solver_index, before = self._queue[0]
        self._loaded = None
        self._queue[0] = (solver_index, batch)
        if len(batch) < len(before):
            self.solvers[solver_index].load_problems(
                self.rows,
                [each.problem for each in batch],
                [each.tolerance for each in batch],
            )
        self._set_points(batch, proofs)
        self._loaded = batch

    def _set_points(self, batch: list[_ActiveProblem], proofs: list[Proof]) -> None:
        solver = self.solvers[self._queue[0][0]]
        for each in batch:
            each.product_is_fresh = True
        solver.set_points(
            [each.problem for each in batch],
            [proof.beta for proof in proofs],
            [proof.product for proof in proofs],
            [each.tolerance for each in batch],
        )

    def _prove(
        self, solver: Solver, problems: list[DualProblem], points: list[np.ndarray]
    ) -> list[Proof]:
        if isinstance(solver, TinyProblemBatch):
            return solver.prove(problems, points)
        return [
            prove(self.kernel, self.x, problem, beta)
            for problem, beta in zip(problems, points, strict=True)
        ]

    def _may_stop(self, problem: _ActiveProblem, optimality: Optimality) -> bool:
        return bool(
            optimality.max_kkt_violation <= problem.tolerance
            or not optimality.moved
            or self._is_out_of_patience(problem)
            or not isinstance(self.solvers[self._queue[0][0]], Decomposition)
        )

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
            is_stuck
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
