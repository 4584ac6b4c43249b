"""The kernels under test, each with its reference."""

import functools

import keras
import numpy as np
import tensorflow as tf

from layers import kernels
from tests.layers import reference


@keras.saving.register_keras_serializable("tests")
def cauchy(x, z):
    differences = x[:, None, :] - z[None, :, :]
    return 1 / (1 + tf.reduce_sum(differences**2, axis=-1))


def naive_cauchy(x, z):
    return 1 / (1 + sum((a - b) ** 2 for a, b in zip(x, z, strict=True)))


ORIGIN = np.array([0.5, -1.0, 2.0])

# Each kernel with the function that it should compute.
CASES = {
    "linear": (kernels.LinearKernel(), reference.linear),
    "linear, origin": (
        kernels.LinearKernel(ORIGIN),
        lambda x, z: reference.linear(x - ORIGIN, z - ORIGIN),
    ),
    "cubic": (
        kernels.PolynomialKernel(3, gamma=0.5, coef0=1.0),
        functools.partial(reference.polynomial, degree=3, gamma=0.5, coef0=1.0),
    ),
    "degree 1": (
        kernels.PolynomialKernel(1, gamma=2.0, coef0=0.25),
        functools.partial(reference.polynomial, degree=1, gamma=2.0, coef0=0.25),
    ),
    "degree 6": (
        kernels.PolynomialKernel(6, gamma=0.25),
        functools.partial(reference.polynomial, degree=6, gamma=0.25, coef0=0.0),
    ),
    "rbf": (kernels.RBFKernel(0.3), functools.partial(reference.rbf, gamma=0.3)),
    "sigmoid": (
        kernels.SigmoidKernel(gamma=0.2, coef0=-0.5),
        functools.partial(reference.sigmoid, gamma=0.2, coef0=-0.5),
    ),
    "laplacian": (
        kernels.LaplacianKernel(0.4),
        functools.partial(reference.laplacian, gamma=0.4),
    ),
    "callable": (kernels.CallableKernel(cauchy), naive_cauchy),
}
