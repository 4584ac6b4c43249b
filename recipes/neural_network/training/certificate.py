"""What can be proved of a trained network: that it followed the gradient, no more."""

import warnings
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from recipes.errors import ConvergenceWarning
from recipes.neural_network.training.callbacks import unscaled
from recipes.neural_network.training.inputs import Rows

STATEMENT = (
    "The loss of a network is not convex: no optimum is certified. Checked are the "
    "gradient that training followed and the loss that it reached."
)
# A network that answers with the best constant is as good as it to this share.
ROUNDING = 1e-6
# Weights of each variable that are moved.
SAMPLE = 8
# By so much, in shares of the weight's size or of 1.
STEPS = (1e-5, 1e-6, 1e-7)
# Where tape and difference agree to this share, no smaller step is tried.
AGREEMENT = 1e-7
# Derivatives below this share of the loss, or of 1, are rounding to a difference.
SMALLEST = 1e-5
# At a kink the slopes to both sides differ by more than this share of the derivative.
KINK = 1e-3


def certify(
    model: Any,
    data: Rows,
    training: tf.data.Dataset,
    history: keras.callbacks.History,
    callbacks: list[Any],
) -> dict[str, Any]:
    """The certificate of a model that was trained: see `MultilayerPerceptron`.

    Args:
        model: The network.
        data: What it was trained on.
        training: The same in batches.
        history: Of the training.
        callbacks: Those that could have stopped it.
    """
    reason = "epochs"
    if model.stop_training:
        stopped = any(
            isinstance(each, keras.callbacks.EarlyStopping) and each.stopped_epoch
            for each in callbacks
        )
        reason = "early_stopping" if stopped else "interrupted"
    errors = training_errors(model, training)
    watched = history.history.get("val_loss", history.history.get("loss", []))
    return {
        "converged": reason == "early_stopping" and has_learned(errors),
        "stop_reason": reason,
        "epochs": history.epoch[-1] + 1 if history.epoch else 0,
        "best_epoch": history.epoch[int(np.argmin(watched))] + 1 if watched else 0,
        **errors,
        **gradient_check(model, *data.sample),
        "certified_optimum": False,
        "statement": STATEMENT,
    }


def training_errors(model: Any, training: tf.data.Dataset) -> dict[str, float]:
    """How far the network is from all training rows, summed in float64.

    Args:
        model: The network.
        training: The rows, in batches.

    Returns:
        `final_train_loss`, the mean error plus the penalty, and `relative_train_loss`,
        the mean error by the targets of training, with their label smoothing, as a
        share of the least that one and the same answer to all rows gives.
    """

    @tf.function(reduce_retracing=True, autograph=False)
    def sums(x: Any, y: Any, weight: Any = None) -> tf.Tensor:
        outputs = tf.cast(model.network(x, training=False), tf.float64)
        target, trained = (
            tf.cast(model.targets(y, training), tf.float64)
            for training in (False, True)
        )
        columns = [
            model.errors(target, outputs)[:, tf.newaxis],
            model.errors(trained, outputs)[:, tf.newaxis],
            trained,
            tf.square(trained),
        ]
        s = 1.0 if weight is None else tf.reshape(tf.cast(weight, tf.float64), [-1, 1])
        rows = tf.concat([tf.ones_like(columns[0]), *columns], axis=1)
        return tf.reduce_sum(s * rows, axis=0)

    total, *others = np.sum([sums(*batch) for batch in training], axis=0)
    error, trained, *moments = np.array(others) / total
    mean, square = np.split(np.array(moments), 2)
    # Where the best is 0 there is no share of it.
    least = model.constant_error(mean, square) or 1.0
    return {
        "final_train_loss": float(error + float(model.penalty())),
        "relative_train_loss": float(trained / least),
    }


def has_learned(certificate: Mapping[str, Any]) -> bool:
    """Whether the network does better on its training rows than a constant answer."""
    relative = certificate["relative_train_loss"]
    return relative is not None and relative < 1 - ROUNDING


def warn_unless_learned(certificate: Mapping[str, Any], largest: float) -> None:
    """Says loudly that the training came to nothing, and the likely cause.

    Args:
        certificate: Of the network.
        largest: The features' largest absolute value.

    Warns:
        ConvergenceWarning: If it did.
    """
    if has_learned(certificate):
        return
    cause = "too few epochs, or a learning rate that does not suit: try 'auto'"
    warnings.warn(
        "The network has learned nothing: its error on the training rows is "
        f"{certificate['relative_train_loss']:.3g} times that of the best constant "
        f"answer. The likely cause: {unscaled(largest) or cause}",
        ConvergenceWarning,
        stacklevel=3,
    )


def gradient_check(model: Any, x: Any, y: Any, weight: Any = None) -> dict[str, Any]:
    """Compares the tape's gradient with central differences, in float64.

    A copy of the model in float64, without dropout and augmentation, computes the loss
    of training on the rows, and the tape its gradient. Then weights are moved up and
    down by h, some of each variable at random: (H(θ + h) − H(θ − h)) / 2h is what the
    derivative should be. A weight's error is told in shares of the largest derivative
    among those of its variable, and at least of 10⁻⁵: tiny ones are all rounding.

    Where an activation has a kink, as relu, the loss has many, and a central difference
    across one is wrong while the tape is right. So a weight counts with the least error
    over three steps, of 10⁻⁵ to 10⁻⁷: a kink that is not in all three intervals does
    no harm, and a wrong derivative is wrong at all three. A weight that lies on a kink
    itself (the slopes to its left and its right differ however close one looks) has no
    derivative; it is left out and counted.

    Args:
        model: A built network of this recipe.
        x: Rows, `[m, …]`; some tens suffice.
        y: Their targets, as `train_step` takes them.
        weight: `[m]`, or `None`.

    Returns:
        `gradient_check_max_relative_error`, `gradient_check_weights`, the number of
        weights compared, and `gradient_check_kinks`, of those left out.
    """
    twin = model.float64_twin()
    x = tf.cast(x, tf.float64)
    variables = twin.trainable_variables

    @tf.function(autograph=False)
    def loss() -> tf.Tensor:
        return twin.training_loss(x, y, weight)

    with tf.GradientTape() as tape:
        value = loss()
    gradients = tape.gradient(
        value, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO
    )
    smallest = SMALLEST * max(1.0, abs(float(value)))
    random = np.random.default_rng(0)
    errors = []
    for variable, gradient in zip(variables, gradients, strict=True):
        flat = gradient.numpy().reshape(-1)
        chosen = random.permutation(flat.size)[:SAMPLE]
        scale = max(smallest, np.abs(flat[chosen]).max())
        errors += [
            _error(variable, place, flat[place], scale, loss, float(value))
            for place in chosen
        ]
    counted = [error for error in errors if error is not None]
    return {
        "gradient_check_max_relative_error": float(np.max(counted, initial=0.0)),
        "gradient_check_weights": len(counted),
        "gradient_check_kinks": len(errors) - len(counted),
    }


def _error(
    variable: Any, place: int, slope: float, scale: float, loss: Any, here: float
) -> float | None:
    """The tape's error at one weight, the least over the steps; `None` on a kink."""
    start = variable.numpy()
    errors, jumps = [], []
    for step in STEPS:
        h = step * max(1.0, abs(start.reshape(-1)[place]))
        above, below = (_moved(variable, start, place, move, loss) for move in (h, -h))
        difference = (above - below) / (2 * h)
        off = abs(difference - slope)
        errors.append(off / max(scale, abs(difference)))
        jumps.append(abs(above - 2 * here + below) / h)
        if errors[-1] < AGREEMENT:
            return float(errors[-1])
    on_kink = jumps[-1] > max(KINK * scale, jumps[0] / 2)
    # On one, the tape should give the slope to one of the sides: half a jump off.
    if on_kink and abs(2 * off - jumps[-1]) < KINK * jumps[-1]:
        return None
    return float(min(errors))


def _moved(variable: Any, start: Any, place: int, by: float, loss: Any) -> float:
    """The loss with one weight moved; the weight is put back."""
    moved = start.copy()
    moved.reshape(-1)[place] += by
    variable.assign(moved)
    value = float(loss())
    variable.assign(start)
    return value
