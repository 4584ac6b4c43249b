"""A neural network in plain NumPy and float64, written to be read.

Layers are pairs (W, b). The activation follows every layer but the last.
"""

import numpy as np

ACTIVATIONS = {
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0).astype(float)),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "sigmoid": (
        lambda z: 1 / (1 + np.exp(-z)),
        lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2,
    ),
}


class Network:
    """The function that the models compute, with its gradient by back-propagation."""

    def __init__(self, weights, activation, loss, l1=0.0, l2=0.0):
        self.layers = [
            (np.array(w, float), np.array(b, float))
            for w, b in zip(weights[::2], weights[1::2], strict=True)
        ]
        self.g, self.g_slope = ACTIVATIONS[activation]
        self.error = ERRORS[loss]
        self.l1, self.l2 = l1, l2

    def outputs(self, x):
        """Return the outputs of the last layer, `[n, k]`."""
        return self.forward(x)[0][-1]

    def forward(self, x):
        """Return each layer's z = h·W + b, and its input h."""
        zs, inputs = [], [x.reshape(len(x), -1)]
        for w, b in self.layers:
            zs.append(inputs[-1] @ w + b)
            inputs.append(self.g(zs[-1]))
        return zs, inputs[:-1]

    def row_errors(self, x, target):
        return self.error(self.outputs(x), target)[0]

    def penalty(self):
        return sum(
            self.l2 * (w**2).sum() + self.l1 * np.abs(w).sum() for w, _ in self.layers
        )

    def loss(self, x, target, weight):
        return (weight * self.row_errors(x, target)).mean() + self.penalty()

    def gradient(self, x, target, weight):
        """Return ∂H/∂W and ∂H/∂b of each layer, computed from the last to the first."""
        zs, inputs = self.forward(x)
        # δ = ∂H/∂z of the current layer, with a row for each row of x
        delta = self.error(zs[-1], target)[1] * weight[:, None] / len(x)
        found = []
        for number in reversed(range(len(self.layers))):
            w, _ = self.layers[number]
            slope = inputs[number].T @ delta + 2 * self.l2 * w + self.l1 * np.sign(w)
            found.append((slope, delta.sum(axis=0)))
            if number:
                delta = (delta @ w.T) * self.g_slope(zs[number - 1])
        return found[::-1]

    def descend(self, batches, rate, momentum=0.0, nesterov=False):
        """Take an epoch of SGD steps θ ← θ − α ∂H/∂θ, with Keras's momentum."""
        velocity = [(np.zeros_like(w), np.zeros_like(b)) for w, b in self.layers]
        for x, target, weight in batches:
            slopes = self.gradient(x, target, weight)
            velocity = [
                tuple(momentum * v - rate * s for v, s in zip(vs, ss, strict=True))
                for vs, ss in zip(velocity, slopes, strict=True)
            ]
            self.layers = [
                tuple(
                    p + (momentum * v - rate * s if nesterov else v)
                    for p, v, s in zip(ps, vs, ss, strict=True)
                )
                for ps, vs, ss in zip(self.layers, velocity, slopes, strict=True)
            ]

    @property
    def weights(self):
        return [each for layer in self.layers for each in layer]


def softmax_error(scores, p):
    """Return H(p, q) = −Σ p log q, with q the softmax, and its slope q − p."""
    exponents = np.exp(scores - scores.max(axis=1, keepdims=True))
    q = exponents / exponents.sum(axis=1, keepdims=True)
    return -(p * np.log(q)).sum(axis=1), q - p


def sigmoid_error(scores, p):
    """Return the same for two classes, with p that of the second and q the sigmoid."""
    q = 1 / (1 + np.exp(-scores))
    return -(p * np.log(q) + (1 - p) * np.log(1 - q))[:, 0], q - p


def squared_error(outputs, z):
    return ((outputs - z) ** 2)[:, 0], 2 * (outputs - z)


ERRORS = {"softmax": softmax_error, "sigmoid": sigmoid_error, "squared": squared_error}
