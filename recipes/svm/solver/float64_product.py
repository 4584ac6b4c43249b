"""Products of the kernel matrix and a vector in float64, from the rows alone.

The proof rests on them. Kernel values are computed tile by tile, a tile on each core:
memory does not grow with the number of rows times the number of vectors.

NumPy computes the kernels that are functions of inner products. Unlike XLA and
TensorFlow, it has vector instructions for the float64 exponential: a9a (32,561 rows,
12,000 support vectors) takes 0.9 s this way and 2.2 s with XLA.
"""

import threading
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse

from layers import kernels
from recipes.cores import map_on_cores
from recipes.svm.solver.kernel_cache import compile_vector_kernel
from recipes.svm.solver.rows import (
    Rows,
    compute_squares,
    find_center,
    multiply,
    transpose,
)

# A tile's values and one block of vectors fit in the processor's cache.
TILE_ROWS = 512
TILE_VECTORS = 512
# Symmetric sums are in this many parts at most.
SHARES = 32
# With less to multiply, threads take longer to start than the products take.
MIN_PARALLEL_PRODUCTS = 2**27
# An exponential takes as long as about so many.
PRODUCTS_PER_VALUE = 32

Matrix = npt.NDArray[np.float64]
Vector = npt.NDArray[np.float64]


def compute_kernel_product(
    kernel: kernels.Kernel,
    x: Rows,
    rows: npt.NDArray[Any],
    coefficients: Vector,
    at: npt.NDArray[Any] | None = None,
) -> Vector:
    """Compute Σⱼ cⱼ k(xᵢ, xⱼ) over j in `rows`, for each i in `at`, in float64.

    Args:
        kernel: The kernel.
        x: All training rows, `[all, d]`; an array or a `csr_array`.
        rows: Indices j of rows, `[n]`.
        coefficients: c, float64, `[n]`.
        at: Indices i of rows, `[m]`; `None` for `rows`.

    Returns:
        float64, `[m]`.
    """
    at = rows if at is None else at
    used = np.flatnonzero(coefficients)
    product = np.zeros(len(at))
    if not len(used):
        return product
    tiles = _make_tiles(kernel, x, rows[used], coefficients[used])

    def fill(start: int) -> None:
        tile = at[start : start + TILE_ROWS]
        product[start : start + len(tile)] = tiles.sum_values(x[tile])

    _run(fill, range(0, len(at), TILE_ROWS), len(at) * len(used) * _width(x))
    return product


def compute_symmetric_product(
    kernel: kernels.Kernel, x: Rows, rows: npt.NDArray[Any], coefficients: Vector
) -> Vector:
    """Compute Σⱼ cⱼ k(xᵢ, xⱼ) for i and j in `rows`, with each k(xᵢ, xⱼ) = k(xⱼ, xᵢ).

    Each value is computed once, for both of its sums: half the work of
    `compute_kernel_product`. Kernels that are no functions of inner products are left
    to that.

    Args:
        kernel: The kernel.
        x: All training rows, `[all, d]`; an array or a `csr_array`.
        rows: Indices of rows, `[n]`.
        coefficients: c, float64, `[n]`.

    Returns:
        float64, `[n]`.
    """
    tiles = _make_tiles(kernel, x, rows, coefficients) if len(rows) else None
    if not isinstance(tiles, _ProductTiles):
        return compute_kernel_product(kernel, x, rows, coefficients)
    shares = min(SHARES, len(tiles.blocks))
    # Each share has sums of its own, added in the same order on any number of cores.
    partial = np.zeros((shares, len(rows)))

    def fill(share: int) -> None:
        for block in range(share, len(tiles.blocks), shares):
            tiles.add_block(block, partial[share])

    _run(fill, range(shares), len(rows) ** 2 * _width(x))
    return partial.sum(axis=0)


def _make_tiles(
    kernel: Any, x: Rows, rows: npt.NDArray[Any], coefficients: Vector
) -> Any:
    """Return sums over the vectors `rows` of `x`, a tile at a time."""
    is_sparse = scipy.sparse.issparse(x)
    apply = _NUMPY_KERNELS.get(type(kernel), _apply_any if is_sparse else None)
    if type(kernel) is kernels.LinearKernel:
        return _LinearTiles(kernel, x[rows], coefficients)
    if apply:
        return _ProductTiles(apply, kernel, x[rows], coefficients)
    return _ValueTiles(kernel, x, rows, coefficients)


def _run(fill: Callable[[int], None], parts: Iterable[int], products: float) -> None:
    """Call `fill` for each part, on all cores if there is enough to multiply."""
    if products < MIN_PARALLEL_PRODUCTS:
        for part in parts:
            fill(part)
        return
    for _ in map_on_cores(fill, parts):  # re-raises a tile's error
        pass


def _width(x: Rows) -> float:
    """Return the number of entries of a row, on average."""
    return float(x.nnz / x.shape[0] if scipy.sparse.issparse(x) else x.shape[1])


def compute_kernel_matrix(
    kernel: kernels.Kernel, x: Rows, rows: npt.NDArray[Any]
) -> Matrix:
    """Compute k(xᵢ, xⱼ) of all pairs of `rows` `[n]` in float64: `[n, n]`."""
    if isinstance(kernel, kernels.PrecomputedKernel):
        return np.asarray(x[np.ix_(rows, rows)], np.float64)
    own = x[rows].astype(np.float64)
    values = np.empty((len(rows), len(rows)))
    apply = _NUMPY_KERNELS.get(type(kernel), _apply_any)
    if isinstance(kernel, kernels.InnerProductKernel):
        own = _subtract(own, find_center(kernel, own))
        squares, transposed = compute_squares(own), transpose(own)

    def fill(start: int) -> None:
        tile = slice(start, start + TILE_ROWS)
        # Values beyond float64 are infinite.
        with np.errstate(over="ignore", invalid="ignore"):
            if isinstance(kernel, kernels.InnerProductKernel):
                multiply(own[tile], transposed, out=values[tile])
                apply(kernel, values[tile], squares[tile], squares)
            else:
                values[tile] = kernel(own[tile], kernel.vectors(own))

    # A value takes as long as some more products.
    products = len(rows) ** 2 * (_width(x) + PRODUCTS_PER_VALUE)
    _run(fill, range(0, len(rows), TILE_ROWS), products)
    return values


class _ProductTiles:
    """Sums for kernels that are functions of inner products."""

    def __init__(
        self,
        apply: Callable[[Any, Matrix, Vector, Vector], None],
        kernel: kernels.Kernel,
        vectors: Rows,
        coefficients: Vector,
    ) -> None:
        self.apply, self.kernel = apply, kernel
        vectors = vectors.astype(np.float64)
        self.center = find_center(kernel, vectors)
        vectors = _subtract(vectors, self.center)
        self.squares = compute_squares(vectors)
        self.blocks = [
            transpose(vectors[start : start + TILE_VECTORS])
            for start in range(0, vectors.shape[0], TILE_VECTORS)
        ]
        self.coefficients = coefficients
        self.scratch = threading.local()

    def sum_values(self, own: Rows) -> Vector:
        """Compute Σⱼ cⱼ k(x, xⱼ) for at most `TILE_ROWS` rows x: `[t, d]` → `[t]`."""
        own = _subtract(own.astype(np.float64), self.center)
        squares = compute_squares(own)
        total = np.zeros(len(squares))
        for number in range(len(self.blocks)):
            values = self._evaluate(own, squares, number)
            total += values @ self.coefficients[self._slice(number)]
        return total

    def add_block(self, number: int, total: Vector) -> None:
        """Add to the sums of all vectors what a block has with itself and later ones.

        Args:
            number: The number of the block.
            total: The sums, `[n]`.
        """
        block = self._slice(number)
        own = transpose(self.blocks[number])
        for other in range(number, len(self.blocks)):
            values = self._evaluate(own, self.squares[block], other)
            total[block] += values @ self.coefficients[self._slice(other)]
            if other > number:
                total[self._slice(other)] += self.coefficients[block] @ values

    def _slice(self, number: int) -> slice:
        return slice(number * TILE_VECTORS, (number + 1) * TILE_VECTORS)

    def _evaluate(self, own: Rows, squares: Vector, number: int) -> Matrix:
        """Compute k(x, xⱼ) of rows and of one block of vectors, in scratch memory."""
        vectors = self.blocks[number]
        values = self._get_scratch(len(squares), vectors.shape[1])
        multiply(own, vectors, out=values)
        self.apply(self.kernel, values, squares, self.squares[self._slice(number)])
        return values

    def _get_scratch(self, rows: int, vectors: int) -> Matrix:
        """Return this thread's memory for a tile: fresh memory is slow at first."""
        if not hasattr(self.scratch, "values"):
            self.scratch.values = np.empty(max(TILE_ROWS, TILE_VECTORS) * TILE_VECTORS)
        scratch: Matrix = self.scratch.values[: rows * vectors]
        return scratch.reshape(rows, vectors)


# Each turns the products xᵢ·zⱼ `[a, b]` into kernel values in place, given the squares
# xᵢ·xᵢ `[a]` and zⱼ·zⱼ `[b]`.


def _apply_any(
    kernel: Any, products: Matrix, x_squares: Vector, z_squares: Vector
) -> None:
    products[...] = kernel.of_products(products, x_squares, z_squares)


def _apply_polynomial(
    kernel: Any, products: Matrix, x_squares: Vector, z_squares: Vector
) -> None:
    products *= kernel.gamma
    products += kernel.coef0
    base = products.copy() if kernel.degree > 1 else products
    for _ in range(kernel.degree - 1):  # ten times as fast as `np.power`
        products *= base


def _apply_rbf(
    kernel: Any, products: Matrix, x_squares: Vector, z_squares: Vector
) -> None:
    products *= 2.0
    products -= x_squares[:, np.newaxis]
    products -= z_squares
    np.minimum(products, 0.0, out=products)
    products *= kernel.gamma
    np.exp(products, out=products)


def _apply_sigmoid(
    kernel: Any, products: Matrix, x_squares: Vector, z_squares: Vector
) -> None:
    products *= kernel.gamma
    products += kernel.coef0
    np.tanh(products, out=products)


# By exact type: a subclass may compute something else.
_NUMPY_KERNELS: dict[type, Callable[[Any, Matrix, Vector, Vector], None]] = {
    kernels.PolynomialKernel: _apply_polynomial,
    kernels.RBFKernel: _apply_rbf,
    kernels.SigmoidKernel: _apply_sigmoid,
}


class _LinearTiles:
    """Sums for the linear kernel: products with the weighted sum of all vectors."""

    def __init__(
        self, kernel: kernels.LinearKernel, vectors: Rows, coefficients: Vector
    ) -> None:
        vectors = vectors.astype(np.float64)
        self.center = find_center(kernel, vectors)
        self.weights = _subtract(vectors, self.center).T @ coefficients

    def sum_values(self, own: Rows) -> Vector:
        """Compute Σⱼ cⱼ k(x, xⱼ) for rows x: `[t, d]` → `[t]`."""
        own = _subtract(own.astype(np.float64), self.center)
        return np.asarray(own @ self.weights)


class _ValueTiles:
    """Sums for any other kernel, by its own TensorFlow code."""

    def __init__(
        self,
        kernel: kernels.Kernel,
        x: npt.NDArray[Any],
        vectors: npt.NDArray[Any],
        coefficients: Vector,
    ) -> None:
        self.evaluate = compile_vector_kernel(kernel)
        if isinstance(kernel, kernels.PrecomputedKernel):
            own = vectors[:, np.newaxis]
        else:
            own = x[vectors]
        # Padded, with coefficients of zero, so that few shapes compile.
        extra = -len(own) % min(TILE_VECTORS, _round_up(len(own)))
        self.vectors = np.pad(own.astype(np.float64), ((0, extra), (0, 0)))
        self.coefficients = np.pad(coefficients, (0, extra))

    def sum_values(self, own: npt.NDArray[Any]) -> Vector:
        """Compute Σⱼ cⱼ k(x, xⱼ) for at most `TILE_ROWS` rows x: `[t, d]` → `[t]`."""
        rows = len(own)
        own = np.pad(own.astype(np.float64), ((0, _round_up(rows) - rows), (0, 0)))
        total = np.zeros(len(own))
        for start in range(0, len(self.vectors), TILE_VECTORS):
            block = slice(start, start + TILE_VECTORS)
            values = np.asarray(self.evaluate(own, self.vectors[block]))
            total += values @ self.coefficients[block]
        return total[:rows]


def _subtract(rows: Rows, center: Vector | None) -> Rows:
    return rows if center is None else rows - center


def _round_up(count: int) -> int:
    """Return the next power of two, at least 64, so that few shapes compile."""
    return max(64, 1 << (count - 1).bit_length())
