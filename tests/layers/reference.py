"""Kernels and their expansion in NumPy and float64, written for reading."""

import numpy as np


def linear(x, z):
    return sum(a * b for a, b in zip(x, z, strict=True))


def polynomial(x, z, degree, gamma, coef0):
    return (gamma * linear(x, z) + coef0) ** degree


def rbf(x, z, gamma):
    return np.exp(-gamma * sum((a - b) ** 2 for a, b in zip(x, z, strict=True)))


def sigmoid(x, z, gamma, coef0):
    return np.tanh(gamma * linear(x, z) + coef0)


def laplacian(x, z, gamma):
    return np.exp(-gamma * sum(abs(a - b) for a, b in zip(x, z, strict=True)))


def matrix(k, rows, others):
    """Compute k(x, z) for all pairs, one by one."""
    values = np.empty((len(rows), len(others)))
    for i, x in enumerate(np.asarray(rows, "float64")):
        for j, z in enumerate(np.asarray(others, "float64")):
            values[i, j] = k(x, z)
    return values


def expansion(k, rows, vectors, coefficients, bias):
    """Compute f(x) = Σᵢ βᵢ·k(xᵢ, x) + b for each row and output."""
    outputs = np.empty((len(rows), len(bias)))
    values = matrix(k, rows, vectors)
    for row, of_row in enumerate(values):
        for unit, b in enumerate(bias):
            outputs[row, unit] = b + sum(
                beta * value
                for beta, value in zip(coefficients[:, unit], of_row, strict=True)
            )
    return outputs
