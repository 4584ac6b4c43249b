"""Support vector regression: ε-SVR and ν-SVR."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from recipes.checks.settings import configured_by, documented_by
from recipes.svm.config import (
    MachineSettings,
    NuSupportVectorRegressorSettings,
    SupportVectorRegressorSettings,
)
from recipes.svm.models.base import SupportVectorMachine
from recipes.svm.models.fit_arguments import check_arguments
from recipes.svm.models.inputs import check_training_data
from recipes.svm.solver.dual import DualProblem, epsilon_svr, nu_svr, warm_start


class Regressor(SupportVectorMachine):
    """The base of ε-SVR and ν-SVR, whose prediction is f(x) itself.

    Args:
        settings: The arguments; see the subclasses.
    """

    def __init__(self, settings: MachineSettings) -> None:
        super().__init__(settings)
        self.mean_squared_error = keras.metrics.Mean(name="mean_squared_error")

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        *,
        sample_weight: Any = None,
        verbose: Any = "auto",
        callbacks: Any = None,
        initial_dual_coefficients: Any = None,
        **refused: Any,
    ) -> keras.callbacks.History:
        """Solve the dual problem of all rows.

        If a callback raises an error, or Ctrl-C is pressed, the model is what was
        solved so far, with the `stop_reason` `"interrupted"`.

        Args:
            x: `[n, d]`; an array, a SciPy sparse array, or a
                `tf.data.Dataset` of batches `(x, y)` or `(x, y, sample_weight)`. For
                the kernel `"precomputed"`, its matrix `[n, n]`.
            y: `[n]` or `[n, 1]`, numbers.
            sample_weight: `[n]`, not negative: factors of the rows' bounds.
            verbose: As in Keras.
            callbacks: Keras callbacks; a batch is an outer iteration.
            initial_dual_coefficients: Where to start, `[n]`.
            **refused: Keras's other arguments, which have no meaning here.

        Returns:
            Keras's `History`.

        Raises:
            ValueError: If the data are not as documented.

        Warns:
            ConvergenceWarning: If the tolerance was not reached.
        """
        check_arguments(refused)
        data = check_training_data(x, y, sample_weight, self._first_dtype, self.kernel)
        target = self._check_targets(data.y)
        rows = np.flatnonzero(data.weight)
        problem = self._problem(rows, target[rows], data.weight[rows])
        problems = warm_start([problem], initial_dual_coefficients, data.x.shape[0])
        return self._solve(data.x, problems, verbose, callbacks)

    def _check_targets(self, y: np.ndarray) -> np.ndarray:
        if y.dtype.kind not in "fiub" or not np.isfinite(y).all():
            raise ValueError("`y` should hold finite numbers.")
        return y.astype(np.float64)

    @property
    def metrics(self) -> list[keras.Metric]:
        """The metric that `test_step` updates."""
        # With Keras's own loss among them, `evaluate` of Keras 3.10 returns tensors.
        return [self.mean_squared_error]

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Update the mean squared error with one batch."""
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        predicted = tf.reshape(self(x, training=False), [-1])
        error = predicted - tf.cast(tf.reshape(y, [-1]), predicted.dtype)
        self.mean_squared_error.update_state(tf.square(error), sample_weight)
        return {"mean_squared_error": self.mean_squared_error.result()}

    def _problem(
        self, rows: np.ndarray, target: np.ndarray, weight: np.ndarray
    ) -> DualProblem:
        """Return the dual problem."""
        raise NotImplementedError


@keras.saving.register_keras_serializable("descent_recipes")
@documented_by(SupportVectorRegressorSettings)
class SupportVectorRegressor(Regressor):
    """ε-support vector regression, solved exactly.

    Errors up to ε cost nothing, those beyond it C for each unit. In units of the
    target: ε is one of its distances, and C bounds every |βᵢ|.

    Args:
        {arguments}

    Attributes:
        support_indices: Which training rows are support vectors, `[m]`.
        certificate: After `fit`, the proof: `converged`, `duality_gap`, ….
        traces: After `fit`, the course of the dual problem, alone in a list.
        support_vectors: `[m, d]`.
        dual_coefficients: β, `[m, 1]`.
        bias: b, `[1]`.

    Raises:
        ArgumentError: If an argument is out of its range; a `ValueError` too.

    Example:
    >>> x = np.linspace(0, 6, 50)[:, np.newaxis]
    >>> model = SupportVectorRegressor(C=10.0, gamma=1.0, epsilon=0.05)
    >>> history = model.fit(x, np.sin(x[:, 0]), verbose=0)
    >>> model.certificate["converged"]
    True

    Reference:
        The article, section 3.2; Smola & Schölkopf (2004).
    """

    @configured_by(SupportVectorRegressorSettings)
    def __init__(self, settings: SupportVectorRegressorSettings) -> None:
        super().__init__(settings)

    def _problem(
        self, rows: np.ndarray, target: np.ndarray, weight: np.ndarray
    ) -> DualProblem:
        return epsilon_svr(rows, target, self.C * weight, self.epsilon)


@keras.saving.register_keras_serializable("descent_recipes")
@documented_by(NuSupportVectorRegressorSettings)
class NuSupportVectorRegressor(Regressor):
    """ν-support vector regression: the tube's width follows from ν.

    At most a share ν of the rows lies outside of the tube (Schölkopf et al. 2000).

    Args:
        {arguments}

    Attributes:
        support_indices: Which training rows are support vectors, `[m]`.
        certificate: After `fit`, the proof: `converged`, `duality_gap`, ….
        traces: After `fit`, the course of the dual problem, alone in a list.
        support_vectors: `[m, d]`.
        dual_coefficients: β, `[m, 1]`.
        bias: b, `[1]`.

    Raises:
        ArgumentError: If an argument is out of its range; a `ValueError` too.
    """

    @configured_by(NuSupportVectorRegressorSettings)
    def __init__(self, settings: NuSupportVectorRegressorSettings) -> None:
        super().__init__(settings)

    def _problem(
        self, rows: np.ndarray, target: np.ndarray, weight: np.ndarray
    ) -> DualProblem:
        return nu_svr(rows, target, self.C * weight, self.nu)
