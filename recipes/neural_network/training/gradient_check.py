"""The check of the tape's gradient against central differences."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

# Weights of each variable that are compared.
WEIGHTS_PER_VARIABLE = 8
# Steps h of the differences, relative to the weight or, for small weights, to 1.
STEPS = (1e-5, 1e-6, 1e-7)
# Where the relative error is below this, no smaller step is tried.
AGREEMENT = 1e-7
# Derivatives below this fraction of the loss, or of 1, are lost in rounding.
SMALLEST_DERIVATIVE = 1e-5
# At a kink the slopes on both sides differ by more than this relative amount.
KINK = 1e-3


def check_gradient(model: Any, x: Any, y: Any, weight: Any = None) -> dict[str, Any]:
    """Compare the tape's gradient with central differences, in float64.

    A float64 copy of the model, without dropout and augmentation, computes the training
    loss on the rows, and the tape its gradient. Then a random sample of each variable's
    weights is moved up and down by h: (H(θ + h) − H(θ − h)) / 2h is what the derivative
    should be. A weight's error is relative to the largest derivative in its variable's
    sample, or to 10⁻⁵ of the loss if that is larger: below it all is rounding.

    Where an activation has a kink, as relu has, so does the loss, and a central
    difference across a kink is wrong although the tape is right. Each weight is
    therefore judged by its smallest error over three steps, 10⁻⁵ to 10⁻⁷: a kink
    outside one of the three intervals does no harm, while a wrong derivative is wrong
    at all three. A weight that lies exactly on a kink (the slopes to its left and right
    differ at every scale) has no derivative; it is left out and counted.

    Args:
        model: A built network of this recipe.
        x: Rows, `[m, …]`; a few dozen suffice.
        y: Their targets, as `train_step` takes them.
        weight: `[m]`, or `None`.

    Returns:
        `gradient_check_max_relative_error`, `gradient_check_weights`, the number of
        weights compared, and `gradient_check_kinks`, the number left out.
    """
    twin = model.copy_to_float64()
    x = tf.cast(x, tf.float64)
    variables = twin.trainable_variables

    @tf.function(autograph=False)
    def compute_loss() -> tf.Tensor:
        return twin.training_loss(x, y, weight)

    with tf.GradientTape() as tape:
        loss = compute_loss()
    gradients = tape.gradient(
        loss, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO
    )
    smallest = SMALLEST_DERIVATIVE * max(1.0, abs(float(loss)))
    random = np.random.default_rng(0)
    errors = []
    for variable, gradient in zip(variables, gradients, strict=True):
        derivatives = gradient.numpy().reshape(-1)
        sample = random.permutation(derivatives.size)[:WEIGHTS_PER_VARIABLE]
        scale = max(smallest, np.abs(derivatives[sample]).max())
        errors += [
            _compute_error(
                variable, index, derivatives[index], scale, compute_loss, float(loss)
            )
            for index in sample
        ]
    compared = [error for error in errors if error is not None]
    return {
        "gradient_check_max_relative_error": float(np.max(compared, initial=0.0)),
        "gradient_check_weights": len(compared),
        "gradient_check_kinks": len(errors) - len(compared),
    }


def _compute_error(
    variable: Any,
    index: int,
    derivative: float,
    scale: float,
    compute_loss: Callable[[], tf.Tensor],
    loss: float,
) -> float | None:
    """Return the tape's smallest error at a weight over all steps; `None` on a kink."""
    start = variable.numpy()
    errors, jumps = [], []
    for step in STEPS:
        h = step * max(1.0, abs(start.reshape(-1)[index]))
        above, below = (
            _loss_at(variable, start, index, shift, compute_loss) for shift in (h, -h)
        )
        difference = (above - below) / (2 * h)
        deviation = abs(difference - derivative)
        errors.append(deviation / max(scale, abs(difference)))
        jumps.append(abs(above - 2 * loss + below) / h)
        if errors[-1] < AGREEMENT:
            return float(errors[-1])
    on_kink = jumps[-1] > max(KINK * scale, jumps[0] / 2)
    # There the tape should give the slope on one of the sides: half a jump away.
    if on_kink and abs(2 * deviation - jumps[-1]) < KINK * jumps[-1]:
        return None
    return float(min(errors))


def _loss_at(
    variable: Any,
    start: Any,
    index: int,
    shift: float,
    compute_loss: Callable[[], tf.Tensor],
) -> float:
    """Compute the loss with one weight shifted, and put the weight back."""
    shifted = start.copy()
    shifted.reshape(-1)[index] += shift
    variable.assign(shifted)
    loss = float(compute_loss())
    variable.assign(start)
    return loss
