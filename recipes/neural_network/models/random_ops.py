"""Random draws that are the same with and without XLA, and dropout based on them.

TensorFlow derives the same integers from a generator's bits in both cases, but not the
same fractions. So everything here is computed from integers.
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

# Fractions are integers below this divided by it; float32 represents them exactly.
RESOLUTION = 2**23
LARGEST_SEED = 2**31 - 2


def draw_seed(generator: keras.random.SeedGenerator) -> tf.Tensor:
    """Return the seed of the next draw, `[2]`, int32 as XLA requires."""
    return tf.cast(tf.math.floormod(generator.next(), LARGEST_SEED), tf.int32)


def draw_integers(shape: Any, start: int, end: int, seed: Any) -> tf.Tensor:
    """Draw integers from `start` to below `end`, int32."""
    return tf.random.stateless_uniform(shape, seed, start, end, tf.int32, alg="philox")


def draw_normal(shape: Any, dtype: Any, seed: Any) -> tf.Tensor:
    """Draw from the standard normal distribution (Box & Muller 1958)."""
    drawn = draw_integers(tf.concat([[2], shape], axis=0), 0, RESOLUTION, seed)
    u, v = tf.unstack((tf.cast(drawn, dtype) + 0.5) / RESOLUTION)
    return tf.sqrt(-2 * tf.math.log(u)) * tf.cos(2 * np.pi * v)


@keras.saving.register_keras_serializable("descent_recipes")
class Dropout(keras.layers.Dropout):
    """Keras's dropout with draws that XLA does not change."""

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Drop a fraction of the inputs in training, and scale up the others."""
        if not training or not self.rate:
            return inputs
        seed = draw_seed(self.seed_generator)
        drawn = draw_integers(tf.shape(inputs), 0, RESOLUTION, seed)
        kept = tf.cast(drawn >= round(self.rate * RESOLUTION), inputs.dtype)
        return inputs * kept / (1 - self.rate)
