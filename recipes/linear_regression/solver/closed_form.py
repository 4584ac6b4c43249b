"""Where gradient descent should arrive: curvature and closed form from the moments.

The smooth part of the objective is the quadratic

    F(w, b) = 1/n Σ s·(x·w + b − y)² + l2·‖w‖²,    n = Σ s,

with Hessian H = 2/n Σ s·z·zᵀ + 2·l2·diag(1, …, 1, 0), z = (x, 1). All of this is
float64 NumPy on arrays of `features + 1` rows; nothing here reads the data.
"""

import dataclasses
import functools
from collections.abc import Callable
from contextlib import AbstractContextManager

import numpy as np
import scipy.linalg
import scipy.sparse.linalg
import threadpoolctl

from recipes.linear_regression.solver.row_sums import Moments

# A direction in which standardised features vary by less than this share of a unit
# variance is taken as flat. 1e-12 is a standard deviation of 1e-6: what is smaller is
# made by the rounding of float32 features, not by the features.
FLAT_DIRECTION = 1e-12
# From here on, a second BLAS thread pays.
MANY_FEATURES = 500


@dataclasses.dataclass(frozen=True)
class Curvature:
    """The Hessian H with its inverse, after eliminating the unpenalised intercept.

    Attributes:
        hessian: H, `[features + 1, features + 1]`.
        mean: Column means x̄, `[features]`.
        scale: What brings the diagonal of H's Schur complement to 1, `[features]`;
            zero for constant columns.
        eigenvalues: Of the scaled complement, ascending, `[features]`.
        eigenvectors: Its eigenvectors, as columns, `[features, features]`.
    """

    hessian: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    eigenvalues: np.ndarray
    eigenvectors: np.ndarray

    @functools.cached_property
    def _kept(self) -> np.ndarray:
        return self.eigenvalues > FLAT_DIRECTION

    @property
    def rank(self) -> int:
        """How many directions of w the data determine."""
        return int(self._kept.sum())

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

        It is what the number of iterations grows with: proportionally for plain
        gradient descent, with its square root for momentum.
        """
        smallest = self._spectrum[len(self.scale) - self.rank]
        return float(self.largest / max(smallest, np.finfo(float).eps * self.largest))

    def inverse(self) -> np.ndarray:
        """The pseudo-inverse of the Schur complement, `[features, features]`."""
        basis = self.scale[:, np.newaxis] * self.eigenvectors[:, self._kept]
        return (basis / self.eigenvalues[self._kept]) @ basis.T

    def solve(self, slope: np.ndarray) -> np.ndarray:
        """The w that the Schur complement maps to `slope`, `[features]`."""
        vectors = self.eigenvectors[:, self._kept]
        along = vectors.T @ (self.scale * slope) / self.eigenvalues[self._kept]
        return self.scale * (vectors @ along)

    def newton_step(self, gradient: np.ndarray) -> np.ndarray:
        """H⁺·gradient: the way from the minimiser to where F has that gradient."""
        w = self.solve(gradient[:-1] - self.mean * gradient[-1])
        return np.append(w, gradient[-1] / 2 - self.mean @ w)

    def flat_directions(self) -> np.ndarray:
        """An orthonormal basis of the θ along which F does not change, as columns."""
        flat = self.scale[:, np.newaxis] * self.eigenvectors[:, ~self._kept]
        constant = np.eye(len(self.scale))[:, self.scale == 0]
        w = np.hstack([flat[:, np.abs(flat).max(axis=0) > 0], constant])
        return np.linalg.qr(np.vstack([w, -self.mean @ w]))[0]


def blas_threads(features: int) -> AbstractContextManager[None]:
    """A context for NumPy beside TensorFlow: with few features, one BLAS thread.

    A second thread gains nothing on small matrices and, when done, spins for some 30 ms
    on a core that TensorFlow needs; a fit of 1,000,000 × 100 took 0.25 s instead of
    0.17 s.
    """
    limit = 1 if features < MANY_FEATURES else None
    return _thread_pools().limit(limits=limit, user_api="blas")


@functools.cache
def _thread_pools() -> threadpoolctl.ThreadpoolController:
    return threadpoolctl.ThreadpoolController()


def curvature(moments: Moments, l2: float) -> Curvature:
    """The curvature of F from the data's moments.

    Centring first keeps the digits of columns whose mean is far larger than their
    spread; scaling keeps a column of 1e-6 from vanishing beside one of 1e6.
    """
    n = float(moments.weight)
    gram, origin = np.asarray(moments.gram), np.asarray(moments.origin)
    offset = gram[:-1, -1] / n
    complement = 2 * (gram[:-1, :-1] / n - np.outer(offset, offset))
    # What centring leaves of a constant column is rounding.
    spread = np.diag(complement)
    varies = spread > 1e-14 * 2 * np.diag(gram)[:-1] / n
    complement[np.diag_indices_from(complement)] += 2 * l2
    scale = np.zeros_like(spread)
    usable = varies | (l2 > 0)
    scale[usable] = 1 / np.sqrt(np.diag(complement)[usable])
    values, vectors = scipy.linalg.eigh(scale[:, np.newaxis] * complement * scale)
    shift = np.eye(len(gram))
    shift[:-1, -1] = origin
    hessian = 2 / n * (shift @ gram @ shift.T)
    hessian[np.diag_indices(len(origin))] += 2 * l2
    return Curvature(hessian, origin + offset, scale, values, vectors)


def closed_form(moments: Moments, curvature: Curvature) -> np.ndarray:
    """The minimiser θ* = (w, b) of F by the normal equations, `[features + 1]`.

    Where the features are linearly dependent it is one of many.
    """
    n, cross = float(moments.weight), np.asarray(moments.cross)
    offset = curvature.mean - np.asarray(moments.origin)
    w = curvature.solve(2 / n * (cross[:-1] - offset * cross[-1]))
    return np.append(w, cross[-1] / n - curvature.mean @ w)


def largest_eigenvalue(product: Callable[[np.ndarray], np.ndarray], size: int) -> float:
    """The largest eigenvalue of a symmetric matrix that is known by its products.

    By Lanczos's method, which is power iteration that forgets nothing; one product
    each. Plain power iteration may need hundreds where two eigenvalues are close.

    Args:
        product: v ↦ H·v.
        size: Rows of H, at least 2.

    Returns:
        A number at most 1 % below the largest eigenvalue and 1 % above it.
    """
    operator = scipy.sparse.linalg.LinearOperator(
        (size, size), matvec=product, dtype=np.float64
    )
    start = np.random.default_rng(0).standard_normal(size)
    (value,) = scipy.sparse.linalg.eigsh(
        operator, k=1, v0=start, tol=0.01, return_eigenvectors=False
    )
    return float(value) * 1.01
