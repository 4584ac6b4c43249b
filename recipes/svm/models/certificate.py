"""One certificate for all dual problems of a model."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from recipes.errors import ConvergenceWarning
from recipes.svm.solver.solution import Solution

# Standard deviations of features that differ by more are worth a word.
UNEVEN = 100.0
# The worst first.
REASONS = ("interrupted", "stalled", "max_iterations", "tolerance")


def summary(solutions: Sequence[Solution]) -> dict[str, Any]:
    """Totals over the problems, and the worst of their violations and relative gaps."""
    proofs = [solution.proof.measured for solution in solutions]
    reasons = {solution.stop_reason for solution in solutions}
    reason = next(reason for reason in REASONS if reason in reasons)
    dual = [float(proof.dual_objective) for proof in proofs]
    gaps = [float(proof.duality_gap) for proof in proofs]
    relative = [
        gap / max(abs(objective), abs(objective + gap), np.finfo(float).tiny)
        for objective, gap in zip(dual, gaps, strict=True)
    ]
    used = np.unique(
        np.concatenate(
            [s.problem.rows[np.flatnonzero(s.coefficients)] for s in solutions]
        )
    )
    return {
        "converged": reason == "tolerance",
        "stop_reason": reason,
        "dual_objective": sum(dual),
        "primal_objective": sum(dual) + sum(gaps),
        "duality_gap": sum(gaps),
        # Not `max`, which loses a NaN among numbers.
        "relative_duality_gap": float(np.max(relative)),
        "max_kkt_violation": float(np.max([p.max_kkt_violation for p in proofs])),
        "support_vectors": len(used),
        "bounded_support_vectors": sum(_bounded(solution) for solution in solutions),
        "problems": len(solutions),
        "iterations": sum(len(s.trace.duality_gap) for s in solutions),
        "two_variable_steps": sum(solution.steps for solution in solutions),
    }


def warn_unless_converged(certificate: dict[str, Any], x: np.ndarray) -> None:
    """Says loudly that the answer is not the optimum, and what might help.

    Warns:
        ConvergenceWarning: If it is not.
    """
    if certificate["converged"]:
        return
    told = {
        "max_iterations": "it took all of max_iterations",
        "stalled": "the duality gap falls no further",
        "interrupted": "it was interrupted",
    }[certificate["stop_reason"]]
    spread = x.std(axis=0, dtype=np.float64)
    spread = spread[spread > 0]
    advice = ""
    if len(spread) and spread.max() > UNEVEN * spread.min():
        advice = (
            f"; the features' standard deviations run from {spread.min():.2g} to "
            f"{spread.max():.2g}: scale them to like size first"
        )
    warnings.warn(
        f"SMO did not converge: {told}, at a KKT violation of "
        f"{certificate['max_kkt_violation']:.3g} and a relative duality gap of "
        f"{certificate['relative_duality_gap']:.3g}{advice}",
        ConvergenceWarning,
        stacklevel=4,
    )


def _bounded(solution: Solution) -> int:
    beta, problem = solution.proof.beta, solution.problem
    at_bound = (beta == problem.lower) | (beta == problem.upper)
    return int(np.count_nonzero(at_bound & (beta != 0)))
