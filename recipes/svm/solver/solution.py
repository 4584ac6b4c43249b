"""The solution of a dual problem, and the course of its descent."""

import functools
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from recipes.svm.solver.decided_rows import SAFETY
from recipes.svm.solver.dual import DualProblem
from recipes.svm.solver.proof import Proof
from recipes.svm.solver.working_set import HUGE


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
        stop_reason: `"tolerance"`, `"max_iterations"`, `"stalled"`, `"interrupted"`; or
            `"rounding"` where the function that is exported is not within the
            tolerance, though β is.
        steps: Two-variable steps taken.
        trace: The course of the descent.
        relative_duality_gap: As of `proof.compute_relative_gap`.
        max_kkt_violation: In units of the margin; after `compare`, that of the
            function that is exported.
        max_rounding_error: After `compare`, how far that function is from f at most,
            at rows that the proof has computed in float64.
    """

    problem: DualProblem
    proof: Proof
    stop_reason: str
    steps: int
    trace: Trace
    relative_duality_gap: float
    max_rounding_error: float = 0.0

    def __post_init__(self) -> None:
        """Start from the violation of the proof."""
        self.max_kkt_violation = float(self.proof.optimality.max_kkt_violation)

    @functools.cached_property
    def coefficients(self) -> np.ndarray:
        """Each row's coefficient in the decision function, float64, `[n]`."""
        return self.problem.sum_by_row(self.proof.beta) / self._margin

    @property
    def bias(self) -> float:
        """The bias b of f(x) = Σ βᵢ k(xᵢ, x) + b."""
        return self.problem.origin - float(self.proof.multipliers.mean()) / self._margin

    def compare(
        self,
        decisions: np.ndarray,
        tolerance: float,
        at: np.ndarray | slice = slice(None),
    ) -> bool:
        """Measure the violation of a function that is computed with rounding.

        Args:
            decisions: What the function gives for some rows of the problem, `[m]`.
            tolerance: The largest violation that the function may have.
            at: Which rows: all, or those that the proof has `checked`.

        Returns:
            Whether these rows tell the violation of all. Others count only if the
            function is off by as much there as uses up the proof's `reserve`.
        """
        problem, proof = self.problem, self.proof
        product = proof.product.copy()
        product[at] = (decisions.astype(np.float64) - self.bias) * self._margin
        errors = np.abs(product - proof.product)[proof.checked]
        gradient = np.tile(product, problem.variables_per_row) + problem.linear
        violation = max(
            _violation(problem, proof.beta, gradient, problem.group == g)
            for g in range(problem.groups)
        )
        error = float(errors.max())
        self.max_rounding_error = error / self._margin
        if self.max_kkt_violation < HUGE:  # there is a margin
            self.max_kkt_violation = max(violation, 0.0) / self._margin
        if self.stop_reason == "tolerance" and not self.max_kkt_violation <= tolerance:
            self.stop_reason = "rounding"
        return (SAFETY + 1) * error + proof.error <= proof.reserve

    @property
    def _margin(self) -> float:
        """What β is divided by; see `optimality.compute_margin`."""
        if not self.problem.unit_margin:
            return 1.0
        negative, positive = self.proof.multipliers
        return float(positive - negative) / 2 if positive > negative else 1.0


def _violation(
    problem: DualProblem, beta: np.ndarray, gradient: np.ndarray, member: np.ndarray
) -> float:
    falls = gradient[member & (beta > problem.lower)]
    rises = gradient[member & (beta < problem.upper)]
    return float(falls.max() - rises.min()) if falls.size and rises.size else 0.0
