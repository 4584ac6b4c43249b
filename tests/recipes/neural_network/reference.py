"""A neural network in plain numpy, float64, written for reading.

Layers are pairs (W, b). Every layer but the last is followed by the activation.
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
    """What the models compute, with its gradient by back-propagation."""

    def __init__(self, weights, activation, loss, l1=0.0, l2=0.0):
        self.layers = [
            (np.array(w, float), np.array(b, float))
            for w, b in zip(weights[::2], weights[1::2], strict=True)
        ]
        self.g, self.g_slope = ACTIVATIONS[activation]
        self.error = {"softmax": softmax_error, "sigmoid": sigmoid_error}.get(
            loss, squared_error
        )
        self.l1, self.l2 = l1, l2

    def outputs(self, x):
        """The last layer's, `[n, k]`."""
        return self.forward(x)[0][-1]

    def forward(self, x):
        """Each layer's z = h·W + b, and what went into it."""
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
        """∂H/∂W, ∂H/∂b of each layer, from the last to the first and back in order."""
        zs, inputs = self.forward(x)
        # δ = ∂H/∂z of the layer at hand, a row for each row of x
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
        """One epoch of SGD: θ ← θ − α ∂H/∂θ, with momentum as Keras defines it."""
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
    """H(p, q) = −Σ p log q with q the softmax; its slope is q − p."""
    exponents = np.exp(scores - scores.max(axis=1, keepdims=True))
    q = exponents / exponents.sum(axis=1, keepdims=True)
    return -(p * np.log(q)).sum(axis=1), q - p


def sigmoid_error(scores, p):
    """The same of two classes, p that of the second and q the sigmoid."""
    q = 1 / (1 + np.exp(-scores))
    return -(p * np.log(q) + (1 - p) * np.log(1 - q))[:, 0], q - p


def squared_error(outputs, z):
    return ((outputs - z) ** 2)[:, 0], 2 * (outputs - z)
