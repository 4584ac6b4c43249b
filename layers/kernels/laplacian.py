"""The Laplacian kernel."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from layers.kernels.arguments import positive_number
from layers.kernels.base import Kernel, as_pairs, as_rows, mean_row
from layers.kernels.identifiers import named


@keras.saving.register_keras_serializable("descent_recipes")
@named("laplacian")
class LaplacianKernel(Kernel):
    """k(x, z) = exp(−gamma·‖x − z‖₁), where ‖·‖₁ is the sum of absolute values.

    Its matrices are positive semidefinite. The distances cannot be computed as a matrix
    product: they are summed feature by feature, in the memory of three matrices of the
    result's size.

    Args:
        gamma: A positive number. Defaults to `1.0`.

    Raises:
        ValueError: If `gamma` is not positive and finite.
    """

    def __init__(self, gamma: float = 1.0) -> None:
        self.gamma = positive_number("gamma", gamma)

    def __call__(self, x: Any, z: Any) -> tf.Tensor:
        """Compute the kernel's values for all pairs: `(a, d)`, `(b, d)` → `(a, b)`."""
        return tf.exp(-self.gamma * _distances(*as_pairs(x, z)))

    @property
    def positive_semidefinite(self) -> bool:
        """Whether all its matrices are: yes."""
        return True

    def center(self, z: Any) -> tf.Tensor:
        """Return the mean of the rows: `(b, features)` → `(features,)`."""
        return mean_row(as_rows(z))

    def diagonal(self, x: Any) -> tf.Tensor:
        """Return one for each row: `(a, features)` → `(a,)`."""
        return tf.ones_like(as_rows(x)[:, 0])

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"gamma": self.gamma}


@tf.custom_gradient
def _distances(
    x: tf.Tensor, z: tf.Tensor
) -> tuple[tf.Tensor, Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]]:
    """Compute ‖xᵢ − zⱼ‖₁ for all pairs: `(a, d)`, `(b, d)` → `(a, b)`.

    The custom gradient loops over the features again: TensorFlow's own would keep a
    matrix of the result's size for each.
    """
    x_columns, z_columns = tf.transpose(x), tf.transpose(z)
    features = tf.shape(x)[1]

    def differences(feature: tf.Tensor) -> tf.Tensor:
        # Not a slice: with a tensor as index, XLA would compile it again in every call.
        return tf.expand_dims(tf.gather(x_columns, feature), 1) - tf.expand_dims(
            tf.gather(z_columns, feature), 0
        )

    def add(feature: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return feature + 1, total + tf.abs(differences(feature))

    zeros = tf.zeros((tf.shape(x)[0], tf.shape(z)[0]), x.dtype)
    _, total = tf.while_loop(
        lambda feature, _: feature < features, add, (0, zeros), parallel_iterations=1
    )

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        def feature_gradient(feature: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            signed = upstream * tf.sign(differences(feature))
            return tf.reduce_sum(signed, 1), -tf.reduce_sum(signed, 0)

        columns = tf.map_fn(
            feature_gradient,
            tf.range(features),
            fn_output_signature=(x.dtype, x.dtype),
            parallel_iterations=1,
        )
        return tf.transpose(columns[0]), tf.transpose(columns[1])

    return total, gradient
