"""What can be proved of a trained network: that it followed the gradient, no more."""

import warnings
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from recipes.errors import ConvergenceWarning
from recipes.neural_network.training.callbacks import unscaled
from recipes.neural_network.training.gradient_check import check_gradient
from recipes.neural_network.training.inputs import Rows

STATEMENT = (
    "The loss of a network is not convex: no optimum is certified. Checked are the "
    "gradient that training followed and the loss that it reached."
)
# A network that answers with the best constant is as good as it to this share.
ROUNDING = 1e-6


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
        **check_gradient(model, *data.sample),
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
