"""The layer between raw columns and a model that wants them scaled."""

from typing import Any

import keras

from layers.design_columns import DesignColumns
from layers.imputation import MedianImputation


@keras.saving.register_keras_serializable("descent_recipes")
class Preprocessing(keras.layers.Layer):
    """Fills blanks, codes categories, drops columns and standardises.

    For an input `x` of shape `(..., columns)`, in which NaN is a blank and a
    categorical column holds codes, the layer computes

    ```python
    x = imputation(x)               # blanks of numeric columns become the median
    x = design(x)                   # one-hot levels, dropped columns
    y = normalization(x * factor)   # mean 0, standard deviation 1
    ```

    `factor` holds powers of two, with which multiplying is exact. They bring every
    column to a standard deviation between 1 and 2 before `keras.layers.Normalization`,
    which divides by 1e-7 where the standard deviation is smaller, and squares it in
    float32: alone it would leave columns of 1e-8 or 1e25 badly scaled.

    All that is learned from data is in weights, assigned once from training rows.

    Args:
        num_outputs: Number of output columns where some are coded or dropped;
            `None`, the default, where the input's columns stay as they are.
        **kwargs: `name`, `dtype`, as in every `keras.layers.Layer`. `dtype` is
            `"float32"` by default, whatever the global policy: raw columns do not fit
            into float16.

    Attributes:
        imputation: The `MedianImputation`.
        design: The `DesignColumns`, or `None`.
        factor: Non-trainable weight of shape `(outputs,)`.
        normalization: The `keras.layers.Normalization`.
        output_names: Names of the output columns, as whoever set them; not saved.
        notes: What was done to the columns, in words, likewise.
    """

    def __init__(self, num_outputs: int | None = None, **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        self.num_outputs = num_outputs
        dtype = self.dtype_policy
        self.imputation = MedianImputation(dtype=dtype, name="imputation")
        self.design = (
            None
            if num_outputs is None
            else DesignColumns(num_outputs, dtype=dtype, name="design")
        )
        self.normalization = keras.layers.Normalization(
            dtype=dtype, name="normalization"
        )
        self.output_names: tuple[str, ...] = ()
        self.notes: tuple[str, ...] = ()

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Creates all weights for inputs of `input_shape`."""
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
        """Maps `inputs` of shape `(..., columns)` to `(..., outputs)`."""
        filled = self.imputation(inputs)
        columns = filled if self.design is None else self.design(filled)
        return self.normalization(columns * self.factor)

    @property
    def center(self) -> Any:
        """What is subtracted from each output column: float64 array `(outputs,)`."""
        mean, factor = _float64(self.normalization.mean), _float64(self.factor)
        return mean.reshape(-1) / factor

    @property
    def scale(self) -> Any:
        """What each output column is divided by: float64 array `(outputs,)`."""
        deviation = keras.ops.sqrt(self.normalization.variance)
        return _float64(deviation).reshape(-1) / _float64(self.factor)

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """The input's shape with the last axis replaced by the number of outputs."""
        if self.num_outputs is None:
            return input_shape
        return (*input_shape[:-1], self.num_outputs)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "num_outputs": self.num_outputs}


def _float64(tensor: Any) -> Any:
    return tensor.numpy().astype("float64")
