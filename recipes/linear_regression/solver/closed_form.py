"""The optimum in closed form, and the curvature of the loss, from the moments.

The smooth part of the objective is the quadratic

    F(w, a) = 1/n Σ s·((x − x̄)·w + a − (y − ȳ))² + l2·‖w‖²,    n = Σ s,

whose Hessian falls apart: 2 for a, and C = 2/n Σ s·(x − x̄)·(x − x̄)ᵀ + 2·l2·I for w.
Everything here is float64 NumPy on arrays of `features + 1` rows; nothing reads the
data.
"""

import dataclasses
import functools
from collections.abc import Callable
from contextlib import AbstractContextManager

import numpy as np
import scipy.linalg
import scipy.sparse.linalg

from recipes import cores
from recipes.linear_regression.solver.coordinates import Coordinates
from recipes.linear_regression.solver.row_sums import Moments

# A direction in which standardised features vary by less than this share of a unit
# variance counts as flat. 1e-12 is a standard deviation of 1e-6: anything smaller stems
# from the rounding of float32 features.
FLAT_DIRECTION = 1e-12
# From this many features on, a second BLAS thread pays off.
MANY_FEATURES = 500


@dataclasses.dataclass(frozen=True)
class Curvature:
    """The curvature of F.

    Attributes:
        hessian: In the descent's coordinates, `[features + 1, features + 1]`.
        scale: Factors that bring the diagonal of C to 1, `[features]`; zero for
            constant columns.
        eigenvalues: Of the scaled C, ascending, `[features]`.
        eigenvectors: Its eigenvectors, as columns, `[features, features]`.
    """

    hessian: np.ndarray
    scale: np.ndarray
    eigenvalues: np.ndarray
    eigenvectors: np.ndarray

    @functools.cached_property
    def _is_determined(self) -> np.ndarray:
        return self.eigenvalues > FLAT_DIRECTION

    @property
    def rank(self) -> int:
        """The number of directions of w that the data determine."""
        return int(self._is_determined.sum())

    @functools.cached_property
    def _spectrum(self) -> np.ndarray:
        return scipy.linalg.eigvalsh(self.hessian)

    @property
    def largest(self) -> float:
        """L, the largest eigenvalue of H."""
        return float(self._spectrum[-1])

    @property
    def condition_number(self) -> float:
        """Largest over smallest eigenvalue of H, over the directions data determine.

        The number of iterations grows with it: proportionally for plain gradient
        descent, with its square root for momentum.
        """
        smallest = self._spectrum[len(self.scale) - self.rank]
        return float(self.largest / max(smallest, np.finfo(float).eps * self.largest))

    def inverse(self) -> np.ndarray:
        """Return the pseudo-inverse of C, `[features, features]`."""
        basis = self.scale[:, np.newaxis] * self.eigenvectors[:, self._is_determined]
        return (basis / self.eigenvalues[self._is_determined]) @ basis.T

    def solve(self, slope: np.ndarray) -> np.ndarray:
        """Return the w that C maps to `slope`, `[features]`."""
        vectors = self.eigenvectors[:, self._is_determined]
        along = vectors.T @ (self.scale * slope) / self.eigenvalues[self._is_determined]
        return self.scale * (vectors @ along)

    def excess(self, gradient: np.ndarray) -> float:
        """Return F(w, a) − min F where F has that gradient in (w, a)."""
        return (
            float(gradient[:-1] @ self.solve(gradient[:-1]) + gradient[-1] ** 2 / 2) / 2
        )

    def flat_directions(self, coordinates: Coordinates) -> np.ndarray:
        """Return an orthonormal basis of the θ along which F is flat, as columns."""
        flat = self.scale[:, np.newaxis] * self.eigenvectors[:, ~self._is_determined]
        unit, tilt = coordinates.unit, coordinates.tilt
        unit = np.where(unit > 0, unit, 1)[:, np.newaxis]
        constant = np.eye(len(self.scale))[:, self.scale == 0]
        v = np.hstack([flat[:, np.abs(flat).max(axis=0) > 0] / unit, constant])
        return np.linalg.qr(np.vstack([v, -tilt @ v]))[0]


def limit_blas_threads(features: int) -> AbstractContextManager[object]:
    """Return a context in which NumPy uses one BLAS thread if features are few.

    A second thread gains nothing on small matrices and, when done, spins for some 30 ms
    on a core that others need.
    """
    limit = 1 if features < MANY_FEATURES else None
    return cores.limit_blas_threads(limit)


def compute_curvature(
    moments: Moments, l2: float, coordinates: Coordinates
) -> Curvature:
    """Compute the curvature of F from the moments of the data.

    Scaling keeps a column of size 1e-6 from vanishing beside one of size 1e6.
    """
    n = moments.weight
    curvature = 2 / n * moments.scatter[:-1, :-1]
    curvature[np.diag_indices_from(curvature)] += 2 * l2
    diagonal = np.diag(curvature)
    is_usable = (moments.variance[:-1] > 0) | (l2 > 0)
    scale = np.zeros_like(diagonal)
    scale[is_usable] = 1 / np.sqrt(diagonal[is_usable])
    # Divide and conquer: 100 columns take 1.6 ms, not 7.
    values, vectors = scipy.linalg.eigh(
        scale[:, np.newaxis] * curvature * scale, driver="evd"
    )
    unit, tilt = coordinates.unit, np.append(coordinates.tilt, 1)
    hessian = 2 * np.outer(tilt, tilt)
    hessian[:-1, :-1] += unit[:, np.newaxis] * curvature * unit
    return Curvature(hessian, scale, values, vectors)


def solve_normal_equations(moments: Moments, curvature: Curvature) -> np.ndarray:
    """Return w of the minimiser (w, 0) of F by the normal equations, `[features]`.

    If the features are linearly dependent, it is one of many.
    """
    cross = moments.scatter[:-1, -1]
    return curvature.solve(2 / moments.weight * cross)


def largest_eigenvalue(product: Callable[[np.ndarray], np.ndarray], size: int) -> float:
    """Estimate the largest eigenvalue of a symmetric matrix from its products alone.

    Lanczos's method takes one product per iteration. Plain power iteration may need
    hundreds where two eigenvalues are close.

    Args:
        product: v ↦ H·v.
        size: Rows of H, at least 2.

    Returns:
        A number from about the largest eigenvalue to 1 % above it.
    """
    operator = scipy.sparse.linalg.LinearOperator(
        (size, size), matvec=product, dtype=np.float64
    )
    start = np.random.default_rng(0).standard_normal(size)
    (value,) = scipy.sparse.linalg.eigsh(
        operator, k=1, v0=start, tol=0.01, return_eigenvectors=False
    )
    return float(value) * 1.01
