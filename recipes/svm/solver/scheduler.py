"""Sequential minimal optimisation of one dual problem or many."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf

from layers import kernels
from recipes.svm.solver.decomposition import Decomposition
from recipes.svm.solver.dual import Problem
from recipes.svm.solver.optimality import Progress
from recipes.svm.solver.proof import Proof, prove
from recipes.svm.solver.small_problems import SMALL, SideBySide
from recipes.svm.solver.solution import Solution, Trace

# Small problems that are solved in one iteration.
TOGETHER = 32
# Iterations without the duality gap falling by a hundredth, after which it will not,
PATIENCE = 100
ENOUGH = 0.99
# and more for each working set that it takes to hold all variables: while most of them
# wait for their turn, the gap goes up and down.
PATIENCE_PER_PART = 10


@dataclass
class _Open:
    """A problem that is being worked on."""

    index: int
    problem: Problem
    steps: int = 0
    trace: list[tuple[float, float, float]] = field(default_factory=list)
    best_gap: float = math.inf
    since_best: int = 0
    # Whether the last iteration began at a product Kβ that was computed afresh.
    began_afresh: bool = False
    patience: int = PATIENCE

    def note(self, progress: Progress) -> None:
        self.steps += int(progress.steps)
        self.trace.append(
            (
                float(progress.dual_objective),
                float(progress.duality_gap),
                float(progress.max_kkt_violation),
            )
        )
        self.since_best += 1
        if float(progress.duality_gap) < ENOUGH * self.best_gap:
            self.best_gap, self.since_best = float(progress.duality_gap), 0


class Solver(tf.Module):
    """Works problems off, one iteration at a time.

    Args:
        kernel: The kernel.
        x: All training rows, `[n, d]`, float32 or float64: the dtype of kernel values.
        problems: The problems; all have as many variables a row, and groups.
        tolerance: KKT violation to stop at, over all rows of a problem.
        max_iterations: Most outer iterations of one problem.
        cache_bytes: Memory for kernel values.
    """

    def __init__(
        self,
        kernel: kernels.Kernel,
        x: np.ndarray,
        problems: Sequence[Problem],
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
        self.stages: list[Decomposition | SideBySide] = []
        self._jobs: list[tuple[int, list[_Open]]] = []
        self._plan(problems)
        self._stage = tf.Variable(0, trainable=False)
        self._progress = Progress(
            *(
                tf.Variable(tf.zeros([0], dtype), shape=[None], trainable=False)
                for dtype in (tf.float64,) * 3 + (tf.int32,) * 2 + (tf.bool,)
            )
        )
        self._begin()

    def iterate(self) -> Progress:
        """One iteration in a graph: sums over the problems in hand, worst violation."""
        branches = [self._branch(stage) for stage in self.stages]
        progress = (
            tf.switch_case(tf.identity(self._stage), branches)
            if branches[1:]
            else branches[0]()
        )
        for variable, values in zip(self._progress, progress, strict=True):
            variable.assign(values)
        return Progress(
            tf.reduce_sum(progress.dual_objective),
            tf.reduce_sum(progress.duality_gap),
            tf.reduce_max(progress.max_kkt_violation),
            tf.reduce_sum(progress.support_vectors),
            tf.reduce_sum(progress.steps),
            tf.reduce_any(progress.moved),
        )

    def advance(self) -> bool:
        """Looks at the last iteration; True while there is more to do."""
        stage_index, job = self._jobs[0]
        stage = self.stages[stage_index]
        columns = [variable.numpy() for variable in self._progress]
        beta = None
        goes_on: list[tuple[_Open, Proof | None]] = []
        for place, open_problem in enumerate(job):
            progress = Progress(*(column[place] for column in columns))
            open_problem.note(progress)
            if not self._is_at_an_end(open_problem, progress):
                open_problem.began_afresh = False
                goes_on.append((open_problem, None))
                continue
            if beta is None:
                beta = stage.point([each.problem for each in job])
            proof = prove(self.kernel, self.x, open_problem.problem, beta[place])
            reason = self._stop_reason(open_problem, progress, proof)
            if reason:
                self._finish(open_problem, proof, reason)
            else:
                goes_on.append((open_problem, proof))
        if not goes_on:
            del self._jobs[0]
            return self._begin()
        if any(proof for _, proof in goes_on):
            self._go_on_from([p for p, _ in goes_on], [q for _, q in goes_on if q])
        return True

    def interrupt(self) -> None:
        """Ends every problem where it is."""
        for stage_index, job in self._jobs:
            problems = [each.problem for each in job]
            begun = job is self._jobs[0][1]
            points = (
                self.stages[stage_index].point(problems)
                if begun
                else [problem.start for problem in problems]
            )
            for each, beta in zip(job, points, strict=True):
                proof = prove(self.kernel, self.x, each.problem, beta)
                self._finish(each, proof, "interrupted")
        self._jobs = []

    def _plan(self, problems: Sequence[Problem]) -> None:
        """Puts problems of like size together, so that few shapes are compiled."""
        opened = [_Open(i, problem) for i, problem in enumerate(problems)]
        opened.sort(key=lambda each: len(each.problem.linear))
        octaves = list(_by_octave(opened))
        large = sum(len(octave[-1].problem.linear) > SMALL for octave in octaves)
        for sized in octaves:
            stage_index = len(self.stages)
            largest = sized[-1].problem
            variables = len(largest.linear)
            if variables <= SMALL:
                self.stages.append(
                    SideBySide(
                        self.kernel,
                        self.rows,
                        variables,
                        largest.copies,
                        largest.groups,
                        self.tolerance,
                    )
                )
            else:
                self.stages.append(
                    Decomposition(
                        self.kernel,
                        len(largest.rows),
                        self.x.shape[1],
                        largest.copies,
                        largest.groups,
                        self.rows.dtype,
                        self.tolerance,
                        self.cache_bytes / large,
                    )
                )
            for each in sized:
                parts = variables // self.stages[-1].working_set_size
                each.patience = PATIENCE + PATIENCE_PER_PART * parts
            step = TOGETHER if variables <= SMALL else 1
            self._jobs += [
                (stage_index, sized[k : k + step]) for k in range(0, len(sized), step)
            ]

    def _branch(self, stage: Decomposition | SideBySide) -> Callable[[], Progress]:
        def iterate() -> Progress:
            progress = stage.iterate()
            return Progress(*(tf.reshape(value, [-1]) for value in progress))

        return iterate

    def _begin(self) -> bool:
        if not self._jobs:
            return False
        stage_index, job = self._jobs[0]
        self._stage.assign(stage_index)
        problems = [each.problem for each in job]
        stage = self.stages[stage_index]
        stage.begin(self.rows, problems)
        if any(problem.start.any() for problem in problems):
            proofs = [prove(self.kernel, self.x, p, p.start) for p in problems]
            self._set_point(job, proofs)
        return True

    def _go_on_from(self, job: list[_Open], proofs: list[Proof]) -> None:
        stage_index, before = self._jobs[0]
        if len(job) < len(before):
            self._jobs[0] = (stage_index, job)
            self.stages[stage_index].begin(self.rows, [each.problem for each in job])
        self._set_point(job, proofs)

    def _set_point(self, job: list[_Open], proofs: list[Proof]) -> None:
        stage = self.stages[self._jobs[0][0]]
        for each in job:
            each.began_afresh = True
        stage.set_point(
            [each.problem for each in job],
            [proof.beta for proof in proofs],
            [proof.product for proof in proofs],
        )

    def _is_at_an_end(self, problem: _Open, progress: Progress) -> bool:
        return bool(
            progress.max_kkt_violation <= self.tolerance
            or not progress.moved
            or self._is_out_of_patience(problem)
            or isinstance(self.stages[self._jobs[0][0]], SideBySide)
        )

    def _is_out_of_patience(self, problem: _Open) -> bool:
        return (
            len(problem.trace) >= self.max_iterations
            or problem.since_best >= problem.patience
        )

    def _stop_reason(self, problem: _Open, progress: Progress, proof: Proof) -> str:
        if proof.measured.max_kkt_violation <= self.tolerance:
            return "tolerance"
        if len(problem.trace) >= self.max_iterations:
            return "max_iterations"
        stuck = problem.began_afresh and not progress.moved
        return "stalled" if stuck or problem.since_best >= problem.patience else ""

    def _finish(self, problem: _Open, proof: Proof, reason: str) -> None:
        trace = np.array(problem.trace).reshape(-1, 3).T
        self.solutions[problem.index] = Solution(
            problem.problem, proof, reason, problem.steps, Trace(*trace)
        )


def _by_octave(problems: list[_Open]) -> Iterator[list[_Open]]:
    """Cuts a list sorted by size where the size doubles."""
    rest = problems
    while rest:
        limit = 2 * len(rest[0].problem.linear)
        if len(rest[0].problem.linear) <= SMALL:
            limit = min(limit, SMALL + 1)
        like = [each for each in rest if len(each.problem.linear) < limit]
        yield like
        rest = rest[len(like) :]
