"""What all support vector machines are: Keras models that SMO trains."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from recipes.checks.arguments import check_count, check_positive, listed
from recipes.svm.models.certificate import build_certificate, warn_unless_converged
from recipes.svm.models.machine import KernelMachine
from recipes.svm.models.monitor import Monitor
from recipes.svm.solver.dual import DualProblem, warm_start
from recipes.svm.solver.optimality import Optimality
from recipes.svm.solver.scheduler import Scheduler
from recipes.svm.solver.solution import Solution, Trace


class SupportVectorMachine(KernelMachine):
    """f(x) = Σ βᵢ k(xᵢ, x) + b, with β the exact solution of a dual problem.

    Training (`fit` of the subclasses) takes the dual problems that the data pose and
    solves them by sequential minimal optimisation, one outer iteration a training
    step. The model that is left holds the support vectors and nothing else of the data.
    Fitting again starts afresh, unless `initial_dual_coefficients` are given.

    Memory: `cache_mb`, three times the data, and TensorFlow's own. Time grows with the
    square of the rows, or faster: up to some 10⁵ rows this is practicable.

    Scale the features to like size first: the recipe does. Kernels know no units.

    Args:
        tolerance: Stop when no pair of variables violates the KKT conditions by more,
            over all rows, computed afresh in float64.
        max_iterations: Most outer iterations on one dual problem.
        cache_mb: Megabytes for kernel values, above 0.
        **kwargs: See `KernelMachine`.

    Attributes:
        certificate: After `fit`, a dict; see `build_certificate`.
        traces: After `fit`, a `solution.Trace` of each dual problem.
    """

    def __init__(
        self,
        *,
        tolerance: float,
        max_iterations: int,
        cache_mb: float,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_positive(tolerance=tolerance, cache_mb=cache_mb)
        check_count(max_iterations=max_iterations)
        self.tolerance = tolerance
        self.max_iterations = max_iterations
        self.cache_mb = cache_mb
        self.certificate: dict[str, Any] = {}
        self.traces: list[Trace] = []
        # Not the solver: TensorFlow would track it, and keep it for good.
        self._iterate: Callable[[], Optimality] | None = None
        self.compile()

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
        problems: Sequence[DualProblem],
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

    def _fit_one(
        self,
        x: np.ndarray,
        problem: DualProblem,
        initial: Any,
        verbose: Any,
        callbacks: Any,
    ) -> keras.callbacks.History:
        """Solves a single problem of the rows of `x`, and keeps the solution."""
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
        """Keeps the rows with a coefficient, and no others, as the model.

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

    # Keras ---------------------------------------------------------------------------

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
        return {
            **super().get_config(),
            "tolerance": self.tolerance,
            "max_iterations": self.max_iterations,
            "cache_mb": self.cache_mb,
        }


@contextlib.contextmanager
def _exact_products() -> Iterator[None]:
    """On GPUs that would round factors to 10 bits (TensorFloat-32), to all 24."""
    tensor_float = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        yield
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(tensor_float)
