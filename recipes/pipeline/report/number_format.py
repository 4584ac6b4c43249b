"""Numbers for readers: few digits, as in 1,234.5, −0.52 or 1.2 × 10⁻⁹; and dates."""

import math
import re
import unicodedata

import numpy as np

MISSING = "–"  # noqa: RUF001  (the dash for a missing value)
_MINUS = "\N{MINUS SIGN}"
_TIMES = "\N{MULTIPLICATION SIGN}"
_SPACE = "\N{NO-BREAK SPACE}"
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float | None, digits: int = 4) -> str:
    """Format a number with `digits` significant digits; integers have no decimals.

    Numbers below 0.001 and from 10,000,000 on are written as powers of ten, None as a
    dash, and NaN as `not a number`.
    """
    if value is None:
        return MISSING
    if math.isnan(value):
        return "not a number"
    if math.isinf(value):
        return "∞" if value > 0 else _MINUS + "∞"
    if value == round(value) and abs(value) < 1e7:
        return _with_minus_sign(f"{value:,.0f}")
    power = int(f"{value:.{digits - 1}e}".partition("e")[2])
    if -3 <= power < 7:
        return _with_minus_sign(f"{value:,.{max(digits - 1 - power, 0)}f}")
    return scientific(value, digits)


def scientific(value: float, digits: int = 3) -> str:
    """Format a number as a power of ten, with at most three digits; 0 is 0."""
    if value == 0:
        return "0"
    mantissa, _, exponent = f"{value:.{min(digits, 3) - 1}e}".partition("e")
    short = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    power = power_of_ten(int(exponent))
    return f"{_with_minus_sign(short)}{_SPACE}{_TIMES}{_SPACE}{power}"


def power_of_ten(exponent: int) -> str:
    """Format an exponent: 10⁻⁹ for −9."""
    return "10" + str(exponent).translate(_SUPERSCRIPTS)


def percent(share: float, digits: int = 3) -> str:
    """Format a share as a percentage; 100 % is never the result of rounding up."""
    if 0.9995 <= share < 1:
        return f"more than 99.9{_SPACE}%"
    return f"{number(100 * share, digits)}{_SPACE}%"


def share(value: float) -> str:
    """Format a share, such as R², with three decimals; NaN is a dash."""
    if math.isnan(value):
        return MISSING
    return number(value) if abs(value) >= 1000 else _with_minus_sign(f"{value:z.3f}")


def count(size: int, noun: str) -> str:
    """Format a number of things: `1 test row`, `89 test rows`."""
    return f"{number(size)}{_SPACE}{noun}{'' if size == 1 else 's'}"


def count_rows(size: int, weights: str) -> str:
    """Format a number of test rows, and by which column they are weighted, if any."""
    return count(size, "test row") + (
        f", weighted by {quoted(weights)}" * bool(weights)
    )


def describe_weights(column: str) -> str:
    """Return a sentence on what the weights of rows do to scores."""
    return (
        f"A row counts as often as {quoted(column)} says, in the fit and in every "
        "score. Tables of classes and rows count each row once."
    )


def quantity(value: float | None, unit: str, digits: int = 4) -> str:
    """Format a number with its unit, if it has one."""
    return f"{number(value, digits)}{_SPACE}{unit}" if unit else number(value, digits)


def date(days: float, format: str) -> str:
    """Format days since 1970-01-01 as ISO 8601: `2024-02-29 18:45`.

    Args:
        days: the days; NaN is a dash.
        format: the `strptime` pattern of the column, which tells whether there are days
            and times.
    """
    if math.isnan(days):
        return MISSING
    moment = np.datetime64(round(days * 86_400), "s")
    day, _, time = str(moment).partition("T")
    shown = [day] if re.search("%[Yy]", format) else []
    if re.search("%[HIMS]", format):
        shown.append(time if "%S" in format else time[:5])
    return " ".join(shown)


def quoted(name: str) -> str:
    """Put a name from the data in quotation marks."""
    return f"\N{LEFT SINGLE QUOTATION MARK}{name}\N{RIGHT SINGLE QUOTATION MARK}"


def one_part_in(share: float) -> str:
    """Format a tiny share as a guaranteed precision: 3e-10 gives `1 part in 10⁹`.

    Float64 is no more precise than 1 part in 10¹⁵. Shares above 0.1 % are percentages.
    """
    if share > 1e-3:
        return percent(share)
    power = 15 if share <= 1e-15 else math.floor(-math.log10(share) + 1e-9)
    return f"1 part in{_SPACE}{power_of_ten(power)}"


def duration(seconds: float) -> str:
    """Format a duration: `0.42 s`, `3 min 12 s`."""
    if seconds < 60:
        return f"{number(seconds, 3)}{_SPACE}s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{number(minutes)}{_SPACE}min {rest}{_SPACE}s"


def memory(size: float) -> str:
    """Format an amount of memory in decimal units: `512 MB`, `1.23 GB`."""
    unit, scale = ("GB", 1e9) if size >= 1e9 else ("MB", 1e6)
    return f"{number(size / scale, 3)}{_SPACE}{unit}"


def shorten(text: str, width: int) -> str:
    """Return one printable line of at most `width` columns, cut in the middle if long.

    Labels in figures can neither wrap nor contain control characters.
    """
    line = "".join(c for c in " ".join(text.split()) if c.isprintable())
    if columns(line) <= width:
        return line
    head, tail = line[:width], line[-width:]
    while columns(head) > (width - 1) * 2 // 3:
        head = head[:-1]
    while columns(tail) > width - 1 - columns(head):
        tail = tail[1:]
    return f"{head.rstrip()}…{tail.lstrip()}"


def columns(text: str) -> int:
    """Return the width of a line; wide East Asian characters count as two."""
    return sum(1 + (unicodedata.east_asian_width(c) in "WF") for c in text)


def _with_minus_sign(digits: str) -> str:
    return digits.replace("-", _MINUS)
