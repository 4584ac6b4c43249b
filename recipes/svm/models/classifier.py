"""Support vector classification: C-SVC and ν-SVC, of two classes or more."""

import keras
import numpy as np

from recipes.checks.settings import configured_by, documented_by
from recipes.svm.config import (
    NuSupportVectorClassifierSettings,
    SupportVectorClassifierSettings,
)
from recipes.svm.models.classification import Classifier
from recipes.svm.solver.dual import DualProblem, c_svc, nu_svc


@keras.saving.register_keras_serializable("descent_recipes")
@documented_by(SupportVectorClassifierSettings)
class SupportVectorClassifier(Classifier):
    """C-support vector classification, solved exactly.

    The dual that SMO solves for two classes y = ±1, in β = α·y:

        minimise  ½ Σ βᵢβⱼ k(xᵢ, xⱼ) − Σ βᵢyᵢ   s.t.  0 ≤ βᵢyᵢ ≤ C·wᵢ,  Σ βᵢ = 0

    Args:
        {arguments}

    Attributes:
        support_indices: Which training rows are support vectors, `[m]`.
        certificate: After `fit`, the proof: `converged`, `duality_gap`, ….
        traces: After `fit`, the course of each dual problem.
        classes: The labels in ascending order, `[k]`.
        support_vectors: `[m, d]`.
        dual_coefficients: β, `[m, 1]`, or a column for each problem, `[m, problems]`.
        bias: b, `[1]` or `[problems]`.

    Raises:
        ArgumentError: If an argument is out of its range; a `ValueError` too.

    Example:
    >>> x = np.array([[0.0, 0.0], [1.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    >>> model = SupportVectorClassifier(gamma=2.0, C=10.0)
    >>> history = model.fit(x, ["same", "same", "other", "other"], verbose=0)
    >>> model.predict_classes(x, verbose=0)
    array(['same', 'same', 'other', 'other'], dtype='<U5')

    Reference:
        The article, sections 3.2 and 4.2; Platt (1998); Fan, Chen & Lin (2005).
    """

    @configured_by(SupportVectorClassifierSettings)
    def __init__(self, settings: SupportVectorClassifierSettings) -> None:
        super().__init__(settings)

    def _problem(
        self, rows: np.ndarray, positive: np.ndarray, weight: np.ndarray
    ) -> DualProblem:
        return c_svc(rows, positive, self.C * weight)


@keras.saving.register_keras_serializable("descent_recipes")
@documented_by(NuSupportVectorClassifierSettings)
class NuSupportVectorClassifier(Classifier):
    """ν-support vector classification: ν in place of C (Schölkopf et al. 2000).

    Args:
        {arguments}

    Attributes:
        support_indices: Which training rows are support vectors, `[m]`.
        certificate: After `fit`, the proof: `converged`, `duality_gap`, ….
        traces: After `fit`, the course of each dual problem.
        classes: The labels in ascending order, `[k]`.
        support_vectors: `[m, d]`.
        dual_coefficients: β, `[m, 1]`, or a column for each problem, `[m, problems]`.
        bias: b, `[1]` or `[problems]`.

    Raises:
        ArgumentError: If an argument is out of its range; a `ValueError` too. In `fit`,
            a `ValueError` if ν is too large for the smaller class.
    """

    @configured_by(NuSupportVectorClassifierSettings)
    def __init__(self, settings: NuSupportVectorClassifierSettings) -> None:
        super().__init__(settings)

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
