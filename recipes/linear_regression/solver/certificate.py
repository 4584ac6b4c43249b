"""The proof of how good the parameters are, from the rows and in float64."""

import warnings
from typing import Any

import numpy as np
import tensorflow as tf

from recipes.errors import ConvergenceWarning
from recipes.linear_regression.solver import descent, row_sums
from recipes.linear_regression.solver.closed_form import Curvature
from recipes.linear_regression.solver.training_rows import TrainingRows

# From here on, more iterations help less than better columns.
ILL_CONDITIONED = 1e6


def certify(
    data: TrainingRows,
    theta: np.ndarray,
    step: descent.Step,
    target: descent.Target,
    curvature: Curvature | None,
) -> dict[str, Any]:
    """How far θ is from the minimum of the objective over `data`.

    One pass over the rows gives the loss and its gradient at θ. Without an l1 penalty
    the closed form is one Newton step away, so the minimum is loss − ½·∂Fᵀ·H⁺·∂F. With
    one, the dual objective bounds it from below.

    Args:
        data: The training rows.
        theta: (w, b), float64, `[features + 1]`.
        step: The penalties' weights.
        target: The features' means and the loss that counts as zero.
        curvature: H; `None` where it was not computed, and then the minimum is not
            known without a penalty.

    Returns:
        `loss`, `optimal_loss`, `relative_excess_loss`, `gradient_norm`,
        `condition_number` and `rank`; `None` where something cannot be known.
    """
    point = tf.constant(theta, tf.float64)
    error = row_sums.squared_error(data.parts, point, exact=True)
    with tf.GradientTape() as tape:
        tape.watch(point)
        penalty = descent.ridge(point, step.l2)
    gradient = error.gradient / error.weight + tape.gradient(penalty, point)
    if curvature is not None:
        newton = curvature.newton_step(gradient.numpy())
        target = target._replace(optimum=tf.constant(theta - newton, tf.float64))
    progress = descent.measure(
        point, error.total / error.weight + penalty, gradient, step, target
    )
    loss, excess = float(progress.loss), float(progress.excess_loss)
    known = np.isfinite(excess)
    return {
        "loss": loss,
        "optimal_loss": loss - excess if known else None,
        "relative_excess_loss": float(progress.relative_excess_loss) if known else None,
        "gradient_norm": float(progress.gradient_norm),
        "condition_number": curvature.condition_number if curvature else None,
        "rank": curvature.rank if curvature else None,
    }


def warn_unless_converged(certificate: dict[str, Any], tolerance: float) -> None:
    """Says loudly that the loss is not within `tolerance` of its minimum, and why."""
    if certificate["converged"]:
        return
    relative = certificate["relative_excess_loss"]
    condition = certificate["condition_number"]
    away = "unknown" if relative is None else f"{relative:.2g}"
    advice = "allow more iterations"
    if condition is not None and condition > ILL_CONDITIONED:
        advice = (
            f"the condition number is {condition:.2g}: standardise the features "
            "(keras.layers.Normalization), add an l2 penalty, or remove columns that "
            "nearly repeat others"
        )
    warnings.warn(
        f"Gradient descent did not converge: it stopped ({certificate['stop_reason']}) "
        f"after {certificate['iterations']} iterations at a relative excess loss of "
        f"{away}, above the tolerance of {tolerance:.2g}; {advice}.",
        ConvergenceWarning,
        stacklevel=3,
    )
