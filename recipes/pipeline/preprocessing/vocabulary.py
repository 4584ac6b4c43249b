"""The terms of a column of free text, learned from the texts of the training rows."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from layers.text_features import TextFeatures, split_words

_BATCH = 1024  # texts
_LEAST_ROWS = 2  # that have a term: of a single row there is nothing to learn

Counts = npt.NDArray[np.int64]


class Vocabulary(NamedTuple):
    """The terms of a column, and how much each weighs.

    Attributes:
        terms: Words, and pairs of words with a space between.
        inverse_frequency: ln(1 + n/(1 + rows)) of each, [terms] float64, for a term
            that `rows` of the n rows have.
    """

    terms: tuple[str, ...]
    inverse_frequency: npt.NDArray[np.float64]


def learn_vocabulary(texts: Sequence[str], counts: Counts, most: int) -> Vocabulary:
    """Choose the commonest words and pairs of words that two rows or more have.

    Equally common ones are taken in the order of their UTF-8, so the vocabulary does
    not depend on the order of the rows.

    Args:
        texts: Different texts.
        counts: The number of rows of each, [n], positive.
        most: The number of terms to choose at most.
    """
    words = _count_words(texts, counts)
    # A pair is no commoner than its words. So the pairs of other words are not needed.
    common = [word for word, _ in _sort(words)[:most]]
    pairs = _count_pairs(texts, counts, common)
    terms = [term.decode() for term, _ in _sort(words | pairs)[:most]]
    rows = _count_rows(texts, counts, terms)
    kept = np.flatnonzero(rows >= _LEAST_ROWS)
    weights = np.log1p(counts.sum() / (1 + rows[kept]))
    return Vocabulary(tuple(terms[place] for place in kept), weights)


def _sort(counts: Counter[bytes]) -> list[tuple[bytes, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _cut(texts: Sequence[str], counts: Counts) -> Iterator[tuple[tf.Tensor, Counts]]:
    for start in range(0, len(texts), _BATCH):
        part = slice(start, start + _BATCH)
        yield tf.constant(texts[part]), counts[part]


def _count_words(texts: Sequence[str], counts: Counts) -> Counter[bytes]:
    found: Counter[bytes] = Counter()
    for part, rows in _cut(texts, counts):
        words = split_words(part)
        different, places = tf.unique(words.flat_values)
        _add(found, different.numpy(), places.numpy(), rows[words.value_rowids()])
    return found


def _count_pairs(
    texts: Sequence[str], counts: Counts, common: Sequence[bytes]
) -> Counter[bytes]:
    """Count the pairs of neighbours that are both common."""
    codes_of = {word: code for code, word in enumerate(common)}
    totals: Counter[int] = Counter()
    for part, rows in _cut(texts, counts):
        words = split_words(part)
        codes = np.array([codes_of.get(w, -1) for w in words.flat_values.numpy()], int)
        row = words.value_rowids().numpy()
        is_pair = (row[1:] == row[:-1]) & (codes[1:] >= 0) & (codes[:-1] >= 0)
        pairs = (codes[:-1] * len(common) + codes[1:])[is_pair]
        different, places = np.unique(pairs, return_inverse=True)
        _add(totals, different, places, rows[row[1:][is_pair]])
    found: Counter[bytes] = Counter()
    for pair, total in totals.items():
        first, second = divmod(pair, len(common))
        found[common[first] + b" " + common[second]] = total
    return found


def _add(totals: Counter[Any], different: Any, places: Any, counts: Any) -> None:
    """Add the counts of what stands at each place of the different ones."""
    sums = np.zeros(len(different), np.int64)
    np.add.at(sums, places, counts)
    for each, total in zip(different.tolist(), sums.tolist(), strict=True):
        totals[each] += total


def _count_rows(texts: Sequence[str], counts: Counts, terms: Sequence[str]) -> Counts:
    """Count the rows that have each term."""
    layer = TextFeatures(terms)
    total = np.zeros(len(terms), np.int64)
    for part, rows in _cut(texts, counts):
        total += rows @ (layer.count(part).numpy() > 0)
    return total
