"""The design matrix: how the columns of the data become those of the model.

Each needs its median, mean and variance over the training rows.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import keras
import numpy as np
import scipy.sparse
import tensorflow as tf

from layers.calendar_parts import CalendarParts
from layers.preprocessing import Preprocessing
from recipes.errors import quote
from recipes.pipeline.datasets import Column, precision
from recipes.pipeline.datasets.description import BLANK_LEVEL
from recipes.pipeline.datasets.source import list_first_five, quote_first_five
from recipes.pipeline.preprocessing.vocabulary import Vocabulary, learn_vocabulary

# Least range of a column that varies. TensorFlow flushes less to zero in float32; in
# float64 the square has to stay above zero.
SMALLEST = {"float32": float(np.finfo(np.float32).tiny), "float64": 1e-150}
_BLOCK_BYTES = 64 * 2**20  # copied at a time from a dense matrix
_BLOCK_DATES = 2**16  # taken apart at a time
_LEAST_TURN = 1e-9  # by which sine or cosine vary, unless it is by rounding alone

# Where an output's source is: a raw column, what marks its blanks, or a part of a date.
Block = Literal["raw", "blank", "part"]


@dataclass
class DesignMatrix:
    """The description of a design matrix, built column by column."""

    # One per raw column.
    medians: list[float] = field(default_factory=list)
    # One per output.
    names: list[str] = field(default_factory=list)
    sources: list[tuple[Block, int]] = field(default_factory=list)  # number in a block
    levels: list[int] = field(default_factory=list)  # code, -1 for a number
    means: list[float] = field(default_factory=list)
    variances: list[float] = field(default_factory=list)
    # Numbers of the raw columns whose blanks are marked, and of the dates.
    indicators: list[int] = field(default_factory=list)
    dates: list[int] = field(default_factory=list)
    # Of the columns of free text, by number.
    texts: dict[int, tuple[Column, Vocabulary]] = field(default_factory=dict)
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
        self._add_numbers(number, column, present, zeros, blanks, median)

    def add_date(
        self, number: int, column: Column, present: np.ndarray, blanks: int
    ) -> None:
        """Add a column of dates: the days, and the number of its blanks."""
        # A day that occurs: between two of them might be at noon.
        middle = (len(present) - 1) // 2
        median = float(np.partition(present, middle)[middle])
        self._add_numbers(number, column, present, 0, blanks, median)
        means, variances, varies = _measure_parts(present, blanks, median)
        first = len(self.dates) * len(varies)
        if not varies.any():
            return
        self.dates.append(number)
        for place in np.flatnonzero(varies):
            self._add_output(
                f"{column.name} {CalendarParts.PARTS[place]}",
                ("part", first + int(place)),
                -1,
                means[place],
                variances[place],
            )

    def _add_numbers(
        self,
        number: int,
        column: Column,
        present: np.ndarray,
        zeros: int,
        blanks: int,
        median: float,
    ) -> None:
        """Add numbers that vary, and a mark of blanks if there are any."""
        self.medians.append(median)
        extremes = [*find_range(present), *([0.0] if zeros else [])]
        if max(extremes) - min(extremes) >= SMALLEST[column.dtype]:
            mean, variance = _compute_moments(present, zeros, blanks, median)
            self._add_output(column.name, ("raw", number), -1, mean, variance)
            sample = precision.sample_rows(present[:, np.newaxis].astype(np.float64))
            scaled = (sample - mean) / np.sqrt(variance)
            if precision.find_merged(sample, scaled.astype(np.float32)).any():
                self.merged.append(column.name)
        elif not blanks:
            self.constant.append(column.name)
        if blanks:
            self.blank_numbers[column.name] = blanks
            share = blanks / (len(present) + zeros + blanks)
            source: tuple[Block, int] = ("blank", len(self.indicators))
            name = f"{column.name}={BLANK_LEVEL}"
            self._add_output(name, source, -1, share, share * (1 - share))
            self.indicators.append(number)

    def add_scaled(self, number: int, column: Column, size: float) -> None:
        """Add a numeric column that is divided by its largest absolute value."""
        self.medians.append(0.0)
        if size < SMALLEST[column.dtype]:
            self.constant.append(column.name)
        else:
            self._add_output(column.name, ("raw", number), -1, 0.0, size**2)

    def add_categorical(
        self, number: int, column: Column, present: np.ndarray, unknown: int
    ) -> None:
        """Add a categorical column: its codes, and the number of rows without one."""
        self.medians.append(np.nan)
        counts = np.bincount(present.astype(np.int64), minlength=len(column.levels))
        reference = int(counts.argmax())
        if counts[reference] == len(present):
            self.constant.append(column.name)
            return
        for code, level in enumerate(column.level_names):
            name = f"{column.name}={level}"
            if not counts[code]:
                self.unseen.append(name)
            elif code != reference:
                share = counts[code] / (len(present) + unknown)
                source: tuple[Block, int] = ("raw", number)
                self._add_output(name, source, code, share, share * (1 - share))
            if counts[code] and not column.levels[code]:
                self.blank_categories[column.name] = int(counts[code])

    def add_text(
        self, number: int, column: Column, present: np.ndarray, most: int
    ) -> None:
        """Add a column of free text: the places of its texts, and how many terms."""
        self.medians.append(np.nan)
        used, counts = np.unique(present.astype(np.int64), return_counts=True)
        texts = [column.texts[place] for place in used]
        self.texts[number] = column, learn_vocabulary(texts, counts, most)

    @property
    def output_names(self) -> tuple[str, ...]:
        """The names of the outputs, those of free texts last."""
        terms = (
            f"{column.name}: {term}"
            for column, vocabulary in self.texts.values()
            for term in vocabulary.terms
        )
        return (*self.names, *terms)

    def _add_output(
        self,
        name: str,
        source: tuple[Block, int],
        level: int,
        mean: float,
        variance: float,
    ) -> None:
        self.names.append(name)
        self.sources.append(source)
        self.levels.append(level)
        self.means.append(mean)
        self.variances.append(variance)

    def build_layer(self) -> Preprocessing:
        """Build the layer that computes the matrix."""
        width = len(self.medians)
        starts = {"raw": 0, "blank": width, "part": width + len(self.indicators)}
        sources = [starts[block] + place for block, place in self.sources]
        unchanged = sources == list(range(width)) and set(self.levels) == {-1}
        layer = Preprocessing(
            None if unchanged else len(self.names),
            len(self.indicators),
            len(self.dates),
            [vocabulary.terms for _, vocabulary in self.texts.values()],
        )
        layer.build((None, width))
        for features, (_, learned) in zip(
            layer.texts, self.texts.values(), strict=True
        ):
            features.inverse_frequency.assign(learned.inverse_frequency)
        layer.known_texts = tuple(
            (number, tf.constant(column.texts))
            for number, (column, _) in self.texts.items()
        )
        layer.imputation.median.assign(self.medians)
        if layer.design is not None:
            layer.design.source.assign(sources)
            layer.design.level.assign(self.levels)
        if self.indicators:
            layer.indicator.assign(self.indicators)
        if self.dates:
            layer.dates.assign(self.dates)
        _set_scaling(layer, np.array(self.means), np.array(self.variances))
        layer.output_names = self.output_names
        layer.notes = tuple(self.write_notes())
        return layer

    def write_notes(self) -> Iterator[str]:
        """Write what was dropped and filled, in sentences."""
        for column, (terms, _) in self.texts.values():
            yield f"{quote(column.name)}: free text, " + (
                f"{len(terms):,} words and pairs of words"
                if terms
                else "dropped, as no two training rows have a word in common"
            )
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
            (
                self.blank_numbers,
                "filled with the median and marked by an input of their own",
            ),
            (self.blank_categories, "a level of their own"),
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


def _measure_parts(
    present: np.ndarray, blanks: int, median: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return mean and variance of the parts of dates, and whether each varies.

    Blanks count as the median, one of the dates.
    """
    take_apart = CalendarParts(dtype="float64")
    days, counts = np.unique(present.astype(np.float64), return_counts=True)
    counts[np.searchsorted(days, median)] += blanks
    origin = take_apart(days[:1]).numpy()
    total, square = np.zeros((2, len(origin)))
    low = high = np.zeros(len(origin))
    for start in range(0, len(days), _BLOCK_DATES):
        block = slice(start, start + _BLOCK_DATES)
        difference = take_apart(days[block, np.newaxis]).numpy() - origin
        total += counts[block] @ difference
        square += counts[block] @ difference**2
        low = np.minimum(low, difference.min(axis=0))
        high = np.maximum(high, difference.max(axis=0))
    shift = total / counts.sum()
    variance = square / counts.sum() - shift**2
    return origin + shift, variance, high - low > _LEAST_TURN


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
