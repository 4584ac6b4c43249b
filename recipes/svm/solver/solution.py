"""The solution of a dual problem, and the course of its descent."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from recipes.svm.solver.dual import DualProblem
from recipes.svm.solver.proof import Proof


class Trace(NamedTuple):
    """The course of one problem's descent: an entry per iteration, float64."""

    dual_objective: np.ndarray
    duality_gap: np.ndarray
    max_kkt_violation: np.ndarray


@dataclass
class Solution:
    """The solution of one dual problem.

    Attributes:
        problem: The problem.
        proof: Its β, and the proof of how close it is to the optimum.
        stop_reason: `"tolerance"`, `"max_iterations"` or `"stalled"`.
        steps: Two-variable steps taken.
        trace: The course of the descent.
    """

    problem: DualProblem
    proof: Proof
    stop_reason: str
    steps: int
    trace: Trace

    @property
    def coefficients(self) -> np.ndarray:
        """Each row's coefficient in the decision function, float64, `[n]`."""
        problem = self.problem
        return (
            self.proof.beta.reshape(problem.variables_per_row, -1).sum(0) / self._scale
        )

    @property
    def bias(self) -> float:
        """The bias b of f(x) = Σ βᵢ k(xᵢ, x) + b."""
        return -float(self.proof.multipliers.mean()) / self._scale

    @property
    def _scale(self) -> float:
        if not self.problem.unit_margin:
            return 1.0
        negative, positive = self.proof.multipliers
        return float(positive - negative) / 2 or 1.0
