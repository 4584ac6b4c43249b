"""`TextFeatures`."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from layers.text_features import TextFeatures, find_terms, split_words
from tests.layer_contract import check_layer

TEXTS = ["Not good: not good!", "Good, very good", "bad"]
TERMS = ["good", "not", "not good"]


def words_of(*texts):
    return [[w.decode() for w in row] for row in split_words(texts).to_list()]


def test_contract(tmp_path):
    check_layer(
        TextFeatures,
        {"vocabulary": TERMS},
        np.array(TEXTS),
        (3, 3),
        set_up=lambda layer: layer.inverse_frequency.assign([1, 2, 3]),
        non_trainable=[(3,)],
        tmp_path=tmp_path,
    )


def test_values_by_hand():
    layer = TextFeatures(TERMS)
    layer.build((None,))
    layer.inverse_frequency.assign([1, 2, 3])
    # The counts are 2, 2, 2 and 2, 0, 0; "good not" and "very" are not in the list.
    expected = [np.array([2, 4, 6]) / 56**0.5, [1, 0, 0], [0, 0, 0]]
    np.testing.assert_allclose(layer(tf.constant(TEXTS)), expected, rtol=1e-6)
    counts = [[2, 2, 2], [2, 0, 0], [0, 0, 0]]
    np.testing.assert_array_equal(layer.count(tf.constant(TEXTS)), counts)


def test_it_is_what_keras_computes_with_rows_of_length_one():
    texts = tf.constant([*TEXTS, "", "a cat, a dog; a cat", "The cat's good, not bad"])
    peer = keras.layers.TextVectorization(
        output_mode="tf_idf",
        ngrams=2,
        standardize=lambda x: tf.strings.reduce_join(
            split_words(x), axis=-1, separator=" "
        ),
    )
    peer.adapt(texts)
    unknown, *terms = peer.get_vocabulary()
    assert unknown == "[UNK]"
    layer = TextFeatures(terms)
    layer.build((None,))
    # Every text of one term tells its weight.
    layer.inverse_frequency.assign(np.diag(peer(tf.constant(terms)).numpy()[:, 1:]))
    expected = peer(texts).numpy()[:, 1:]
    length = np.linalg.norm(expected, axis=1, keepdims=True)
    expected /= np.where(length == 0, 1, length)
    np.testing.assert_allclose(layer(texts), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("?! -- …", []),
        ("ÄPFEL über Άλφα 東京 naïve", ["äpfel", "über", "άλφα", "東京", "naïve"]),
        ("cafe\u0301", ["cafe\u0301"]),  # an accent of its own
        ("Don't, don’t", ["dont", "dont"]),
        ('He said "no",\nthen\tyes', ["he", "said", "no", "then", "yes"]),
        ("crazy..Available 2for1 £1,000", ["crazy", "available", "2for1", "1", "000"]),
        (b"\xff\xfeabc \xc3 d", ["abc", "d"]),  # not UTF-8
    ],
)
def test_words(text, words):
    assert words_of(text) == [words]


def test_pairs_are_of_one_text():
    terms, rows = find_terms(["one two three", "", "four"])
    words = [b"one", b"two", b"three", b"four"]
    assert terms.numpy().tolist() == [*words, b"one two", b"two three"]
    assert rows.numpy().tolist() == [0, 0, 0, 2, 0, 0]


def test_no_terms():
    assert TextFeatures([])(tf.constant(TEXTS)).shape == (3, 0)


def test_repeated_terms_are_refused():
    with pytest.raises(ValueError, match="`vocabulary` should be different terms"):
        TextFeatures(["a", "b", "a"])
