"""The one-class machine: where the rows are, and where they are not."""

from typing import Any

import keras
import numpy as np

from recipes.checks.arguments import check_share
from recipes.svm.models.base import SupportVectorMachine
from recipes.svm.models.inputs import gather
from recipes.svm.solver.dual import one_class


@keras.saving.register_keras_serializable("descent_recipes")
class OneClassSupportVectorMachine(SupportVectorMachine):
    """A region that holds most rows: its score is positive inside.

    ν bounds the share of training rows outside from above, and that of support vectors
    from below (Schölkopf et al. 2001).

    The arguments that are not told of here are those of `SupportVectorMachine` and
    `KernelMachine`.

    Args:
        nu: Above 0 and at most 1. Defaults to `0.5`.

    Raises:
        ValueError: If an argument is out of its range.
    """

    def __init__(
        self,
        kernel: Any = "rbf",
        nu: float = 0.5,
        gamma: float | str = "scale",
        degree: int = 3,
        coef0: float = 0.0,
        tolerance: float = 1e-3,
        max_iterations: int = 10_000,
        cache_mb: float = 1000.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            kernel=kernel,
            gamma=gamma,
            degree=degree,
            coef0=coef0,
            tolerance=tolerance,
            max_iterations=max_iterations,
            cache_mb=cache_mb,
            **kwargs,
        )
        check_share(nu=nu)
        self.nu = nu

    def fit(
        self,
        x: Any = None,
        *,
        sample_weight: Any = None,
        verbose: Any = "auto",
        callbacks: Any = None,
        initial_dual_coefficients: Any = None,
    ) -> keras.callbacks.History:
        """Solves the dual problem of all rows.

        Args:
            x: `[n, d]`; see `SupportVectorClassifier.fit`. A dataset's batches are
                `x`, or `(x, y)` with a `y` that counts for nothing.
            sample_weight: `[n]`, not negative.
            verbose: As in Keras.
            callbacks: Keras callbacks; a batch is an outer iteration.
            initial_dual_coefficients: Where to start, `[n]`.

        Returns:
            Keras's `History`.

        Raises:
            ValueError: If the data are not as said.

        Warns:
            ConvergenceWarning: If the tolerance was not reached.
        """
        data = gather(
            x, None, sample_weight, self.kernel_dtype, self.kernel, labelled=False
        )
        rows = np.flatnonzero(data.weight)
        problem = one_class(rows, data.weight[rows], self.nu)
        return self._fit_one(
            data.x, problem, initial_dual_coefficients, verbose, callbacks
        )

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "nu": self.nu}
