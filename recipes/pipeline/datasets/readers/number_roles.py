"""What numbers stand for: names of rows, codes of categories, or "not known"."""

import re
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]

# Different whole numbers that fill so much of their range are row numbers.
_FILLED = 2 / 3
# Numbers that chance would have repeated about so often, but that never repeat, are
# names, too. Fewer might be days or measurements at equal distances.
_EXPECTED_REPEATS = 50
_YEARS = (1500, 2100)
_ROWS = 8  # that a column of names has at least
_ID = re.compile(r"(?:^|[\W_])(?i:id|ids|uuid|guid|rownum)$|[a-z](?:Id|ID)$")
_MOST_CODES = 10
_SAMPLE = 100_000  # rows
_REPEATED = 0.01  # share of the rows that a mark for "not known" has
_GAP = 1.0  # between such a mark and the other values, in their range


def name_rows(name: str, values: Vector) -> bool:
    """Return whether numbers name the rows, as an id does, and measure nothing.

    They are whole, all different, and fill most of their range, as row numbers do, or
    chance would have repeated many of them, or the column is called an id.

    Args:
        name: The column's.
        values: [n]; NaN is a blank.
    """
    known = values[~np.isnan(values)]
    if len(known) < _ROWS or not np.array_equal(known[:1000], np.rint(known[:1000])):
        return False
    if len(np.unique(known[:1000])) < len(known[:1000]):
        return False
    low, high = known.min(), known.max()
    if _YEARS[0] <= low and high <= _YEARS[1]:
        return False
    if len(np.unique(known)) < len(known) or np.any(known % 1):
        return False
    size = high - low + 1
    repeats = len(known) ** 2 / (2 * size)
    return bool(
        len(known) >= _FILLED * size or repeats >= _EXPECTED_REPEATS or _ID.search(name)
    )


def count_codes(values: Vector) -> int:
    """Return how many different whole numbers there are if there are few; else 0.

    Args:
        values: [n]; NaN is a blank.
    """
    sample = values[:_SAMPLE]
    known = sample[~np.isnan(sample)]
    if np.any(known[:1000] % 1):
        return 0
    different = np.unique(known)
    is_few = 2 < len(different) <= _MOST_CODES and not np.any(different % 1)
    return len(different) if is_few and len(known) >= 5 * len(different) else 0


def find_marks(values: Vector) -> Iterator[float]:
    """Yield values that may mean "not known": repeated, and far from all others.

    Args:
        values: [n]; NaN is a blank.
    """
    sample = values[:_SAMPLE]
    known = np.sort(sample[~np.isnan(sample)])
    for ordered, sign in ((known, 1), (-known[::-1], -1)):
        if not len(ordered):
            return
        mark = ordered[0]
        number = int(np.searchsorted(ordered, mark, side="right"))
        others = ordered[number:]
        if len(others) < _ROWS or mark % 1:
            continue
        gap, spread = others[0] - mark, others[-1] - others[0]
        if number >= max(3, _REPEATED * len(known)) and gap > _GAP * spread > 0:
            yield float(sign * mark)
