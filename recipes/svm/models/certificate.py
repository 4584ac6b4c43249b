"""The certificate of a model: how close it is to the optimum of its dual problems."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from recipes.errors import ConvergenceWarning
from recipes.svm.solver.rows import Rows, compute_deviations
from recipes.svm.solver.solution import Solution

# A warning mentions standard deviations of features that differ by more than this.
UNEVEN_SCALES = 100.0
# The worst first.
STOP_REASONS = ("interrupted", "stalled", "max_iterations", "rounding", "tolerance")


def build_certificate(solutions: Sequence[Solution], convex: bool) -> dict[str, Any]:
    """Return totals over the problems, and the worst violation and relative gap.

    Objectives and gaps are those of f in float64. `max_kkt_violation` is that of the
    function which the model computes, in its own dtype, for the training rows, and
    `max_rounding_error` how far that function is from f, at the rows for which f was
    computed in float64; see `decided_rows`.

    Args:
        solutions: One for each output, compared with the model.
        convex: Whether the problems are, as far as is known. Otherwise the solution may
            be one of several stationary points, and has not `converged`.
    """
    points = [solution.proof.optimality for solution in solutions]
    reasons = {solution.stop_reason for solution in solutions}
    reason = next(reason for reason in STOP_REASONS if reason in reasons)
    dual = [float(point.dual_objective) for point in points]
    gaps = [float(point.duality_gap) for point in points]
    rows = np.concatenate([solution.problem.rows for solution in solutions])
    used = np.concatenate([solution.coefficients for solution in solutions]) != 0
    return {
        "converged": reason == "tolerance" and convex,
        "stop_reason": reason,
        "convex": convex,
        "dual_objective": sum(dual),
        "primal_objective": sum(dual) + sum(gaps),
        "duality_gap": sum(gaps),
        # Not `max`, which loses a NaN among numbers.
        "relative_duality_gap": float(
            np.max([solution.relative_duality_gap for solution in solutions])
        ),
        "max_kkt_violation": float(np.max([s.max_kkt_violation for s in solutions])),
        "max_rounding_error": float(np.max([s.max_rounding_error for s in solutions])),
        "support_vectors": len(np.unique(rows[used])),
        "bounded_support_vectors": _count_bounded(solutions),
        "problems": len(solutions),
        "iterations": sum(len(s.trace.duality_gap) for s in solutions),
        "two_variable_steps": sum(solution.steps for solution in solutions),
    }


def warn_unless_converged(certificate: dict[str, Any], x: Rows) -> None:
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
        "rounding": "the values that the model computes are rounded by up to "
        f"{certificate['max_rounding_error']:.3g}",
        "tolerance": "the kernel is not positive semidefinite on these rows, so that "
        "there may be better solutions than this stationary point",
    }[certificate["stop_reason"]]
    spread = compute_deviations(x)
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


def _count_bounded(solutions: Sequence[Solution]) -> int:
    beta = np.concatenate([solution.proof.beta for solution in solutions])
    lower = np.concatenate([solution.problem.lower for solution in solutions])
    upper = np.concatenate([solution.problem.upper for solution in solutions])
    return int(np.count_nonzero(((beta == lower) | (beta == upper)) & (beta != 0)))
