"""The networks: which layers, and how their weights begin."""

from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np

from layers import Convolution, Dense
from recipes.neural_network.models.random_ops import Dropout

# Filters of the two convolutions, 3 × 3 each.
FILTERS = (16, 32)
# Two poolings leave nothing of smaller images.
LEAST_SIDE = 4
# Images from so many pixels a side do without the rim of each convolution's output: it
# costs a third of the time and tells little.
LARGE_SIDE = 16
# Activations that are near zero for half of their inputs: He et al. (2015), whose
# weights are larger. LeCun's keep selu's outputs at mean 0 and variance 1 (Klambauer
# et al. 2017), Glorot's those of activations that are the identity around 0.
RELU_FAMILY = (
    *("relu", "relu6", "leaky_relu", "elu", "celu", "gelu", "silu", "swish", "mish"),
    *("hard_silu", "hard_swish", "softplus", "squareplus"),
)


def initializer(activation: str, seed: int) -> keras.initializers.Initializer:
    """The initialiser that keeps the size of signals through such an activation."""
    if activation in RELU_FAMILY:
        return keras.initializers.HeNormal(seed)
    if activation == "selu":
        return keras.initializers.LecunNormal(seed)
    return keras.initializers.GlorotUniform(seed)


def network(
    *,
    architecture: str,
    row_shape: tuple[int, ...],
    outputs: int,
    hidden_sizes: Sequence[int],
    activation: str,
    batch_normalization: bool,
    dropout: float,
    seed: int,
    dtype: Any,
) -> keras.Sequential:
    """A network from rows to outputs, the last layer linear.

    `"perceptron"`: for each hidden size a dense layer, its activation, and dropout.
    `"cnn"`: two blocks of a 3 × 3 convolution, activation and 2 × 2 pooling before
    them. With batch normalisation each of these activations is preceded by one, which
    takes the place of the bias (Ioffe & Szegedy 2015).

    Args:
        architecture: `"perceptron"` or `"cnn"`.
        row_shape: `(d,)`, `(h, w)` or `(h, w, c)`.
        outputs: Number of outputs.
        hidden_sizes: Units of each hidden layer.
        activation: Its name.
        batch_normalization: Whether to normalise.
        dropout: Share of a hidden layer's outputs that is left out in training.
        seed: What weights and dropout are drawn by.
        dtype: The layers' dtype policy.

    Returns:
        The network, built.

    Raises:
        ValueError: If rows of such a shape do not fit the architecture.
    """
    # One seed for each layer: equal ones would draw equal weights.
    state = np.random.SeedSequence(seed).generate_state(2 * len(hidden_sizes) + 3)
    seeds = (int(each) for each in state)

    def activated(layer: type, size: Any, **options: Any) -> Iterator[Any]:
        yield layer(
            *size,
            activation=None if batch_normalization else activation,
            use_bias=not batch_normalization,
            kernel_initializer=initializer(activation, next(seeds)),
            dtype=dtype,
            **options,
        )
        if batch_normalization:
            yield keras.layers.BatchNormalization(dtype=dtype)
            yield keras.layers.Activation(activation, dtype=dtype)

    def layers() -> Iterator[Any]:
        if architecture == "cnn":
            yield keras.layers.Reshape(_as_image(row_shape), dtype=dtype)
            padding = "valid" if min(row_shape[:2]) >= LARGE_SIDE else "same"
            for filters in FILTERS:
                size = filters, 3
                yield from activated(Convolution, size, padding=padding)
                yield keras.layers.MaxPooling2D(dtype=dtype)
        yield keras.layers.Flatten(dtype=dtype)
        for units in hidden_sizes:
            yield from activated(Dense, (units,))
            if dropout:
                yield Dropout(dropout, seed=next(seeds), dtype=dtype)
        last = keras.initializers.GlorotUniform(next(seeds))
        yield Dense(outputs, kernel_initializer=last, dtype=dtype)

    inputs = keras.Input(row_shape, dtype=keras.dtype_policies.get(dtype).compute_dtype)
    return keras.Sequential([inputs, *layers()], name="network")


def _as_image(row_shape: tuple[int, ...]) -> tuple[int, int, int]:
    """`(h, w, c)` of an image's shape."""
    if len(row_shape) < 2 or min(row_shape[:2]) < LEAST_SIDE:
        raise ValueError(
            'architecture="cnn" should be given images [n, h, w] or [n, h, w, c] of at '
            f"least {LEAST_SIDE} × {LEAST_SIDE} pixels. Received rows of shape: "
            f"{list(row_shape)}"
        )
    height, width, *channels = row_shape
    return height, width, *(channels or [1])  # type: ignore[return-value]
