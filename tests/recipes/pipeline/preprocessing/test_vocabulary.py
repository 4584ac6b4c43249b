"""The vocabulary of a column of free text."""

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recipes.pipeline.preprocessing import vocabulary
from recipes.pipeline.preprocessing.vocabulary import learn_vocabulary


def learn(*texts, counts=None, most=2000):
    counts = np.ones(len(texts), int) if counts is None else np.array(counts)
    return learn_vocabulary(texts, counts, most)


def test_by_hand():
    terms, weights = learn("red apple", "the red car", "blue car")
    assert terms == ("car", "red")  # no other term is in two rows
    np.testing.assert_allclose(weights, np.log(1 + 3 / 3), rtol=1e-12)


def test_a_text_counts_once_for_each_of_its_rows():
    terms, weights = learn("a b", "a c", counts=[2, 1])
    assert terms == ("a", "a b", "b")
    np.testing.assert_allclose(weights, np.log(1 + 3 / np.array([4, 3, 3])))


def test_the_commonest_terms_are_taken_and_ties_by_name():
    texts = ["b b b a", "a c b", "c"]
    assert learn(*texts, most=2).terms == ("b", "a")
    assert learn(*texts[::-1], most=2).terms == ("b", "a")
    assert learn(*texts, most=1).terms == ("b",)


def test_no_term_in_two_rows():
    assert learn("one two", "three", "").terms == ()


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.lists(st.sampled_from("abcdé"), max_size=6), min_size=1, max_size=8),
    st.integers(1, 12),
    st.data(),
)
def test_it_is_the_plain_count_of_all_terms(rows, most, data):
    counts = data.draw(
        st.lists(st.integers(1, 3), min_size=len(rows), max_size=len(rows))
    )
    total, having = Counter(), Counter()
    for row, n in zip(rows, counts, strict=True):
        pairs = [" ".join(pair) for pair in itertools.pairwise(row)]
        for term in [*row, *pairs]:
            total[term] += n
        for term in {*row, *pairs}:
            having[term] += n
    order = sorted(total, key=lambda term: (-total[term], term.encode()))[:most]
    expected = [term for term in order if having[term] > 1]
    terms, weights = learn(*map(" ".join, rows), counts=counts, most=most)
    assert list(terms) == expected
    idf = [np.log(1 + sum(counts) / (1 + having[term])) for term in expected]
    np.testing.assert_allclose(weights, idf, rtol=1e-12)


@pytest.mark.parametrize("size", [1, 3])
def test_batches_do_not_matter(monkeypatch, size):
    texts = [f"word{i % 7} and word{i % 3}, word{i % 5}" for i in range(20)]
    expected = learn(*texts)
    monkeypatch.setattr(vocabulary, "_BATCH", size)
    found = learn(*texts)
    assert found.terms == expected.terms
    np.testing.assert_array_equal(found.inverse_frequency, expected.inverse_frequency)
