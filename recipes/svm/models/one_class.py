"""The one-class machine: a region that holds most of the rows."""

from typing import Any

import keras
import numpy as np

from recipes.checks.settings import configured_by, documented_by
from recipes.svm.config import OneClassSettings
from recipes.svm.models.base import SupportVectorMachine
from recipes.svm.models.fit_arguments import check_arguments
from recipes.svm.models.inputs import check_training_data
from recipes.svm.solver.dual import one_class, warm_start


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

    _sums_to_zero = False

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
        **refused: Any,
    ) -> keras.callbacks.History:
        """Solve the dual problem of all rows.

        If a callback raises an error, or Ctrl-C is pressed, the model is what was
        solved so far, with the `stop_reason` `"interrupted"`.

        Args:
            x: `[n, d]`; see `SupportVectorClassifier.fit`. A dataset's batches are
                `x`, or `(x, y)` with a `y` that is ignored.
            sample_weight: `[n]`, not negative.
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
        data = check_training_data(
            x, None, sample_weight, self._first_dtype, self.kernel, is_labelled=False
        )
        rows = np.flatnonzero(data.weight)
        problem = one_class(rows, data.weight[rows], self.nu)
        problems = warm_start([problem], initial_dual_coefficients, data.x.shape[0])
        return self._solve(data.x, problems, verbose, callbacks)
