"""The certificate of a model: how close it is to the optimum of its dual problems."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from recipes.errors import ConvergenceWarning
from recipes.svm.solver.solution import Solution

# A warning mentions standard deviations of features that differ by more than this.
UNEVEN_SCALES = 100.0
# The worst first.
STOP_REASONS = ("interrupted", "stalled", "max_iterations", "tolerance")


def build_certificate(solutions: Sequence[Solution]) -> dict[str, Any]:
    """Return totals over the problems, and the worst violation and relative gap."""
    points = [solution.proof.optimality for solution in solutions]
    reasons = {solution.stop_reason for solution in solutions}
    reason = next(reason for reason in STOP_REASONS if reason in reasons)
    dual = [float(point.dual_objective) for point in points]
    gaps = [float(point.duality_gap) for point in points]
    relative = [
        gap / max(abs(objective), abs(objective + gap), np.finfo(float).tiny)
        for objective, gap in zip(dual, gaps, strict=True)
    ]
    support = np.unique(
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
        "max_kkt_violation": float(np.max([p.max_kkt_violation for p in points])),
        "support_vectors": len(support),
        "bounded_support_vectors": sum(
            _count_bounded(solution) for solution in solutions
        ),
        "problems": len(solutions),
        "iterations": sum(len(s.trace.duality_gap) for s in solutions),
        "two_variable_steps": sum(solution.steps for solution in solutions),
    }


def warn_unless_converged(certificate: dict[str, Any], x: np.ndarray) -> None:
    """Warn if the solution is not the optimum, and suggest what might help.

    Warns:
        ConvergenceWarning: If the certificate has not converged.
    """
    if certificate["converged"]:
        return
    cause = {
        "max_iterations": "it reached max_iterations",
        "stalled": "the duality gap no longer decreases",
        "interrupted": "it was interrupted",
    }[certificate["stop_reason"]]
    spread = x.std(axis=0, dtype=np.float64)
    spread = spread[spread > 0]
    advice = ""
    if len(spread) and spread.max() > UNEVEN_SCALES * spread.min():
        advice = (
            f"; the features' standard deviations range from {spread.min():.2g} to "
            f"{spread.max():.2g}: scale them to similar size first"
        )
    warnings.warn(
        f"SMO did not converge: {cause}, with a KKT violation of "
        f"{certificate['max_kkt_violation']:.3g} and a relative duality gap of "
        f"{certificate['relative_duality_gap']:.3g}{advice}",
        ConvergenceWarning,
        stacklevel=4,
    )


def _count_bounded(solution: Solution) -> int:
    beta, problem = solution.proof.beta, solution.problem
    at_bound = (beta == problem.lower) | (beta == problem.upper)
    return int(np.count_nonzero(at_bound & (beta != 0)))
