"""The layer between raw columns and a model that needs them scaled."""

from typing import Any

import keras

from layers.calendar_parts import CalendarParts
from layers.design_columns import DesignColumns
from layers.imputation import MedianImputation


@keras.saving.register_keras_serializable("descent_recipes")
class Preprocessing(keras.layers.Layer):
    """Fills missing values, encodes categories, takes dates apart and standardises.

    For an input `x` of shape `(..., columns)`, in which NaN is a missing value,
    a categorical column holds codes and a date is the days since 1970-01-01, the layer
    computes

    ```python
    blank = isnan(x[..., indicator])           # 1 where a value is missing, else 0
    x = imputation(x)                          # missing numbers become medians
    parts = calendar(x[..., dates])            # year, month, day, weekday, time
    x = design(concatenate([x, blank, parts])) # one-hot levels, dropped columns
    y = normalization(x * factor)              # mean 0, standard deviation 1
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
            or dropped; `None` to keep all columns. Defaults to `None`.
        num_indicators: Number of columns whose missing values are marked by a column of
            0 and 1, besides being filled. Defaults to 0.
        num_dates: Number of columns that are dates, of which the parts are columns,
            too, as `CalendarParts` has them. Defaults to 0.
        name: Name of the layer. Defaults to `None`: Keras chooses one.
        trainable: Has no effect: no weight here is trained. Defaults to `True`.
        dtype: Dtype or dtype policy of the output; `None` for the global policy.
            Defaults to `"float32"`.

    Attributes:
        imputation: The `MedianImputation`.
        design: The `DesignColumns`, or `None`. Its sources count the input's columns,
            then those that mark missing values, then the parts of the dates.
        indicator: Non-trainable int32 weight of shape `(num_indicators,)`, the marked
            columns; only if there are any.
        dates: Non-trainable int32 weight of shape `(num_dates,)`, the columns of dates;
            likewise.
        factor: Non-trainable weight of shape `(outputs,)`.
        normalization: The `keras.layers.Normalization`.
        output_names: Names of the output columns, for the caller to set; not saved.
        notes: A description of the preprocessing in words, likewise.
    """

    def __init__(
        self,
        num_outputs: int | None = None,
        num_indicators: int = 0,
        num_dates: int = 0,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: str | keras.DTypePolicy | None = "float32",
    ) -> None:
        super().__init__(name=name, trainable=trainable, dtype=dtype, autocast=False)
        self.num_outputs = num_outputs
        self.num_indicators = num_indicators
        self.num_dates = num_dates
        self.imputation = MedianImputation(dtype="float64", name="imputation")
        self.design = (
            None
            if num_outputs is None
            else DesignColumns(num_outputs, dtype="float64", name="design")
        )
        self.calendar = (
            CalendarParts(dtype="float64", name="calendar") if num_dates else None
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
        for name, size in (
            ("indicator", self.num_indicators),
            ("dates", self.num_dates),
        ):
            if size:
                weight = self.add_weight(
                    name=name,
                    shape=(size,),
                    dtype="int32",
                    initializer="zeros",
                    trainable=False,
                )
                setattr(self, name, weight)
        self.normalization.build(output_shape)
        self.built = True

    def call(self, inputs: Any) -> Any:
        """Map `inputs` of shape `(..., columns)` to `(..., outputs)`."""
        columns = self._widen(inputs)
        if self.design is not None:
            columns = self.design(columns)
        scaled = self.normalization(columns * self.factor)
        return keras.ops.cast(scaled, self.compute_dtype)

    def _widen(self, inputs: Any) -> Any:
        """Fill missing values, and add what marks them and the parts of dates."""
        filled = self.imputation(inputs)
        columns = [filled]
        if self.num_indicators:
            marked = keras.ops.take(inputs, self.indicator, axis=-1)
            columns.append(keras.ops.cast(keras.ops.isnan(marked), "float64"))
        if self.calendar is not None:
            columns.append(self.calendar(keras.ops.take(filled, self.dates, axis=-1)))
        return keras.ops.concatenate(columns, axis=-1) if columns[1:] else filled

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
        width = self.num_outputs
        if width is None and (columns := input_shape[-1]) is not None:
            parts = self.num_dates * len(CalendarParts.PARTS)
            width = columns + self.num_indicators + parts
        return (*input_shape[:-1], width)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "num_outputs": self.num_outputs,
            "num_indicators": self.num_indicators,
            "num_dates": self.num_dates,
        }
