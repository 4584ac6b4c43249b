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

    in float64, and rounds y alone: numbers far from 0, such as seconds since 1970, are
    told apart if the input is float64, too.

    `factor` holds powers of two, so that the product is exact. They give every column a
    standard deviation between 1 and 2 before `keras.layers.Normalization`, which
    divides by 1e-7 where the standard deviation is smaller: alone it would leave
    columns of 1e-8 badly scaled.

    Everything learned from data is in weights, assigned once from training rows.

    Args:
        num_outputs: Number of output columns, a positive integer, if some are encoded
            or dropped; `None` to keep the input's columns. Defaults to `None`.
        name: Name of the layer. Defaults to `None`: Keras chooses one.
        trainable: Has no effect: no weight here is trained. Defaults to `True`.
        dtype: Dtype or dtype policy of the output; `None` for the global policy.
            Defaults to `"float32"`.

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
        super().__init__(name=name, trainable=trainable, dtype=dtype, autocast=False)
        self.num_outputs = num_outputs
        self.imputation = MedianImputation(dtype="float64", name="imputation")
        self.design = (
            None
            if num_outputs is None
            else DesignColumns(num_outputs, dtype="float64", name="design")
        )
        self.normalization = keras.layers.Normalization(
            dtype="float64", name="normalization"
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
            dtype="float64",
            initializer="ones",
            trainable=False,
        )
        self.normalization.build(output_shape)
        self.built = True

    def call(self, inputs: Any) -> Any:
        """Map `inputs` of shape `(..., columns)` to `(..., outputs)`."""
        filled = self.imputation(inputs)
        columns = filled if self.design is None else self.design(filled)
        scaled = self.normalization(columns * self.factor)
        return keras.ops.cast(scaled, self.compute_dtype)

    @property
    def center(self) -> Any:
        """The number subtracted from each output column: float64 array `(outputs,)`."""
        return self.normalization.mean.numpy().reshape(-1) / self.factor.numpy()

    @property
    def scale(self) -> Any:
        """The divisor of each output column: float64 array `(outputs,)`."""
        deviation = keras.ops.sqrt(self.normalization.variance)
        return deviation.numpy().reshape(-1) / self.factor.numpy()

    @property
    def keeps_zeros(self) -> bool:
        """Whether columns are only scaled, not shifted, so that zeros stay zeros."""
        return not self.center.any() and not self.imputation.median.numpy().any()

    def scale_sparse(self, rows: Any) -> Any:
        """Return what the layer gives for rows of a SciPy CSR array, as one.

        Args:
            rows: `(n, columns)`, without missing values.

        Raises:
            ValueError: If zeros do not stay zeros.
        """
        if not self.keeps_zeros:
            raise ValueError("The layer should keep zeros. Received: one that shifts")
        if self.design is not None:
            rows = rows[:, self.design.source.numpy()]
        scaled = rows.astype("float64")
        scaled.data /= self.scale[scaled.indices]
        return scaled.astype(self.compute_dtype)

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
