"""The layer that lets pairs of classes vote."""

from typing import Any

import keras
import numpy as np

from layers.pairs_of_classes import PairsOfClasses


@keras.saving.register_keras_serializable("descent_recipes")
class OneVsOne(PairsOfClasses):
    """A score for each class from a decision value for each pair of classes.

    The last axis of the input holds the pairs (a, b) with a < b in lexicographic
    order: (0, 1), (0, 2), …, (1, 2), …. A positive value is a vote for b, the
    second of the two; any other is a vote for a. The score of class c is

    ```python
    scores[..., c] = votes_for_c + confidence_c / (3 * (abs(confidence_c) + 1))
    ```

    where the confidence is the sum of the decision values of all pairs with c, each
    with the sign that favours c. The second term lies within ±1/3, so it orders classes
    with equal votes and never overrules a vote. `argmax` over the last axis is the
    predicted class.

    Sums are computed in float64; the scores are then rounded to the layer's dtype.

    Args:
        num_classes: Number of classes k, an integer of at least 2.
        name: Name of the layer. Defaults to `None`: Keras chooses one.
        trainable: Has no effect: there are no weights. Defaults to `True`.
        dtype: Dtype or dtype policy. Defaults to `None`, the global policy.

    Raises:
        ValueError: If `num_classes` is not an integer of at least 2, or the size
            of the input's last axis is not k·(k − 1)/2 when the layer is built.

    Example:
    >>> layer = OneVsOne(num_classes=3)
    >>> layer(keras.ops.array([[1.0, -1.0, 1.0]]))  # 1 over 0, 0 over 2, 2 over 1
    array([[1., 1., 1.]], dtype=float32)

    Reference:
        The scores are those of scikit-learn's `OneVsOneClassifier.decision_function`
        and of `SVC` with `decision_function_shape="ovr"`. The pairwise
        decision values of `SVC` itself have the opposite sign: there, positive means
        the first class.
    """

    def call(self, inputs: Any) -> Any:
        """Map decision values `(..., pairs)` to scores `(..., num_classes)`."""
        decisions = keras.ops.cast(inputs, "float64")
        # [pairs, classes]: −1 at the first class of each pair and +1 at the second.
        # Built here from two short lists: a SavedModel would store the whole matrix.
        first, second = (
            keras.ops.one_hot(classes, self.num_classes, dtype="float64")
            for classes in np.triu_indices(self.num_classes, 1)
        )
        sides = second - first
        vote = keras.ops.cast(keras.ops.where(decisions > 0, 1, -1), "float64")
        # The product is votes won minus votes lost; their sum is num_classes − 1.
        votes = (keras.ops.matmul(vote, sides) + (self.num_classes - 1)) / 2
        confidences = keras.ops.matmul(decisions, sides)
        scores = votes + confidences / (3 * (keras.ops.abs(confidences) + 1))
        return keras.ops.cast(scores, self.compute_dtype)
