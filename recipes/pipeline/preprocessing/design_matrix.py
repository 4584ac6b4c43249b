"""The design matrix: which columns of the data become which of the model's.

And what each needs for that: its median, mean and variance over the training rows.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import scipy.sparse

from layers.preprocessing import Preprocessing
from recipes.pipeline.datasets import Column
from recipes.pipeline.datasets.source import list_first_five, quote_first_five

SMALLEST = float(np.finfo(np.float32).tiny)  # TensorFlow takes less for zero
_BLOCK_BYTES = 64 * 2**20  # of a dense matrix, copied at a time


@dataclass
class DesignMatrix:
    """The design matrix as it grows, column by column."""

    medians: list[float] = field(default_factory=list)  # one per raw column
    names: list[str] = field(default_factory=list)  # this and the rest per output
    sources: list[int] = field(default_factory=list)
    levels: list[int] = field(default_factory=list)
    means: list[float] = field(default_factory=list)
    variances: list[float] = field(default_factory=list)
    constant: list[str] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)
    filled: dict[str, int] = field(default_factory=dict)
    referred: dict[str, int] = field(default_factory=dict)

    def add_numeric(
        self, number: int, column: Column, present: np.ndarray, zeros: int, blanks: int
    ) -> None:
        """Adds a column of numbers: those stored, so many zeros and so many blanks."""
        median = _compute_median(present, zeros)
        self.medians.append(median)
        if blanks:
            self.filled[column.name] = blanks
        extremes = [*find_range(present), *([0.0] if zeros else [])]
        if max(extremes) - min(extremes) < SMALLEST:
            self.constant.append(column.name)
        else:
            mean, variance = _compute_moments(present, zeros, blanks, median)
            self._add_output(column.name, number, -1, mean, variance)

    def add_categorical(
        self, number: int, column: Column, present: np.ndarray, blanks: int
    ) -> None:
        """Adds a column of categories: codes, and so many blanks."""
        self.medians.append(np.nan)
        if blanks:
            self.referred[column.name] = blanks
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
        """The built layer that makes the matrix."""
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
        layer.notes = tuple(self._write_notes())
        return layer

    def _write_notes(self) -> Iterator[str]:
        if self.constant:
            names = quote_first_five(self.constant)
            yield f"dropped, the same in all training rows: {names}"
        if self.unseen:
            yield f"levels that no training row has: {quote_first_five(self.unseen)}"
        for blanks, how in (
            (self.filled, "filled with the median of the training rows"),
            (self.referred, "taken as the commonest level"),
        ):
            if blanks:
                places = [f"{count} in {name!r}" for name, count in blanks.items()]
                yield (
                    f"{sum(blanks.values())} blanks in the training rows, {how}: "
                    f"{list_first_five(places)}"
                )


def iterate_columns(features: Any) -> Iterator[tuple[np.ndarray, int]]:
    """Each column's stored values, and the number of its zeros that are not stored.

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
    """The median of the values and that many zeros, as float32 holds it."""
    count = len(present) + zeros
    negative = int(np.count_nonzero(present < 0)) if zeros else 0
    middle = []
    for place in ((count - 1) // 2, count // 2):
        if negative <= place < negative + zeros:
            middle.append(0.0)
        else:
            place -= zeros if place >= negative else 0
            middle.append(float(np.partition(present, place)[place]))
    return float(np.float32(sum(middle) / 2))


def _compute_moments(
    present: np.ndarray, zeros: int, blanks: int, median: float
) -> tuple[float, float]:
    """Mean and variance of the values, that many zeros, and blanks at the median.

    The sums are of differences from the median, which lies within a standard
    deviation of the mean: so subtracting the square of their mean loses no digits, and
    the blanks add nothing.
    """
    count = len(present) + zeros + blanks
    difference = present.astype(np.float64) - median
    shift = (difference.sum() - zeros * median) / count
    square = (difference @ difference + zeros * median**2) / count
    return float(median + shift), float(max(square - shift**2, 0.0))


def _set_scaling(layer: Preprocessing, mean: np.ndarray, variance: np.ndarray) -> None:
    """Sets the powers of two and the statistics of the layer's normalisation."""
    exponent = np.clip(-np.floor(np.log2(np.sqrt(variance))), -126, 126)
    factor = 2.0**exponent
    layer.factor.assign(factor)
    normalization: keras.layers.Normalization = layer.normalization
    count = np.zeros((), "int32")  # Keras keeps it for old files only
    normalization.set_weights([mean * factor, variance * factor**2, count])
    normalization.finalize_state()


def find_range(values: np.ndarray) -> tuple[float, ...]:
    """The least and the largest of the values; nothing of none."""
    return (float(values.min()), float(values.max())) if len(values) else ()
