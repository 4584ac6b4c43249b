"""The layer that couples pairwise probabilities to probabilities of classes."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from layers.pairs_of_classes import PairsOfClasses

# Pairwise probabilities are kept this far from 0 and 1, as LIBSVM keeps them, so that
# no class is ruled out completely.
MARGIN = 1e-7


@keras.saving.register_keras_serializable("descent_recipes")
class PairwiseCoupling(PairsOfClasses):
    """A probability for each class from a probability for each pair of classes.

    The last axis of the input holds, for the pairs (a, b) with a < b in lexicographic
    order — (0, 1), (0, 2), …, (1, 2), … — the probability of class a, **the first of
    the two**, given that the class is a or b. With r[a, b] for it and
    r[b, a] = 1 − r[a, b], the layer solves

    ```
    minimise  Σ_a Σ_{b≠a} (r[b, a]·p[a] − r[a, b]·p[b])²    subject to  Σ_a p[a] = 1
    ```

    the second method of Wu, Lin and Weng. If some p agrees with all pairs, it is the
    solution. For two classes it is `(r, 1 - r)`.

    The objective is 2·pᵀ·Q·p with Q[a, a] = Σ_b r[b, a]² and, off the diagonal,
    Q[a, b] = −r[b, a]·r[a, b], so at the optimum Q·p is a multiple of e = (1, …, 1).
    Since eᵀ·p = 1, (Q + e·eᵀ)·p is one too: p is the solution z of (Q + e·eᵀ)·z = e,
    divided by its sum. This takes one Cholesky factorisation of a k × k matrix for each
    row, and no iterations. The matrix is well conditioned for any input: an x of unit
    length with Σx = 0 has entries x[a] ≥ k^(−1/2) and x[b] ≤ −k^(−3/2), or the same
    with opposite signs, and their term (r[b, a]·|x[a]| + r[a, b]·|x[b]|)² of xᵀ·Q·x
    is at least 1/k³.

    The system is solved in float64; the probabilities are then rounded to the layer's
    dtype. They are never negative, and a row of the input with a NaN gives a row of
    NaN.

    Args:
        num_classes: Number of classes k, an integer of at least 2.
        name: Name of the layer. Defaults to `None`: Keras chooses one.
        trainable: Has no effect: there are no weights. Defaults to `True`.
        dtype: Dtype or dtype policy. Defaults to `None`, the global policy.

    Raises:
        ValueError: If `num_classes` is not an integer of at least 2, or the size
            of the input's last axis is not k·(k − 1)/2 when the layer is built.

    Example:
    >>> layer = PairwiseCoupling(num_classes=3)
    >>> layer(keras.ops.array([[0.5 / 0.8, 0.5 / 0.7, 0.3 / 0.5]]))
    array([[0.5, 0.3, 0.2]], dtype=float32)

    Reference:
        Wu, Lin and Weng, “Probability estimates for multi-class classification by
        pairwise coupling”, Journal of Machine Learning Research 5, 2004, section 4.2.
        LIBSVM solves the same problem iteratively, to 0.005/k in the gradient.
    """

    def call(self, inputs: Any) -> Any:
        """Map pairs of shape `(..., pairs)` to classes `(..., num_classes)`."""
        pairs = keras.ops.cast(inputs, "float64")
        pairs = keras.ops.clip(pairs, MARGIN, 1 - MARGIN)
        if self.num_classes == 2:
            # The same as below, without the rounding.
            coupled = keras.ops.concatenate([pairs, 1 - pairs], axis=-1)
        else:
            coupled = self._couple(pairs)
        return keras.ops.cast(coupled, self.compute_dtype)

    def _couple(self, pairs: Any) -> Any:
        k = self.num_classes
        above = np.triu(np.ones((k, k), bool), 1)
        position = np.zeros((k, k), "int32")
        position[above] = np.arange(k * (k - 1) // 2)
        # r[..., a, b] is P(a | a or b), and 0 for a = b.
        r = keras.ops.take(pairs, position + position.T, axis=-1)
        r = keras.ops.where(above, r, 1 - r) * (1 - np.eye(k))
        squares = keras.ops.sum(r * r, axis=-2)
        q = squares[..., None] * np.eye(k) - r * tf.linalg.matrix_transpose(r)
        # Not `keras.ops.cholesky`: it refuses the batch if one row has a NaN.
        factor = tf.linalg.cholesky(q + 1)
        z = tf.linalg.cholesky_solve(factor, keras.ops.ones_like(r[..., :1]))
        z = keras.ops.maximum(z[..., 0], 0)
        return z / keras.ops.sum(z, axis=-1, keepdims=True)
