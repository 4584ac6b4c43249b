"""The kernel matrix of sparse training rows."""

import functools
from collections.abc import Callable
from typing import Any

import numpy.typing as npt
import scipy.sparse
import tensorflow as tf

from layers import kernels
from recipes.svm.solver.kernel_cache import KernelFunction
from recipes.svm.solver.rows import Rows, compute_squares, multiply, transpose

Indices = npt.NDArray[Any]


def make_kernel_function(kernel: Any, x: Rows | tf.Tensor) -> Any:
    """Return the kernel matrix of dense rows, or of a `csr_array`, as a function."""
    kind: Any = SparseKernelFunction if scipy.sparse.issparse(x) else KernelFunction
    return kind(kernel, x)


class SparseKernelFunction:
    """The kernel matrix of sparse rows, by row index: SciPy multiplies.

    Args:
        kernel: A kernel that takes sparse rows.
        x: All rows, a `csr_array` `[n, d]`, float32 or float64.
    """

    def __init__(self, kernel: kernels.InnerProductKernel, x: Rows) -> None:
        self.kernel = kernel
        self.assign(x)

    def assign(self, x: Rows) -> None:
        """Replace the rows by others of the same shape."""
        self.x, self.transposed = x, transpose(x)
        self.squares = compute_squares(x)

    def load(self, x: Rows, rows: npt.NDArray[Any]) -> None:
        """Replace the rows by the rows `rows` of `x`, followed by zeros."""
        own = x[rows]
        own.resize(self.x.shape[0], x.shape[1])
        self.assign(own)

    def compute_rows(self, indices: Indices) -> tf.Tensor:
        """Compute K between the rows `indices` `[m]` and all rows, `[m, n]`."""
        products = multiply(self.x[indices], self.transposed)
        return self._evaluate(products, self.squares[indices], self.squares)

    def compute_block(self, indices: Indices) -> tf.Tensor:
        """Compute K among the rows `indices` `[m]`, `[m, m]`."""
        own, squares = self.x[indices], self.squares[indices]
        return self._evaluate(multiply(own, transpose(own)), squares, squares)

    def _evaluate(self, *products_and_squares: npt.NDArray[Any]) -> tf.Tensor:
        return _compile_of_products(self.kernel)(*products_and_squares)


@functools.lru_cache(maxsize=32)
def _compile_of_products(
    kernel: kernels.InnerProductKernel,
) -> Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]:
    return tf.function(kernel.of_products, jit_compile=True, autograph=False)
