"""How a column's numbers are written, if not plainly: `$2.39`, `37%`, `1.069,59`."""

import re
import unicodedata
from collections.abc import Iterable, Sequence

# Codes of currencies that stand before or after a number, besides the signs.
_CURRENCIES = frozenset(
    {
        *("AUD", "BRL", "CAD", "CHF", "CNY", "CZK", "DKK", "EUR", "GBP", "HKD", "HUF"),
        *("IDR", "ILS", "INR", "JPY", "KRW", "MXN", "MYR", "NOK", "NZD", "PHP", "PLN"),
        *("RON", "RUB", "SEK", "SGD", "THB", "TRY", "TWD", "UAH", "USD", "VND", "ZAR"),
        *("Rs", "Rs.", "Fr.", "kr", "zł"),
    }
)
_DRESSED = re.compile(
    r"(?P<open>\()?(?P<sign>[+-])?(?P<prefix>[^\d\s().,+'-][^\d\s()+-]*?)?\s*"
    r"(?P<inner>[+-])?(?P<body>\d[\d.,' \u00a0\u202f]*?|[.,]\d+)"
    r"(?P<suffix>\s*[^\d\s().,+'\"-][^\d()+,\"]*)?(?P<close>\))?"
)
_LONGEST_UNIT = 12
_GROUPS = ("", ",", ".", "'", " ", "\u00a0", "\u202f")


def detect_number_format(
    texts: Sequence[str], *, decimal: str = "", prefers_comma: bool = False
) -> tuple[str, bool]:
    """Detect how numbers are written.

    Args:
        texts: Different texts of a column, without blanks around them, none empty.
        decimal: The decimal sign, if it is known: "." or ",".
        prefers_comma: Whether a comma that may be either is a decimal sign, as in a
            table whose cells semicolons separate.

    Returns:
        An example, as in `Column.format`, "" if they are not all numbers of one
        format; and whether a sign was taken for what it may not be: 1,069 may be 1069
        or 1.069.
    """
    found = [_DRESSED.fullmatch(text) for text in texts]
    matches = [match for match in found if match]
    if not matches or len(matches) < len(found):
        return "", False
    prefixes = {match["prefix"] or "" for match in matches}
    suffixes = {match["suffix"] or "" for match in matches}
    if len(prefixes) > 1 or len({each.strip() for each in suffixes}) > 1:
        return "", False
    prefix, suffix = prefixes.pop(), min(suffixes, key=len)
    if not (_is_currency(prefix) and len(suffix.strip()) <= _LONGEST_UNIT):
        return "", False
    if any(bool(match["open"]) != bool(match["close"]) for match in matches):
        return "", False
    signs, is_guess = _detect_signs(
        [m["body"] for m in matches], decimal, prefers_comma
    )
    if signs is None:
        return "", False
    group, point = signs
    thousand = f"1{group}000" if group else "1"
    written = f"{prefix}{thousand}{point}0{suffix}"
    if any(match["open"] for match in matches):
        written = f"({written})"
    return written, is_guess


def _is_currency(prefix: str) -> bool:
    """Return whether what stands before numbers is a currency, or nothing."""
    return (
        not prefix
        or prefix in _CURRENCIES
        or any(unicodedata.category(letter) == "Sc" for letter in prefix)
    )


def _detect_signs(
    bodies: Iterable[str], decimal: str, prefers_comma: bool
) -> tuple[tuple[str, str] | None, bool]:
    """Return the signs of groups and of decimals that fit all numbers, if any."""
    bodies = list(bodies)
    points = [decimal] if decimal else [".", ","]
    fitting = [
        (group, point)
        for group in _GROUPS
        for point in points
        if group != point and _fits(bodies, group, point)
    ]
    used = [
        (group, point)
        for group, point in fitting
        if not group or any(group in body for body in bodies)
    ]
    if not used:
        return None, False
    by_comma = [signs for signs in used if signs == ("", ",")]
    by_groups = [signs for signs in used if signs == (",", ".")]
    if by_comma and by_groups:
        return (by_comma if prefers_comma else by_groups)[0], True
    return used[0], False


def _fits(bodies: Iterable[str], group: str, point: str) -> bool:
    g, p = re.escape(group), re.escape(point)
    whole = rf"(?:[1-9]\d{{0,2}}(?:{g}\d{{3}})+|\d+)" if group else r"\d+"
    pattern = re.compile(rf"{whole}(?:{p}\d*)?|{p}\d+")
    return all(pattern.fullmatch(body) for body in bodies)
