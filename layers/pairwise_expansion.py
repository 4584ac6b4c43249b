"""Kernel expansions for every pair of classes, with no coefficient that is zero."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from layers.kernel_expansion import KernelExpansion


@keras.saving.register_keras_serializable("descent_recipes")
class PairwiseExpansion(KernelExpansion):
    """One kernel expansion for each pair of classes: a one-vs-one SVM's decisions.

    The output for the pair (a, b), a < b, in the order (0, 1), (0, 2), …, (1, 2), …, is

    ```python
    y = sum(β(i, b) * kernel(x, xᵢ) for xᵢ of class a)
      + sum(β(j, a) * kernel(x, xⱼ) for xⱼ of class b) + bias[pair]
    ```

    A support vector has a coefficient for each class but its own: k − 1 of them, where
    a `KernelExpansion` with an output for each pair would keep k·(k − 1)/2, most of
    them zeros, and multiply by them. For 26 classes that is a thirteenth.

    Args:
        vectors_per_class: Number of support vectors of each class, in order; integers
            that are not negative, at least two, with a positive sum.
        kernel: As for `KernelExpansion`. Defaults to `"rbf"`, with gamma 1.
        **kwargs: Further arguments of `KernelExpansion`: `num_vectors` and `units`
            follow from `vectors_per_class`.

    Attributes:
        support_vectors: Weight of shape `(num_vectors, features)`, class after class.
        dual_coefficients: Trainable weight of shape `(num_vectors, k − 1)`: column c of
            a vector of class a belongs to the pair of a with class c, or c + 1 from
            c = a on.
        bias: Trainable weight of shape `(units,)`, or `None` without bias.

    Raises:
        ValueError: If an argument is not as said.

    Example:
    >>> layer = PairwiseExpansion(vectors_per_class=(1, 2, 1), kernel="linear")
    >>> layer.build((None, 2))
    >>> layer.dual_coefficients.shape, layer.units
    ((4, 2), 3)

    Reference:
        The layout is that of LIBSVM's `sv_coef` (Chang & Lin 2011), with the sign of
        `KernelExpansion`.
    """

    def __init__(
        self, vectors_per_class: Sequence[int], kernel: Any = "rbf", **kwargs: Any
    ) -> None:
        counts = tuple(vectors_per_class)
        whole = all(isinstance(n, int) and not isinstance(n, bool) for n in counts)
        if len(counts) < 2 or not whole or min(counts) < 0 or not sum(counts):
            raise ValueError(
                "`vectors_per_class` should be integers from 0 on, two at least, with "
                f"a positive sum. Received: vectors_per_class={vectors_per_class!r}"
            )
        pairs = len(counts) * (len(counts) - 1) // 2
        super().__init__(sum(counts), pairs, kernel, **kwargs)
        self.vectors_per_class = counts

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        config = super().get_config()
        del config["num_vectors"], config["units"]
        return {**config, "vectors_per_class": self.vectors_per_class}

    def packed(self, coefficients: np.ndarray) -> np.ndarray:
        """What `dual_coefficients` keeps of a column for each pair.

        Args:
            coefficients: Shape `(num_vectors, units)`.

        Returns:
            Array of shape `(num_vectors, k - 1)`.
        """
        rows, pairs = self._places()
        return coefficients[rows, pairs]

    def unpacked(self) -> np.ndarray:
        """The coefficients with a column for each pair, `(num_vectors, units)`."""
        rows, pairs = self._places()
        whole = np.zeros((self.num_vectors, self.units))
        whole[rows, pairs] = self.dual_coefficients.numpy()
        return whole

    def _places(self) -> tuple[np.ndarray, np.ndarray]:
        """Where the coefficients stand with a column for each pair."""
        classes = len(self.vectors_per_class)
        pair = np.zeros((classes, classes), int)
        pair[np.triu_indices(classes, 1)] = np.arange(self.units)
        # [class, column]: the pair with each other class.
        others = (pair + pair.T)[~np.eye(classes, dtype=bool)].reshape(classes, -1)
        rows = np.arange(self.num_vectors)[:, np.newaxis]
        return rows, np.repeat(others, self.vectors_per_class, axis=0)

    def _coefficients_shape(self) -> tuple[int, int]:
        return self.num_vectors, len(self.vectors_per_class) - 1

    def _weighted_sums(self, values: tf.Tensor, coefficients: tf.Tensor) -> tf.Tensor:
        sizes = self.vectors_per_class
        # [n, class, column]: what a class's vectors add to its pairs.
        parts = tf.stack(
            [
                tf.matmul(own, factors)
                for own, factors in zip(
                    tf.split(values, sizes, axis=1),
                    tf.split(coefficients, sizes),
                    strict=True,
                )
            ],
            axis=1,
        )
        # In the matrix of all places without its diagonal, class b stands in column
        # b − 1 of a lesser class's row.
        first, second = np.triu_indices(len(sizes), 1)
        columns = len(sizes) - 1
        flat = tf.reshape(parts, [-1, len(sizes) * columns])
        return tf.gather(flat, first * columns + second - 1, axis=1) + tf.gather(
            flat, second * columns + first, axis=1
        )
