"""The base classes of kernels."""

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("descent_recipes")
class Kernel:
    """A function k(x, z) of two rows, computed for all pairs of two sets of rows.

    Kernels are plain objects that hold their parameters and no weights. They compute
    with TensorFlow: eagerly, in a `tf.function` and under XLA, in float32 and float64,
    for any number of rows, including none. Subclasses define `__call__`, `diagonal`
    and, if they have parameters, `get_config`; registered with
    `keras.saving.register_keras_serializable` they are saved with the model.

    On GPUs that have TensorFloat-32, TensorFlow rounds the factors of a float32 matrix
    product to 10 bits. Kernels need full precision: turn the rounding off by
    `tf.config.experimental.enable_tensor_float_32_execution(False)`, or use float64.
    """

    def __call__(self, x: Any, z: Any) -> tf.Tensor:
        """Compute the kernel's values for all pairs.

        Args:
            x: Rows of shape `(a, features)`, float32 or float64.
            z: Rows of shape `(b, features)`, as `vectors` returns them.

        Returns:
            Tensor of shape `(a, b)` and the dtype of `x`: k(xᵢ, zⱼ).

        Raises:
            ValueError: If `x` is neither float32 nor float64.
        """
        raise NotImplementedError

    def diagonal(self, x: Any) -> tf.Tensor:
        """Compute k(xᵢ, xᵢ) for each row: `(a, features)` → `(a,)`."""
        raise NotImplementedError

    def vectors(self, x: Any) -> tf.Tensor:
        """Return the representation of `x` as second argument: `x` itself."""
        return as_rows(x)

    def vector_size(self, features: int) -> int:
        """Return the number of columns of `vectors(x)`, given that of `x`."""
        return features

    @property
    def positive_semidefinite(self) -> bool:
        """Whether all its matrices are known to be, so that SVM duals are convex."""
        return False

    @property
    def takes_sparse(self) -> bool:
        """Whether products of the rows as they are, with their zeros, will do."""
        return False

    def center(self, z: Any) -> tf.Tensor | None:
        """Return the row to subtract from both arguments before values are computed.

        Far from the origin x·x + z·z − 2·x·z is a small difference of large numbers, of
        which float32 keeps few digits or none. A kernel of differences x − z is the
        same around any centre, and is computed around that of `z`.

        Args:
            z: Rows of shape `(b, features)`, as `vectors` returns them.

        Returns:
            Tensor of shape `(features,)` and the dtype of `z`; `None` for a kernel that
            is not the same around another centre.
        """
        return None

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Kernel":
        """Build the kernel from its config."""
        return cls(**config)

    def __eq__(self, other: object) -> bool:
        # So that a `tf.function` traces once for equal kernels.
        return isinstance(other, Kernel) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def _identity(self) -> tuple[Any, ...]:
        return type(self), *sorted(vars(self).items())

    def __repr__(self) -> str:
        arguments = ", ".join(f"{k}={v!r}" for k, v in self.get_config().items())
        return f"{type(self).__name__}({arguments})"


@keras.saving.register_keras_serializable("descent_recipes")
class InnerProductKernel(Kernel):
    """A kernel that is a function of x·z, x·x and z·z alone.

    So one matrix product gives all pairs, and callers that already have products (of
    sparse rows, for example) turn them into kernel values by `of_products`. The rows of
    the products are those from which `center` has been subtracted; sparse rows, which
    would become dense, are left as they are.
    """

    @property
    def takes_sparse(self) -> bool:
        """Whether products of the rows as they are, with their zeros, will do: yes."""
        return True

    def __call__(self, x: Any, z: Any) -> tf.Tensor:
        """Compute the kernel's values for all pairs: `(a, d)`, `(b, d)` → `(a, b)`."""
        x, z = around_center(self, *as_pairs(x, z))
        products = tf.matmul(x, z, transpose_b=True)
        return self.of_products(products, squares(x), squares(z))

    def of_products(self, products: Any, x_squares: Any, z_squares: Any) -> tf.Tensor:
        """Compute the kernel's values from inner products.

        Args:
            products: xᵢ·zⱼ, shape `(a, b)`, float32 or float64.
            x_squares: xᵢ·xᵢ, shape `(a,)`, of the same dtype.
            z_squares: zⱼ·zⱼ, shape `(b,)`, likewise.

        Returns:
            Tensor of shape `(a, b)`: k(xᵢ, zⱼ).
        """
        raise NotImplementedError

    def diagonal(self, x: Any) -> tf.Tensor:
        """Compute k(xᵢ, xᵢ) for each row: `(a, features)` → `(a,)`."""
        raise NotImplementedError


def as_rows(x: Any) -> tf.Tensor:
    """Return `x` as a tensor that kernels compute with."""
    tensor = tf.convert_to_tensor(x)
    if tensor.dtype not in (tf.float32, tf.float64):
        raise ValueError(
            "`x` should be float32 or float64. "
            f"Received: x of dtype {tensor.dtype.name}"
        )
    return tensor


def as_pairs(x: Any, z: Any) -> tuple[tf.Tensor, tf.Tensor]:
    """Return `x` and `z` as tensors of the dtype of `x`."""
    x = as_rows(x)
    return x, tf.cast(z, x.dtype)


def around_center(
    kernel: Kernel, x: tf.Tensor, z: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return `x` and `z` minus the kernel's centre of `z`, where it has one."""
    center = kernel.center(z)
    return (x, z) if center is None else (x - center, z - center)


def mean_row(z: tf.Tensor) -> tf.Tensor:
    """Compute the mean of the rows, a constant to gradients: `(b, d)` → `(d,)`."""
    return tf.stop_gradient(tf.reduce_mean(z, axis=0))


def squares(x: tf.Tensor) -> tf.Tensor:
    """Compute x·x for each row: `(a, d)` → `(a,)`."""
    return tf.reduce_sum(tf.square(x), axis=1)
