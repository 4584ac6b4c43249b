"""Linear regression by full-batch gradient descent, with a certified optimum."""

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from layers import Linear
from recipes.checks.arguments import check_count, listed
from recipes.checks.settings import configured_by, documented_by
from recipes.linear_regression.config import LinearRegressionSettings
from recipes.linear_regression.solver import closed_form, descent, row_sums
from recipes.linear_regression.solver.callback import Monitor
from recipes.linear_regression.solver.certificate import certify, warn_unless_converged
from recipes.linear_regression.solver.descent import Progress, State
from recipes.linear_regression.solver.objective import Problem, pose
from recipes.linear_regression.solver.training_rows import TrainingRows

# Descent steps in one Keras epoch while `fit` runs to the tolerance: an epoch of Keras
# takes some 10 ms, a step on the moments microseconds, one on the rows milliseconds.
STEPS_PER_EPOCH = {"moments": 1000, "rows": 10}
# With more features, a features × features matrix and its inverse cost more than they
# give.
GRAM_FEATURES = 4096
# What rounding leaves of a duality gap, in shares of the loss,
GAP_RESOLUTION = 1e-12
# and of the excess loss where parameters are float32.
FLOAT32_RESOLUTION = 1e-10
# Beyond this condition number, products in float32 spoil the moments.
FLOAT32_CONDITION = 1e4


@keras.saving.register_keras_serializable("descent_recipes")
@documented_by(LinearRegressionSettings)
class LinearRegression(keras.Model):
    """y = x·w + b, fitted by the textbook step θ ← θ − α ∂MSE/∂θ on all rows.

    The objective is the mean squared error, with penalties if asked for:

        1/n Σ (x·w + b − y)² + l2·‖w‖² + l1·‖w‖₁

    A step uses the gradient of **all** rows, whatever the batch size: batches only cut
    the sum into pieces. With `method="gram"` one pass over the data keeps their second
    moments, and each step then costs features² operations and gives the same iterates.
    `fit` runs until the loss is within `tolerance` of its minimum and leaves the proof
    in `certificate`. Fitting again goes on from where the model is; `reset` starts
    afresh.

    Scale the features first where their units differ much (the recipe does, by
    `keras.layers.Normalization`): the number of steps grows with the condition number.

    Args:
        {arguments}

    Attributes:
        linear: The `layers.Linear` with `kernel` `[features, 1]` and `bias` `[1]`.
        certificate: After `fit`, a dict: `converged`, `stop_reason`, `loss`,
            `optimal_loss`, `relative_excess_loss`, `gradient_norm`, `condition_number`,
            `iterations`; computed in float64 from the rows and the parameters.
        moments: After `fit`, the `Moments` of the training rows; `None` with over 4096
            features unless `method="gram"`.
        curvature: After `fit`, the `Curvature` of the loss, likewise.
        loss_history: After `fit`, the objective before each step and after the last,
            `[iterations + 1]` (since the last `reset`, or resumption).

    Raises:
        ArgumentError: If an argument is out of its range; a `ValueError` too.

    Example:
    >>> x = np.array([[0.0], [1.0], [2.0]]); y = np.array([1.0, 3.0, 5.0])
    >>> model = LinearRegression()
    >>> history = model.fit(x, y, verbose=0)
    >>> model.predict(np.array([[3.0]]), verbose=0).round(6)
    array([[7.]])

    Reference:
        The article, sections 3.1 and 4.1.
    """

    @configured_by(LinearRegressionSettings)
    def __init__(self, settings: LinearRegressionSettings) -> None:
        super().__init__(**settings.keras_arguments())
        self._arguments = settings.hyperparameters()
        for name, value in self._arguments.items():
            setattr(self, name, value)
        self.linear = Linear(units=1, dtype=self.dtype_policy, name="linear")
        self.certificate: dict[str, Any] = {}
        self.moments: row_sums.Moments | None = None
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

    def train_step(self, problem: Problem) -> dict[str, tf.Tensor]:
        """Gradient descent: θ ← θ − α ∂F/∂θ, each step with the gradient of all rows.

        Args:
            problem: The whole data set, see `Problem`.

        Returns:
            The state at the last step. These are no averages: the keys differ from the
            model's metrics, so Keras passes the values on as they are.
        """

        def step(state: State) -> tuple[State, Progress, State]:
            theta = descent.evaluation_point(state, self.momentum)
            with tf.GradientTape() as tape:
                tape.watch(theta)
                loss = problem.loss(theta)
            gradient = tape.gradient(loss, theta)
            stepped = self._take_step(state, theta, gradient, problem.step)
            progress = descent.measure(
                theta, loss, gradient, problem.step, problem.target
            )
            here = State(theta, theta, tf.zeros_like(state.age), state.iteration)
            return here, progress, stepped

        state, progress, losses = descent.repeat(
            step, self._state(), problem.steps, problem.last_iteration
        )
        self._set_state(state)
        self._seen_losses.assign(losses)
        return {
            "loss": progress.loss,
            "relative_excess_loss": progress.relative_excess_loss,
            "gradient_norm": progress.gradient_norm,
            "iteration": state.iteration,
        }

    def _take_step(
        self, state: State, theta: tf.Tensor, gradient: tf.Tensor, step: descent.Step
    ) -> State:
        if self.optimizer is None:
            return descent.advance(state, theta, gradient, step, self.momentum)
        kernel, bias = self.linear.kernel, self.linear.bias
        slopes = (tf.cast(gradient[:-1, tf.newaxis], kernel.dtype), gradient[-1:])
        self.optimizer.apply(slopes, [kernel, bias])
        # No step is remembered: any momentum is the optimiser's.
        there = self._theta()
        return State(there, there, state.age, state.iteration + 1)

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

    def descent_losses(self) -> np.ndarray:
        """The objective at the points that the last training step saw, `[points]`."""
        return self._seen_losses.numpy()

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int | None = None,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_data: Any = None,
        *,
        sample_weight: Any = None,
        initial_epoch: int = 0,
    ) -> keras.callbacks.History:
        """Descends until the loss is within `tolerance` of its minimum.

        Args:
            x: `[n, features]`, float32 or float64, or a `tf.data.Dataset` of batches
                `(x, y)` or `(x, y, sample_weight)`. Every step sees all of its rows.
            y: `[n]` or `[n, 1]`.
            batch_size: Rows a batch, for arrays. It changes nothing but rounding.
            epochs: So many steps, one a Keras epoch, unless the tolerance is reached
                before. `None`: up to `max_iterations` steps, 1000 of them in a Keras
                epoch on the moments, 10 on the rows.
            verbose: As in Keras.
            callbacks: Keras callbacks; they see the descent at the end of each epoch.
            validation_data: As in Keras.
            sample_weight: `[n]`, not negative.
            initial_epoch: As in Keras.

        Returns:
            Keras's `History`.

        Raises:
            ValueError: If the data have the wrong shape, or hold NaN or infinity.
            DivergenceError: If the learning rate is too large; a `ValueError` too.

        Warns:
            ConvergenceWarning: If the run ended before the tolerance was reached.
        """
        if epochs is not None:
            check_count(epochs=epochs)
        data = TrainingRows(x, y, sample_weight, batch_size)
        self._prepare(data.features)
        last_iteration = int(self._iteration) + self.max_iterations
        with closed_form.blas_threads(data.features):
            # Products in float32 take a quarter of the time of float64's. Should they
            # not carry the answer (on a GPU, TensorFloat-32 may see to that), the
            # certificate refutes it, and float64 follows.
            for exact in (False, True) if data.are_large_float32 else (True,):
                if not self._read_moments(data, exact):
                    continue
                problem = self._pose(data, exact, epochs, last_iteration)
                monitor = Monitor(problem, self.optimizer)
                before = self.loss_history[: int(self._iteration)]
                history = super().fit(
                    _stream(problem),
                    epochs=epochs
                    or math.ceil(self.max_iterations / int(problem.steps)),
                    steps_per_epoch=1,
                    verbose=verbose,
                    callbacks=[monitor, *listed(callbacks)],
                    validation_data=validation_data,
                    initial_epoch=initial_epoch,
                    shuffle=False,
                )
                self.loss_history = np.concatenate([before, *monitor.losses])
                self._certify(data, problem, monitor)
                out_of_steps = monitor.stop_reason in ("epochs", "max_iterations")
                if self.certificate["converged"] or out_of_steps:
                    break
        warn_unless_converged(self.certificate, self._effective_tolerance)
        return history

    def _prepare(self, features: int) -> None:
        if not self.built:
            self.build((None, features))
        kernel = self.linear.kernel
        if kernel.shape[0] != features:
            raise ValueError(
                f"`x` should have the {kernel.shape[0]} features that the model was "
                f"built for. Received: {features}"
            )
        # Metrics want to have seen a batch before their results are asked for.
        row, one = tf.zeros([1, features], self.dtype), tf.zeros([1, 1], self.dtype)
        self.compute_metrics(row, one, one)
        self.reset_metrics()

    def _read_moments(self, data: TrainingRows, exact: bool) -> bool:
        """Takes the moments; False if float32 products cannot carry them."""
        self.moments = self.curvature = None
        if self.method != "gram" and data.features > GRAM_FEATURES:
            return True
        moments = row_sums.moments(data.parts, exact=exact)
        if not all(np.isfinite(moment).all() for moment in moments):
            if not exact:  # squares may be too large for float32
                return False
            raise ValueError(
                "`x`, `y` and weights should be finite, and weights not negative."
            )
        if not float(moments.weight) > 0:
            raise ValueError("The data should hold a row of positive weight.")
        self.moments = moments
        self.curvature = closed_form.curvature(moments, self.l2)
        return exact or self.curvature.condition_number <= FLOAT32_CONDITION

    def _pose(
        self, data: TrainingRows, exact: bool, epochs: int | None, last_iteration: int
    ) -> Problem:
        known = None
        if self.moments is not None and self.curvature is not None:
            known = (self.moments, self.curvature)
        on_moments = known is not None and self.method != "full"
        steps = STEPS_PER_EPOCH["moments" if on_moments else "rows"]
        return pose(
            known[0] if known and on_moments else data.as_element(exact=exact),
            self._theta().numpy(),
            known=known,
            learning_rate=self.learning_rate,
            momentum=self.momentum,
            l1=self.l1,
            l2=self.l2,
            tolerance=self._effective_tolerance,
            steps=1 if epochs else min(steps, self.max_iterations),
            last_iteration=last_iteration,
        )

    def _certify(self, data: TrainingRows, problem: Problem, monitor: Monitor) -> None:
        proof = certify(
            data, self._theta().numpy(), problem.step, problem.target, self.curvature
        )
        relative = proof["relative_excess_loss"]
        if relative is None:
            limit = float(problem.target.gradient_tolerance)
            converged = proof["gradient_norm"] <= limit
        else:
            converged = relative <= self._effective_tolerance
        self.certificate = {
            "converged": converged,
            "stop_reason": monitor.stop_reason,
            **proof,
            "iterations": int(self._iteration),
        }
        if monitor.stop_reason != "tolerance":  # then the last point is a new one
            self.loss_history = np.append(self.loss_history, proof["loss"])

    @property
    def _effective_tolerance(self) -> float:
        """The tolerance, or what rounding leaves of it where that is more."""
        gap = GAP_RESOLUTION if self.l1 > 0 else 0.0
        parameters = FLOAT32_RESOLUTION if self.linear.dtype == "float32" else 0.0
        return max(self.tolerance, gap, parameters)

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

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), **self._arguments}


def _stream(problem: Problem) -> tf.data.Dataset:
    """The same element for ever, without tf.data's tuning, which takes 20 ms to end."""
    options = tf.data.Options()
    options.autotune.enabled = False
    return tf.data.Dataset.from_tensors(problem).repeat().with_options(options)
