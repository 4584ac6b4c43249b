"""Cells that say nothing, and what around a cell says nothing."""

import re
from collections.abc import Iterable
from typing import Any

import tensorflow as tf

# Blank where a number or a date should be, yet levels among other texts: many tables
# have the classes "+" and "-", and "None" may well mean that there is no garage.
PLACEHOLDERS = frozenset({"-", "--", ".", "None"})

# What spreadsheets, databases, R, pandas and people write for what they do not know.
# "none" is missing here, as it is a word: no pool, no child, no pain.
BLANKS = PLACEHOLDERS | {
    *("", "?", "NA", "N/A", "n/a", "#N/A", "<NA>"),
    *("NaN", "nan", "NULL", "null"),
}

# One character of white space, in any script, or a byte order mark.
SPACE = r"[\s\v\pZ\x{feff}]"


def clean(texts: Any) -> Any:
    """Strip white space around texts, and double quotes with white space within.

    Args:
        texts: Strings of any shape.

    Returns:
        A string tensor of the same shape. Only a pair of quotes with none between them
        is stripped.
    """
    texts = tf.convert_to_tensor(texts, tf.string)
    bare = tf.strings.regex_replace(texts, f"^{SPACE}+|{SPACE}+$", "")
    return tf.strings.regex_replace(bare, f'^"{SPACE}*([^"]*?){SPACE}*"$', r"\1")


def is_blank(texts: Any, na_values: Iterable[str] = ()) -> Any:
    """Return which texts stand for a value that is not known.

    Args:
        texts: Strings of any shape.
        na_values: Texts that do so besides `BLANKS`. Defaults to none.

    Returns:
        A Boolean tensor of the same shape.
    """
    return _match(clean(texts), [*sorted(BLANKS), *clean_words(na_values)])


def blank_out(texts: Any, na_values: Iterable[str] = ()) -> Any:
    """Clean texts, and replace those that say nothing by "".

    Args:
        texts: Strings of any shape.
        na_values: Texts that do so besides `BLANKS` without `PLACEHOLDERS`. Defaults to
            none.

    Returns:
        A string tensor of the same shape.
    """
    cleaned = clean(texts)
    blanks = [*sorted(BLANKS - PLACEHOLDERS), *clean_words(na_values)]
    return tf.where(_match(cleaned, blanks), "", cleaned)


def clean_words(words: Iterable[str]) -> list[str]:
    """Clean words outside any graph, where they can be seen."""
    words = list(words)
    with tf.init_scope():
        return [word.decode() for word in clean(words).numpy()] if words else []


def _match(texts: Any, words: Iterable[str]) -> Any:
    """Return which texts are one of the words."""
    pattern = "|".join(map(re.escape, words))
    return tf.strings.regex_full_match(texts, f"(?:{pattern})")
