"""The layer that lets pairs of classes vote."""

from typing import Any

import keras
import numpy as np

from layers.pairs_of_classes import PairsOfClasses


@keras.saving.register_keras_serializable("descent_recipes")
class OneVsOne(PairsOfClasses):
    """A score for each class from a decision for each pair of classes.

    The last axis of the input holds the pairs (a, b) with a < b in lexicographic
    order: (0, 1), (0, 2), …, (1, 2), …. A positive decision is a vote for b, the
    second of the two; any other is a vote for a. The score of class c is

    ```python
    scores[..., c] = votes_for_c + confidence_c / (3 * (abs(confidence_c) + 1))
    ```

    where the confidence is the sum of the decisions that c takes part in, each with
    the sign that makes it speak for c. The second term lies within ±1/3, so that it
    orders classes with equal votes and never overrules a vote. `argmax` over the last
    axis is the predicted class.

    The sums are taken in float64; the scores are then rounded to the layer's dtype.

    Args:
        num_classes: Number of classes k, an integer of at least 2.
        **kwargs: `name`, `dtype`, as in every `keras.layers.Layer`.

    Raises:
        ValueError: If `num_classes` is not an integer of at least 2, or the last axis
            of the input is not of size k·(k − 1)/2 when the layer is built.

    Example:
    >>> layer = OneVsOne(num_classes=3)
    >>> layer(keras.ops.array([[1.0, -1.0, 1.0]]))  # 1 over 0, 0 over 2, 2 over 1
    array([[1., 1., 1.]], dtype=float32)

    Reference:
        The scores are those of scikit-learn's `OneVsOneClassifier.decision_function`
        and of `SVC` with `decision_function_shape="ovr"`. The pairs' decisions of
        `SVC` itself have the other sign: there, positive means the first class.
    """

    def call(self, inputs: Any) -> Any:
        """Maps decisions of shape `(..., pairs)` to scores `(..., num_classes)`."""
        decisions = keras.ops.cast(inputs, "float64")
        # [pairs, classes]: −1 at the first class of each pair and +1 at the second.
        # Made here from two short lists, since a constant would be saved as it is.
        first, second = (
            keras.ops.one_hot(classes, self.num_classes, dtype="float64")
            for classes in np.triu_indices(self.num_classes, 1)
        )
        sides = second - first
        vote = keras.ops.cast(keras.ops.where(decisions > 0, 1, -1), "float64")
        # Votes won less votes lost, and there are num_classes − 1 of them in all.
        votes = (keras.ops.matmul(vote, sides) + (self.num_classes - 1)) / 2
        confidences = keras.ops.matmul(decisions, sides)
        scores = votes + confidences / (3 * (keras.ops.abs(confidences) + 1))
        return keras.ops.cast(scores, self.compute_dtype)
