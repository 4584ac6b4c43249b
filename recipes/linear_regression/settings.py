"""What a linear regression is told, and what Keras does by it."""

from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

from layers import Linear
from recipes.checks.arguments import (
    check_choice,
    check_count,
    check_learning_rate,
    check_not_negative,
)
from recipes.linear_regression.solver import closed_form
from recipes.linear_regression.solver import row_sums as rows
from recipes.linear_regression.solver.descent import Momentum, State


class ConfiguredRegression(keras.Model):
    """A linear model and the state of its descent: built, compiled, judged and saved.

    Arguments and attributes are those of `LinearRegression`, which descends.
    """

    def __init__(
        self,
        learning_rate: float | Literal["auto"] = "auto",
        momentum: Momentum = "nesterov",
        l1: float = 0.0,
        l2: float = 0.0,
        method: Literal["auto", "gram", "full"] = "auto",
        tolerance: float = 1e-14,
        max_iterations: int = 100_000,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"dtype": "float64", **kwargs})
        check_learning_rate(learning_rate)
        check_choice("momentum", momentum, ("none", "heavy_ball", "nesterov"))
        check_choice("method", method, ("auto", "gram", "full"))
        check_not_negative(l1=l1, l2=l2, tolerance=tolerance)
        check_count(max_iterations=max_iterations)
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.l1 = l1
        self.l2 = l2
        self.method = method
        self.tolerance = tolerance
        self.max_iterations = max_iterations
        self.linear = Linear(units=1, dtype=self.dtype_policy, name="linear")
        self.certificate: dict[str, Any] = {}
        self.moments: rows.Moments | None = None
        self.curvature: closed_form.Curvature | None = None
        self.loss_history = np.empty(0)
        self.compile()

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Creates the layer's weights and the descent's state."""
        self.linear.build(input_shape)
        size = self.linear.kernel.shape[0] + 1

        def state(name: str, shape: tuple[int, ...], dtype: str) -> Any:
            return self.add_weight(
                name=name,
                shape=shape,
                dtype=dtype,
                initializer="zeros",
                trainable=False,
                autocast=False,
            )

        # Weights, so that a backup holds them and a resumed run goes on the same way.
        self._previous = state("previous", (size,), "float64")
        self._age = state("age", (), "float64")
        self._iteration = state("iteration", (), "int64")
        # No weight: what the last training step saw, for the monitor to collect.
        self._seen_losses = tf.Variable(
            tf.zeros([0], tf.float64), shape=[None], trainable=False
        )
        self.built = True

    def call(self, inputs: Any) -> Any:
        """Maps `inputs` of shape `[batch, features]` to predictions `[batch, 1]`."""
        return self.linear(inputs)

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """`(batch, 1)`."""
        return self.linear.compute_output_shape(input_shape)

    def compile(self, optimizer: Any = None, **kwargs: Any) -> None:
        """Sets what takes the steps: by default the textbook step of `descent`.

        Args:
            optimizer: A Keras optimiser or its name, to be given the gradient of all
                rows in its place; `None` for the model's own.
            **kwargs: `metrics`, … of `keras.Model.compile`. There is no `loss`: it is
                the mean squared error.
        """
        loss = kwargs.pop("loss", None)
        if loss not in (None, "mse", "mean_squared_error"):
            raise ValueError(
                "`loss` should be the mean squared error, which the certificate is "
                f"about. Received: loss={loss!r}"
            )
        if optimizer is not None and self.l1 > 0:
            raise ValueError(
                "`l1` should be 0 with an optimizer of Keras's: its step has no "
                f"proximal part. Received: l1={self.l1}, optimizer={optimizer!r}"
            )
        # XLA compiles anew for every shape and gains nothing on these small steps.
        super().compile(optimizer=optimizer, **{"jit_compile": False, **kwargs})

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Restores a Keras optimiser; the model's own is there from the start."""
        if config.get("optimizer") is not None:
            self.compile(**keras.saving.deserialize_keras_object(config))
            self.optimizer.build(self.trainable_variables)

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Updates the mean squared error, and compiled metrics, with one batch."""
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        y_pred = self(x, training=False)
        loss = self.compute_loss(x, y, y_pred, sample_weight)
        rows = tf.shape(x)[0] if sample_weight is None else tf.reduce_sum(sample_weight)
        self._loss_tracker.update_state(loss, sample_weight=rows)
        return self.compute_metrics(x, y, y_pred, sample_weight)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> tf.Tensor:
        """The mean squared error of a batch, for `evaluate`; y `[b]` or `[b, 1]`."""
        residual = tf.reshape(y_pred, [-1]) - tf.cast(tf.reshape(y, [-1]), y_pred.dtype)
        squares = tf.square(residual)
        if sample_weight is None:
            return tf.reduce_mean(squares)
        weight = tf.cast(tf.reshape(sample_weight, [-1]), squares.dtype)
        return tf.math.divide_no_nan(
            tf.reduce_sum(weight * squares), tf.reduce_sum(weight)
        )

    def reset(self) -> None:
        """Sets parameters and descent back to the start, for a fit from scratch."""
        variables = list(self.weights)
        if self.optimizer is not None:
            rate = self.optimizer.learning_rate
            variables += [v for v in self.optimizer.variables if v is not rate]
        for variable in variables:
            variable.assign(tf.zeros(variable.shape, variable.dtype))
        self.loss_history = np.empty(0)
        self.certificate = {}

    def descent_losses(self) -> np.ndarray:
        """The objective at the points that the last training step saw, `[points]`."""
        return self._seen_losses.numpy()

    def _theta(self) -> tf.Tensor:
        theta = tf.concat([self.linear.kernel[:, 0], self.linear.bias], axis=0)
        return tf.cast(theta, tf.float64)

    def _state(self) -> State:
        return State(
            self._theta(),
            self._previous.value,
            self._age.value,
            self._iteration.value,
        )

    def _set_state(self, state: State) -> None:
        self.linear.kernel.assign(tf.cast(state.theta[:-1, tf.newaxis], self.dtype))
        self.linear.bias.assign(tf.cast(state.theta[-1:], self.dtype))
        self._previous.assign(state.previous)
        self._age.assign(state.age)
        self._iteration.assign(state.iteration)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "learning_rate": self.learning_rate,
            "momentum": self.momentum,
            "l1": self.l1,
            "l2": self.l2,
            "method": self.method,
            "tolerance": self.tolerance,
            "max_iterations": self.max_iterations,
        }
