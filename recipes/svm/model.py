"""What all support vector machines are: Keras models that SMO trains."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from layers import KernelExpansion, PairwiseExpansion, kernels
from recipes.pipeline.arguments import check_count, check_positive, listed
from recipes.svm.certificate_summary import summary, warn_unless_converged
from recipes.svm.monitor import Monitor
from recipes.svm.problem import Problem
from recipes.svm.progress import Progress
from recipes.svm.solver import Solution, Solver, Trace

PREDICTION_ROWS = 4096


class SupportVectorMachine(keras.Model):
    """f(x) = Σ βᵢ k(xᵢ, x) + b, with β the exact solution of a dual problem.

    Training (`fit` of the subclasses) takes the dual problems that the data pose and
    solves them by sequential minimal optimisation, one outer iteration a training
    step. The model that is left holds the support vectors and nothing else of the data.
    Fitting again starts afresh, unless `initial_dual_coefficients` are given.

    Memory: `cache_mb`, three times the data, and TensorFlow's own. Time grows with the
    square of the rows, or faster: up to some 10⁵ rows this is practicable.

    Scale the features to like size first: the recipe does. Kernels know no units.

    Args:
        kernel: `"linear"`, `"polynomial"`, `"rbf"`, `"sigmoid"`, `"laplacian"`,
            `"precomputed"`, a kernel's config, a `layers.kernels.Kernel`, or a
            registered function k(x, z).
        gamma: γ of a kernel given by name: a positive number, `"scale"` for
            1 / (d·Var X) with the variance over all entries, or `"auto"` for 1 / d.
        degree: Degree of the polynomial kernel.
        coef0: Constant term of the polynomial and the sigmoid kernel.
        tolerance: Stop when no pair of variables violates the KKT conditions by more,
            over all rows, computed afresh in float64.
        max_iterations: Most outer iterations on one dual problem.
        cache_mb: Megabytes for kernel values, above 0.
        **kwargs: `name`, `dtype` of `keras.Model`. With `dtype="float64"` kernel values
            are float64, too; state and sums are in any case.

    Attributes:
        certificate: After `fit`, a dict; see `certificate_summary.summary`.
        traces: After `fit`, a `solver.Trace` of each dual problem.
        support_indices: After `fit`, which training rows are support vectors, `[m]`.
    """

    def __init__(
        self,
        *,
        kernel: Any,
        gamma: float | str,
        degree: int,
        coef0: float,
        tolerance: float,
        max_iterations: int,
        cache_mb: float,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_positive(tolerance=tolerance, cache_mb=cache_mb)
        check_count(max_iterations=max_iterations)
        self.kernel = kernel
        self.gamma = gamma
        self.degree = degree
        self.coef0 = coef0
        self.tolerance = tolerance
        self.max_iterations = max_iterations
        self.cache_mb = cache_mb
        # So that a wrong name or number is told here and not in `fit`.
        self._kernel_for(np.zeros((1, 1), np.float32))
        self.certificate: dict[str, Any] = {}
        self.traces: list[Trace] = []
        self.support_indices = np.empty(0, np.int64)
        self.expansion: Any = None
        # Not the solver: TensorFlow would track it, and keep it for good.
        self._iterate: Callable[[], Progress] | None = None
        self.compile()

    @property
    def kernel_dtype(self) -> str:
        """The dtype of kernel values: float32 or float64."""
        return "float64" if self.compute_dtype == "float64" else "float32"

    # Training ------------------------------------------------------------------------

    def train_step(self, _: Any) -> dict[str, tf.Tensor]:
        """One outer iteration of SMO: a working set, its small dual, the gradient.

        Returns:
            The state after it. These are no averages: the keys differ from the model's
            metrics, so Keras passes the values on as they are.
        """
        if self._iterate is None:
            raise ValueError(
                "A support vector machine is trained by `fit` alone: every step needs "
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
        problems: Sequence[Problem],
        verbose: Any,
        callbacks: Any,
    ) -> tuple[keras.callbacks.History, list[Solution]]:
        """Solves problems of the rows of `x`, one training step after the other."""
        if self.distribute_strategy.num_replicas_in_sync > 1:
            raise ValueError(
                "SMO is one descent over all rows and cannot be spread over replicas. "
                f"Received: {self.distribute_strategy.num_replicas_in_sync} replicas"
            )
        with _exact_products():
            solver = Solver(
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
                    # Nothing but the ticking of the steps: the rows are the solver's.
                    tf.data.Dataset.counter(),
                    epochs=1,
                    callbacks=[Monitor(solver), *listed(callbacks)],
                    shuffle=False,
                    verbose=verbose,
                )
                solver.interrupt()  # whatever a callback's early stop left open
            finally:
                # They hold the kernel rows.
                self._iterate = self.train_function = None
        return history, [solver.solutions[i] for i in range(len(problems))]

    def _kernel_for(self, x: np.ndarray) -> kernels.Kernel:
        named = isinstance(self.kernel, str)
        gamma = kernels.resolve_gamma(self.gamma, x) if named else 1.0
        return kernels.get(
            self.kernel, gamma=gamma, degree=self.degree, coef0=self.coef0
        )

    def _keep(
        self,
        x: np.ndarray,
        solutions: Sequence[Solution],
        of_class: np.ndarray | None = None,
    ) -> None:
        """Keeps the rows with a coefficient, and no others, as the model.

        Args:
            x: All training rows, `[n, d]`.
            solutions: Of one problem for each output.
            of_class: Where there is a problem for each pair of classes, each row's
                class, `[n]`.
        """
        kernel = self._kernel_for(x)
        coefficients = np.zeros((len(x), len(solutions)))
        for unit, solution in enumerate(solutions):
            coefficients[solution.problem.rows, unit] = solution.coefficients
        kept = np.flatnonzero(coefficients.any(axis=1))
        if of_class is not None:
            kept = kept[np.argsort(of_class[kept], kind="stable")]
        self.support_indices = kept
        if not len(kept):
            # A layer without vectors there is not: a lone one without weight will do.
            kept = np.array([0])
        expansion = self._expansion(kernel, len(solutions), kept, of_class)
        self._make_room(expansion, x.shape[1])
        precomputed = isinstance(kernel, kernels.PrecomputedKernel)
        self.expansion.support_vectors.assign(
            kept[:, np.newaxis] if precomputed else x[kept]
        )
        packed = self.expansion.packed(coefficients[kept])
        self.expansion.dual_coefficients.assign(packed)
        self.expansion.bias.assign([solution.bias for solution in solutions])
        self.traces = [solution.trace for solution in solutions]
        self.certificate = summary(solutions)
        warn_unless_converged(self.certificate, x)

    def _expansion(
        self,
        kernel: kernels.Kernel,
        units: int,
        kept: np.ndarray,
        of_class: np.ndarray | None,
    ) -> KernelExpansion:
        """A layer with room for the rows `kept`."""
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
        """f(x) of each dual problem: `[batch, d]` → `[batch, units]`."""
        return self._fitted()(inputs)

    def call(self, inputs: Any) -> Any:
        """Maps `inputs` of shape `[batch, d]` to decision values `[batch, units]`."""
        return self.decisions(inputs)

    def predict(
        self, x: Any, batch_size: int | None = None, **kwargs: Any
    ) -> np.ndarray:
        """As in Keras, with larger batches by default: a small one wastes the kernel.

        Args:
            x: `[n, d]`, or a dataset of batches.
            batch_size: Rows a batch, of arrays. Defaults to 4096.
            **kwargs: `verbose`, `callbacks`, … of `keras.Model.predict`.
        """
        if batch_size is None and not isinstance(x, tf.data.Dataset):
            batch_size = PREDICTION_ROWS
        return super().predict(x, batch_size=batch_size, **kwargs)

    def inference_model(self) -> keras.Model:
        """What is served: a model of feature rows that holds the support vectors only.

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

    def build(self, input_shape: Any) -> None:
        """Does nothing: the sizes of the weights are known after `fit`."""
        self.built = True

    def compile(self, optimizer: Any = None, **kwargs: Any) -> None:
        """Sets Keras's options; the optimiser is SMO and the loss the machine's own."""
        if optimizer is not None or kwargs.pop("loss", None) is not None:
            raise ValueError(
                "`optimizer` and `loss` should be left out: a support vector machine "
                "brings its own, sequential minimal optimisation."
            )
        # XLA compiles the inner steps. On a GPU Keras would want the outer ones too.
        super().compile(optimizer=None, **{"jit_compile": False, **kwargs})

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Does nothing: the model is compiled from the start."""

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        kernel = self.kernel
        if not isinstance(kernel, str | dict):
            kernel = kernels.serialize(kernels.get(kernel))
        return {
            "name": self.name,
            "dtype": keras.dtype_policies.serialize(self.dtype_policy),
            "kernel": kernel,
            "gamma": self.gamma,
            "degree": self.degree,
            "coef0": self.coef0,
            "tolerance": self.tolerance,
            "max_iterations": self.max_iterations,
            "cache_mb": self.cache_mb,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """Builds the model from its config, without weights."""
        return cls(**config)

    def get_build_config(self) -> dict[str, Any]:
        """The sizes that training found."""
        if self.expansion is None:
            return {}
        return {
            "expansion": keras.saving.serialize_keras_object(self.expansion),
            "features": self._features,
        }

    def build_from_config(self, config: Mapping[str, Any]) -> None:
        """Makes room for the weights of a trained model."""
        if config:
            expansion = keras.saving.deserialize_keras_object(config["expansion"])
            self._make_room(expansion, config["features"])


@contextlib.contextmanager
def _exact_products() -> Iterator[None]:
    """On GPUs that would round factors to 10 bits (TensorFloat-32), to all 24."""
    tensor_float = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        yield
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(tensor_float)
