"""Regression by a neural network, with the squared error for its loss."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from recipes.checks.settings import configured_by, documented_by
from recipes.neural_network.config import NetworkSettings
from recipes.neural_network.models.base import MultilayerPerceptron, mean
from recipes.neural_network.training.inputs import CheckedRows, check_rows


@keras.saving.register_keras_serializable("descent_recipes")
@documented_by(NetworkSettings)
class MultilayerPerceptronRegressor(MultilayerPerceptron):
    """A neural network for numbers, by the squared error.

    The network learns the standardised target z = (y − center) / scale, center and
    scale being mean and standard deviation in the training rows of the first `fit`, so
    that rates and penalties mean the same whatever the target's unit. A row's error is
    (network(x) − z)²: `loss` is in variances of the target, so 1 is what the mean alone
    would give. What is predicted is in the target's unit.

    Args:
        {arguments}

    Attributes:
        center: The target's mean, a weight that is not trained, `[1]`.
        scale: The target's standard deviation, likewise.
        certificate: See `MultilayerPerceptron`; likewise `network`, `range_test`.

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
    def outputs_count(self) -> int:
        """1."""
        return 1

    def targets(self, y: Any, training: bool = False) -> tf.Tensor:
        """The standardised target z of a batch's `y` `[b]` or `[b, 1]`; `[b, 1]`."""
        y = tf.reshape(tf.cast(y, self.center.dtype), [-1, 1])
        z = (y - self.center) / self.scale
        return tf.cast(z, self.variable_dtype)

    def errors(self, target: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """(output − z)² of each row, `[b]`."""
        return tf.square(tf.cast(outputs, target.dtype) - target)[:, 0]

    def constant_error(self, mean: np.ndarray, square: np.ndarray) -> float:
        """The variance of z: what the mean alone leaves."""
        return max(0.0, (square - mean**2).item())

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> tf.Tensor:
        """H of a batch: targets `y` and predictions, both in the target's unit."""
        errors = self.errors(self.targets(y), self.targets(y_pred))
        return mean(errors, sample_weight) + self.penalty()

    def _update_score(self, target: Any, outputs: Any, weight: Any) -> None:
        in_units = self.errors(target, outputs) * tf.cast(
            tf.square(self.scale), target.dtype
        )
        self.score.update_state(in_units, weight)

    # The data ------------------------------------------------------------------------

    def prepare(
        self, x: Any, y: Any, sample_weight: Any, class_weight: Any = None
    ) -> CheckedRows:
        """The rows to train on, checked; the model is built for them.

        Args:
            x: As `fit`'s.
            y: Numbers, `[n]` or `[n, 1]`.
            sample_weight: As `fit`'s.
            class_weight: `None`.
        """
        if class_weight is not None:
            raise ValueError("`class_weight` should be left out: there are no classes.")
        data = check_rows(x, y, sample_weight, self.variable_dtype)
        target = _numbers(data)
        if not self.built:
            self.build((None, *data.row_shape))
            center = np.average(target, weights=data.weight)
            variance = np.average((target - center) ** 2, weights=data.weight)
            self.center.assign([center])
            # A target that does not vary has no unit.
            self.scale.assign([np.sqrt(variance) if variance > 0 else 1.0])
        if data.weight is None:
            return data
        mean_weight = data.weight.mean()
        if not isinstance(data.x, tf.data.Dataset):
            return data._replace(weight=data.weight / mean_weight)

        def scaled(x: Any, y: Any, s: Any) -> tuple[Any, Any, Any]:
            s = tf.cast(tf.reshape(s, [-1]), self.variable_dtype)
            return x, y, s / tf.cast(mean_weight, s.dtype)

        return data._replace(x=data.x.map(scaled))

    def _evaluation_rows(self, x: Any, y: Any, weight: Any) -> CheckedRows:
        data = check_rows(x, y, weight, self.variable_dtype)
        _numbers(data)
        return data

    # The fitted model ----------------------------------------------------------------

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Maps `inputs` of shape `[batch, …]` to predictions `[batch, 1]`."""
        return self._served(super().call(inputs, training=training))

    def _served(self, outputs: Any) -> Any:
        scale = keras.ops.cast(self.scale, outputs.dtype)
        return outputs * scale + keras.ops.cast(self.center, outputs.dtype)

    # Keras ---------------------------------------------------------------------------

    def build(self, input_shape: Any) -> None:
        """Creates the layers for rows of such a shape, and the target's unit."""
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


def _numbers(data: CheckedRows) -> np.ndarray:
    """The targets as float64.

    Raises:
        ValueError: If they are no numbers.
    """
    if data.y.ndim != 1 or data.y.dtype.kind not in "fiub":
        raise ValueError(
            "`y` should hold one number a row. Received: "
            f"{data.y.dtype} of shape {list(data.y.shape)}"
        )
    return data.y.astype(np.float64)
