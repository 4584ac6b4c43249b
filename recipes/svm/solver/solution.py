"""What the solver leaves of a problem: its answer, and how it went."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from recipes.svm.solver.dual import Problem
from recipes.svm.solver.proof import Proof


class Trace(NamedTuple):
    """How one problem went: an entry for each of its iterations, float64."""

    dual_objective: np.ndarray
    duality_gap: np.ndarray
    max_kkt_violation: np.ndarray


@dataclass
class Solution:
    """A problem's answer.

    Attributes:
        problem: The problem.
        proof: What is true of its β.
        stop_reason: `"tolerance"`, `"max_iterations"` or `"stalled"`.
        steps: Two-variable steps taken.
        trace: How it went.
    """

    problem: Problem
    proof: Proof
    stop_reason: str
    steps: int
    trace: Trace

    @property
    def coefficients(self) -> np.ndarray:
        """Each row's coefficient in the decision function, float64, `[n]`."""
        problem = self.problem
        return self.proof.beta.reshape(problem.copies, -1).sum(0) / self._scale

    @property
    def bias(self) -> float:
        """The b of f(x) = Σ βᵢ k(xᵢ, x) + b."""
        return -float(self.proof.multipliers.mean()) / self._scale

    @property
    def _scale(self) -> float:
        if not self.problem.scaled:
            return 1.0
        negative, positive = self.proof.multipliers
        return float(positive - negative) / 2 or 1.0
