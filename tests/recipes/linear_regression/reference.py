"""Linear regression in plain NumPy, written for reading: the reference of these tests.

θ = (w, b), the intercept last. The objective is

    1/n Σ s·(x·w + b − y)² + l2·‖w‖² + l1·‖w‖₁,    n = Σ s.
"""

import itertools

import numpy as np


def with_ones(x):
    """Return z = (x, 1) for every row."""
    return np.column_stack([np.asarray(x, np.float64), np.ones(len(x))])


def ones_unless(weight, x):
    return np.ones(len(x)) if weight is None else np.asarray(weight, np.float64)


def moments(x, y, weight=None):
    """Return Σ s, Σ s·z·zᵀ, Σ s·z·y and Σ s·y²."""
    z, y, s = with_ones(x), np.asarray(y, np.float64), ones_unless(weight, x)
    return s.sum(), (z.T * s) @ z, z.T @ (s * y), np.sum(s * y**2)


def smooth_loss(theta, x, y, weight=None, l2=0.0):
    """Return F(θ), the objective without its l1 part."""
    theta, s = np.asarray(theta), ones_unless(weight, x)
    residual = with_ones(x) @ theta - y
    return np.sum(s * residual**2) / s.sum() + l2 * np.sum(theta[:-1] ** 2)


def objective(theta, x, y, weight=None, l1=0.0, l2=0.0):
    theta = np.asarray(theta)
    return smooth_loss(theta, x, y, weight, l2) + l1 * np.abs(theta[:-1]).sum()


def gradient(theta, x, y, weight=None, l2=0.0):
    """Return ∂F/∂θ = 2/n·Zᵀ(s·(Zθ − y)) + 2·l2·(w, 0)."""
    z, s = with_ones(x), ones_unless(weight, x)
    slope = 2 / s.sum() * z.T @ (s * (z @ theta - y))
    return slope + 2 * l2 * np.append(theta[:-1], 0)


def hessian(x, weight=None, l2=0.0):
    n, gram, _, _ = moments(x, np.zeros(len(x)), weight)
    return 2 / n * gram + 2 * l2 * np.diag([*np.ones(len(gram) - 1), 0])


def finite_differences(function, theta, step=1e-5):
    """Return central differences, exact for a quadratic up to rounding."""
    slopes = []
    for i in range(len(theta)):
        move = np.zeros(len(theta))
        move[i] = step
        slopes.append((function(theta + move) - function(theta - move)) / (2 * step))
    return np.array(slopes)


def soft_threshold(theta, threshold):
    w = np.sign(theta[:-1]) * np.maximum(np.abs(theta[:-1]) - threshold, 0)
    return np.append(w, theta[-1])


def plain_descent(slope, theta, rate, l1=0.0):
    """Yield every iterate of θ ← prox(θ − α·slope(θ)) after the start."""
    while True:
        theta = soft_threshold(theta - rate * slope(theta), rate * l1)
        yield theta


def heavy_ball_descent(slope, theta, rate, l1=0.0):
    """Yield Polyak's iterates: the gradient step plus 0.9 of the previous step."""
    before = theta
    while True:
        step = -rate * slope(theta) + 0.9 * (theta - before)
        before, theta = theta, soft_threshold(theta + step, rate * l1)
        yield theta


def nesterov_descent(slope, theta, rate, l1=0.0):
    """Yield Nesterov's iterates with k/(k + 3) and gradient restart."""
    before, k = theta, 0
    while True:
        ahead = theta + k / (k + 3) * (theta - before)
        after = soft_threshold(ahead - rate * slope(ahead), rate * l1)
        k = 0 if (ahead - after) @ (after - theta) > 0 else k + 1
        before, theta = theta, after
        yield theta


DESCENTS = {
    "none": plain_descent,
    "heavy_ball": heavy_ball_descent,
    "nesterov": nesterov_descent,
}


def iterates(momentum, x, y, rate, steps, *, weight=None, l1=0.0, l2=0.0):
    """Return the first `steps` iterates from zero, `[steps, features + 1]`."""
    start = np.zeros(x.shape[1] + 1)
    descent = DESCENTS[momentum](
        lambda theta: gradient(theta, x, y, weight, l2), start, rate, l1
    )
    return np.array(list(itertools.islice(descent, steps)))


def closed_form(x, y, weight=None, l2=0.0):
    """Return the minimiser of F by `lstsq` on centred rows, plus ridge rows."""
    x, y, s = np.asarray(x, np.float64), np.asarray(y), ones_unless(weight, x)
    x_mean, y_mean = s @ x / s.sum(), s @ y / s.sum()
    root = np.sqrt(s / s.sum())
    left = (x - x_mean) * root[:, np.newaxis]
    left = np.vstack([left, np.sqrt(l2) * np.eye(x.shape[1])])
    right = np.append((y - y_mean) * root, np.zeros(x.shape[1]))
    scale = np.linalg.norm(left, axis=0)  # columns of 1e-6 and 1e6
    scale[scale == 0] = 1
    w = np.linalg.lstsq(left / scale, right, rcond=1e-12)[0] / scale
    return np.append(w, y_mean - x_mean @ w)


def relative_excess(theta, x, y, weight=None, l2=0.0):
    """Return (F(θ) − F(θ*)) / F(θ*) without subtracting two nearly equal losses."""
    s, best = ones_unless(weight, x), closed_form(x, y, weight, l2)
    away = theta - best
    excess = np.sum(s * (with_ones(x) @ away) ** 2) / s.sum()
    excess += l2 * np.sum(away[:-1] ** 2)
    return excess / smooth_loss(best, x, y, weight, l2)


def least_squares_errors(x, y):
    """Return estimates (intercept first) and standard errors from σ²·(ZᵀZ)⁻¹."""
    z = np.column_stack([np.ones(len(x)), x])
    inverse = np.linalg.inv(z.T @ z)
    estimate = inverse @ z.T @ y
    variance = np.sum((y - z @ estimate) ** 2) / (len(z) - z.shape[1])
    return estimate, np.sqrt(variance * np.diag(inverse))
