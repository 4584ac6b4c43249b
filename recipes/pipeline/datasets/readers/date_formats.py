"""How a column's dates and times are written."""

import datetime
import re
from collections.abc import Iterator, Sequence

import numpy as np

from layers import cells

_TIME = re.compile(
    r"(?P<gap>[T\s]*)\d{1,2}:\d{2}(?P<second>:\d{2}(?:\.\d+)?)?"
    r"(?P<half>\s*[AaPp]\.?[Mm]\.?)?(?P<gap2>\s*)(?P<zone>Z|[+-]\d{2}:?\d{2})?$"
)
# A date's parts, and what stands between them.
_PARTS = re.compile(r"\d+|[A-Za-z]{3,}")
_BETWEEN = frozenset({"/", "-", ".", " ", ", ", ""})
# What is further from today is hardly a date: 1500 to 2100.
_FIRST_DAY, _LAST_DAY = (
    float((datetime.date(year, 1, 1) - datetime.date(1970, 1, 1)).days)
    for year in (1500, 2100)
)
_SAMPLE = 1000  # texts that are tried before all are


def detect_date_format(name: str, texts: Sequence[str]) -> tuple[str, str]:
    """Detect how dates are written.

    Args:
        name: The column's, which tells whether 20240131 is a date.
        texts: Different texts of the column, without blanks around them, none empty.

    Returns:
        A pattern, as in `Column.format`, "" if they are not all dates of one form; and
        a second one that fits all of them as well, "" if there is none: whether the day
        or the month comes first.
    """
    fitting = [
        pattern
        for pattern in dict.fromkeys(_propose(name, texts[0]))
        if _fits(texts[:_SAMPLE], pattern) and _fits(texts, pattern)
    ]
    return (*fitting, "", "")[0], (*fitting, "", "")[1]


def _fits(texts: Sequence[str], pattern: str) -> bool:
    days = cells.parse_dates(list(texts), pattern).numpy()
    if "%Y" in pattern and np.any((days < _FIRST_DAY) | (days > _LAST_DAY)):
        return False  # other numbers of four digits
    return not np.isnan(days).any()


def _propose(name: str, text: str) -> Iterator[str]:
    """Propose patterns that a text may have been written by, the likeliest first."""
    date, time = text, ""
    if found := _TIME.search(text):
        date = text[: found.start()]
        hour = "%I" if found["half"] else "%H"
        time = f"{found['gap']}{hour}:%M{':%S' if found['second'] else ''}"
        time += re.sub(r"[AaPp]\.?[Mm]\.?", "%p", found["half"] or "")
        time += found["gap2"] + ("%z" if found["zone"] else "")
    if not date:
        yield time.lstrip()
        return
    parts = _PARTS.findall(date)
    between = _PARTS.split(date)
    signs = set(between[1:-1])
    is_apart = len(signs) < 2 or any(part.isalpha() for part in parts)
    if between[0] or between[-1] or not (signs <= _BETWEEN and is_apart):
        return
    for codes in _orders(name, parts):
        pieces = [piece + code for piece, code in zip(between, codes, strict=False)]
        yield "".join(pieces) + between[-1] + time


def _orders(name: str, parts: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield what the parts of a date may be."""
    year = ["%Y" if len(part) == 4 else "%y" for part in parts]
    is_word = [part.isalpha() for part in parts]
    if len(parts) == 1 and len(parts[0]) == 8 and not is_word[0]:
        if re.search(r"date|day|time", name, re.IGNORECASE):
            yield ("%Y%m%d",)
    elif len(parts) == 2 and len(parts[0]) == 4:
        yield "%Y", "%b" if is_word[1] else "%m"
    elif len(parts) == 2 and len(parts[1]) == 4:
        yield "%b" if is_word[0] else "%m", "%Y"
    elif len(parts) == 3 and len(parts[0]) == 4 and not is_word[0]:
        yield "%Y", "%b" if is_word[1] else "%m", "%d"
    elif len(parts) == 3 and is_word[0]:
        yield "%b", "%d", year[2]
    elif len(parts) == 3 and is_word[1]:
        yield "%d", "%b", year[2]
    elif len(parts) == 3 and not any(is_word):
        yield "%d", "%m", year[2]
        yield "%m", "%d", year[2]
