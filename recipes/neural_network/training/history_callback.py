"""The callback that records the history of a training for the report."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

Matrix = npt.NDArray[np.float64]
SAMPLE_ROWS = 2048  # training rows that are evaluated after each epoch


def sample_rows(
    x: npt.NDArray[Any], y: npt.NDArray[Any], seed: int
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Draw up to 2,048 of the rows at random, for a `HistoryCallback`."""
    if len(x) <= SAMPLE_ROWS:
        return x, y
    chosen = np.random.default_rng(seed).choice(len(x), SAMPLE_ROWS, replace=False)
    return x[chosen], y[chosen]


class HistoryCallback(keras.callbacks.Callback):
    """A callback that records losses, scores, and norms of weights and gradients.

    The loss that `fit` logs is a mean over the epoch, with dropout and augmentation,
    while the weights change; the validation loss is that of the weights at its end. To
    compare like with like, the loss of a sample of training rows is computed in the
    same way as the validation loss, and with it the gradient.

    Args:
        x: The sample of training rows, `[m, …]`, as `fit` takes them.
        y: Their targets, `[m]` or `[m, 1]`.

    Attributes:
        history: What `fit` logged, a list for each number; under `train_loss` the loss
            of the sample at the end of each epoch and, for a classifier, under
            `train_accuracy` its accuracy.
    """

    def __init__(self, x: npt.NDArray[Any], y: npt.NDArray[Any]) -> None:
        super().__init__()
        self._sample = tf.constant(x), tf.constant(np.reshape(y, (-1, 1)))
        self._norms: list[Matrix] = []
        self.history: dict[str, list[float]] = {}

    @property
    def best_epoch(self) -> int:
        """The epoch, from 0, of the lowest validation loss, else training loss."""
        monitored = self.history.get("val_loss", self.history["loss"])
        return int(np.argmin(monitored))

    @property
    def weight_norms(self) -> Matrix:
        """The norm of each layer's kernel after each epoch, `[epochs, layers]`."""
        return np.array([norms[0] for norms in self._norms])

    @property
    def gradient_norms(self) -> Matrix:
        """The norm of the loss's gradient by each kernel, `[epochs, layers]`."""
        return np.array([norms[1] for norms in self._norms])

    @property
    def layer_names(self) -> list[str]:
        """The number, name and shape of each layer with a kernel."""
        return [
            f"{number}. {kernel.path.split('/')[-2]} "
            f"({' × '.join(map(str, kernel.shape))})"
            for number, kernel in enumerate(self._kernels(), 1)
        ]

    def on_train_begin(self, logs: Any = None) -> None:
        """Clear the record."""
        self.history, self._norms = {}, []
        self._measure = tf.function(self._compute_scores_and_norms, autograph=False)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Record the epoch."""
        scores, norms = self._measure(*self._sample)
        for name, value in {**(logs or {}), **scores}.items():
            self.history.setdefault(name, []).append(float(value))
        self._norms.append(norms.numpy().astype(np.float64))

    def state(self) -> dict[str, Any]:
        """Return the record so far."""
        return {"norms": np.array(self._norms), **self.history}

    def restore_state(self, state: Mapping[str, Any]) -> None:
        """Resume from a state that `state` returned."""
        self._norms = list(state["norms"])
        self.history = {
            name: values.tolist() for name, values in state.items() if name != "norms"
        }

    def _kernels(self) -> list[Any]:
        return [each for each in self.model.trainable_weights if len(each.shape) > 1]

    def _compute_scores_and_norms(self, x: Any, y: Any) -> tuple[dict[str, Any], Any]:
        kernels = [kernel.value for kernel in self._kernels()]
        with tf.GradientTape() as tape:
            outputs = self.model(x, training=False)
            loss = self.model.compute_loss(x=x, y=y, y_pred=outputs, training=False)
        gradients = tape.gradient(loss, kernels)
        norms = [[tf.norm(each) for each in part] for part in (kernels, gradients)]
        scores = {"train_loss": loss}
        if y.dtype.is_integer:
            correct = y[:, 0] == _predict_class(outputs)
            scores["train_accuracy"] = tf.reduce_mean(tf.cast(correct, tf.float64))
        return scores, tf.stack([tf.stack(part) for part in norms])


def _predict_class(scores: Any) -> Any:
    if scores.shape[-1] == 1:
        return tf.cast(scores[:, 0] > 0, tf.int64)
    return tf.argmax(scores, axis=-1)
