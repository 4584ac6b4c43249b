"""The course of a training, epoch by epoch, for the report."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

Matrix = npt.NDArray[np.float64]
SAMPLE = 2048  # training rows that are looked at after each epoch


def sample(
    x: npt.NDArray[Any], y: npt.NDArray[Any], seed: int
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Some of the rows, at random, for a `Course`: 2,048 at most."""
    if len(x) <= SAMPLE:
        return x, y
    chosen = np.random.default_rng(seed).choice(len(x), SAMPLE, replace=False)
    return x[chosen], y[chosen]


class Course(keras.callbacks.Callback):
    """Records losses, scores, and the sizes of weights and gradients.

    The loss that `fit` logs is a mean over the epoch, with dropout and the like, while
    the weights change; the validation loss is that of the weights at its end. So the
    loss is also taken of some training rows as it is taken of the validation rows, and
    with it the gradient.

    Args:
        x: some training rows, `[m, …]`, as `fit` takes them.
        y: their targets, `[m]` or `[m, 1]`.

    Attributes:
        history: what `fit` logged, a list for each number, and under `train_loss` the
            loss of those training rows at the end of each epoch, with classes under
            `train_accuracy` the share of them that is right.
    """

    def __init__(self, x: npt.NDArray[Any], y: npt.NDArray[Any]) -> None:
        super().__init__()
        self._sample = tf.constant(x), tf.constant(np.reshape(y, (-1, 1)))
        self._norms: list[Matrix] = []
        self.history: dict[str, list[float]] = {}

    @property
    def best_epoch(self) -> int:
        """The epoch, from 0, of the lowest validation loss, else training loss."""
        watched = self.history.get("val_loss", self.history["loss"])
        return int(np.argmin(watched))

    @property
    def weight_norms(self) -> Matrix:
        """Length of each layer's kernel after each epoch, `[epochs, layers]`."""
        return np.array([norms[0] for norms in self._norms])

    @property
    def gradient_norms(self) -> Matrix:
        """Length of the loss's gradient by each, `[epochs, layers]`."""
        return np.array([norms[1] for norms in self._norms])

    @property
    def layers(self) -> list[str]:
        """What each kernel is called: its layer and its shape."""
        return [
            f"{number}. {kernel.path.split('/')[-2]} "
            f"({' × '.join(map(str, kernel.shape))})"
            for number, kernel in enumerate(self._kernels(), 1)
        ]

    def on_train_begin(self, logs: Any = None) -> None:
        """Begins the record anew."""
        self.history, self._norms = {}, []
        self._measure = tf.function(self._scores_and_norms, autograph=False)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Records the epoch."""
        scores, norms = self._measure(*self._sample)
        for name, value in {**(logs or {}), **scores}.items():
            self.history.setdefault(name, []).append(float(value))
        self._norms.append(norms.numpy().astype(np.float64))

    def state(self) -> dict[str, Any]:
        """The record so far."""
        return {"norms": np.array(self._norms), **self.history}

    def restore_state(self, state: Mapping[str, Any]) -> None:
        """Goes on from a state that `state` gave."""
        self._norms = list(state["norms"])
        self.history = {
            name: values.tolist() for name, values in state.items() if name != "norms"
        }

    def _kernels(self) -> list[Any]:
        return [each for each in self.model.trainable_weights if len(each.shape) > 1]

    def _scores_and_norms(self, x: Any, y: Any) -> tuple[dict[str, Any], Any]:
        kernels = [kernel.value for kernel in self._kernels()]
        with tf.GradientTape() as tape:
            answer = self.model(x, training=False)
            loss = self.model.compute_loss(x=x, y=y, y_pred=answer, training=False)
        gradients = tape.gradient(loss, kernels)
        sizes = [[tf.norm(each) for each in part] for part in (kernels, gradients)]
        scores = {"train_loss": loss}
        if y.dtype.is_integer:
            right = y[:, 0] == _classes(answer)
            scores["train_accuracy"] = tf.reduce_mean(tf.cast(right, tf.float64))
        return scores, tf.stack([tf.stack(part) for part in sizes])


def _classes(scores: Any) -> Any:
    if scores.shape[-1] == 1:
        return tf.cast(scores[:, 0] > 0, tf.int64)
    return tf.argmax(scores, axis=-1)
