"""The kernel whose values are given."""

from typing import Any

import keras
import tensorflow as tf

from layers.kernels.base import Kernel, as_rows
from layers.kernels.identifiers import named


@keras.saving.register_keras_serializable("descent_recipes")
@named("precomputed")
class PrecomputedKernel(Kernel):
    """Selects k(x, z) from matrices that hold the kernel's values.

    A row of `x` holds k(xᵢ, tⱼ) for all n training rows tⱼ, and a row of `z` is the
    number of a training row, from 0: k(x, z) is the entry of `x` in that column.
    """

    def __call__(self, x: Any, z: Any) -> tf.Tensor:
        """Return the selected columns: `(a, n)` and row numbers `(b, 1)` → `(a, b)`."""
        return tf.gather(as_rows(x), tf.cast(z, tf.int32)[:, 0], axis=1)

    def diagonal(self, x: Any) -> tf.Tensor:
        """Return the diagonal of the training rows' matrix: `(n, n)` → `(n,)`.

        Raises:
            ValueError: If the matrix is not square.
        """
        matrix = as_rows(x)
        if not matrix.shape[:1].is_compatible_with(matrix.shape[1:]):
            raise ValueError(
                "`x` should be the square matrix of the training rows. "
                f"Received: x of shape {tuple(matrix.shape)}"
            )
        return tf.linalg.diag_part(matrix)

    def vectors(self, x: Any) -> tf.Tensor:
        """Return the numbers of the rows of `x`: `(n, n)` → `(n, 1)`."""
        x = as_rows(x)
        return tf.cast(tf.range(tf.shape(x)[0])[:, tf.newaxis], x.dtype)

    def vector_size(self, features: int) -> int:
        """Return 1, for a row number."""
        return 1
