"""The descent in float32, and in float64 where that does not suffice."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from layers import kernels
from recipes.svm.solver.dual import DualProblem
from recipes.svm.solver.optimality import Optimality
from recipes.svm.solver.precision import needs_float64
from recipes.svm.solver.rows import Rows, select_used
from recipes.svm.solver.scheduler import Scheduler
from recipes.svm.solver.solution import Solution, Trace

# The descent aims at this share of the tolerance. The rest is for the rounding of the
# function that is exported.
TOLERANCE_SHARE = 0.9
# Reasons to stop that float64 may cure.
CURABLE = ("stalled", "rounding")


class Descent:
    """Solve dual problems, and keep their solutions as a function that is checked.

    Call `iterate`, then `advance`, until `advance` returns False.

    Args:
        kernel: The kernel.
        x: All training rows, `[n, d]`, float32 or float64; an array or a `csr_array`.
        problems: The problems; see `Scheduler`.
        keep: Called with all solutions and the dtype of kernel values. It builds the
            function to export in that dtype, and compares it with the solutions.
        dtype: Dtype of kernel values to begin with, `"float32"` or `"float64"`.
        tolerance: KKT violation to reach.
        limits: `max_iterations` and `cache_bytes`; see `Scheduler`.

    Attributes:
        scheduler: Solves the problems in the current dtype.
        dtype: That dtype.
    """

    def __init__(
        self,
        kernel: kernels.Kernel,
        x: Rows,
        problems: Sequence[DualProblem],
        keep: Callable[[list[Solution], str], None],
        *,
        dtype: str,
        tolerance: float,
        **limits: Any,
    ) -> None:
        used = select_used(x, problems)
        self.dtype = "float64" if needs_float64(kernel, used) else dtype
        self._keep = keep
        self._options = {"tolerance": TOLERANCE_SHARE * tolerance, **limits}
        self._rows = kernel, x
        self._earlier: list[Solution] = []  # those of float32
        self._is_kept = False
        self._start(problems)

    def iterate(self) -> Optimality:
        """Run an iteration of the scheduler."""
        return self.scheduler.iterate()

    def advance(self) -> bool:
        """Finish, continue or start problems; return whether any remain."""
        if self.scheduler.advance():
            return True
        solutions = self._finish()
        if self.dtype == "float64" or not any(
            solution.stop_reason in CURABLE for solution in solutions
        ):
            return False
        self.dtype, self._is_kept = "float64", False
        self._earlier = solutions
        del self.scheduler  # which holds the kernel rows in float32
        self._start(
            [
                solution.problem._replace(start=solution.proof.beta)
                for solution in solutions
            ]
        )
        return True

    def interrupt(self) -> None:
        """End every remaining problem at its current β, and keep the solutions."""
        if self.scheduler.interrupt() or not self._is_kept:
            self._finish()

    def _start(self, problems: Sequence[DualProblem]) -> None:
        self._problems = len(problems)
        self.scheduler = Scheduler(
            *self._rows, problems, dtype=self.dtype, **self._options
        )

    def _finish(self) -> list[Solution]:
        solutions = [self.scheduler.solutions[i] for i in range(self._problems)]
        for solution, earlier in zip(solutions, self._earlier, strict=False):
            parts = zip(earlier.trace, solution.trace, strict=True)
            solution.trace = Trace(*map(np.concatenate, parts))
            solution.steps += earlier.steps
        self._keep(solutions, self.dtype)
        self._is_kept = True
        return solutions
