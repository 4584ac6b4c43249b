"""Support vector classification: C-SVC and ν-SVC, of two classes or more."""

from typing import Any

import keras
import numpy as np

from recipes.checks.arguments import check_positive, check_share
from recipes.svm.models.classification import Classifier, Multiclass
from recipes.svm.solver.dual import DualProblem, c_svc, nu_svc


@keras.saving.register_keras_serializable("descent_recipes")
class SupportVectorClassifier(Classifier):
    """C-support vector classification, solved exactly.

    The dual that SMO solves for two classes y = ±1, in β = α·y:

        minimise  ½ Σ βᵢβⱼ k(xᵢ, xⱼ) − Σ βᵢyᵢ   s.t.  0 ≤ βᵢyᵢ ≤ C·wᵢ,  Σ βᵢ = 0

    The arguments that are not told of here are those of `Classifier`,
    `SupportVectorMachine` and `KernelMachine`.

    Args:
        C: The cost of a row's margin error, positive. Defaults to `1`.

    Attributes:
        certificate: See `SupportVectorMachine`; likewise `traces`, `support_indices`.
        classes: The labels in ascending order, `[k]`.
        support_vectors: `[m, d]`.
        dual_coefficients: β, `[m, 1]`, or a column for each problem, `[m, problems]`.
        bias: b, `[1]` or `[problems]`.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
    >>> x = np.array([[0.0, 0.0], [1.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    >>> model = SupportVectorClassifier(gamma=2.0, C=10.0)
    >>> history = model.fit(x, ["same", "same", "other", "other"], verbose=0)
    >>> model.predict_classes(x, verbose=0)
    array(['same', 'same', 'other', 'other'], dtype='<U5')

    Reference:
        The article, sections 3.2 and 4.2; Platt (1998); Fan, Chen & Lin (2005).
    """

    def __init__(
        self,
        kernel: Any = "rbf",
        C: float = 1.0,
        gamma: float | str = "scale",
        degree: int = 3,
        coef0: float = 0.0,
        multiclass: Multiclass = "one_vs_one",
        probability: bool = False,
        tolerance: float = 1e-3,
        max_iterations: int = 10_000,
        cache_mb: float = 1000.0,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            kernel=kernel,
            gamma=gamma,
            degree=degree,
            coef0=coef0,
            multiclass=multiclass,
            probability=probability,
            tolerance=tolerance,
            max_iterations=max_iterations,
            cache_mb=cache_mb,
            seed=seed,
            **kwargs,
        )
        check_positive(C=C)
        self.C = C

    def _problem(
        self, rows: np.ndarray, positive: np.ndarray, weight: np.ndarray
    ) -> DualProblem:
        return c_svc(rows, positive, self.C * weight)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "C": self.C}


@keras.saving.register_keras_serializable("descent_recipes")
class NuSupportVectorClassifier(Classifier):
    """ν-support vector classification: ν in place of C.

    ν bounds the share of margin errors from above and that of support vectors from
    below (Schölkopf et al. 2000).

    The arguments that are not told of here are those of `Classifier`,
    `SupportVectorMachine` and `KernelMachine`.

    Args:
        nu: Above 0 and at most 1. Defaults to `0.5`.

    Raises:
        ValueError: If an argument is out of its range; in `fit`, if ν is too large for
            the smaller class.
    """

    def __init__(
        self,
        kernel: Any = "rbf",
        nu: float = 0.5,
        gamma: float | str = "scale",
        degree: int = 3,
        coef0: float = 0.0,
        multiclass: Multiclass = "one_vs_one",
        probability: bool = False,
        tolerance: float = 1e-3,
        max_iterations: int = 10_000,
        cache_mb: float = 1000.0,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            kernel=kernel,
            gamma=gamma,
            degree=degree,
            coef0=coef0,
            multiclass=multiclass,
            probability=probability,
            tolerance=tolerance,
            max_iterations=max_iterations,
            cache_mb=cache_mb,
            seed=seed,
            **kwargs,
        )
        check_share(nu=nu)
        self.nu = nu

    def _problem(
        self, rows: np.ndarray, positive: np.ndarray, weight: np.ndarray
    ) -> DualProblem:
        return nu_svc(rows, positive, weight, self.nu)

    def _fold(
        self, rows: np.ndarray, positive: np.ndarray, weight: np.ndarray
    ) -> DualProblem:
        # A fold may leave too little of the smaller class for ν.
        smaller = min(weight[positive].sum(), weight[~positive].sum())
        most = 2 * smaller / weight.sum()
        return nu_svc(rows, positive, weight, min(self.nu, most))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "nu": self.nu}
