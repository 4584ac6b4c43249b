"""The architectures: the layers of the networks and their initialisation."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import keras
import numpy as np

from layers import Convolution, Dense
from recipes.neural_network.models.random_ops import Dropout

SKIP_LAYER = "skip"  # the layer's name
# Filters of the two 3 × 3 convolutions.
FILTERS = (16, 32)
# Two poolings reduce smaller images to nothing.
SMALLEST_SIDE = 4
# From this many pixels a side, convolutions are not padded: the border of their output
# costs a third of the time and contributes little.
UNPADDED_SIDE = 16
# Activations that are near zero for half of their inputs need the larger weights of He
# et al. (2015). LeCun's weights keep selu's outputs at mean 0 and variance 1 (Klambauer
# et al. 2017), Glorot's those of activations that resemble the identity around 0.
RELU_FAMILY = (
    *("relu", "relu6", "leaky_relu", "elu", "celu", "gelu", "silu", "swish", "mish"),
    *("hard_silu", "hard_swish", "softplus", "squareplus"),
)


def choose_initializer(activation: str, seed: int) -> keras.initializers.Initializer:
    """Return the initialiser that preserves the signal's scale for an activation."""
    if activation in RELU_FAMILY:
        return keras.initializers.HeNormal(seed)
    if activation == "selu":
        return keras.initializers.LecunNormal(seed)
    return keras.initializers.GlorotUniform(seed)


def build_network(
    *,
    architecture: str,
    row_shape: tuple[int, ...],
    outputs: int,
    hidden_sizes: Sequence[int],
    activation: str,
    batch_normalization: bool,
    dropout: float,
    skip_layer: bool,
    seed: int,
    dtype: Any,
) -> keras.Model:
    """Build a network from rows to outputs, with a linear last layer.

    A `"perceptron"` has, for each hidden size, a dense layer, its activation, and
    dropout. A `"cnn"` has two blocks of a 3 × 3 convolution, activation and 2 × 2
    pooling before them. With batch normalisation, one such layer precedes each of these
    activations and replaces the bias (Ioffe & Szegedy 2015).

    With a skip layer, the outputs are h·W + x·V + b: a linear layer leads from the rows
    straight to the outputs, past the hidden ones. V and W then start at 0, so the
    network starts as a constant and learns what is linear in few steps. Without it, a
    random function of x is there at the start, and on few rows with many columns
    training never removes it.

    Args:
        architecture: `"perceptron"` or `"cnn"`.
        row_shape: `(d,)`, `(h, w)` or `(h, w, c)`.
        outputs: Number of outputs.
        hidden_sizes: Units of each hidden layer.
        activation: Name of the hidden layers' activation.
        batch_normalization: Whether to normalise each hidden layer over the batch.
        dropout: Fraction of a hidden layer's outputs dropped in training.
        skip_layer: Whether there is one; without hidden layers there is none.
        seed: Seed of the weights and of dropout.
        dtype: The layers' dtype policy.

    Returns:
        The built network.

    Raises:
        ValueError: If rows of this shape do not suit the architecture.
    """
    # One seed for each layer: equal seeds would draw equal weights.
    state = np.random.SeedSequence(seed).generate_state(2 * len(hidden_sizes) + 3)
    seeds = (int(each) for each in state)

    def make_block(layer: type, size: Any, **options: Any) -> Iterator[Any]:
        yield layer(
            *size,
            activation=None if batch_normalization else activation,
            use_bias=not batch_normalization,
            kernel_initializer=choose_initializer(activation, next(seeds)),
            dtype=dtype,
            **options,
        )
        if batch_normalization:
            yield keras.layers.BatchNormalization(dtype=dtype)
            yield keras.layers.Activation(activation, dtype=dtype)

    def generate_layers() -> Iterator[Any]:
        if architecture == "cnn":
            yield keras.layers.Reshape(_to_image_shape(row_shape), dtype=dtype)
            padding = "valid" if min(row_shape[:2]) >= UNPADDED_SIDE else "same"
            for filters in FILTERS:
                size = filters, 3
                yield from make_block(Convolution, size, padding=padding)
                yield keras.layers.MaxPooling2D(dtype=dtype)
        yield keras.layers.Flatten(dtype=dtype)
        for units in hidden_sizes:
            yield from make_block(Dense, (units,))
            if dropout:
                yield Dropout(dropout, seed=next(seeds), dtype=dtype)
        glorot = keras.initializers.GlorotUniform(next(seeds))
        last = "zeros" if has_skip_layer else glorot
        yield Dense(outputs, kernel_initializer=last, dtype=dtype)
        if has_skip_layer:
            yield Dense(
                outputs,
                kernel_initializer="zeros",
                use_bias=False,
                dtype=dtype,
                name=SKIP_LAYER,
            )
            yield keras.layers.Add(dtype=dtype)

    has_skip_layer = skip_layer and len(hidden_sizes) > 0
    inputs = keras.Input(row_shape, dtype=keras.dtype_policies.get(dtype).compute_dtype)
    layers = list(generate_layers())
    if has_skip_layer:
        return keras.Model(inputs, connect(layers, inputs), name="network")
    return keras.Sequential([inputs, *layers], name="network")


def connect(layers: Iterable[Any], inputs: Any) -> Any:
    """Return the outputs of a network's layers, in their order, for its inputs."""
    flat = skipped = None
    outputs = inputs
    for layer in layers:
        if isinstance(layer, keras.layers.InputLayer):
            continue
        if layer.name == SKIP_LAYER:
            skipped = layer(flat)
        elif isinstance(layer, keras.layers.Add):
            outputs = layer([outputs, skipped])
        else:
            outputs = layer(outputs)
        if isinstance(layer, keras.layers.Flatten):
            flat = outputs
    return outputs


def _to_image_shape(row_shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Return an image's shape as `(h, w, c)`."""
    if len(row_shape) < 2 or min(row_shape[:2]) < SMALLEST_SIDE:
        raise ValueError(
            'architecture="cnn" should be given images [n, h, w] or [n, h, w, c] of at '
            f"least {SMALLEST_SIDE} × {SMALLEST_SIDE} pixels. Received rows of shape: "
            f"{list(row_shape)}"
        )
    height, width, *channels = row_shape
    return height, width, *(channels or [1])  # type: ignore[return-value]
