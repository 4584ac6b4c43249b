"""How a column's values are distributed over the training rows, in a few numbers."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from recipes.pipeline.datasets.description import Column, Data

_MOST_ROWS = 100_000  # that a distribution is taken from
_TENTHS = np.arange(11) / 10


@dataclass(frozen=True)
class Distribution:
    """A column's distribution: the shares of its bins and of its blanks.

    A numeric column's bins are divided by its deciles, see `cuts`; a categorical
    column's are its levels.

    Attributes:
        shares: Of the rows in each bin, [bins].
        blank_share: Of the rows that are blank. With it the shares add up to 1.
        deciles: The least value, the nine deciles and the largest value of a numeric
            column; empty for a categorical one.
        levels: The levels of a categorical column; empty for a numeric one.
        below_largest: The second largest different value of a numeric column, if the
            largest is its ninth decile already; else None.
    """

    shares: tuple[float, ...]
    blank_share: float
    deciles: tuple[float, ...] = ()
    levels: tuple[str, ...] = ()
    below_largest: float | None = None

    @property
    def cuts(self) -> npt.NDArray[np.float64]:
        """The largest value of each bin but the last, [bins - 1], rising."""
        return find_cuts(self.deciles, self.below_largest)

    def to_json(self) -> dict[str, Any]:
        """Return the entry `training` of `columns.json`."""
        if self.levels:
            shares = dict(zip(self.levels, self.shares, strict=True))
            return {"blank_share": self.blank_share, "shares": shares}
        entry = {
            "blank_share": self.blank_share,
            "deciles": list(self.deciles),
            "shares": list(self.shares),
        }
        if self.below_largest is not None:
            entry["below_largest"] = self.below_largest
        return entry

    @classmethod
    def from_json(cls, entry: Any, levels: Sequence[str]) -> "Distribution":
        """Read the entry `training` of `columns.json`.

        Args:
            entry: What stands there.
            levels: The column's, if it is categorical. Some may have no share.

        Raises:
            ValueError: It is wrong; the message says what it should be.
        """
        entry = entry if isinstance(entry, dict) else {}
        blank, shares = entry.get("blank_share"), entry.get("shares")
        deciles, below = entry.get("deciles", []), entry.get("below_largest")
        if levels and isinstance(shares, dict) and set(shares) <= set(levels):
            found = [shares.get(level, 0.0) for level in levels]
            if not deciles and _are_shares([blank, *found]):
                return cls(tuple(found), blank, levels=tuple(levels))
        elif not levels and isinstance(shares, list) and _are_rising(deciles):
            fits = below is None or (_is_number(below) and below < deciles[-1])
            fits = fits and len(shares) == len(find_cuts(deciles, below)) + 1
            if fits and _are_shares([blank, *shares]):
                deciles = tuple(map(float, deciles))
                return cls(tuple(shares), blank, deciles, below_largest=below)
        kind = "each level's share" if levels else "11 rising deciles and bins' shares"
        raise ValueError(
            f"expected blank_share and {kind}, which add up to 1; remove the entry "
            "where the training rows do not matter"
        )


def find_cuts(
    deciles: Sequence[float], below_largest: float | None = None
) -> npt.NDArray[np.float64]:
    """Return where a numeric column's values are divided into bins.

    A value that many rows share is several deciles at once; it divides only once. If it
    is the largest, it has a bin of its own. So a column of zeros and ones has two bins,
    however rare one of them is.

    Args:
        deciles: The 11 deciles, from the least to the largest value.
        below_largest: The second largest value, if the ninth decile is the largest.

    Returns:
        The different values among these and the nine inner deciles that are less than
        the largest value: bin i holds what is above cut i - 1, up to cut i.
    """
    extra = [] if below_largest is None else [below_largest]
    inner = np.unique(np.asarray([*deciles[1:-1], *extra], np.float64))
    return inner[inner < deciles[-1]]


def count_bins(
    values: npt.NDArray[Any], cuts: npt.NDArray[np.float64]
) -> npt.NDArray[np.int64]:
    """Count the values in each bin, and the blanks.

    Args:
        values: [n], NaN for a blank.
        cuts: As of `find_cuts`.

    Returns:
        [bins + 1], the last one for the blanks.
    """
    # In the values' dtype, as cuts are written in as few digits as tell floats apart.
    places = np.searchsorted(cuts.astype(values.dtype), values, side="left")
    places[np.isnan(values)] = len(cuts) + 1
    return np.bincount(places, minlength=len(cuts) + 2)


def describe_training(data: Data) -> tuple[dict[str, Distribution], int]:
    """Describe each column's distribution over the training rows.

    Above 100,000 rows, it is taken from rows at equal distances.

    Args:
        data: A table's rows, dense.

    Returns:
        The distributions by column, without those of free text and those that are
        blank in these rows, and the number of rows.
    """
    features = data.train.features
    rows = features[:: math.ceil(len(features) / _MOST_ROWS)]
    columns = data.description.columns
    return {
        column.name: describe_column(column, rows[:, place])
        for place, column in enumerate(columns)
        if column.kind != "text" and not np.isnan(rows[:, place]).all()
    }, len(rows)


def describe_column(column: Column, values: npt.NDArray[Any]) -> Distribution:
    """Describe the distribution of a column's values.

    Args:
        column: The column.
        values: [n] numbers, or codes of the column's levels; NaN for a blank. Not all
            are blank.
    """
    below = None
    if column.kind == "categorical":
        places = np.where(np.isnan(values), len(column.levels), values).astype(int)
        counts = np.bincount(places, minlength=len(column.levels) + 1)
        deciles: tuple[float, ...] = ()
    else:
        values = values.astype(column.dtype)
        filled = values[~np.isnan(values)]
        # Values that occur: between two of them a decile could be no float32.
        found = np.quantile(filled, _TENTHS, method="inverted_cdf")
        deciles = tuple(float(str(decile)) for decile in found)
        lesser = filled[filled < found[-1]]
        if found[-2] == found[-1] and len(lesser):
            below = float(str(lesser.max()))
        counts = count_bins(values, find_cuts(deciles, below))
    *shares, blank = (counts / len(values)).tolist()
    return Distribution(tuple(shares), blank, deciles, column.levels, below)


def _are_shares(values: list[Any]) -> bool:
    return all(_is_number(value) and 0 <= value <= 1 for value in values) and (
        abs(sum(values) - 1) < 1e-6
    )


def _are_rising(values: Any) -> bool:
    return (
        isinstance(values, list)
        and len(values) == len(_TENTHS)
        and all(map(_is_number, values))
        and all(a <= b for a, b in itertools.pairwise(values))
    )


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)
