"""Training rows made anew in every step: noise, mixtures of two, shifted images.

All shapes are those of the batch, so that XLA can compile it, and all draws come from
seeds.
"""

from typing import Any

import keras
import numpy as np
import scipy.special
import tensorflow as tf

from recipes.neural_network.models.random_ops import integers, next_seed, normal

# So many values stand for the beta distribution that mixup draws from: its quantiles.
SHARES = 1024


def add_noise(x: tf.Tensor, deviation: float, seed: Any) -> tf.Tensor:
    """Adds Gaussian noise to every feature: x + deviation·N(0, 1); seed `[2]`."""
    return x + deviation * normal(tf.shape(x), x.dtype, seed)


def shift_images(x: tf.Tensor, pixels: int, seed: Any) -> tf.Tensor:
    """Moves each image by up to so many pixels down and to the right, or against it.

    Zeros come in from the border: images have been rescaled so that 0 is their
    background. Each is multiplied from both sides by a shifted identity matrix, which
    XLA does faster than it gathers pixels.

    Args:
        x: `[batch, h, w]` or `[batch, h, w, c]`.
        pixels: Most pixels.
        seed: What the shifts are drawn by.
    """
    rows, (height, width) = tf.shape(x)[0], x.shape[1:3]
    shifts = integers((2, rows, 1), -pixels, pixels + 1, seed)

    def shifted_identity(size: int, by: tf.Tensor) -> tf.Tensor:
        return tf.one_hot(tf.range(size) - by, size, dtype=x.dtype)

    down, right = (
        shifted_identity(height, shifts[0]),
        shifted_identity(width, shifts[1]),
    )
    flat = tf.reshape(x, [rows, height, -1])
    moved = tf.reshape(tf.matmul(down, flat), [rows, height, width, -1])
    return tf.reshape(tf.einsum("bvw,bhwc->bhvc", right, moved), tf.shape(x))


def mix_rows(
    x: tf.Tensor, target: tf.Tensor, weight: Any, alpha: float, seed: Any
) -> tuple[tf.Tensor, tf.Tensor, Any]:
    """Mixes each row, and its target, with the next one: λ·x + (1 − λ)·x'.

    λ is drawn for each row from the beta distribution B(α, α) (Zhang et al. 2018). The
    batch is shuffled, so the next row is any row.

    Args:
        x: `[batch, …]`.
        target: `[batch, k]`.
        weight: `[batch]`, or `None`. A mixture counts λ·w + (1 − λ)·w', and its target
            is mixed in these shares.
        alpha: α, positive.
        seed: What λ is drawn by.
    """
    drawn = integers((tf.shape(x)[0],), 0, SHARES, seed)
    quantiles = (np.arange(SHARES) + 0.5) / SHARES
    shares = scipy.special.betaincinv(alpha, alpha, quantiles)
    share = tf.gather(tf.constant(shares, x.dtype), drawn)

    def mixed(values: tf.Tensor) -> tf.Tensor:
        by = tf.reshape(share, [-1] + [1] * (values.shape.rank - 1))
        by = tf.cast(by, values.dtype)
        return by * values + (1 - by) * tf.roll(values, -1, axis=0)

    if weight is None:
        return mixed(x), mixed(target), None
    factor = tf.cast(weight, target.dtype)[:, tf.newaxis]
    mixture = tf.math.divide_no_nan(mixed(factor * target), mixed(factor))
    return mixed(x), mixture, mixed(weight)


class Augmentation(keras.layers.Layer):
    """The augmentations that are asked for, for `train_step`.

    Args:
        noise: Standard deviation of the noise; 0 for none.
        mixup: α of the mixtures; 0 for none.
        shift: Most pixels that images move; 0 for none.
        seed: What all is drawn by.
        **kwargs: As in every layer.
    """

    def __init__(
        self, noise: float, mixup: float, shift: int, seed: int, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.noise, self.mixup, self.shift = noise, mixup, shift
        # Three streams of numbers that differ, and none where none is asked for.
        state = np.random.SeedSequence((seed, 1)).generate_state(3)
        self.generators = {
            name: keras.random.SeedGenerator(int(each))
            for name, asked, each in zip(
                ("shift", "noise", "mixup"), (shift, noise, mixup), state, strict=True
            )
            if asked
        }
        self.built = True

    def call(
        self, x: tf.Tensor, target: tf.Tensor, weight: Any = None
    ) -> tuple[tf.Tensor, tf.Tensor, Any]:
        """Changes a batch: rows `[b, …]`, targets `[b, k]`, weights `[b]` or `None`."""
        if self.shift:
            x = shift_images(x, self.shift, next_seed(self.generators["shift"]))
        if self.noise:
            x = add_noise(x, self.noise, next_seed(self.generators["noise"]))
        if self.mixup:
            x, target, weight = mix_rows(
                x, target, weight, self.mixup, next_seed(self.generators["mixup"])
            )
        return x, target, weight
