"""What all support vector machines are: Keras models that SMO trains."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from layers import KernelExpansion, PairwiseExpansion, kernels
from recipes.checks.arguments import listed
from recipes.svm.config import MachineSettings
from recipes.svm.models.certificate import build_certificate, warn_unless_converged
from recipes.svm.solver.dual import DualProblem, warm_start
from recipes.svm.solver.optimality import Optimality
from recipes.svm.solver.scheduler import Scheduler
from recipes.svm.solver.solution import Solution, Trace

PREDICTION_ROWS = 4096


class SupportVectorMachine(keras.Model):
    """f(x) = Σ βᵢ k(xᵢ, x) + b, with β the exact solution of a dual problem.

    Training (`fit` of the subclasses) takes the dual problems that the data pose and
    solves them by sequential minimal optimisation, one outer iteration a training
    step. The fitted model holds the support vectors and nothing else of the data, in a
    layer of their own: how many there are is known only after training, which makes the
    layer anew. Fitting again starts afresh, unless `initial_dual_coefficients` are
    given.

    Memory: `cache_mb`, three times the data, and TensorFlow's own. Time grows with the
    square of the rows, or faster: up to some 10⁵ rows this is practicable.

    Scale the features to similar size first, as the recipe does: kernels know no units.

    Args:
        settings: The arguments; see the subclasses.

    Attributes:
        support_indices: After `fit`, which training rows are support vectors, `[m]`.
        certificate: After `fit`, a dict; see `certificate.build_certificate`.
        traces: After `fit`, a `solution.Trace` of each dual problem.
    """

    def __init__(self, settings: MachineSettings) -> None:
        super().__init__(**settings.keras_arguments())
        self._arguments = settings.hyperparameters()
        for name, value in self._arguments.items():
            setattr(self, name, value)
        # A wrong kernel should be refused here, not in `fit`.
        self._kernel_for(np.zeros((1, 1), np.float32))
        self.support_indices = np.empty(0, np.int64)
        self.expansion: Any = None
        self.certificate: dict[str, Any] = {}
        self.traces: list[Trace] = []
        # Not the solver itself: TensorFlow would track it, and keep it for good.
        self._iterate: Callable[[], Optimality] | None = None
        self.compile()

    @property
    def kernel_dtype(self) -> str:
        """The dtype of kernel values: float32 or float64."""
        return "float64" if self.compute_dtype == "float64" else "float32"

    def _kernel_for(self, x: np.ndarray) -> kernels.Kernel:
        named = isinstance(self.kernel, str)
        gamma = kernels.resolve_gamma(self.gamma, x) if named else 1.0
        return kernels.get(
            self.kernel, gamma=gamma, degree=self.degree, coef0=self.coef0
        )

    # Training ------------------------------------------------------------------------

    def train_step(self, _: Any) -> dict[str, tf.Tensor]:
        """Take one outer iteration of SMO: a working set, its small dual, the gradient.

        Returns:
            The state after it. These are no averages: the keys differ from the model's
            metrics, so Keras passes the values on as they are.
        """
        if self._iterate is None:
            raise ValueError(
                "A support vector machine is trained by `fit` only: every step needs "
                "all rows."
            )
        progress = self._iterate()
        return {
            "dual_objective": progress.dual_objective,
            "duality_gap": progress.duality_gap,
            "max_kkt_violation": progress.max_kkt_violation,
            "support_vectors": progress.support_vectors,
        }

    def _solve(
        self,
        x: np.ndarray,
        problems: Sequence[DualProblem],
        verbose: Any,
        callbacks: Any,
    ) -> tuple[keras.callbacks.History, list[Solution]]:
        """Solve problems of the rows of `x`, one training step after the other."""
        if self.distribute_strategy.num_replicas_in_sync > 1:
            raise ValueError(
                "SMO is one descent over all rows and cannot be spread over replicas. "
                f"Received: {self.distribute_strategy.num_replicas_in_sync} replicas"
            )
        with _exact_products():
            solver = Scheduler(
                self._kernel_for(x),
                x,
                problems,
                self.tolerance,
                self.max_iterations,
                self.cache_mb * 1e6,
            )
            self._iterate, self.train_function = solver.iterate, None
            try:
                history = super().fit(
                    # Only drives the step loop; the solver owns the data.
                    tf.data.Dataset.counter(),
                    epochs=1,
                    callbacks=[_AdvanceSolver(solver), *listed(callbacks)],
                    shuffle=False,
                    verbose=verbose,
                )
                solver.interrupt()  # what a callback's early stop left unsolved
            finally:
                # They hold the kernel rows.
                self._iterate = self.train_function = None
        return history, [solver.solutions[i] for i in range(len(problems))]

    def _fit_one(
        self,
        x: np.ndarray,
        problem: DualProblem,
        initial: Any,
        verbose: Any,
        callbacks: Any,
    ) -> keras.callbacks.History:
        """Solve a single problem of the rows of `x`, and keep the solution."""
        problems = warm_start([problem], initial, len(x))
        history, solutions = self._solve(x, problems, verbose, callbacks)
        self._keep(x, solutions)
        return history

    def _keep(
        self,
        x: np.ndarray,
        solutions: Sequence[Solution],
        of_class: np.ndarray | None = None,
    ) -> None:
        """Keep the rows with a coefficient, and no others, as the model.

        Args:
            x: All training rows, `[n, d]`.
            solutions: Of one problem for each output.
            of_class: Where there is a problem for each pair of classes, each row's
                class, `[n]`.
        """
        coefficients = np.zeros((len(x), len(solutions)))
        for unit, solution in enumerate(solutions):
            coefficients[solution.problem.rows, unit] = solution.coefficients
        bias = [solution.bias for solution in solutions]
        self._keep_rows(x, coefficients, bias, of_class)
        self.traces = [solution.trace for solution in solutions]
        self.certificate = build_certificate(solutions)
        warn_unless_converged(self.certificate, x)

    # What is kept --------------------------------------------------------------------

    def _keep_rows(
        self,
        x: np.ndarray,
        coefficients: np.ndarray,
        bias: list[float],
        of_class: np.ndarray | None = None,
    ) -> None:
        """Keep the rows with a coefficient, and no others, as the model.

        Args:
            x: All training rows, `[n, d]`.
            coefficients: β, a column for each output, `[n, units]`.
            bias: b of each output.
            of_class: Where there is an output for each pair of classes, each row's
                class, `[n]`.
        """
        kernel = self._kernel_for(x)
        kept = np.flatnonzero(coefficients.any(axis=1))
        if of_class is not None:
            kept = kept[np.argsort(of_class[kept], kind="stable")]
        self.support_indices = kept
        if not len(kept):
            # The layer needs at least one vector, so keep one with zero weight.
            kept = np.array([0])
        expansion = self._expansion(kernel, len(bias), kept, of_class)
        self._make_room(expansion, x.shape[1])
        precomputed = isinstance(kernel, kernels.PrecomputedKernel)
        self.expansion.support_vectors.assign(
            kept[:, np.newaxis] if precomputed else x[kept]
        )
        packed = self.expansion.packed(coefficients[kept])
        self.expansion.dual_coefficients.assign(packed)
        self.expansion.bias.assign(bias)

    def _expansion(
        self,
        kernel: kernels.Kernel,
        units: int,
        kept: np.ndarray,
        of_class: np.ndarray | None,
    ) -> KernelExpansion:
        """Return a layer with room for the rows `kept`."""
        options = {"dtype": self.dtype_policy, "name": "expansion"}
        if of_class is None:
            return KernelExpansion(len(kept), units, kernel, **options)
        counts = np.bincount(of_class[kept], minlength=of_class.max() + 1)
        return PairwiseExpansion(counts.tolist(), kernel, **options)

    def _make_room(self, expansion: KernelExpansion, features: int) -> None:
        if not expansion.built:  # one that was loaded is
            expansion.build((None, features))
        self._replace_layer("expansion", expansion)
        self.predict_function = self.test_function = None

    def _replace_layer(self, name: str, layer: keras.layers.Layer | None) -> None:
        # Keras locks a model once it is built; sizes are known only after training.
        self._tracker.unlock()
        if getattr(self, name) is not None:
            self._layers.remove(getattr(self, name))
        setattr(self, name, layer)
        self._tracker.lock()
        self.built = True

    # The fitted model ----------------------------------------------------------------

    @property
    def support_vectors(self) -> np.ndarray:
        """The rows that carry the decision function, `[m, d]`."""
        return self._fitted().support_vectors.numpy()

    @property
    def dual_coefficients(self) -> np.ndarray:
        """β of the support vectors, float64, `[m, units]`."""
        return self._fitted().unpacked()

    @property
    def bias(self) -> np.ndarray:
        """b, float64, `[units]`: scikit-learn's `intercept_`, minus LIBSVM's rho."""
        return self._fitted().bias.numpy()

    def decisions(self, inputs: Any) -> Any:
        """Return f(x) of each dual problem: `[batch, d]` → `[batch, units]`."""
        return self._fitted()(inputs)

    def call(self, inputs: Any) -> Any:
        """Map `inputs` of shape `[batch, d]` to decision values `[batch, units]`."""
        return self.decisions(inputs)

    def predict(
        self, x: Any, batch_size: int | None = None, **kwargs: Any
    ) -> np.ndarray:
        """Predict as Keras does, in larger batches: small ones waste the kernel.

        Args:
            x: `[n, d]`, or a dataset of batches.
            batch_size: Rows a batch, of arrays. Defaults to 4096.
            **kwargs: `verbose`, `callbacks`, … of `keras.Model.predict`.
        """
        if batch_size is None and not isinstance(x, tf.data.Dataset):
            batch_size = PREDICTION_ROWS
        return super().predict(x, batch_size=batch_size, **kwargs)

    def inference_model(self) -> keras.Model:
        """Return the model to serve: from feature rows, with the support vectors only.

        Returns:
            A functional model that shares this one's layers.
        """
        inputs = keras.Input((self._features,), dtype=self.kernel_dtype)
        return keras.Model(inputs, self._outputs(inputs), name=self.name)

    def _outputs(self, inputs: Any) -> Any:
        return self.call(inputs)

    def _fitted(self) -> Any:
        if self.expansion is None:
            raise ValueError(f"{type(self).__name__} is not fitted yet: call `fit`.")
        return self.expansion

    @property
    def _features(self) -> int:
        return int(self._fitted().input_spec.axes[-1])

    # Keras ---------------------------------------------------------------------------

    def compile(self, optimizer: Any = None, **kwargs: Any) -> None:
        """Set Keras's options; the optimiser is SMO and the loss the machine's own."""
        if optimizer is not None or kwargs.pop("loss", None) is not None:
            raise ValueError(
                "`optimizer` and `loss` should be omitted: a support vector machine "
                "brings its own, sequential minimal optimisation."
            )
        # XLA compiles the inner steps. On a GPU Keras would want the outer ones too.
        super().compile(optimizer=None, **{"jit_compile": False, **kwargs})

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Do nothing: the model is compiled from the start."""

    def build(self, input_shape: Any) -> None:
        """Do nothing: the sizes of the weights are known after `fit`."""
        self.built = True

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        kernel = self.kernel
        if not isinstance(kernel, str | dict):
            kernel = kernels.serialize(kernels.get(kernel))
        return {
            "name": self.name,
            "dtype": keras.dtype_policies.serialize(self.dtype_policy),
            "trainable": self.trainable,
            **{name: getattr(self, name) for name in self._arguments},
            "kernel": kernel,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """Build the model from its config, without weights."""
        return cls(**config)

    def get_build_config(self) -> dict[str, Any]:
        """Return the sizes that training found."""
        if self.expansion is None:
            return {}
        return {
            "expansion": keras.saving.serialize_keras_object(self.expansion),
            "features": self._features,
        }

    def build_from_config(self, config: Mapping[str, Any]) -> None:
        """Make room for the weights of a trained model."""
        if config:
            expansion = keras.saving.deserialize_keras_object(config["expansion"])
            self._make_room(expansion, config["features"])


class _AdvanceSolver(keras.callbacks.Callback):
    """Let the solver look at each step, and end the training when it is done."""

    def __init__(self, solver: Scheduler) -> None:
        super().__init__()
        self.solver = solver

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Finish, continue or begin problems."""
        if not self.solver.advance():
            self.model.stop_training = True


@contextlib.contextmanager
def _exact_products() -> Iterator[None]:
    """Keep GPUs from rounding factors to 10 bits (TensorFloat-32): all 24 count."""
    tensor_float = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        yield
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(tensor_float)
