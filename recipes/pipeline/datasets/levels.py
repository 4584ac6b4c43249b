"""Texts as numbers: the levels of categorical columns and the names of classes."""

import re
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

BLANKS = frozenset({"", "?", "NA", "N/A", "NaN", "nan", "null", "NULL"})

# What counts as a number in a file. Python's own `float` also takes "1_000" and digits
# of other scripts, which the CSV reader does not.
NUMBER = r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|(?i:inf|infinity|nan))"
_NUMBER = re.compile(NUMBER, re.ASCII)

_MOST_LEVELS = 100
_FEW_LEVELS = 20


def is_number(text: str) -> bool:
    """Say whether a cell's text is a number."""
    return _NUMBER.fullmatch(text.strip()) is not None


def is_blank(text: str) -> bool:
    """Say whether a cell's text stands for nothing."""
    return text.strip() in BLANKS


def too_varied(levels: int, filled: int) -> bool:
    """Say whether a text column tells rows apart instead of grouping them.

    Args:
        levels: Different texts.
        filled: Rows that are not blank.
    """
    return levels > _MOST_LEVELS or (levels > _FEW_LEVELS and levels == filled)


def number_name(value: float) -> str:
    """Write a number as a class name: 3.0 as "3", 0.5 as "0.5"."""
    return str(int(value)) if value == int(value) else repr(float(value))


def natural(texts: Iterable[str]) -> list[str]:
    """Sort texts: as numbers where all are, otherwise as text."""
    texts = list(texts)
    if all(is_number(text) for text in texts):
        return sorted(texts, key=lambda text: (float(text), text))
    return sorted(texts)


class Levels:
    """The different texts of one column, numbered as they first appear."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._code = {text: code for code, text in enumerate(texts)}

    def code(self, text: str) -> int:
        """Give a text's code; a new text gets the next number."""
        return self._code.setdefault(text, len(self._code))

    def codes(self, texts: Sequence[str | None]) -> npt.NDArray[np.float64]:
        """Give each text's code, NaN for a blank; new texts get the next numbers."""
        codes = np.full(len(texts), np.nan)
        for place, text in enumerate(texts):
            if text is not None and not is_blank(text):
                codes[place] = self.code(text.strip())
        return codes

    def __len__(self) -> int:
        return len(self._code)

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts, in the order of their codes."""
        return tuple(self._code)


def look_up(
    codes: npt.NDArray[np.floating], table: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Give `table[code]` for each code, NaN for NaN.

    Args:
        codes: [n] whole numbers or NaN.
        table: [number of codes].
    """
    blank = np.isnan(codes)
    found = np.append(table, np.nan)[np.where(blank, len(table), codes).astype(int)]
    return np.asarray(found)
