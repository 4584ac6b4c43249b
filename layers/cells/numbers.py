"""Numbers as people write them."""

import re
from collections.abc import Iterable
from typing import Any

import tensorflow as tf

from layers.cells.blanks import SPACE, clean, is_blank

# An example of how 1000 (or, if thousands are not grouped, 1) is written with a
# decimal: `$1,000.0`, `1.0%`, `1.000,0`, `1,0 kg`, `(1,000.0)`.
NUMBER_FORMAT = re.compile(
    r"(?P<open>\()?"
    r"(?P<prefix>[^\d()+\-\u2212\"]*)"
    r"1(?:(?P<group>[.,'’ \u00a0\u2009\u202f])000)?(?P<decimal>[.,])0"
    r"(?P<suffix>[^\d()\"][^()\"]*)?"
    r"(?P<close>\))?"
)
# Characters that are written for each other.
_ALIKE = ("'’", " \u00a0\u2009\u202f")
_SIGN = r"[+\-\x{2212}]"


def check_number_format(format: str) -> re.Match[str]:
    """Check a number format, and return the match of its parts.

    Raises:
        ValueError: There is no such format.
    """
    parts = NUMBER_FORMAT.fullmatch(format or "1.0")
    if (
        parts is None
        or (parts["open"] is None) != (parts["close"] is None)
        or parts["group"] == parts["decimal"]
    ):
        raise ValueError(
            "`format` should show how 1000.0 or 1.0 is written, as `$1,000.0`, "
            f"`1.0%` or `1,0 kg`, or be a pattern of dates. Received: {format=}"
        )
    return parts


def parse_numbers(texts: Any, format: str = "", na_values: Iterable[str] = ()) -> Any:
    """Parse numbers that are all written in one way.

    A text has to fit in its whole length: it has the prefix and the suffix of the
    format, if there are any, with or without white space between, and its thousands are
    all grouped or not at all. A sign stands before or after the prefix. If the format
    has parentheses, a number within them is negative; one without has its sign. A
    suffix changes no value: 37% is 37.

    Args:
        texts: Strings of any shape.
        format: How 1000.0 or 1.0 is written: an optional `(`, a prefix, `1`, perhaps a
            group sign and `000`, a decimal sign, `0`, a suffix and `)`. Without prefix
            and suffix, exponents are read as well. Defaults to "", which is `1.0`, or
            infinity.
        na_values: Texts that are blank, besides `BLANKS`. Defaults to none.

    Returns:
        A float64 tensor of the same shape, NaN for texts that are blank or do not fit.

    Raises:
        ValueError: There is no such format.
    """
    parts = check_number_format(format)
    bare = clean(texts)
    pattern = _write_pattern(parts, infinity=not format)
    fits = tf.strings.regex_full_match(bare, pattern)
    if na_values := list(na_values):  # the other blanks do not fit
        fits &= ~is_blank(bare, na_values)
    captured = r"\1\2\3" if parts["open"] else r"\1"
    digits = tf.strings.regex_replace(bare, pattern, captured)
    if parts["group"]:
        digits = tf.strings.regex_replace(digits, _write_class(parts["group"]), "")
    digits = tf.strings.regex_replace(digits, ",", ".")
    size = tf.strings.to_number(tf.where(fits, digits, "nan"), tf.float64)
    # The prefix has no such sign, so that one before the first digit is the number's.
    negative = tf.strings.regex_full_match(bare, r"[^\d]*[(\-\x{2212}](?s:.*)")
    return tf.where(negative, -size, size)


def _write_pattern(parts: re.Match[str], *, infinity: bool) -> str:
    """Write the pattern of a text, the size of the number captured as 1, 2 or 3."""
    prefix, suffix = (
        re.escape((parts[name] or "").strip()) for name in ("prefix", "suffix")
    )
    whole = r"\d+"
    if parts["group"]:
        whole = rf"(?:\d{{1,3}}(?:{_write_class(parts['group'])}\d{{3}})+|\d+)"
    exponent = "" if prefix or suffix else r"(?:[eE][+-]?\d+)?"
    decimal = re.escape(parts["decimal"])
    size = rf"(?:{whole}(?:{decimal}\d*)?|{decimal}\d+){exponent}"
    if infinity:
        size += "|(?i:inf|infinity)"
    gap = f"{SPACE}*"
    before = f"(?:{_SIGN}{gap}{prefix}|{prefix}{gap}{_SIGN}|{prefix}){gap}"
    forms = [f"{before}({size}){gap}{suffix}"]
    if parts["open"]:
        forms += [
            rf"\({gap}{prefix}{gap}({size}){gap}{suffix}{gap}\)",
            rf"{prefix}{gap}\({gap}({size}){gap}\){gap}{suffix}",
        ]
    return f"^(?:{'|'.join(forms)})$"


def _write_class(sign: str) -> str:
    alike = next((each for each in _ALIKE if sign in each), sign)
    return f"[{alike}]"
