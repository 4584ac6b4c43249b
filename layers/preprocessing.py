"""The layer between raw columns and a model that needs them scaled."""

from typing import Any

import keras

from layers.design_columns import DesignColumns
from layers.imputation import MedianImputation


@keras.saving.register_keras_serializable("descent_recipes")
class Preprocessing(keras.layers.Layer):
    """Fills missing values, encodes categories, drops columns and standardises.

    For an input `x` of shape `(..., columns)`, in which NaN is a missing value
    and a categorical column holds codes, the layer computes

    ```python
    x = imputation(x)               # missing numbers become the column's median
    x = design(x)                   # one-hot levels, dropped columns
    y = normalization(x * factor)   # mean 0, standard deviation 1
    ```

    `factor` holds powers of two, so that the product is exact. They give every column a
    standard deviation between 1 and 2 before `keras.layers.Normalization`, which
    divides by 1e-7 where the standard deviation is smaller, and squares it in float32:
    alone it would leave columns of 1e-8 or 1e25 badly scaled.

    Everything learned from data is in weights, assigned once from training rows.

    Args:
        num_outputs: Number of output columns, a positive integer, if some are encoded
            or dropped; `None` to keep the input's columns. Defaults to `None`.
        name: Name of the layer. Defaults to `None`: Keras chooses one.
        trainable: Has no effect: no weight here is trained. Defaults to `True`.
        dtype: Dtype or dtype policy; `None` for the global policy. Defaults to
            `"float32"`, because raw columns do not fit into float16.

    Attributes:
        imputation: The `MedianImputation`.
        design: The `DesignColumns`, or `None`.
        factor: Non-trainable weight of shape `(outputs,)`.
        normalization: The `keras.layers.Normalization`.
        output_names: Names of the output columns, for the caller to set; not saved.
        notes: A description of the preprocessing in words, likewise.
    """

    def __init__(
        self,
        num_outputs: int | None = None,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: str | keras.DTypePolicy | None = "float32",
    ) -> None:
        super().__init__(name=name, trainable=trainable, dtype=dtype)
        self.num_outputs = num_outputs
        policy = self.dtype_policy
        self.imputation = MedianImputation(dtype=policy, name="imputation")
        self.design = (
            None
            if num_outputs is None
            else DesignColumns(num_outputs, dtype=policy, name="design")
        )
        self.normalization = keras.layers.Normalization(
            dtype=policy, name="normalization"
        )
        self.output_names: tuple[str, ...] = ()
        self.notes: tuple[str, ...] = ()

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create all weights for inputs of `input_shape`."""
        output_shape = self.compute_output_shape(input_shape)
        self.imputation.build(input_shape)
        if self.design is not None:
            self.design.build(input_shape)
        self.factor = self.add_weight(
            name="factor",
            shape=output_shape[-1:],
            initializer="ones",
            trainable=False,
        )
        self.normalization.build(output_shape)
        self.built = True

    def call(self, inputs: Any) -> Any:
        """Map `inputs` of shape `(..., columns)` to `(..., outputs)`."""
        filled = self.imputation(inputs)
        columns = filled if self.design is None else self.design(filled)
        return self.normalization(columns * self.factor)

    @property
    def center(self) -> Any:
        """The number subtracted from each output column: float64 array `(outputs,)`."""
        mean, factor = _as_float64(self.normalization.mean), _as_float64(self.factor)
        return mean.reshape(-1) / factor

    @property
    def scale(self) -> Any:
        """The divisor of each output column: float64 array `(outputs,)`."""
        deviation = keras.ops.sqrt(self.normalization.variance)
        return _as_float64(deviation).reshape(-1) / _as_float64(self.factor)

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """Return the input's shape with the number of outputs as last axis."""
        if self.num_outputs is None:
            return input_shape
        return (*input_shape[:-1], self.num_outputs)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "num_outputs": self.num_outputs}


def _as_float64(tensor: Any) -> Any:
    return tensor.numpy().astype("float64")
