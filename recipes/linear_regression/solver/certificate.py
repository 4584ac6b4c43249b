"""A proof of how close the parameters are to the optimum, in float64 from the rows."""

import warnings
from typing import Any

import numpy as np
import tensorflow as tf

from recipes.errors import ConvergenceWarning
from recipes.linear_regression.solver import descent, row_sums
from recipes.linear_regression.solver.closed_form import Curvature
from recipes.linear_regression.solver.training_rows import TrainingRows

# Above this condition number, better columns help more than more iterations.
ILL_CONDITIONED = 1e6


def certify(
    data: TrainingRows,
    theta: np.ndarray,
    settings: descent.StepSettings,
    rule: descent.StoppingRule,
    curvature: Curvature | None,
) -> dict[str, Any]:
    """Measure how far θ is from the minimum of the objective over `data`.

    One pass over the rows computes the loss and its gradient at θ. Without an l1
    penalty the optimum is one Newton step away, so the minimum is loss − ½·∂Fᵀ·H⁺·∂F.
    With one, the dual objective is a lower bound of the minimum.

    Args:
        data: The training rows.
        theta: (w, b), float64, `[features + 1]`.
        settings: The penalty weights.
        rule: The feature means and the resolution of the loss.
        curvature: H; `None` where it was not computed: the minimum is then unknown
            without an l1 penalty.

    Returns:
        `loss`, `optimal_loss`, `relative_excess_loss`, `gradient_norm`,
        `condition_number` and `rank`; `None` for what is unknown.
    """
    point = tf.constant(theta, tf.float64)
    error = row_sums.compute_squared_error(data.parts, point, exact=True)
    with tf.GradientTape() as tape:
        tape.watch(point)
        penalty = descent.ridge_penalty(point, settings.l2)
    gradient = error.gradient / error.weight + tape.gradient(penalty, point)
    if curvature is not None:
        newton = curvature.newton_step(gradient.numpy())
        rule = rule._replace(optimum=tf.constant(theta - newton, tf.float64))
    measurement = descent.measure(
        point, error.total / error.weight + penalty, gradient, settings, rule
    )
    loss, excess = float(measurement.loss), float(measurement.excess_loss)
    is_known = np.isfinite(excess)
    return {
        "loss": loss,
        "optimal_loss": loss - excess if is_known else None,
        "relative_excess_loss": float(measurement.relative_excess_loss)
        if is_known
        else None,
        "gradient_norm": float(measurement.gradient_norm),
        "condition_number": curvature.condition_number if curvature else None,
        "rank": curvature.rank if curvature else None,
    }


def warn_unless_converged(certificate: dict[str, Any], tolerance: float) -> None:
    """Warn, with advice, if the loss is not within `tolerance` of its minimum."""
    if certificate["converged"]:
        return
    relative = certificate["relative_excess_loss"]
    condition = certificate["condition_number"]
    excess = "unknown" if relative is None else f"{relative:.2g}"
    advice = "allow more iterations"
    if condition is not None and condition > ILL_CONDITIONED:
        advice = (
            f"the condition number is {condition:.2g}: standardise the features "
            "(keras.layers.Normalization), add an l2 penalty, or remove columns that "
            "are nearly linear combinations of others"
        )
    warnings.warn(
        f"Gradient descent did not converge: it stopped ({certificate['stop_reason']}) "
        f"after {certificate['iterations']} iterations at a relative excess loss of "
        f"{excess}, above the tolerance of {tolerance:.2g}; {advice}.",
        ConvergenceWarning,
        stacklevel=3,
    )
