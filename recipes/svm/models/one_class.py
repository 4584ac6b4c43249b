"""The one-class machine: a region that holds most of the rows."""

from typing import Any

import keras
import numpy as np

from recipes.checks.settings import configured_by, documented_by
from recipes.svm.config import OneClassSettings
from recipes.svm.models.base import SupportVectorMachine
from recipes.svm.models.inputs import check_training_data
from recipes.svm.solver.dual import one_class


@keras.saving.register_keras_serializable("descent_recipes")
@documented_by(OneClassSettings)
class OneClassSupportVectorMachine(SupportVectorMachine):
    """A region that holds most rows: its score is positive inside.

    ν bounds the share of training rows outside from above, and that of support vectors
    from below (Schölkopf et al. 2001).

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

    @configured_by(OneClassSettings)
    def __init__(self, settings: OneClassSettings) -> None:
        super().__init__(settings)

    def fit(
        self,
        x: Any = None,
        *,
        sample_weight: Any = None,
        verbose: Any = "auto",
        callbacks: Any = None,
        initial_dual_coefficients: Any = None,
    ) -> keras.callbacks.History:
        """Solve the dual problem of all rows.

        Args:
            x: `[n, d]`; see `SupportVectorClassifier.fit`. A dataset's batches are
                `x`, or `(x, y)` with a `y` that is ignored.
            sample_weight: `[n]`, not negative.
            verbose: As in Keras.
            callbacks: Keras callbacks; a batch is an outer iteration.
            initial_dual_coefficients: Where to start, `[n]`.

        Returns:
            Keras's `History`.

        Raises:
            ValueError: If the data are not as documented.

        Warns:
            ConvergenceWarning: If the tolerance was not reached.
        """
        data = check_training_data(
            x, None, sample_weight, self.kernel_dtype, self.kernel, is_labelled=False
        )
        rows = np.flatnonzero(data.weight)
        problem = one_class(rows, data.weight[rows], self.nu)
        return self._fit_one(
            data.x, problem, initial_dual_coefficients, verbose, callbacks
        )
