"""Dates and times as people write them, as days since 1970-01-01."""

import re
from collections.abc import Iterable
from typing import Any

import tensorflow as tf

from layers.cells.blanks import SPACE, clean, is_blank

_MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july"),
    *("august", "september", "october", "november", "december"),
)
# How the parts of a date are written. A digit before `?` may be left out, unless there
# are other digits right before or after.
_PARTS = {
    "Y": r"\d{4}",
    "y": r"\d{2}",
    "m": r"1[0-2]|0?[1-9]",
    "d": r"3[01]|[12]\d|0?[1-9]",
    "b": "(?i:" + "|".join(("sept", *_MONTHS, *(m[:3] for m in _MONTHS))) + ")",
    "H": r"2[0-3]|[01]?\d",
    "I": r"1[0-2]|0?[1-9]",
    "p": r"(?i:[ap]\.?m\.?)",
    "M": r"[0-5]?\d",
    "S": r"[0-5]?\d",
    "f": r"\d+",
    "z": r"Z|[+-](?:2[0-3]|[01]\d)(?::?[0-5]\d)?",
}
_DIGITS = frozenset("YymdHIMSf")
_SAME = str.maketrans("ybI", "YmH")  # parts that say the same
_FRACTION = "fraction"  # of a second: no part of the format, as any second may have it
_DAY = 86_400_000_000  # microseconds


def check_date_format(format: str) -> None:
    """Check a date format.

    Raises:
        ValueError: There is no such format.
    """
    signs = re.findall("%(.?)", format)
    known = "".join(signs).translate(_SAME)
    fault = ""
    if unknown := [sign for sign in signs if sign not in _PARTS]:
        fault = f"%{unknown[0]} is none of {' '.join(f'%{sign}' for sign in _PARTS)}"
    elif not signs:
        fault = "it has no part of a date"
    elif len(set(known)) < len(signs):
        fault = "it has a part twice"
    elif set(known) & set("md") and "Y" not in known:
        fault = "it has a month or a day but no year"
    elif "d" in known and "m" not in known:
        fault = "it has a day but no month"
    elif "p" in signs and "I" not in signs:
        fault = "%p needs %I"
    if fault:
        raise ValueError(
            "`format` should be a pattern of dates, as `%Y-%m-%d %H:%M`; "
            f"{fault}. Received: {format=}"
        )


def parse_dates(texts: Any, format: str, na_values: Iterable[str] = ()) -> Any:
    """Parse dates and times that are all written in one way.

    As Python's `strptime`, with these differences: any second may have a fraction, of
    which the first six digits count; months have their short or long English names
    wherever `%b` stands; `a.m.` is AM. Days, months, hours, minutes and seconds have
    one digit or two, but two where other digits are next to them. Years of two digits
    are from 1969 to 2068.

    Args:
        texts: Strings of any shape.
        format: A pattern of `%Y %y %m %d %b %H %I %p %M %S %f %z` and literal
            characters. Dates with `%z` are converted to UTC.
        na_values: Texts that are blank, besides `BLANKS`. Defaults to none.

    Returns:
        A float64 tensor of the same shape: days since 1970-01-01, with the time of day
        as a fraction, or this fraction alone if the format has no year. NaN for texts
        that are blank or do not fit, and for dates that do not exist.

    Raises:
        ValueError: There is no such format.
    """
    check_date_format(format)
    tokens = _split_format(format)
    bare = clean(texts)
    fits = tf.strings.regex_full_match(bare, _write_pattern(tokens))
    if na_values := list(na_values):  # the other blanks do not fit
        fits &= ~is_blank(bare, na_values)

    def read(sign: str) -> Any:
        part = tf.strings.regex_replace(bare, _write_pattern(tokens, sign), r"\1")
        return tf.where(fits, part, "")

    parts = {sign: read(sign) for sign in tokens if sign in (*_PARTS, _FRACTION)}
    day, exists = _count_days(parts)
    time = day * _DAY + _count_microseconds(parts)
    days = tf.cast(time, tf.float64) / _DAY
    return tf.where(fits & exists, days, tf.constant(float("nan"), tf.float64))


def days_from_civil(year: Any, month: Any, day: Any) -> Any:
    """Return the days from 1970-01-01 to a date of the Gregorian calendar.

    Args:
        year: int64 tensor.
        month: int64 tensor, from 1 to 12.
        day: int64 tensor, from 1.
    """
    # Years from March on, so that the leap day is the last; 400 of them repeat.
    year = year - tf.cast(month <= 2, tf.int64)
    month = (month + 9) % 12
    era, year = year // 400, year % 400
    return (
        era * 146_097
        + year * 365
        + year // 4
        - year // 100
        + (153 * month + 2) // 5
        + day
        - 1
        - 719_468
    )


def count_days_of_month(year: Any, month: Any) -> Any:
    """Return the number of days of a month, int64 as its arguments."""
    one = tf.ones_like(year)
    following = days_from_civil(year + month // 12, month % 12 + 1, one)
    return following - days_from_civil(year, month, one)


def _split_format(format: str) -> list[str]:
    """Split a format into the signs of its parts, a fraction, and literal texts.

    Literals are classes of one character, which tells them from signs.
    """
    format = re.sub("%S[.,]%f", "%S", format)
    tokens = []
    for sign, space, literal in re.findall(r"%(.)|(\s+)|(.)", format):
        tokens.append(sign or (f"{SPACE}+" if space else f"[{re.escape(literal)}]"))
        if sign == "S" and "%f" not in format:
            tokens.append(_FRACTION)
    return tokens


def _write_pattern(tokens: list[str], captured: str = "") -> str:
    """Write the pattern of a date, with one part captured."""
    pattern = ""
    for place, token in enumerate(tokens):
        part = _PARTS.get(token, token)
        neighbours = {*tokens[max(place - 1, 0) : place], *tokens[place + 1 :][:1]}
        if token in _DIGITS and neighbours & _DIGITS:
            part = part.replace("?", "")
        if token == _FRACTION:
            mark = "" if token == captured else "?:"
            pattern += rf"(?:[.,]({mark}\d+))?"
        else:
            pattern += f"({part})" if token == captured else f"(?:{part})"
    return f"^{pattern}$"


def _count_days(parts: dict[str, Any]) -> tuple[Any, Any]:
    """Return the days since 1970-01-01, and whether there is such a date."""
    if not {"Y", "y"} & set(parts):
        return tf.constant(0, tf.int64), True
    if "Y" in parts:
        year = _to_integers(parts["Y"])
    else:
        year = _to_integers(parts["y"])
        year += tf.where(year < 69, tf.constant(2000, tf.int64), 1900)
    month = day = tf.ones_like(year)
    if "m" in parts:
        month = _to_integers(parts["m"])
    elif "b" in parts:
        starts = [name[:3] for name in _MONTHS]
        start = tf.strings.substr(tf.strings.lower(parts["b"]), 0, 3)
        month = tf.argmax(start[..., tf.newaxis] == tf.constant(starts), axis=-1) + 1
    if "d" in parts:
        day = _to_integers(parts["d"])
    exists = (year >= 1) & (day <= count_days_of_month(year, month))
    return days_from_civil(year, month, day), exists


def _count_microseconds(parts: dict[str, Any]) -> Any:
    """Return the time of day in UTC, in microseconds."""
    hour = minute = second = micro = zone = tf.constant(0, tf.int64)
    if "H" in parts:
        hour = _to_integers(parts["H"])
    elif "I" in parts:
        hour = _to_integers(parts["I"]) % 12
        if "p" in parts:
            is_afternoon = tf.strings.regex_full_match(parts["p"], "(?i:p.*)")
            hour += 12 * tf.cast(is_afternoon, tf.int64)
    if "M" in parts:
        minute = _to_integers(parts["M"])
    if "S" in parts:
        second = _to_integers(parts["S"])
    if digits := [parts[sign] for sign in ("f", _FRACTION) if sign in parts]:
        micro = _to_integers(tf.strings.substr(digits[0] + "000000", 0, 6))
    if "z" in parts:
        digits = tf.strings.regex_replace(parts["z"], "[^0-9]", "") + "0000"  # Z is 0
        zone = 60 * _to_integers(tf.strings.substr(digits, 0, 2))
        zone += _to_integers(tf.strings.substr(digits, 2, 2))
        is_west = tf.strings.regex_full_match(parts["z"], "-.*")
        zone = tf.where(is_west, -zone, zone)
    minutes = hour * 60 + minute - zone
    return (minutes * 60 + second) * 1_000_000 + micro


def _to_integers(digits: Any) -> Any:
    """Return whole numbers from digits, 0 from an empty text."""
    return tf.strings.to_number("0" + digits, tf.int64)
