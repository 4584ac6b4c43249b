"""The kernel that wraps a function."""

import types
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from layers.kernels.base import Kernel, as_pairs, as_rows


@keras.saving.register_keras_serializable("descent_recipes")
class CallableKernel(Kernel):
    """A kernel that wraps a function of two sets of rows.

    The function takes tensors `x` of shape `(a, d)` and `z` of shape `(b, d)` and
    returns their kernel values of shape `(a, b)`, computed with TensorFlow or
    `keras.ops`. To be saved with a model, it must be registered:

    ```python
    @keras.saving.register_keras_serializable("my_package")
    def cauchy(x, z):
        differences = x[:, None, :] - z[None, :, :]
        return 1 / (1 + keras.ops.sum(differences**2, axis=-1))
    ```

    Args:
        function: The function k(x, z).

    Raises:
        ValueError: If `function` cannot be called or, when the kernel is serialised,
            is not registered.
    """

    def __init__(self, function: Callable[[Any, Any], Any]) -> None:
        if not callable(function) or isinstance(function, type):
            raise ValueError(
                "`function` should be a function of two tensors. "
                f"Received: function={function!r}"
            )
        self.function = function

    def __call__(self, x: Any, z: Any) -> tf.Tensor:
        """Call the function and check its result: `(a, d)`, `(b, d)` → `(a, b)`."""
        x, z = as_pairs(x, z)
        values = tf.convert_to_tensor(self.function(x, z))
        shape = (x.shape[0], z.shape[0])
        if values.dtype != x.dtype or not values.shape.is_compatible_with(shape):
            raise ValueError(
                f"The kernel function should return {x.dtype.name} values of shape "
                f"(rows of x, rows of z) = {shape}. Received: {values.dtype.name} "
                f"values of shape {tuple(values.shape)}"
            )
        return values

    def diagonal(self, x: Any) -> tf.Tensor:
        """Compute k(xᵢ, xᵢ) for each row, one by one: `(a, features)` → `(a,)`."""
        return tf.map_fn(
            lambda row: self(row[tf.newaxis], row[tf.newaxis])[0, 0], as_rows(x)
        )

    def get_config(self) -> dict[str, Any]:
        """Return the function under its registered name."""
        name = keras.saving.get_registered_name(self.function)
        if (
            isinstance(self.function, types.FunctionType)
            and keras.saving.get_registered_object(name) is None
        ):
            raise ValueError(
                "A kernel function should be registered with "
                "`keras.saving.register_keras_serializable` to be saved. "
                f"Received: {self.function!r}"
            )
        return {"function": keras.saving.serialize_keras_object(self.function)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "CallableKernel":
        """Build the kernel from its config."""
        return cls(keras.saving.deserialize_keras_object(config["function"]))

    def __repr__(self) -> str:
        return f"CallableKernel({self.function!r})"
