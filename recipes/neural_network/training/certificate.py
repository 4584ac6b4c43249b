"""The certificate: what can be verified about a network; an optimum cannot."""

import warnings
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from recipes.errors import ConvergenceWarning
from recipes.neural_network.training.callbacks import describe_unscaled_features
from recipes.neural_network.training.gradient_check import check_gradient
from recipes.neural_network.training.inputs import CheckedRows

STATEMENT = (
    "The loss of a network is not convex: no optimum is certified. Checked are the "
    "gradient that training followed and the loss that it reached."
)
# A network that predicts the best constant matches its error to this relative accuracy.
ROUNDING = 1e-6


def certify(
    model: Any,
    data: CheckedRows,
    training: tf.data.Dataset,
    history: keras.callbacks.History,
    callbacks: list[Any],
) -> dict[str, Any]:
    """Return the certificate of a trained model, documented at `MultilayerPerceptron`.

    Args:
        model: The network.
        data: The training rows.
        training: The same rows in batches.
        history: What `fit` recorded.
        callbacks: The callbacks that could have stopped the training.
    """
    reason = "epochs"
    if model.stop_training:
        stopped = any(
            isinstance(each, keras.callbacks.EarlyStopping) and each.stopped_epoch
            for each in callbacks
        )
        reason = "early_stopping" if stopped else "interrupted"
    errors = compute_training_errors(model, training)
    monitored = history.history.get("val_loss", history.history.get("loss", []))
    best_epoch = history.epoch[int(np.argmin(monitored))] + 1 if monitored else 0
    return {
        "converged": reason == "early_stopping" and has_learned(errors),
        "stop_reason": reason,
        "epochs": history.epoch[-1] + 1 if history.epoch else 0,
        "best_epoch": best_epoch,
        **errors,
        "learned": has_learned(errors),
        **check_gradient(model, *data.sample),
        "certified_optimum": False,
        "statement": STATEMENT,
    }


def compute_training_errors(model: Any, training: tf.data.Dataset) -> dict[str, float]:
    """Compute the network's errors on all training rows, summed in float64.

    Args:
        model: The network.
        training: The rows, in batches.

    Returns:
        `final_train_loss`, the mean error plus the penalty, and `relative_train_loss`,
        the mean error with respect to the training targets, smoothed labels included,
        relative to that of the best constant prediction.
    """

    @tf.function(autograph=False)
    def sum_batch(x: Any, y: Any, weight: Any = None) -> tf.Tensor:
        outputs = tf.cast(model.network(x, training=False), tf.float64)
        target, training_target = (
            tf.cast(model.encode_targets(y, training), tf.float64)
            for training in (False, True)
        )
        columns = [
            model.compute_errors(target, outputs)[:, tf.newaxis],
            model.compute_errors(training_target, outputs)[:, tf.newaxis],
            training_target,
            tf.square(training_target),
        ]
        s = 1.0 if weight is None else tf.reshape(tf.cast(weight, tf.float64), [-1, 1])
        rows = tf.concat([tf.ones_like(columns[0]), *columns], axis=1)
        return tf.reduce_sum(s * rows, axis=0)

    # Traced once for batches of any size; a call would trace anew for each, and
    # TensorFlow warn of it where several networks are trained.
    traced = sum_batch.get_concrete_function(*training.element_spec)
    weight_sum, *sums = np.sum([traced(*batch) for batch in training], axis=0)
    error, training_error, *moments = np.array(sums) / weight_sum
    mean, square = np.split(np.array(moments), 2)
    # Where the best constant has no error, nothing can be relative to it.
    constant_error = model.compute_constant_error(mean, square) or 1.0
    return {
        "final_train_loss": float(error + float(model.compute_penalty())),
        "relative_train_loss": float(training_error / constant_error),
    }


def has_learned(certificate: Mapping[str, Any]) -> bool:
    """Return whether the network beats the best constant on its training rows."""
    relative = certificate["relative_train_loss"]
    return relative is not None and relative < 1 - ROUNDING


def warn_of_nothing_learned(
    certificate: Mapping[str, Any],
    learning_rate: float | str,
    largest_feature: float = 0.0,
) -> None:
    """Warn, with the likely cause, that the network has learned nothing.

    Args:
        certificate: The network's certificate.
        learning_rate: The setting; `"auto"` is not advised where it was used.
        largest_feature: The largest absolute value of the features, where they may be
            unscaled.

    Warns:
        ConvergenceWarning: In any case.
    """
    cause = describe_unscaled_features(largest_feature) or (
        "features that tell nothing of the target, or too few epochs"
        if learning_rate == "auto"
        else "too few epochs, or an unsuitable learning rate: try 'auto'"
    )
    finding = (
        "on the training rows is "
        f"{certificate['relative_train_loss']:.3g} times that of the best constant "
        "answer"
    )
    if has_learned(certificate):
        finding = (
            "on the validation rows is above that of a constant answer, the mean or "
            "the class shares of the training rows, by more than chance may explain"
        )
    warnings.warn(
        f"The network has learned nothing: its error {finding}. The likely cause: "
        f"{cause}",
        ConvergenceWarning,
        stacklevel=3,
    )
