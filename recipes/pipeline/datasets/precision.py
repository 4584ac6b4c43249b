"""Which columns float32 tells apart, and which need float64.

float32 has 24 bits, which suffice for most columns and take half the memory. Among
seconds since 1970, some 1.7·10⁹, its numbers lie 128 apart.
"""

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse

from recipes.errors import quote
from recipes.pipeline.datasets.description import Examples, FeatureMatrix
from recipes.pipeline.datasets.in_place_matrix import GrowingMatrix
from recipes.pipeline.datasets.source import Source, quote_first_five

_LOSS = 1e-5  # that rounding may change a value by, in the column's standard deviations
_MERGED = 0.01  # share of a sample's different values that may become equal
_SAMPLE = 1000  # rows
_BLOCK_BYTES = 4 << 20

Mask = npt.NDArray[np.bool_]


def find_wide_columns(
    features: FeatureMatrix, *, is_part: bool = False, exact: Mask | None = None
) -> Mask:
    """Return which columns vary so little that float32 does not tell them apart, [d].

    These are the columns that rounding to float32 changes by more than 10⁻⁵ standard
    deviations somewhere, or in which it merges more than 1 % of the different values
    in a sample of 1000 rows.

    Args:
        features: [n, d], dense or CSR; NaN is a blank.
        is_part: Whether more rows follow, so that a column that does not vary may yet
            do so.
        exact: Columns that rounding must not change at all, [d]. Defaults to `None`:
            there are none.
    """
    if features.dtype == np.float32 or not features.shape[0]:
        return np.zeros(features.shape[1], bool)
    error, deviation = _measure_rounding(features)
    wide: Mask = (error > _LOSS * deviation) & ((deviation > 0) | is_part)
    if exact is not None:
        wide |= exact & (error > 0)
    inexact = np.flatnonzero((error > 0) & ~wide)
    if len(inexact):
        sample = sample_rows(features)[:, inexact]
        wide[inexact] = find_merged(sample, _round(sample))
    return wide


def find_merged(before: FeatureMatrix, after: FeatureMatrix) -> Mask:
    """Return which columns have lost more than 1 % of their different values, [d].

    Args:
        before: [n, d] values, dense or CSR; NaN is a blank.
        after: [n, d] what has become of them.
    """
    counts = _count_different(before)
    merged: Mask = counts - _count_different(after) > _MERGED * counts
    return merged


def sample_rows(features: FeatureMatrix) -> FeatureMatrix:
    """Return at most a thousand rows at equal distances."""
    rows = features.shape[0]
    return features[np.linspace(0, rows - 1, min(rows, _SAMPLE)).astype(np.int64)]


def settle(found: Source) -> Source:
    """Hold a source's columns in float32, except where it does not tell them apart.

    If there are such columns, the matrix stays float64, and only the others' values are
    rounded to float32, so that training and serving see the same. The pixels of images
    are judged together. Dates are not rounded, as it might be to the next day.
    """
    features = found.train.features
    if found.image_shape:
        wide = np.repeat(find_wide_columns(features.reshape(-1, 1)), features.shape[1])
    else:
        dates = np.array([column.kind == "date" for column in found.columns], bool)
        wide = find_wide_columns(features, exact=dates)
    columns = tuple(
        dataclasses.replace(column, dtype="float64") if is_wide else column
        for column, is_wide in zip(found.columns, wide, strict=True)
    )
    return dataclasses.replace(
        found,
        columns=columns,
        train=_settle_rows(found.train, wide),
        test=found.test and _settle_rows(found.test, wide),
        notes=(*found.notes, *_describe(found, wide)),
    )


def choose_offset(
    name: str, target: npt.NDArray[np.float64]
) -> tuple[float, tuple[str, ...]]:
    """Return a value amid the targets if float32 does not tell them apart; else 0.

    The second result are notes about it.

    Args:
        name: The target's name.
        target: [n].
    """
    column = target[:, np.newaxis]
    if not find_wide_columns(column)[0]:
        return 0.0, ()
    offset = float(np.partition(target, len(target) // 2)[len(target) // 2])
    return offset, (
        f"{quote(name)} is learned less {offset:.17g} and predicted as a 64-bit float, "
        "as 32 bits would merge values",
        *describe_merged([name], column),
    )


def describe_large_labels(
    name: str, labels: npt.NDArray[np.float64]
) -> tuple[str, ...]:
    """Note whether numbers that are labels of classes are too large for float64.

    Args:
        name: The target's name.
        labels: [n].
    """
    if np.abs(labels).max() < 2**53:
        return ()
    return (
        f"{quote(name)} has whole numbers from 2^53 on, which 64-bit floats round; "
        "classes that are neighbours become one: write them as text",
    )


def describe_merged(names: Iterable[str], features: FeatureMatrix) -> Iterator[str]:
    """Note which columns even float64 does not tell apart.

    Args:
        names: The columns' names, d.
        features: [n, d] float64, dense or CSR.
    """
    _, deviation = _measure_rounding(features)
    sizes = abs(features)
    if scipy.sparse.issparse(sizes):
        sizes = sizes.max(axis=0).toarray().reshape(1, -1)
    lost = np.spacing(np.fmax.reduce(sizes, axis=0)) > _LOSS * deviation
    merged = [name for name, is_lost in zip(names, lost, strict=True) if is_lost]
    if merged:
        yield f"even 64-bit floats merge values of {quote_first_five(merged)}"


class GrowingFeatures(GrowingMatrix):
    """A growing matrix that is float32 as long as that tells its columns apart.

    Each block is judged together with the first rows, so that a short last block is
    not mistaken for a column that hardly varies.

    Args:
        width: Number of columns.
        exact: Columns that rounding must not change at all, [width], such as dates.
            Defaults to `None`: there are none.
    """

    def __init__(self, width: int, exact: Mask | None = None) -> None:
        super().__init__(width)
        self._exact = exact
        self._head = np.empty((0, width))

    def append(self, block: npt.NDArray[Any]) -> None:
        """Add rows [b, width], float64."""
        if self.dtype == np.float32:
            head = self._head
            head = np.pad(head, ((0, 0), (0, self.width - head.shape[1])))
            rows = np.concatenate([head, block])
            if find_wide_columns(rows, is_part=True, exact=self._exact).any():
                self.convert(np.float64)
            self._head = head if len(head) else sample_rows(block)
        super().append(block)


def _settle_rows(rows: Examples, wide: Mask) -> Examples:
    features = rows.features
    if not wide.any():
        narrow = features.astype(np.float32, copy=False)
        return dataclasses.replace(rows, features=narrow)
    features = features.astype(np.float64, copy=False)
    if scipy.sparse.issparse(features):
        narrow = ~wide[features.indices]
        features.data[narrow] = _round(features.data[narrow])
    else:
        for block in _iterate_blocks(features):
            np.copyto(block, _round(block), where=~wide)
    return dataclasses.replace(rows, features=features)


def _describe(found: Source, wide: Mask) -> Iterator[str]:
    if not wide.any():
        return
    columns = [found.columns[place] for place in np.flatnonzero(wide)]
    if inputs := [column.name for column in columns if not column.format]:
        yield (
            "64-bit floats, also as inputs of the SavedModel, as 32 bits would merge "
            f"values: {quote_first_five(inputs)}"
        )
    names = [column.name for column in columns]
    yield from describe_merged(names, found.train.features[:, wide])


def _measure_rounding(features: FeatureMatrix) -> tuple[Any, Any]:
    """Return the largest change by rounding, and the standard deviation, [d] each.

    Numbers beyond float32 have no change; readers refuse them.
    """
    if scipy.sparse.issparse(features):
        return _measure_sparse(features)
    known, total, square, error = np.zeros((4, features.shape[1]))
    first = next(_iterate_blocks(features)).astype(np.float64)
    origin = np.nan_to_num(np.fmin.reduce(first, axis=0))
    for block in _iterate_blocks(features):
        change = np.abs(block - _round(block))
        error = np.fmax(error, np.fmax.reduce(change, axis=0))
        difference = np.nan_to_num(block - origin)
        known += len(block) - np.isnan(block).sum(axis=0)
        total += difference.sum(axis=0)
        square += np.einsum("ij,ij->j", difference, difference)
    known = np.maximum(known, 1)
    return error, np.sqrt(np.maximum(square / known - (total / known) ** 2, 0))


def _measure_sparse(features: Any) -> tuple[Any, Any]:
    rows, width = features.shape
    places = features.indices
    values = features.data
    mean = np.bincount(places, values, width) / rows
    square = np.bincount(places, (values - mean[places]) ** 2, width)
    square += (rows - np.bincount(places, minlength=width)) * mean**2
    deviation = np.sqrt(square / rows)
    deviation[deviation < 1e-14 * np.abs(mean)] = 0  # the mean's rounding error
    error = np.zeros(width)
    np.maximum.at(error, places, np.abs(values - _round(values)))
    return error, deviation


def _count_different(values: FeatureMatrix) -> npt.NDArray[np.int64]:
    """Count the different values in each column, blanks and zeros not stored aside."""
    if scipy.sparse.issparse(values):
        order = np.lexsort((values.data, values.indices))
        places, stored = values.indices[order], values.data[order]
        new = np.append(True, (np.diff(places) != 0) | (np.diff(stored) != 0))[
            : len(stored)
        ]
        return np.bincount(places[new & ~np.isnan(stored)], minlength=values.shape[1])
    ordered = np.sort(values, axis=0)  # NaN comes last
    new = ordered[1:] != ordered[:-1]
    return np.asarray((new & ~np.isnan(ordered[1:])).sum(axis=0) + 1)


def _round(values: FeatureMatrix) -> FeatureMatrix:
    """Round to float32, numbers that TensorFlow takes for zero to 0."""
    with np.errstate(over="ignore", under="ignore"):
        rounded = values.astype(np.float32)
    stored = rounded.data if scipy.sparse.issparse(rounded) else rounded
    stored[np.abs(stored) < np.finfo(np.float32).tiny] = 0
    return rounded


def _iterate_blocks(features: npt.NDArray[Any]) -> Iterator[npt.NDArray[Any]]:
    step = max(1, _BLOCK_BYTES // (features.itemsize * max(1, features.shape[1])))
    for start in range(0, len(features), step):
        yield features[start : start + step]
