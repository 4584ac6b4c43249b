"""Linear regression by full-batch gradient descent, with a certified optimum."""

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from layers import Linear
from recipes.checks.arguments import check_count
from recipes.checks.prediction import ChecksRows
from recipes.checks.settings import configured_by, documented_by
from recipes.linear_regression.config import LinearRegressionSettings, Momentum
from recipes.linear_regression.solver import closed_form, descent, row_sums
from recipes.linear_regression.solver.callback import DescentMonitor, check_callbacks
from recipes.linear_regression.solver.certificate import certify, warn_unless_converged
from recipes.linear_regression.solver.coordinates import Coordinates
from recipes.linear_regression.solver.descent import Measurement, State
from recipes.linear_regression.solver.objective import Problem, build_problem
from recipes.linear_regression.solver.predictor import Predictor
from recipes.linear_regression.solver.row_sums import Moments
from recipes.linear_regression.solver.training_rows import (
    AllRows,
    TrainingRows,
    batch_arrays,
)

# Descent steps per Keras epoch while `fit` runs to the tolerance: an epoch takes Keras
# about 10 ms, a step on the moments microseconds, a step on the rows milliseconds.
STEPS_PER_EPOCH = {"moments": 1000, "rows": 10}
# With more features, a features × features matrix and its inverse cost more than they
# save.
MAX_GRAM_FEATURES = 4096
# Rounding error of the duality gap, relative to the loss.
GAP_RESOLUTION = 1e-12


def take_steps(
    problem: Problem,
    start: State,
    rule: Momentum | Callable[[tf.Tensor], tf.Tensor],
) -> tuple[State, Measurement, tf.Tensor]:
    """Take steps θ ← θ − α ∂F/∂θ, each with the gradient of all rows.

    Args:
        problem: The whole data set.
        start: The state to start from.
        rule: The kind of momentum; or what maps the gradient to θ after the step of a
            Keras optimiser.

    Returns:
        The state after them, the last measurement, and the objective at each point,
        `[points]`.
    """

    def step(state: State) -> tuple[State, Measurement, State]:
        theta = state.theta
        if isinstance(rule, str):
            theta = descent.evaluation_point(state, rule)
        with tf.GradientTape() as tape:
            tape.watch(theta)
            loss = problem.loss(theta)
        gradient = tape.gradient(loss, theta)
        if isinstance(rule, str):
            after = descent.take_step(state, theta, gradient, problem.settings, rule)
        else:
            # `previous` is the same point: any momentum is the optimiser's.
            moved = rule(gradient)
            after = State(moved, moved, state.age, state.iteration + 1)
        measurement = descent.measure(
            theta, loss, gradient, problem.settings, problem.rule
        )
        point = State(theta, theta, tf.zeros_like(state.age), state.iteration)
        return point, measurement, after

    return descent.take_steps(step, start, problem.steps, problem.last_iteration)


# Compiled once for all models and data.
compiled_steps = tf.function(take_steps, reduce_retracing=True, autograph=False)


@keras.saving.register_keras_serializable("descent_recipes")
@documented_by(LinearRegressionSettings)
class LinearRegression(ChecksRows, keras.Model):
    """y = x·w + b, fitted by the textbook step θ ← θ − α ∂MSE/∂θ on all rows.

    The objective is the mean squared error plus optional penalties:

        1/n Σ (x·w + b − y)² + l2·‖w‖² + l1·‖w‖₁

    Each step uses the gradient of **all** rows, whatever the batch size: batches only
    divide the sum. With `method="gram"`, one pass computes the second moments of the
    data; each step then costs features² operations and yields the same iterates.
    `fit` runs until the loss is within `tolerance` of its minimum and stores the proof
    in `certificate`. Fitting again continues from the current parameters; `reset`
    restores the initial ones.

    With `learning_rate="auto"` the steps are those on standardised columns, whatever
    the units and offsets of the data; parameters and penalties are always in the units
    given. A rate of your own, or a Keras optimiser, steps on the columns as they are.

    All arithmetic is float64; `dtype` is that of the predictions. The certificate
    covers these: it is `converged` only if they, too, are within the tolerance, or
    within what rounding a float64 of their size allows.

    Args:
        {arguments}

    Attributes:
        linear: The `layers.Linear` with `kernel` `[features, 1]` and `bias` `[1]`.
        certificate: After `fit`, a dict: `converged`, `stop_reason`, `loss`,
            `optimal_loss`, `relative_excess_loss`, `gradient_norm`, `condition_number`,
            `rank`, `iterations`; computed in float64 from the rows and the parameters.
        moments: After `fit`, the `Moments` of the training rows, whose `scatter` is a
            diagonal above 4096 features unless `method="gram"`.
        curvature: After `fit`, the `Curvature` of the loss; `None` with a diagonal.
        loss_history: After `fit`, the objective before each step and after the last,
            `[iterations + 1]` (since the last `reset` or resumption).

    Raises:
        ArgumentError: If an argument is out of its range; a `ValueError` too.

    Example:
    >>> x = np.array([[0.0], [1.0], [2.0]]); y = np.array([1.0, 3.0, 5.0])
    >>> model = LinearRegression()
    >>> history = model.fit(x, y, verbose=0)
    >>> model.predict(np.array([[3.0]]), verbose=0).round(6)
    array([[7.]])

    Reference:
        Sections 3.1 and 4.1 of the article.
    """

    @configured_by(LinearRegressionSettings)
    def __init__(self, settings: LinearRegressionSettings) -> None:
        super().__init__(**settings.keras_arguments(), autocast=False)
        self._arguments = settings.hyperparameters()
        for name, value in self._arguments.items():
            setattr(self, name, value)
        self.linear = Linear(units=1, dtype="float64", name="linear")
        self.certificate: dict[str, Any] = {}
        self.moments: Moments | None = None
        self.curvature: closed_form.Curvature | None = None
        self.loss_history = np.empty(0)
        self.compile()

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights of the layer and the state of the descent."""
        self.linear.build(input_shape)
        size = self.linear.kernel.shape[0] + 1

        def add_state(name: str, shape: tuple[int, ...], dtype: str) -> Any:
            return self.add_weight(
                name=name,
                shape=shape,
                dtype=dtype,
                initializer="zeros",
                trainable=False,
                autocast=False,
            )

        # Weights, so that a backup stores them and a resumed run continues identically.
        self._previous = add_state("previous", (size,), "float64")
        self._age = add_state("age", (), "float64")
        self._iteration = add_state("iteration", (), "int64")
        self._center = add_state("center", (size - 1,), "float64")
        # Not a weight: the losses of the last training step, for the monitor.
        self._step_losses = tf.Variable(
            tf.zeros([0], tf.float64), shape=[None], trainable=False
        )
        self.built = True

    def load_own_variables(self, store: Any) -> None:
        """Load the state of the descent; older files have no centre, nor need it."""
        state = self._previous, self._age, self._iteration, self._center
        for index, variable in enumerate(state[: len(store.keys())]):
            variable.assign(store[str(index)])

    def call(self, inputs: Any) -> Any:
        """Map `inputs` of shape `[batch, features]` to predictions `[batch, 1]`."""
        return self._predictor(inputs)

    @property
    def variable_dtype(self) -> str:
        """That of `call`: where they differ, Keras rounds the weights that it reads."""
        return str(self.compute_dtype)

    @property
    def _predictor(self) -> Predictor:
        weights = self.linear.kernel, self.linear.bias, self._center
        kernel, bias, center = (tf.convert_to_tensor(weight) for weight in weights)
        return Predictor(kernel, bias, center, self.compute_dtype)

    def train_step(self, problem: Problem) -> dict[str, tf.Tensor]:
        """Take steps θ ← θ − α ∂F/∂θ, each with the gradient of all rows.

        Args:
            problem: The whole data set, a `Problem`.

        Returns:
            The measurement of the last step, not an average: the keys differ from the
            model's metrics, so Keras passes the values on unchanged.
        """
        state = State(
            self._read_weights(),
            self._previous.value,
            self._age.value,
            self._iteration.value,
        )
        if self.optimizer is not None:
            # On the columns as they are, θ is (w, b).
            after, measurement, losses = take_steps(problem, state, self._apply)
        else:
            after, measurement, losses = self._take_steps(problem, state)
        self.linear.kernel.assign(after.theta[:-1, tf.newaxis])
        self.linear.bias.assign(after.theta[-1:])
        self._previous.assign(after.previous)
        self._age.assign(after.age)
        self._iteration.assign(after.iteration)
        self._step_losses.assign(losses)
        return {
            "loss": measurement.loss,
            "relative_excess_loss": measurement.relative_excess_loss,
            "gradient_norm": measurement.gradient_norm,
            "iteration": after.iteration,
        }

    @row_sums.ignoring_overflow()
    def _take_steps(
        self, problem: Problem, before: State
    ) -> tuple[State, Measurement, tf.Tensor]:
        """Take steps from (w, b) to (w, b), in the coordinates of the descent."""
        take = take_steps if self.run_eagerly else compiled_steps
        to_theta = self._coordinates.from_weights
        to_weights = self._coordinates.to_weights
        theta, previous = before.theta.numpy(), before.previous.numpy()
        start = before._replace(theta=to_theta(theta), previous=to_theta(previous))
        after, measurement, losses = take(problem, start, self.momentum)
        moved = after.theta.numpy()
        # Without a step no bit changes, as the conversion's rounding would.
        if (moved != start.theta).any():
            theta = to_weights(moved)
        after = after._replace(theta=theta, previous=to_weights(after.previous.numpy()))
        return after, measurement, losses

    def make_train_function(self, force: bool = False) -> None:
        """Let Keras call `train_step` from Python, as its steps are compiled already.

        Keras would trace it for every model. Only the steps of a Keras optimiser, which
        owns variables, are compiled with the model.
        """
        if self.optimizer is not None:
            super().make_train_function(force)
        else:
            self.train_function = lambda iterator: self.train_step(next(iterator))

    def _apply(self, gradient: tf.Tensor) -> tf.Tensor:
        """Let the Keras optimiser take its step, and return the weights after it."""
        gradients = (gradient[:-1, tf.newaxis], gradient[-1:])
        self.optimizer.apply(gradients, [self.linear.kernel, self.linear.bias])
        return self._read_weights()

    def _read_weights(self) -> tf.Tensor:
        return tf.concat([self.linear.kernel[:, 0], self.linear.bias], axis=0)

    def read_step_losses(self) -> np.ndarray:
        """Return the objective at each point of the last training step, `[points]`."""
        return self._step_losses.numpy()

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
        """Minimise the loss to within `tolerance` of its minimum.

        Args:
            x: `[n, features]`, float32 or float64, or a `tf.data.Dataset` of batches
                `(x, y)` or `(x, y, sample_weight)`. Every step sees all of its rows.
            y: `[n]` or `[n, 1]`.
            batch_size: Accepted as Keras does; it changes nothing.
            epochs: The number of steps, one per Keras epoch, unless the tolerance is
                reached earlier. `None`: up to `max_iterations` steps; a Keras epoch is
                1000 steps on the moments or 10 on the rows.
            verbose: As in Keras.
            callbacks: Keras callbacks, called at the end of each Keras epoch.
            validation_data: As in Keras.
            sample_weight: `[n]`, not negative.
            initial_epoch: As in Keras.

        Returns:
            Keras's `History`.

        Raises:
            ValueError: If the data have the wrong shape or contain NaN or infinity.
            DivergenceError: If the learning rate is too large; also a `ValueError`.

        Warns:
            ConvergenceWarning: If the run ended before the tolerance was reached.
        """
        if epochs is not None:
            check_count(epochs=epochs)
        if batch_size is not None:
            check_count(batch_size=batch_size)
        callbacks = check_callbacks(callbacks, self.optimizer)
        data = TrainingRows(x, y, sample_weight)
        if isinstance(validation_data, tuple):
            validation_data = batch_arrays(*validation_data, features=data.features)
        self._ensure_built(data.features)
        last_iteration = int(self._iteration) + self.max_iterations
        with closed_form.limit_blas_threads(data.features):
            self._read_moments(data)
            problem = self._build_problem(data, epochs, last_iteration)
            monitor = DescentMonitor(problem, self.optimizer)
            before = self.loss_history[: int(self._iteration)]
            try:
                history = super().fit(
                    problem.as_dataset(),
                    epochs=epochs
                    or math.ceil(self.max_iterations / int(problem.steps)),
                    steps_per_epoch=1,
                    verbose=verbose,
                    callbacks=[monitor, *callbacks],
                    validation_data=validation_data,
                    initial_epoch=initial_epoch,
                    shuffle=False,
                )
            finally:
                # Whatever a callback raises, what was solved is certified.
                self.loss_history = np.concatenate([before, *monitor.losses])
                if monitor.stop_reason != "diverged":
                    self._certify(data, problem, monitor)
        warn_unless_converged(
            self.certificate, self._effective_tolerance, self.compute_dtype
        )
        return history

    def _ensure_built(self, features: int) -> None:
        if not self.built:
            self.build((None, features))
        kernel = self.linear.kernel
        if kernel.shape[0] != features:
            raise ValueError(
                f"`x` should have the {kernel.shape[0]} features that the model was "
                f"built for. Received: {features}"
            )
        # Keras builds metrics on their first batch; their results are read before that.
        row, one = tf.zeros([1, features], self.dtype), tf.zeros([1, 1], self.dtype)
        self.compute_metrics(row, one, one)
        self.reset_metrics()

    def _read_moments(self, data: TrainingRows) -> None:
        is_full = self.method == "gram" or data.features <= MAX_GRAM_FEATURES
        self.moments = row_sums.compute_moments(data.parts, is_full=is_full)
        self.moments.check()
        self._center.assign(self.moments.mean[:-1])
        is_plain = self.optimizer is not None or self.learning_rate != "auto"
        choose = Coordinates.plain if is_plain else Coordinates.standardised
        self._coordinates = choose(self.moments)
        self.curvature = None
        if is_full:
            self.curvature = closed_form.compute_curvature(
                self.moments, self.l2, self._coordinates
            )

    def _build_problem(
        self, data: TrainingRows, epochs: int | None, last_iteration: int
    ) -> Problem:
        assert self.moments is not None  # noqa: S101, for mypy
        if self.curvature is None or self.method == "full":
            source: Moments | AllRows = data.as_all_rows(self.moments.mean)
            steps = STEPS_PER_EPOCH["rows"]
        else:
            source, steps = self.moments, STEPS_PER_EPOCH["moments"]
        return build_problem(
            source,
            source.squared_error,
            self._read_weights().numpy(),
            self._coordinates,
            moments=self.moments,
            curvature=self.curvature,
            learning_rate=self.learning_rate,
            momentum=self.momentum,
            l1=self.l1,
            l2=self.l2,
            tolerance=self._effective_tolerance,
            steps=1 if epochs else min(steps, self.max_iterations),
            last_iteration=last_iteration,
        )

    def _certify(
        self, data: TrainingRows, problem: Problem, monitor: DescentMonitor
    ) -> None:
        assert self.moments is not None  # noqa: S101, for mypy
        proof = certify(
            data,
            problem,
            self._predictor,
            self.moments,
            self.curvature,
            l1=self.l1,
            l2=self.l2,
            tolerance=self._effective_tolerance,
        )
        reason = monitor.stop_reason
        if reason in ("tolerance", "stalled"):
            stalled = "stalled" if reason == "stalled" else "precision"
            reason = "tolerance" if proof["converged"] else stalled
        self.certificate = {
            "converged": proof.pop("converged"),
            "stop_reason": reason,
            **proof,
            "iterations": int(self._iteration),
        }
        # The last point of a run that did not converge has not been measured yet.
        if monitor.stop_reason != "tolerance":
            self.loss_history = np.append(self.loss_history, proof["loss"])

    @property
    def _effective_tolerance(self) -> float:
        """The tolerance, or the resolution of the duality gap if that is larger."""
        return max(self.tolerance, GAP_RESOLUTION if self.l1 > 0 else 0.0)

    @property
    def row_shape(self) -> tuple[int]:
        """The number of features.

        Raises:
            ValueError: If the model is not fitted.
        """
        if not self.built:
            raise ValueError(
                "The model should be fitted before it predicts. Call `fit` first"
            )
        return (int(self.linear.kernel.shape[0]),)

    @property
    def row_dtype(self) -> str:
        """Float64, in which predictions are computed."""
        return "float64"

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Evaluate as Keras does, but on float64 rows."""
        (features,) = self.row_shape
        if x is not None and not isinstance(x, tf.data.Dataset):
            x = batch_arrays(x, y, sample_weight, batch_size, features=features)
            y = None
            batch_size = sample_weight = None
        return super().evaluate(
            x, y, batch_size, verbose, sample_weight=sample_weight, **kwargs
        )

    def reset(self) -> None:
        """Reset parameters and descent, for a fit from scratch."""
        variables = list(self.weights)
        if self.optimizer is not None:
            rate = self.optimizer.learning_rate
            variables += [v for v in self.optimizer.variables if v is not rate]
        for variable in variables:
            variable.assign(tf.zeros(variable.shape, variable.dtype))
        self.loss_history = np.empty(0)
        self.certificate = {}

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Update the mean squared error and the compiled metrics with one batch."""
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        y_pred = self(x, training=False)
        loss = self.compute_loss(x, y, y_pred, sample_weight)
        weight = (
            tf.shape(x)[0] if sample_weight is None else tf.reduce_sum(sample_weight)
        )
        self._loss_tracker.update_state(loss, sample_weight=weight)
        return self.compute_metrics(x, y, y_pred, sample_weight)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> tf.Tensor:
        """Return the mean squared error of a batch; y is `[batch]` or `[batch, 1]`."""
        predicted, target = (
            tf.cast(tf.reshape(values, [-1]), tf.float64) for values in (y_pred, y)
        )
        squares = tf.square(predicted - target)
        if sample_weight is None:
            return tf.reduce_mean(squares)
        weight = tf.cast(tf.reshape(sample_weight, [-1]), squares.dtype)
        return tf.math.divide_no_nan(
            tf.reduce_sum(weight * squares), tf.reduce_sum(weight)
        )

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """Return `(batch, 1)`."""
        return self.linear.compute_output_shape(input_shape)

    def compile(self, optimizer: Any = None, **kwargs: Any) -> None:
        """Choose the optimiser: by default the textbook step of gradient descent.

        Args:
            optimizer: A Keras optimiser or its name, which receives the gradient of all
                rows; `None` for the model's own step.
            **kwargs: `metrics`, … of `keras.Model.compile`. `loss` is always the mean
                squared error; `jit_compile` changes nothing.
        """
        loss = kwargs.pop("loss", None)
        if loss not in (None, "mse", "mean_squared_error"):
            raise ValueError(
                "`loss` should be the mean squared error, which the certificate "
                f"covers. Received: loss={loss!r}"
            )
        if optimizer is not None and self.l1 > 0:
            raise ValueError(
                "`l1` should be 0 with a Keras optimizer, whose step has no proximal "
                f"part. Received: l1={self.l1}, optimizer={optimizer!r}"
            )
        # XLA recompiles for every shape and does not speed up these small steps.
        # Gradients are float64: there is no loss to scale.
        fixed = {"jit_compile": False, "auto_scale_loss": False}
        super().compile(optimizer=optimizer, **kwargs | fixed)

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Restore a Keras optimiser; the model's own step needs no restoring."""
        if config.get("optimizer") is not None:
            self.compile(**keras.saving.deserialize_keras_object(config))
            self.optimizer.build(self.trainable_variables)

    def save(self, filepath: Any, *args: Any, **kwargs: Any) -> None:
        """Save as Keras does, to a `.keras` file.

        Raises:
            ValueError: If it is a legacy `.h5` file, which cannot hold this model.
        """
        if str(filepath).endswith((".h5", ".hdf5")):
            raise ValueError(
                "`filepath` should end in .keras; `save_weights` writes .weights.h5. "
                f"Received: {str(filepath)!r}"
            )
        super().save(filepath, *args, **kwargs)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        arguments = {name: getattr(self, name) for name in self._arguments}
        return {**super().get_config(), **arguments}
