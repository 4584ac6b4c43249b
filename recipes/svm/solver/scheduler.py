"""The order in which dual problems are solved, and when each is finished."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf

from layers import kernels
from recipes.svm.solver.decomposition import Decomposition
from recipes.svm.solver.dual import DualProblem
from recipes.svm.solver.optimality import Optimality
from recipes.svm.solver.proof import Proof, prove
from recipes.svm.solver.small_problems import SMALL_PROBLEM_SIZE, SmallProblemBatch
from recipes.svm.solver.solution import Solution, Trace

# Number of small problems to solve in one iteration.
BATCH_SIZE = 32
# A problem has stalled after this many iterations without a new smallest duality gap,
# one below this share of the last one,
PATIENCE = 100
GAP_DECREASE = 0.99
# and this many more for each working set that it takes to hold all variables: while
# most of them wait for their turn, the gap fluctuates.
PATIENCE_PER_WORKING_SET = 10


@dataclass
class _ActiveProblem:
    """A problem in the queue, and the course of its descent so far."""

    index: int
    problem: DualProblem
    steps: int = 0
    trace: list[tuple[float, float, float]] = field(default_factory=list)
    best_gap: float = math.inf
    iterations_since_best: int = 0
    # Whether the last iteration started from a product Kβ that was computed afresh.
    product_is_fresh: bool = False
    patience: int = PATIENCE

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


class Scheduler(tf.Module):
    """Solve a queue of dual problems, one iteration at a time.

    Call `iterate`, then `advance`, until `advance` returns False.

    Args:
        kernel: The kernel.
        x: All training rows, `[n, d]`, float32 or float64: the dtype of kernel values.
        problems: The problems, which all have the same number of variables per row and
            of groups.
        tolerance: KKT violation to stop at, over all rows of a problem.
        max_iterations: Maximum number of outer iterations of one problem.
        cache_bytes: Memory for kernel values.

    Attributes:
        solutions: The solutions so far, by index of the problem.
    """

    def __init__(
        self,
        kernel: kernels.Kernel,
        x: np.ndarray,
        problems: Sequence[DualProblem],
        tolerance: float,
        max_iterations: int,
        cache_bytes: float,
    ) -> None:
        super().__init__()
        self.kernel, self.x = kernel, x
        self.tolerance, self.max_iterations = tolerance, max_iterations
        self.cache_bytes = cache_bytes
        self.rows = tf.constant(x)
        self.solutions: dict[int, Solution] = {}
        self.solvers: list[Decomposition | SmallProblemBatch] = []
        self._queue: list[tuple[int, list[_ActiveProblem]]] = []
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
        beta = None
        remaining: list[tuple[_ActiveProblem, Proof | None]] = []
        for place, active in enumerate(batch):
            optimality = Optimality(*(column[place] for column in columns))
            active.record(optimality)
            if not self._may_stop(active, optimality):
                active.product_is_fresh = False
                remaining.append((active, None))
                continue
            if beta is None:
                beta = solver.get_points([each.problem for each in batch])
            proof = prove(self.kernel, self.x, active.problem, beta[place])
            reason = self._find_stop_reason(active, optimality, proof)
            if reason:
                self._finish(active, proof, reason)
            else:
                remaining.append((active, proof))
        if not remaining:
            del self._queue[0]
            return self._start_next_batch()
        if any(proof for _, proof in remaining):
            self._restart_from(
                [p for p, _ in remaining], [q for _, q in remaining if q]
            )
        return True

    def interrupt(self) -> None:
        """End every remaining problem at its current β."""
        for solver_index, batch in self._queue:
            problems = [each.problem for each in batch]
            has_started = batch is self._queue[0][1]
            points = (
                self.solvers[solver_index].get_points(problems)
                if has_started
                else [problem.start for problem in problems]
            )
            for each, beta in zip(batch, points, strict=True):
                proof = prove(self.kernel, self.x, each.problem, beta)
                self._finish(each, proof, "interrupted")
        self._queue = []

    def _plan_queue(self, problems: Sequence[DualProblem]) -> None:
        """Group problems of similar size, so that few shapes compile."""
        active = [_ActiveProblem(i, problem) for i, problem in enumerate(problems)]
        active.sort(key=lambda each: len(each.problem.linear))
        octaves = list(_split_by_octave(active))
        large = sum(
            len(octave[-1].problem.linear) > SMALL_PROBLEM_SIZE for octave in octaves
        )
        for octave in octaves:
            solver_index = len(self.solvers)
            largest = octave[-1].problem
            variables = len(largest.linear)
            if variables <= SMALL_PROBLEM_SIZE:
                self.solvers.append(
                    SmallProblemBatch(
                        self.kernel,
                        self.rows,
                        variables,
                        largest.variables_per_row,
                        largest.groups,
                        self.tolerance,
                        self.cache_bytes,
                    )
                )
            else:
                self.solvers.append(
                    Decomposition(
                        self.kernel,
                        len(largest.rows),
                        self.x.shape[1],
                        largest.variables_per_row,
                        largest.groups,
                        self.rows.dtype,
                        self.tolerance,
                        self.cache_bytes / large,
                    )
                )
            working_sets = variables // self.solvers[-1].working_set_size
            for each in octave:
                each.patience = PATIENCE + PATIENCE_PER_WORKING_SET * working_sets
            size = BATCH_SIZE if variables <= SMALL_PROBLEM_SIZE else 1
            self._queue += [
                (solver_index, octave[k : k + size])
                for k in range(0, len(octave), size)
            ]

    def _branch(
        self, solver: Decomposition | SmallProblemBatch
    ) -> Callable[[], Optimality]:
        def iterate() -> Optimality:
            optimality = solver.iterate()
            return Optimality(*(tf.reshape(value, [-1]) for value in optimality))

        return iterate

    def _start_next_batch(self) -> bool:
        if not self._queue:
            return False
        solver_index, batch = self._queue[0]
        self._current_solver.assign(solver_index)
        problems = [each.problem for each in batch]
        solver = self.solvers[solver_index]
        solver.load_problems(self.rows, problems)
        if any(problem.start.any() for problem in problems):
            proofs = [prove(self.kernel, self.x, p, p.start) for p in problems]
            self._set_points(batch, proofs)
        return True

    def _restart_from(self, batch: list[_ActiveProblem], proofs: list[Proof]) -> None:
        solver_index, before = self._queue[0]
        if len(batch) < len(before):
            self._queue[0] = (solver_index, batch)
            self.solvers[solver_index].load_problems(
                self.rows, [each.problem for each in batch]
            )
        self._set_points(batch, proofs)

    def _set_points(self, batch: list[_ActiveProblem], proofs: list[Proof]) -> None:
        solver = self.solvers[self._queue[0][0]]
        for each in batch:
            each.product_is_fresh = True
        solver.set_points(
            [each.problem for each in batch],
            [proof.beta for proof in proofs],
            [proof.product for proof in proofs],
        )

    def _may_stop(self, problem: _ActiveProblem, optimality: Optimality) -> bool:
        return bool(
            optimality.max_kkt_violation <= self.tolerance
            or not optimality.moved
            or self._is_out_of_patience(problem)
            or isinstance(self.solvers[self._queue[0][0]], SmallProblemBatch)
        )

    def _is_out_of_patience(self, problem: _ActiveProblem) -> bool:
        return (
            len(problem.trace) >= self.max_iterations
            or problem.iterations_since_best >= problem.patience
        )

    def _find_stop_reason(
        self, problem: _ActiveProblem, optimality: Optimality, proof: Proof
    ) -> str:
        if proof.optimality.max_kkt_violation <= self.tolerance:
            return "tolerance"
        if len(problem.trace) >= self.max_iterations:
            return "max_iterations"
        is_stuck = problem.product_is_fresh and not optimality.moved
        is_stalled = is_stuck or problem.iterations_since_best >= problem.patience
        return "stalled" if is_stalled else ""

    def _finish(self, problem: _ActiveProblem, proof: Proof, reason: str) -> None:
        trace = np.array(problem.trace).reshape(-1, 3).T
        self.solutions[problem.index] = Solution(
            problem.problem, proof, reason, problem.steps, Trace(*trace)
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
