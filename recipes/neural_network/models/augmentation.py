"""Augmentation of the training rows in every step: noise, mixup, and shifted images.

All shapes follow from that of the batch, so that XLA can compile the code, and all
draws come from seeds.
"""

from typing import Any

import keras
import numpy as np
import scipy.special
import tensorflow as tf

from recipes.neural_network.models.random_ops import (
    draw_integers,
    draw_normal,
    draw_seed,
)

# Mixup draws from this many quantiles of the beta distribution.
QUANTILES = 1024


def add_noise(x: tf.Tensor, deviation: float, seed: Any) -> tf.Tensor:
    """Add Gaussian noise to every feature: x + deviation·N(0, 1); seed `[2]`."""
    return x + deviation * draw_normal(tf.shape(x), x.dtype, seed)


def shift_images(x: tf.Tensor, pixels: int, seed: Any) -> tf.Tensor:
    """Shift each image by up to `pixels` up or down and left or right.

    Zeros fill the border: images have been rescaled so that their background is 0.
    Each image is multiplied from both sides by a shifted identity matrix, which under
    XLA is faster than gathering pixels.

    Args:
        x: `[batch, h, w]` or `[batch, h, w, c]`.
        pixels: The largest shift.
        seed: Seed of the shifts, `[2]`.
    """
    rows, (height, width) = tf.shape(x)[0], x.shape[1:3]
    shifts = draw_integers((2, rows, 1), -pixels, pixels + 1, seed)

    def shift_identity(size: int, by: tf.Tensor) -> tf.Tensor:
        return tf.one_hot(tf.range(size) - by, size, dtype=x.dtype)

    down, right = shift_identity(height, shifts[0]), shift_identity(width, shifts[1])
    flat = tf.reshape(x, [rows, height, -1])
    shifted = tf.reshape(tf.matmul(down, flat), [rows, height, width, -1])
    return tf.reshape(tf.einsum("bvw,bhwc->bhvc", right, shifted), tf.shape(x))


def mix_rows(
    x: tf.Tensor, target: tf.Tensor, weight: Any, alpha: float, seed: Any
) -> tuple[tf.Tensor, tf.Tensor, Any]:
    """Mix each row, and its target, with the next one: λ·x + (1 − λ)·x'.

    λ is drawn for each row from the beta distribution B(α, α) (Zhang et al. 2018). As
    batches are shuffled, the next row is a random one.

    Args:
        x: `[batch, …]`.
        target: `[batch, k]`.
        weight: `[batch]`, or `None`. A mixture has the weight λ·w + (1 − λ)·w', and
            its target is mixed in these proportions.
        alpha: α, positive.
        seed: Seed of λ, `[2]`.
    """
    drawn = draw_integers((tf.shape(x)[0],), 0, QUANTILES, seed)
    probabilities = (np.arange(QUANTILES) + 0.5) / QUANTILES
    quantiles = scipy.special.betaincinv(alpha, alpha, probabilities)
    lambdas = tf.gather(tf.constant(quantiles, x.dtype), drawn)

    def mix(values: tf.Tensor) -> tf.Tensor:
        share = tf.reshape(lambdas, [-1] + [1] * (values.shape.rank - 1))
        share = tf.cast(share, values.dtype)
        return share * values + (1 - share) * tf.roll(values, -1, axis=0)

    if weight is None:
        return mix(x), mix(target), None
    factor = tf.cast(weight, target.dtype)[:, tf.newaxis]
    mixed_target = tf.math.divide_no_nan(mix(factor * target), mix(factor))
    return mix(x), mixed_target, mix(weight)


class Augmentation(keras.layers.Layer):
    """The augmentations of a training step, each off at 0.

    Args:
        noise: Standard deviation of the Gaussian noise.
        mixup: α of the beta distribution that pairs of rows are mixed by.
        shift: The largest shift of images, in pixels.
        seed: Seed of all draws.
        **kwargs: As in every layer.
    """

    def __init__(
        self, noise: float, mixup: float, shift: int, seed: int, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.noise, self.mixup, self.shift = noise, mixup, shift
        # Independent streams, so that switching one augmentation on leaves the others'
        # draws unchanged.
        seeds = np.random.SeedSequence((seed, 1)).generate_state(3)
        self.generators = {
            name: keras.random.SeedGenerator(int(each))
            for name, strength, each in zip(
                ("shift", "noise", "mixup"), (shift, noise, mixup), seeds, strict=True
            )
            if strength
        }
        self.built = True

    def call(
        self, x: tf.Tensor, target: tf.Tensor, weight: Any = None
    ) -> tuple[tf.Tensor, tf.Tensor, Any]:
        """Augment rows `[b, …]`, targets `[b, k]` and weights `[b]` or `None`."""
        if self.shift:
            x = shift_images(x, self.shift, draw_seed(self.generators["shift"]))
        if self.noise:
            x = add_noise(x, self.noise, draw_seed(self.generators["noise"]))
        if self.mixup:
            x, target, weight = mix_rows(
                x, target, weight, self.mixup, draw_seed(self.generators["mixup"])
            )
        return x, target, weight
