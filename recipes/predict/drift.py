"""How far the columns have drifted from the training rows.

The population stability index of a column compares its share of rows in each bin,
p in the training rows and q in the new ones: PSI = Σ (q − p) ln(q/p), over the bins of
its values and one for blanks. It is 0 for equal shares. A bin without rows counts as
one with half a row.

The index of rows that are drawn from the training rows' distribution is not 0 either:
it is about a χ² variable of bins − 1 degrees of freedom times 1/m + 1/n, for m training
rows and n new ones (Yurdakul and Naranjo, 2020). What 19 of 20 such draws stay below is
called chance.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from recipes.errors import quote
from recipes.pipeline.datasets.columns_file import ColumnsFile
from recipes.pipeline.datasets.training_distribution import Distribution

SHIFTED, STRONGLY_SHIFTED = 0.1, 0.25
_MOST_SHOWN = 20
_BY_CHANCE = 0.95
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Drift:
    """A column's drift.

    Attributes:
        column: Its name.
        index: The population stability index.
        chance: What the index of rows without drift hardly exceeds.
    """

    column: str
    index: float
    chance: float

    @property
    def reading(self) -> str:
        """What the index says."""
        if self.index < SHIFTED:
            return "stable"
        if self.index <= self.chance:
            return "stable: so few rows may differ so much by chance"
        return "strongly shifted" if self.index > STRONGLY_SHIFTED else "shifted"


def compute_drift(
    column: str, training: Distribution, training_rows: int, counts: Counts
) -> Drift:
    """Compute a column's drift.

    Args:
        column: Its name.
        training: Its distribution over the training rows.
        training_rows: Their number, m.
        counts: New rows in each bin of `training`, then the blanks, then, for a
            categorical column, the rows with other texts.
    """
    rows = int(counts.sum())
    shares = np.zeros(len(counts))
    before = [*training.shares, training.blank_share]
    shares[: len(before)] = before
    is_used = (shares > 0) | (counts > 0)
    p = np.maximum(shares[is_used], 0.5 / training_rows)
    q = np.maximum(counts[is_used], 0.5) / rows
    freedom = max(1, int(is_used.sum()) - 1)
    chance = stats.chi2.ppf(_BY_CHANCE, freedom) * (1 / training_rows + 1 / rows)
    return Drift(column, float(((q - p) * np.log(q / p)).sum()), float(chance))


def compute_all(columns: ColumnsFile, counts: Mapping[str, Counts]) -> list[Drift]:
    """Compute the drift of each column whose rows were counted, the largest first."""
    found = [
        compute_drift(name, columns.training[name], columns.training_rows, each)
        for name, each in counts.items()
    ]
    return sorted(found, key=lambda drift: -drift.index)


def describe(drifts: list[Drift]) -> Iterator[str]:
    """Yield the lines of a table, the largest drift first."""
    shown = drifts[:_MOST_SHOWN]
    if not shown:
        return
    width = max(len(quote(drift.column)) for drift in shown)
    yield "drift from the training rows, by the population stability index (PSI):"
    for drift in shown:
        name = quote(drift.column).ljust(width)
        yield f"  {name}  {drift.index:7.3f}  {drift.reading}"
    if rest := drifts[_MOST_SHOWN:]:
        yield f"  and {len(rest)} more columns, of {rest[0].index:.3f} at most"
