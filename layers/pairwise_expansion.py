"""Kernel expansions for every pair of classes, without storing zeros."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from layers.kernel_expansion import KernelExpansion


@keras.saving.register_keras_serializable("descent_recipes")
class PairwiseExpansion(KernelExpansion):
    """One kernel expansion for each pair of classes: the decisions of a one-vs-one SVM.

    The output for the pair (a, b), a < b, in the order (0, 1), (0, 2), …, (1, 2), …, is

    ```python
    y = sum(β(i, b) * kernel(x, xᵢ) for xᵢ of class a)
      + sum(β(j, a) * kernel(x, xⱼ) for xⱼ of class b) + bias[pair]
    ```

    A support vector has a coefficient for each class but its own: k − 1 of them. A
    `KernelExpansion` with an output for each pair would store k·(k − 1)/2, most of them
    zeros, and multiply by them; for 26 classes that is 13 times as many.

    Precision and memory are those of `KernelExpansion`.

    Args:
        vectors_per_class: Number of support vectors of each class, in order: at least
            two integers of at least 0, with a positive sum. `num_vectors` is their sum
            and `units` the number of pairs.
        kernel: Name of a kernel, its config, a `kernels.Kernel` or a function of two
            tensors, as `kernels.get` takes them. Defaults to `"rbf"`, with gamma 1.
        use_bias: Whether to add `bias`. Defaults to `True`.
        train_vectors: Whether `support_vectors` is trainable. Defaults to `False`.
        nonzeros: Number of entries that are stored of sparse support vectors; see
            `KernelExpansion`. Defaults to `None`: the vectors are dense.
        coefficients_dtype: Dtype of `dual_coefficients` and `bias`: `"float64"`,
            `"float32"`, or `None` for that of the layer's policy. Defaults to
            `"float64"`.
        vectors_initializer: Initialiser of `support_vectors`: a name, a config or a
            `keras.initializers.Initializer`. Defaults to `None`: standard normal
            numbers; zeros for the kernel `"precomputed"` and with `nonzeros`.
        coefficients_initializer: Initialiser of `dual_coefficients`, likewise.
            Defaults to `"glorot_uniform"`.
        bias_initializer: Initialiser of `bias`, likewise. Defaults to `"zeros"`.
        activity_regularizer: Penalty of the outputs: a name, a config or a
            `keras.regularizers.Regularizer`; `None` for none. Defaults to `None`.
        name: Name of the layer. Defaults to `None`: Keras chooses one.
        trainable: Whether the weights are trained. Defaults to `True`.
        dtype: Dtype or dtype policy. Defaults to `None`, the global policy.

    Attributes:
        support_vectors: Weight of shape `(num_vectors, features)`, class after class.
            With `nonzeros` the entries alone, of shape `(nonzeros,)`.
        vector_positions: With `nonzeros`, weight of shape `(nonzeros, 2)`, int32: the
            vector and the feature of each entry.
        dual_coefficients: Trainable weight of shape `(num_vectors, k − 1)`: column c of
            a vector of class a belongs to the pair of a with class c if c < a, and with
            class c + 1 otherwise.
        bias: Trainable weight of shape `(units,)`, or `None` without bias.

    Raises:
        ValueError: If an argument is not as documented, or the size of the input's last
            axis is unknown when the layer is built.

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
        self,
        vectors_per_class: Sequence[int],
        kernel: Any = "rbf",
        *,
        use_bias: bool = True,
        train_vectors: bool = False,
        nonzeros: int | None = None,
        coefficients_dtype: str | None = "float64",
        vectors_initializer: Any = None,
        coefficients_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        activity_regularizer: Any = None,
        name: str | None = None,
        trainable: bool = True,
        dtype: str | keras.DTypePolicy | None = None,
    ) -> None:
        counts = tuple(vectors_per_class)
        integers = all(isinstance(n, int) and not isinstance(n, bool) for n in counts)
        if len(counts) < 2 or not integers or min(counts) < 0 or not sum(counts):
            raise ValueError(
                "`vectors_per_class` should be integers of at least 0, two or more, "
                "with a positive sum. "
                f"Received: vectors_per_class={vectors_per_class!r}"
            )
        pairs = len(counts) * (len(counts) - 1) // 2
        super().__init__(
            sum(counts),
            pairs,
            kernel,
            use_bias=use_bias,
            train_vectors=train_vectors,
            nonzeros=nonzeros,
            coefficients_dtype=coefficients_dtype,
            vectors_initializer=vectors_initializer,
            coefficients_initializer=coefficients_initializer,
            bias_initializer=bias_initializer,
            activity_regularizer=activity_regularizer,
            name=name,
            trainable=trainable,
            dtype=dtype,
        )
        self.vectors_per_class = counts

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        config = super().get_config()
        del config["num_vectors"], config["units"]
        return {**config, "vectors_per_class": self.vectors_per_class}

    def packed(self, coefficients: np.ndarray) -> np.ndarray:
        """Return the value of `dual_coefficients` for a column per pair.

        Args:
            coefficients: Shape `(num_vectors, units)`.

        Returns:
            Array of shape `(num_vectors, k - 1)`.
        """
        return coefficients[self._positions()]

    def unpacked(self) -> np.ndarray:
        """Return the coefficients with a column per pair, `(num_vectors, units)`."""
        rows, pairs = self._positions()
        coefficients = np.zeros((self.num_vectors, self.units))
        coefficients[rows, pairs] = self.dual_coefficients.numpy()
        return coefficients

    def _positions(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows and pairs of the coefficients, with a column per pair."""
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
        # [n, class, column]: the sums over the vectors of one class, for its pairs.
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
        # A class has no column for itself: class b has column b − 1 in the rows of the
        # classes before it.
        first, second = np.triu_indices(len(sizes), 1)
        columns = len(sizes) - 1
        flat = tf.reshape(parts, [-1, len(sizes) * columns])
        return tf.gather(flat, first * columns + second - 1, axis=1) + tf.gather(
            flat, second * columns + first, axis=1
        )
