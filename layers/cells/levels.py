"""The codes of a categorical column's texts."""

from collections.abc import Iterable, Sequence
from typing import Any

import tensorflow as tf

from layers.cells.blanks import BLANKS, PLACEHOLDERS, clean, clean_words


def encode_levels(
    texts: Any, levels: Sequence[str], na_values: Iterable[str] = ()
) -> Any:
    """Return the place of each text in the list of levels.

    Args:
        texts: Strings of any shape.
        levels: The levels. "" among them is the blank; the others are not blank, even
            if they look so.
        na_values: Texts that are blank, besides `BLANKS` without `PLACEHOLDERS`.
            Defaults to none.

    Returns:
        A float64 tensor of the same shape: the code, or NaN for a text that is no
        level.

    Raises:
        ValueError: Two levels are equal without white space and quotes around them.
    """
    return look_up(make_table(levels, na_values), texts)


def make_table(
    levels: Sequence[str], na_values: Iterable[str] = ()
) -> tf.lookup.StaticHashTable:
    """Make the table of `encode_levels` for `look_up`."""
    words = clean_words(levels)
    codes = {word: code for code, word in enumerate(words)}
    if len(codes) < len(words):
        raise ValueError(
            "`levels` should differ in more than white space and quotes around them. "
            f"Received: levels={list(levels)}"
        )
    if "" in codes:
        for word in [*sorted(BLANKS - PLACEHOLDERS), *clean_words(na_values)]:
            codes.setdefault(word, codes[""])
    codes = codes or {"": -1}  # TensorFlow has no empty tables
    # Whole numbers, because LiteRT has tables from strings to no others.
    return tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(
            tf.constant(list(codes), tf.string, (len(codes),)),
            tf.constant(list(codes.values()), tf.int64, (len(codes),)),
        ),
        default_value=-1,
    )


def look_up(table: tf.lookup.StaticHashTable, texts: Any) -> Any:
    """Return the codes of texts by a table; see `encode_levels`."""
    codes = table.lookup(clean(texts))
    nan = tf.constant(float("nan"), tf.float64)
    return tf.where(codes < 0, nan, tf.cast(codes, tf.float64))
