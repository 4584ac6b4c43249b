"""Random numbers that are the same with and without XLA, and dropout by them.

TensorFlow makes integers of the generator's bits alike in both; fractions it does not.
So all draws here are integers, and what is made of them.
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

# Integers are drawn below this for a fraction: float32 holds no more of them exactly.
FINENESS = 2**23
LARGEST_SEED = 2**31 - 2


def next_seed(generator: keras.random.SeedGenerator) -> tf.Tensor:
    """The seed of the next draw, `[2]` int32, as XLA wants it."""
    return tf.cast(tf.math.floormod(generator.next(), LARGEST_SEED), tf.int32)


def integers(shape: Any, least: int, end: int, seed: Any) -> tf.Tensor:
    """Integers from `least` to below `end`, int32."""
    return tf.random.stateless_uniform(shape, seed, least, end, tf.int32, alg="philox")


def normal(shape: Any, dtype: Any, seed: Any) -> tf.Tensor:
    """Normal numbers, of mean 0 and variance 1 (Box & Muller 1958)."""
    drawn = integers(tf.concat([[2], shape], axis=0), 0, FINENESS, seed)
    u, v = tf.unstack((tf.cast(drawn, dtype) + 0.5) / FINENESS)
    return tf.sqrt(-2 * tf.math.log(u)) * tf.cos(2 * np.pi * v)


@keras.saving.register_keras_serializable("descent_recipes")
class Dropout(keras.layers.Dropout):
    """Keras's dropout by such draws."""

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Leaves out a share of the inputs in training, and enlarges the others."""
        if not training or not self.rate:
            return inputs
        seed = next_seed(self.seed_generator)
        drawn = integers(tf.shape(inputs), 0, FINENESS, seed)
        kept = tf.cast(drawn >= round(self.rate * FINENESS), inputs.dtype)
        return inputs * kept / (1 - self.rate)
