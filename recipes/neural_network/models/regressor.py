"""Regression by a neural network that minimises the squared error."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from recipes.checks.settings import configured_by, documented_by
from recipes.neural_network.config import NetworkSettings
from recipes.neural_network.models.base import MultilayerPerceptron, weighted_mean
from recipes.neural_network.training.inputs import CheckedRows, check_rows


@keras.saving.register_keras_serializable("descent_recipes")
@documented_by(NetworkSettings)
class MultilayerPerceptronRegressor(MultilayerPerceptron):
    """A neural network for regression, by the squared error.

    The network learns the standardised target z = (y − center) / scale, where center
    and scale are the mean and the standard deviation of the training rows of the first
    `fit`. Learning rate and penalties thus do not depend on the target's unit. A row's
    error is (network(x) − z)², so `loss` is in variances of the target: predicting the
    mean has a loss of 1. Predictions are in the target's unit.

    Args:
        {arguments}

    Attributes:
        center: The target's mean, a weight that is not trained, `[1]`.
        scale: The target's standard deviation, likewise.
        certificate: As in `MultilayerPerceptron`, like `network` and `range_test`.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
    >>> x = np.linspace(-1, 1, 200)[:, np.newaxis]
    >>> model = MultilayerPerceptronRegressor((32,), momentum=0.9)
    >>> history = model.fit(x, 1000 + 50 * x**2, epochs=100, verbose=0)
    >>> model.evaluate(x, 1000 + 50 * x**2, verbose=0, return_dict=True)["loss"] < 0.01
    True

    Reference:
        The article, section 3.3, which gives no loss for continuous targets.
    """

    score_name = "mean_squared_error"

    @configured_by(NetworkSettings)
    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__(settings)

    # The loss ------------------------------------------------------------------------

    @property
    def output_count(self) -> int:
        """The number of the network's outputs, 1."""
        return 1

    def encode_targets(self, y: Any, training: bool = False) -> tf.Tensor:
        """Return the standardised targets z of a batch, `[b, 1]`.

        Args:
            y: Targets `[b]` or `[b, 1]`, in their own unit.
            training: Not used.
        """
        y = tf.reshape(tf.cast(y, self.center.dtype), [-1, 1])
        z = (y - self.center) / self.scale
        return tf.cast(z, self.variable_dtype)

    def compute_errors(self, target: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """Return (output − z)² of each row, `[b]`."""
        return tf.square(tf.cast(outputs, target.dtype) - target)[:, 0]

    def compute_constant_error(self, mean: np.ndarray, square: np.ndarray) -> float:
        """Return the variance of z, the error of predicting its mean."""
        return max(0.0, (square - mean**2).item())

    def find_constant_outputs(self, mean: np.ndarray) -> np.ndarray:
        """Return the mean of z, `[1]`, which the network's output is."""
        return mean

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> tf.Tensor:
        """Return H of a batch, from targets and predictions in the target's unit."""
        errors = self.compute_errors(
            self.encode_targets(y), self.encode_targets(y_pred)
        )
        return weighted_mean(errors, sample_weight) + self.compute_penalty()

    def _update_score(self, target: Any, outputs: Any, weight: Any) -> None:
        variance = tf.cast(tf.square(self.scale), target.dtype)
        self.score.update_state(self.compute_errors(target, outputs) * variance, weight)

    # The data ------------------------------------------------------------------------

    def prepare_training(
        self, x: Any, y: Any, sample_weight: Any, class_weight: Any = None
    ) -> CheckedRows:
        """Check the rows to train on, and build the model for them.

        Args:
            x: As for `fit`.
            y: Numbers, `[n]` or `[n, 1]`.
            sample_weight: As for `fit`.
            class_weight: `None`.
        """
        if class_weight is not None:
            raise ValueError("`class_weight` should be omitted: there are no classes.")
        data = check_rows(x, y, sample_weight, self.variable_dtype)
        targets = _as_float64(data.y)
        if not self.built:
            self.build((None, *data.row_shape))
            center = np.average(targets, weights=data.weight)
            variance = np.average((targets - center) ** 2, weights=data.weight)
            self.center.assign([center])
            # A constant target is only centred.
            self.scale.assign([np.sqrt(variance) if variance > 0 else 1.0])
        if data.weight is None:
            return data
        mean_weight = data.weight.mean()
        if not isinstance(data.x, tf.data.Dataset):
            return data._replace(weight=data.weight / mean_weight)

        def scale_weights(x: Any, y: Any, s: Any) -> tuple[Any, Any, Any]:
            s = tf.cast(tf.reshape(s, [-1]), self.variable_dtype)
            return x, y, s / tf.cast(mean_weight, s.dtype)

        return data._replace(x=data.x.map(scale_weights))

    def prepare_evaluation(self, x: Any, y: Any, sample_weight: Any) -> CheckedRows:
        """Check rows to evaluate the network on.

        Args:
            x: As for `evaluate`.
            y: As for `evaluate`.
            sample_weight: As for `evaluate`.
        """
        data = check_rows(x, y, sample_weight, self.variable_dtype)
        _as_float64(data.y)
        return data

    # The fitted model ----------------------------------------------------------------

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Map `inputs` of shape `[batch, …]` to predictions `[batch, 1]`."""
        return self._convert_outputs(super().call(inputs, training=training))

    def _convert_outputs(self, outputs: Any) -> Any:
        scale = keras.ops.cast(self.scale, outputs.dtype)
        return outputs * scale + keras.ops.cast(self.center, outputs.dtype)

    # Keras ---------------------------------------------------------------------------

    def build(self, input_shape: Any) -> None:
        """Create the layers and the weights `center` and `scale`.

        Args:
            input_shape: `(batch, …)`, the shape of a batch of rows.
        """
        super().build(input_shape)
        for name, initial in (("center", "zeros"), ("scale", "ones")):
            weight = self.add_weight(
                name=name,
                shape=(1,),
                dtype="float64",
                initializer=initial,
                trainable=False,
                autocast=False,
            )
            setattr(self, name, weight)


def _as_float64(y: np.ndarray) -> np.ndarray:
    """Return targets as float64.

    Raises:
        ValueError: If they are not one number per row.
    """
    if y.ndim != 1 or y.dtype.kind not in "fiub":
        raise ValueError(
            "`y` should hold one number per row. Received: "
            f"{y.dtype} of shape {list(y.shape)}"
        )
    return y.astype(np.float64)
