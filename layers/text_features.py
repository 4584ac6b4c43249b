"""The layer that turns texts into the weights of their words."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("descent_recipes")
class TextFeatures(keras.layers.Layer):
    """Counts words and pairs of neighbouring words, the rare ones weighing more.

    For a text in which the term `t` of the vocabulary stands `count[t]` times, the
    layer computes

    ```python
    y = count * inverse_frequency
    y /= norm(y)  # a text without any of the terms stays 0
    ```

    which is called TF-IDF. Words are what `split_words` finds; terms that are not in
    the vocabulary have no effect.

    This is what `keras.layers.TextVectorization` computes in its mode `"tf_idf"` with
    `ngrams=2`, but for its first output, which counts unknown terms, and for rows of
    length 1. Capital letters of any script become small ones, and the vocabulary may
    be empty.

    Args:
        vocabulary: The terms, different strings: words, and pairs of words with a space
            between, as `find_terms` writes them.
        name: Name of the layer. Defaults to `None`: Keras chooses one.
        trainable: Has no effect: no weight here is trained. Defaults to `True`.
        dtype: Dtype or dtype policy of the output; `None` for the global policy.
            Defaults to `None`.

    Attributes:
        inverse_frequency: Non-trainable weight of shape `(terms,)`, ones until
            assigned: how much each term weighs.
        table: The lookup table of the terms.

    Call arguments:
        inputs: Strings of shape `(batch,)`, in UTF-8.

    Returns:
        A tensor of shape `(batch, terms)`.

    Raises:
        ValueError: If a term is repeated.

    Example:
    >>> layer = TextFeatures(["good", "not", "not good"])
    >>> layer(tf.constant(["Good!", "Not good.", ""]))
    array([[1.        , 0.        , 0.        ],
           [0.57735026, 0.57735026, 0.57735026],
           [0.        , 0.        , 0.        ]], dtype=float32)
    """

    def __init__(
        self,
        vocabulary: Sequence[str],
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: str | keras.DTypePolicy | None = None,
    ) -> None:
        super().__init__(name=name, trainable=trainable, dtype=dtype, autocast=False)
        # A tuple, because Keras wraps lists.
        self.vocabulary = tuple(vocabulary)
        if len(set(self.vocabulary)) < len(self.vocabulary):
            raise ValueError(
                f"`vocabulary` should be different terms. Received: {vocabulary=}"
            )
        self.supports_jit = False  # XLA has no strings
        # Whole numbers, because LiteRT has tables from strings to no others. A table
        # cannot be empty; no term is "".
        self.table = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(
                tf.constant(["", *self.vocabulary]),
                tf.range(-1, len(self.vocabulary), dtype=tf.int64),
            ),
            default_value=-1,
        )

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create `inverse_frequency`."""
        self.inverse_frequency = self.add_weight(
            name="inverse_frequency",
            shape=(len(self.vocabulary),),
            initializer="ones",
            trainable=False,
        )
        self.built = True

    def call(self, inputs: Any) -> Any:
        """Map texts of shape `(batch,)` to `(batch, terms)`."""
        weight = tf.convert_to_tensor(self.inverse_frequency)
        if weight.dtype.size < 4:  # counts and sums of squares need more digits
            weight = tf.cast(weight, tf.float32)
        weighed = self.count(inputs, weight.dtype) * weight
        scaled = tf.math.l2_normalize(weighed, axis=-1)
        return keras.ops.cast(scaled, self.compute_dtype)

    def count(self, texts: Any, dtype: tf.DType = tf.float32) -> Any:
        """Count each term in each text: `(batch,)` → `(batch, terms)`."""
        texts = tf.convert_to_tensor(texts, tf.string)
        terms, rows = find_terms(texts)
        codes = self.table.lookup(terms)
        places = tf.stack([rows, codes], axis=1)[codes >= 0]
        shape = tf.stack([tf.size(texts, tf.int64), len(self.vocabulary)])
        return tf.ensure_shape(
            tf.scatter_nd(places, tf.ones(tf.shape(places)[:1], dtype), shape),
            (None, len(self.vocabulary)),
        )

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """Return the shape `(batch, terms)`."""
        return (*input_shape, len(self.vocabulary))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "vocabulary": list(self.vocabulary)}


def split_words(texts: Any) -> tf.RaggedTensor:
    """Return the words of each text, in lower case.

    A word is letters and digits of any script, with whatever else between two words.
    An apostrophe belongs to the word, and is left out: "don't" is "dont".

    Args:
        texts: Strings of shape `(batch,)`, in UTF-8.

    Returns:
        Strings of shape `(batch, None)`.
    """
    lower = tf.strings.lower(tf.convert_to_tensor(texts, tf.string), encoding="utf-8")
    joined = tf.strings.regex_replace(lower, "['’]", "")
    return tf.strings.split(tf.strings.regex_replace(joined, r"[^\pL\pM\pN]+", " "))


def find_terms(texts: Any) -> tuple[Any, Any]:
    """Return the words of all texts, and after them the pairs of neighbours.

    Args:
        texts: Strings of shape `(batch,)`, in UTF-8.

    Returns:
        Strings of shape `(terms,)`, in a pair with a space between the words, and the
        places of their texts, int64 of the same shape.
    """
    ragged = split_words(texts)
    words, rows = ragged.flat_values, ragged.value_rowids()
    # Not `tf.strings.ngrams`, which LiteRT lacks.
    pairs = tf.strings.join([words[:-1], words[1:]], separator=" ")
    is_pair = rows[:-1] == rows[1:]
    return (
        tf.concat([words, pairs[is_pair]], axis=0),
        tf.concat([rows, rows[:-1][is_pair]], axis=0),
    )
