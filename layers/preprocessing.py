"""The layer between raw columns and a model that needs them scaled."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from layers.calendar_parts import CalendarParts
from layers.design_columns import DesignColumns
from layers.imputation import MedianImputation
from layers.text_features import TextFeatures


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

    Columns of free text are NaN in `x`; the texts are an input of their own. Of each
    the `TextFeatures` follow behind `y`, not standardised: as their rows have the
    length 1, they weigh together as much as a column of `y`.

    Everything learned from data is in weights, assigned once from training rows, but
    the vocabularies, which are arguments.

    Args:
        num_outputs: Number of output columns, besides those of texts, if some are
            encoded or dropped; 0 if there are only texts; `None` to keep all columns.
            Defaults to `None`.
        num_indicators: Number of columns whose missing values are marked by a column of
            0 and 1, besides being filled. Defaults to 0.
        num_dates: Number of columns that are dates, of which the parts are columns,
            too, as `CalendarParts` has them. Defaults to 0.
        vocabularies: Of each column of free text, as of `TextFeatures`. Defaults to
            none.
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
        known_texts: For each column of free text its number and all its texts, a string
            tensor, likewise: with them the layer takes `x` alone, of which the column
            holds the texts' places, and NaN for a blank.
        sparse_output: Whether a matrix of outputs should be sparse, likewise.

    Call arguments:
        inputs: `x`.
        texts: The columns of free text, strings of shape `(batch,)` each. Defaults to
            `None`: there are none, or they are among `known_texts`.
    """

    def __init__(
        self,
        num_outputs: int | None = None,
        num_indicators: int = 0,
        num_dates: int = 0,
        vocabularies: Sequence[Sequence[str]] = (),
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: str | keras.DTypePolicy | None = "float32",
    ) -> None:
        super().__init__(name=name, trainable=trainable, dtype=dtype, autocast=False)
        self.num_outputs = num_outputs
        self.num_indicators = num_indicators
        self.num_dates = num_dates
        # One attribute each: before TensorFlow 2.21, an exported model loses tables
        # that are kept in a list.
        self.num_texts = len(vocabularies)
        for number, vocabulary in enumerate(vocabularies):
            features = TextFeatures(vocabulary, dtype=dtype, name=f"text_{number}")
            setattr(self, f"text_{number}", features)
        self.imputation = MedianImputation(dtype="float64", name="imputation")
        self.design = (
            DesignColumns(num_outputs, dtype="float64", name="design")
            if num_outputs
            else None
        )
        self.calendar = (
            CalendarParts(dtype="float64", name="calendar") if num_dates else None
        )
        self.normalization = keras.layers.Normalization(
            dtype="float64", name="normalization"
        )
        self.output_names: tuple[str, ...] = ()
        self.notes: tuple[str, ...] = ()
        self.known_texts: tuple[tuple[int, Any], ...] = ()
        self.sparse_output = False

    @property
    def texts(self) -> tuple[TextFeatures, ...]:
        """The `TextFeatures` of each column of free text."""
        return tuple(getattr(self, f"text_{i}") for i in range(self.num_texts))

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create all weights for inputs of `input_shape`."""
        output_shape = (*input_shape[:-1], self._count_columns(input_shape))
        self.imputation.build(input_shape)
        for layer in self.texts:
            layer.build(input_shape[:-1])
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

    def call(self, inputs: Any, texts: Sequence[Any] | None = None) -> Any:
        """Map `inputs` of shape `(..., columns)` to `(..., outputs)`."""
        columns = self._widen(inputs)
        if self.design is not None:
            columns = self.design(columns)
        elif self.num_outputs == 0:
            columns = columns[..., :0]
        scaled = self.normalization(columns * self.factor)
        scaled = keras.ops.cast(scaled, self.compute_dtype)
        if not self.num_texts:
            return scaled
        texts = self._look_up_texts(inputs) if texts is None else texts
        words = [layer(each) for layer, each in zip(self.texts, texts, strict=True)]
        return keras.ops.concatenate([scaled, *words], axis=-1)

    def _look_up_texts(self, inputs: Any) -> list[Any]:
        """Return the texts whose places among those known are in `inputs`."""
        if not self.known_texts:
            raise ValueError("`texts` should be given, or `known_texts` set before")
        texts = []
        for column, known in self.known_texts:
            place = inputs[..., column]
            blank = tf.math.is_nan(place)
            place = tf.cast(tf.where(blank, tf.zeros_like(place), place), tf.int32)
            texts.append(tf.where(blank, "", tf.gather(known, place)))
        return texts

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
        mean = self.normalization.mean.numpy().reshape(-1)
        return self._append_terms(mean / self.factor.numpy(), 0.0)

    @property
    def scale(self) -> Any:
        """The divisor of each output column: float64 array `(outputs,)`."""
        deviation = keras.ops.sqrt(self.normalization.variance)
        deviation = deviation.numpy().reshape(-1)
        return self._append_terms(deviation / self.factor.numpy(), 1.0)

    def _append_terms(self, columns: Any, value: float) -> Any:
        """Append a value for each term of the texts to an array `(columns,)`."""
        return np.append(columns, np.full(self.num_terms, value))

    @property
    def num_terms(self) -> int:
        """The number of outputs of free texts, the last ones."""
        return sum(len(layer.vocabulary) for layer in self.texts)

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
        width = self._count_columns(input_shape)
        return (*input_shape[:-1], None if width is None else width + self.num_terms)

    def _count_columns(self, input_shape: tuple[int | None, ...]) -> int | None:
        """Return the number of outputs without those of texts, if it is known."""
        if self.num_outputs is not None or (columns := input_shape[-1]) is None:
            return self.num_outputs
        parts = self.num_dates * len(CalendarParts.PARTS)
        return columns + self.num_indicators + parts

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "num_outputs": self.num_outputs,
            "num_indicators": self.num_indicators,
            "num_dates": self.num_dates,
            "vocabularies": [list(layer.vocabulary) for layer in self.texts],
        }
