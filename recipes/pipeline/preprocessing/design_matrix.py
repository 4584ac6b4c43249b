"""The design matrix: how the columns of the data become those of the model.

Each needs its median, mean and variance over the training rows.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import scipy.sparse

from layers.preprocessing import Preprocessing
from recipes.errors import quote
from recipes.pipeline.datasets import Column, precision
from recipes.pipeline.datasets.source import list_first_five, quote_first_five

# Least range of a column that varies. TensorFlow flushes less to zero in float32; in
# float64 the square has to stay above zero.
SMALLEST = {"float32": float(np.finfo(np.float32).tiny), "float64": 1e-150}
_BLOCK_BYTES = 64 * 2**20  # copied at a time from a dense matrix


@dataclass
class DesignMatrix:
    """The description of a design matrix, built column by column."""

    # One per raw column.
    medians: list[float] = field(default_factory=list)
    # One per output.
    names: list[str] = field(default_factory=list)
    sources: list[int] = field(default_factory=list)  # number of the raw column
    levels: list[int] = field(default_factory=list)  # code, -1 for a numeric column
    means: list[float] = field(default_factory=list)
    variances: list[float] = field(default_factory=list)
    # For the notes: names, and numbers of blanks by name.
    constant: list[str] = field(default_factory=list)
    merged: list[str] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)
    blank_numbers: dict[str, int] = field(default_factory=dict)
    blank_categories: dict[str, int] = field(default_factory=dict)

    def add_numeric(
        self, number: int, column: Column, present: np.ndarray, zeros: int, blanks: int
    ) -> None:
        """Add a numeric column: stored values, numbers of other zeros and of blanks."""
        median = _compute_median(present, zeros)
        self.medians.append(median)
        if blanks:
            self.blank_numbers[column.name] = blanks
        extremes = [*find_range(present), *([0.0] if zeros else [])]
        if max(extremes) - min(extremes) < SMALLEST[column.dtype]:
            self.constant.append(column.name)
        else:
            mean, variance = _compute_moments(present, zeros, blanks, median)
            self._add_output(column.name, number, -1, mean, variance)
            sample = precision.sample_rows(present[:, np.newaxis].astype(np.float64))
            scaled = (sample - mean) / np.sqrt(variance)
            if precision.find_merged(sample, scaled.astype(np.float32)).any():
                self.merged.append(column.name)

    def add_scaled(self, number: int, column: Column, size: float) -> None:
        """Add a numeric column that is divided by its largest absolute value."""
        self.medians.append(0.0)
        if size < SMALLEST[column.dtype]:
            self.constant.append(column.name)
        else:
            self._add_output(column.name, number, -1, 0.0, size**2)

    def add_categorical(
        self, number: int, column: Column, present: np.ndarray, blanks: int
    ) -> None:
        """Add a categorical column: its codes, and the number of its blanks."""
        self.medians.append(np.nan)
        if blanks:
            self.blank_categories[column.name] = blanks
        counts = np.bincount(present.astype(np.int64), minlength=len(column.levels))
        reference = int(counts.argmax())
        if counts[reference] == len(present):
            self.constant.append(column.name)
            return
        for code, level in enumerate(column.levels):
            if code == reference:
                continue
            name = f"{column.name}={level}"
            if not counts[code]:
                self.unseen.append(name)
                continue
            share = counts[code] / (len(present) + blanks)
            self._add_output(name, number, code, share, share * (1 - share))

    def _add_output(
        self, name: str, source: int, level: int, mean: float, variance: float
    ) -> None:
        self.names.append(name)
        self.sources.append(source)
        self.levels.append(level)
        self.means.append(mean)
        self.variances.append(variance)

    def build_layer(self) -> Preprocessing:
        """Build the layer that computes the matrix."""
        unchanged = self.sources == list(range(len(self.medians))) and set(
            self.levels
        ) == {-1}
        layer = Preprocessing(None if unchanged else len(self.names))
        layer.build((None, len(self.medians)))
        layer.imputation.median.assign(self.medians)
        if layer.design is not None:
            layer.design.source.assign(self.sources)
            layer.design.level.assign(self.levels)
        _set_scaling(layer, np.array(self.means), np.array(self.variances))
        layer.output_names = tuple(self.names)
        layer.notes = tuple(self.write_notes())
        return layer

    def write_notes(self) -> Iterator[str]:
        """Write what was dropped and filled, in sentences."""
        if self.constant:
            names = quote_first_five(self.constant)
            yield f"dropped, the same in all training rows: {names}"
        if self.merged:
            names = quote_first_five(self.merged)
            yield (
                "different values that are equal to the model, as they are too close "
                f"together for their range: {names}"
            )
        if self.unseen:
            yield f"levels that no training row has: {quote_first_five(self.unseen)}"
        for blanks, how in (
            (self.blank_numbers, "filled with the median of the training rows"),
            (self.blank_categories, "taken as the commonest level"),
        ):
            if blanks:
                places = [f"{count} in {quote(name)}" for name, count in blanks.items()]
                yield (
                    f"{sum(blanks.values())} blanks in the training rows, {how}: "
                    f"{list_first_five(places)}"
                )


def iterate_columns(features: Any) -> Iterator[tuple[np.ndarray, int]]:
    """Yield each column's stored values, and the number of its zeros not stored.

    The features are a matrix or a `csr_array`.
    """
    rows, columns = features.shape
    if scipy.sparse.issparse(features):
        by_column = features.tocsc()
        for values in np.split(by_column.data, by_column.indptr[1:-1]):
            yield values, rows - len(values)
        return
    width = max(1, _BLOCK_BYTES // (features.itemsize * max(1, rows)))
    for start in range(0, columns, width):
        yield from (
            (values, 0)
            for values in np.ascontiguousarray(features[:, start : start + width].T)
        )


def _compute_median(present: np.ndarray, zeros: int) -> float:
    """Return the median of the values and `zeros` zeros."""
    count = len(present) + zeros
    negative = int(np.count_nonzero(present < 0)) if zeros else 0
    middle = []
    for place in ((count - 1) // 2, count // 2):
        if negative <= place < negative + zeros:
            middle.append(0.0)
        else:
            place -= zeros if place >= negative else 0
            middle.append(float(np.partition(present, place)[place]))
    return sum(middle) / 2


def _compute_moments(
    present: np.ndarray, zeros: int, blanks: int, median: float
) -> tuple[float, float]:
    """Return mean and variance of the values, the zeros, and the blanks as medians.

    The sums are of differences from the median. It lies within a standard deviation of
    the mean, so subtracting the square of their mean loses no digits, and blanks add
    nothing.
    """
    count = len(present) + zeros + blanks
    difference = present.astype(np.float64) - median
    shift = (difference.sum() - zeros * median) / count
    square = (difference @ difference + zeros * median**2) / count
    return float(median + shift), float(max(square - shift**2, 0.0))


def _set_scaling(layer: Preprocessing, mean: np.ndarray, variance: np.ndarray) -> None:
    """Set the powers of two and the statistics of the layer's normalisation."""
    factor = 2.0 ** -np.floor(np.log2(np.sqrt(variance)))
    layer.factor.assign(factor)
    normalization: keras.layers.Normalization = layer.normalization
    count = np.zeros((), "int32")  # Keras keeps it only for old files
    normalization.set_weights([mean * factor, variance * factor**2, count])
    normalization.finalize_state()


def find_range(values: np.ndarray) -> tuple[float, ...]:
    """Return the least and the largest value; nothing if there are no values."""
    return (float(values.min()), float(values.max())) if len(values) else ()
