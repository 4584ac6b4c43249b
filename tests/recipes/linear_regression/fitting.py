"""Helpers shared by the tests of `LinearRegression`."""

import re
import warnings

import keras
import numpy as np

from recipes.errors import ConvergenceWarning
from recipes.linear_regression.model import LinearRegression


def data(n=60, d=4, seed=0, dtype="float64"):
    """Return correlated, uncentred columns, which take many steps to fit."""
    random = np.random.default_rng(seed)
    x = random.standard_normal((n, d)) @ (np.eye(d) + 0.5) + 0.5
    y = x @ np.arange(1.0, d + 1) + 2 + random.standard_normal(n)
    return x.astype(dtype), y


def theta_of(model):
    """Return (w, b), `[features + 1]`, float64."""
    kernel, bias = model.linear.get_weights()
    return np.append(kernel[:, 0], bias).astype(np.float64)


def fit(x, y=None, *, sample_weight=None, batch_size=None, callbacks=None, **arguments):
    """Fit a new model without a warning."""
    model = LinearRegression(**arguments)
    model.fit(
        x,
        y,
        batch_size=batch_size,
        sample_weight=sample_weight,
        callbacks=callbacks,
        verbose=0,
    )
    return model


def take_steps(model, x, y=None, epochs=1, **arguments):
    """Take `epochs` steps, which need not converge."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(x, y, epochs=epochs, verbose=0, **arguments)


def save(model, path):
    """Save the model; NumPy 2 warns about how Keras passes weights to h5py."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "__array__ implementation")
        model.save(path)


class Recorder(keras.callbacks.Callback):
    """Callback that records θ after every epoch."""

    def __init__(self):
        super().__init__()
        self.thetas = []

    def on_epoch_end(self, epoch, logs=None):
        self.thetas.append(theta_of(self.model))


def iterates(x, y=None, *, epochs, batch_size=None, sample_weight=None, **arguments):
    """Return θ after each step of a new model, `[epochs, features + 1]`."""
    recorder = Recorder()
    take_steps(
        LinearRegression(**{"tolerance": 0.0, **arguments}),
        x,
        y,
        epochs,
        batch_size=batch_size,
        sample_weight=sample_weight,
        callbacks=[recorder],
    )
    return np.array(recorder.thetas)


def odd_table(path, rows, *, seed):
    """Write a table with categories, blanks and unusual column names."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(["a b", "ü", "1,5"], rows)
    size, price = rng.normal(50, 9, rows), rng.normal(0, 1e-4, rows)
    blank = rng.random(rows) < 0.1
    y = 3 * size + 2e4 * price + 7 * (kind == "ü") + rng.normal(0, 1, rows)
    lines = ['class,"size, m²",for,price/€,rent']
    for k, s, b, p, t in zip(kind, size, blank, price, y, strict=True):
        lines.append(f'"{k}",{"" if b else repr(float(s))},5,{p!r},{t!r}')
    text = re.sub(r"np\.float64\(([^)]*)\)", r"\1", "\n".join(lines))
    path.write_text(text + "\n", encoding="utf-8")
