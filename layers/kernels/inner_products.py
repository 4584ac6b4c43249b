"""Kernels that are functions of inner products."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from layers.kernels.arguments import finite_number, positive_integer, positive_number
from layers.kernels.base import InnerProductKernel, as_rows, mean_row, squares
from layers.kernels.identifiers import named


@keras.saving.register_keras_serializable("descent_recipes")
@named("linear")
class LinearKernel(InnerProductKernel):
    """k(x, z) = (x − origin)·(z − origin). Its matrices are positive semidefinite.

    Where the coefficients of a kernel expansion sum to zero, as in most support vector
    machines, the origin changes nothing but the bias. One among the rows preserves the
    digits that products of rows far from zero lose.

    Args:
        origin: A number for each feature, or `None` for zeros. Defaults to `None`.

    Raises:
        ValueError: If `origin` is not as documented.
    """

    def __init__(self, origin: Sequence[float] | None = None) -> None:
        self.origin = (
            None
            if origin is None
            else tuple(finite_number("origin", value) for value in origin)
        )

    @property
    def positive_semidefinite(self) -> bool:
        """Whether all its matrices are: yes."""
        return True

    @property
    def takes_sparse(self) -> bool:
        """Whether products of the rows as they are will do: without an origin."""
        return self.origin is None

    def of_products(self, products: Any, x_squares: Any, z_squares: Any) -> tf.Tensor:
        """Return the products themselves."""
        return tf.convert_to_tensor(products)

    def center(self, z: Any) -> tf.Tensor | None:
        """Return the origin, `(features,)`, or `None` if it is zero."""
        return None if self.origin is None else tf.constant(self.origin, z.dtype)

    def diagonal(self, x: Any) -> tf.Tensor:
        """Compute k(x, x) for each row: `(a, features)` → `(a,)`."""
        x = as_rows(x)
        return squares(x if self.origin is None else x - self.center(x))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {} if self.origin is None else {"origin": list(self.origin)}


@keras.saving.register_keras_serializable("descent_recipes")
@named("polynomial", "poly")
class PolynomialKernel(InnerProductKernel):
    """k(x, z) = (gamma·(x·z) + coef0)^degree.

    Its matrices are positive semidefinite where coef0 ≥ 0.

    Args:
        degree: A positive integer. Defaults to `3`.
        gamma: A positive number. Defaults to `1.0`.
        coef0: A number. Defaults to `0.0`.

    Raises:
        ValueError: If a parameter is not as documented.
    """

    def __init__(self, degree: int = 3, gamma: float = 1.0, coef0: float = 0.0) -> None:
        self.degree = positive_integer("degree", degree)
        self.gamma = positive_number("gamma", gamma)
        self.coef0 = finite_number("coef0", coef0)

    @property
    def positive_semidefinite(self) -> bool:
        """Whether all its matrices are: if coef0 ≥ 0."""
        return self.coef0 >= 0

    def of_products(self, products: Any, x_squares: Any, z_squares: Any) -> tf.Tensor:
        """Compute (gamma·`products` + coef0)^degree; the squares are not needed."""
        return _power(self.gamma * products + self.coef0, self.degree)

    def diagonal(self, x: Any) -> tf.Tensor:
        """Compute (gamma·(x·x) + coef0)^degree: `(a, features)` → `(a,)`."""
        return _power(self.gamma * squares(as_rows(x)) + self.coef0, self.degree)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"degree": self.degree, "gamma": self.gamma, "coef0": self.coef0}


@keras.saving.register_keras_serializable("descent_recipes")
@named("rbf")
class RBFKernel(InnerProductKernel):
    """k(x, z) = exp(−gamma·‖x − z‖²), the Gaussian or radial basis function kernel.

    Its matrices are positive semidefinite. The squared distance is computed as
    x·x + z·z − 2·x·z around the mean of `z`, and as zero where rounding makes that
    negative. Its error is that of rounding x·x + z·z: use float64 for rows that are
    many times farther from their mean than from each other.

    Args:
        gamma: A positive number. Defaults to `1.0`.

    Raises:
        ValueError: If `gamma` is not positive and finite.
    """

    def __init__(self, gamma: float = 1.0) -> None:
        self.gamma = positive_number("gamma", gamma)

    @property
    def positive_semidefinite(self) -> bool:
        """Whether all its matrices are: yes."""
        return True

    def of_products(self, products: Any, x_squares: Any, z_squares: Any) -> tf.Tensor:
        """Compute exp(−gamma·(x·x + z·z − 2·x·z))."""
        sums = tf.expand_dims(x_squares, 1) + tf.expand_dims(z_squares, 0)
        # The minimum is the negative squared distance, which is never positive.
        return tf.exp(self.gamma * tf.minimum(2.0 * products - sums, 0.0))

    def center(self, z: Any) -> tf.Tensor:
        """Return the mean of the rows: `(b, features)` → `(features,)`."""
        return mean_row(as_rows(z))

    def diagonal(self, x: Any) -> tf.Tensor:
        """Return one for each row: `(a, features)` → `(a,)`."""
        return tf.ones_like(as_rows(x)[:, 0])

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"gamma": self.gamma}


@keras.saving.register_keras_serializable("descent_recipes")
@named("sigmoid")
class SigmoidKernel(InnerProductKernel):
    """k(x, z) = tanh(gamma·(x·z) + coef0).

    Its matrices are not positive semidefinite in general, so an SVM trained with it may
    end in a stationary point that is not the optimum.

    Args:
        gamma: A positive number. Defaults to `1.0`.
        coef0: A number. Defaults to `0.0`.

    Raises:
        ValueError: If a parameter is not as documented.
    """

    def __init__(self, gamma: float = 1.0, coef0: float = 0.0) -> None:
        self.gamma = positive_number("gamma", gamma)
        self.coef0 = finite_number("coef0", coef0)

    def of_products(self, products: Any, x_squares: Any, z_squares: Any) -> tf.Tensor:
        """Compute tanh(gamma·`products` + coef0); the squares are not needed."""
        return tf.tanh(self.gamma * products + self.coef0)

    def diagonal(self, x: Any) -> tf.Tensor:
        """Compute tanh(gamma·(x·x) + coef0) for each row: `(a, features)` → `(a,)`."""
        return tf.tanh(self.gamma * squares(as_rows(x)) + self.coef0)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"gamma": self.gamma, "coef0": self.coef0}


def _power(base: tf.Tensor, degree: int) -> tf.Tensor:
    """Raise `base` to a positive integer power by products, faster than `tf.pow`."""
    result = None
    while True:
        if degree % 2:
            result = base if result is None else result * base
        degree //= 2
        if not degree:
            return result
        base = base * base
