"""The programs that train one network, as `benchmarks.neural_network` runs them."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.data import Split, mnist

HIDDEN, CLASSES, RATE = 128, 10, 0.1
Result = dict[str, Any]


def order(rows: int, epoch: int) -> np.ndarray:
    """Return the order of rows in an epoch, as `FastFit.shuffle_seed = 0` makes it."""
    return np.random.default_rng((0, epoch)).permutation(rows)


def first_weights(features: int) -> list[np.ndarray]:
    """Return the kernels and biases that programs start with (Glorot uniform)."""
    generator = np.random.default_rng(0)
    weights = []
    for width, height in ((features, HIDDEN), (HIDDEN, CLASSES)):
        limit = np.sqrt(6 / (width + height))
        kernel = generator.uniform(-limit, limit, (width, height))
        weights += [kernel.astype(np.float32), np.zeros(height, np.float32)]
    return weights


def network(*, fast: bool, **compile_options: Any) -> Any:
    """Build the network in Keras, with or without the recipe's `fit`."""
    import keras

    from recipes.fast_fit import FastFit

    class Fast(FastFit, keras.Sequential):
        shuffle_seed = 0

    layers = [
        keras.layers.Input((784,)),
        keras.layers.Dense(HIDDEN, activation="relu"),
        keras.layers.Dense(CLASSES),
    ]
    model = (Fast if fast else keras.Sequential)(layers)
    model.compile(
        optimizer=keras.optimizers.SGD(RATE),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        **compile_options,
    )
    model.set_weights(first_weights(784))
    return model


def clock() -> Any:
    """Return a callback that times the first step and each epoch."""
    import keras

    class Clock(keras.callbacks.Callback):
        takes_chunks = True

        def on_train_begin(self, logs: Any = None) -> None:
            self.first_step, self.epochs = None, []

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.begin = time.perf_counter()

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.first_step = self.first_step or time.perf_counter()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.epochs.append(time.perf_counter() - self.begin)

    return Clock()


def timed_fit(data: Split, batch: int, epochs: int, make: Callable[[], Any]) -> Result:
    """Time `fit` on arrays of the model that `make` returns."""
    import keras  # noqa: F401 (not part of the measurement)

    begin = time.perf_counter()
    model, timing = make(), clock()
    model.fit(
        data.x, data.y, batch_size=batch, epochs=epochs, verbose=0, callbacks=[timing]
    )
    scores = model.predict(data.test_x, batch_size=1000, verbose=0)
    return {
        "first_step": timing.first_step - begin,
        "epochs": timing.epochs,
        "accuracy": float(np.mean(scores.argmax(axis=1) == data.test_y)),
    }


def ours(data: Split, batch: int, epochs: int) -> Result:
    """Train the recipe's model."""
    from recipes.neural_network import MultilayerPerceptronClassifier

    def make() -> Any:
        model = MultilayerPerceptronClassifier(
            (HIDDEN,), learning_rate=RATE, classes=range(CLASSES)
        )
        model.build((None, 784))
        model.network.set_weights(first_weights(784))
        return model

    return timed_fit(data, batch, epochs, make)


def keras_fast(data: Split, batch: int, epochs: int) -> Result:
    """Train Keras's model with the recipe's `fit`."""
    return timed_fit(data, batch, epochs, lambda: network(fast=True))


def keras_fit(data: Split, batch: int, epochs: int) -> Result:
    """Train Keras's model with its default `fit`."""
    return timed_fit(data, batch, epochs, lambda: network(fast=False))


def keras_compiled(data: Split, batch: int, epochs: int) -> Result:
    """Train Keras's model with the options that Keras has for speed."""
    options = {"jit_compile": True, "steps_per_execution": 100}
    return timed_fit(data, batch, epochs, lambda: network(fast=False, **options))


def pytorch(data: Split, batch: int, epochs: int) -> Result:
    """Train by the plain loop of PyTorch's tutorials, on tensors in memory."""
    import torch

    x, y = torch.from_numpy(data.x), torch.from_numpy(data.y)
    begin = time.perf_counter()
    model = torch.nn.Sequential(
        torch.nn.Linear(784, HIDDEN), torch.nn.ReLU(), torch.nn.Linear(HIDDEN, CLASSES)
    )
    with torch.no_grad():
        for own, weight in zip(model.parameters(), first_weights(784), strict=True):
            own.copy_(torch.from_numpy(weight.T.copy()))
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    loss_function = torch.nn.CrossEntropyLoss()
    seconds, first_step = [], None
    for epoch in range(epochs):
        epoch_begin, total = time.perf_counter(), 0.0
        rows = torch.from_numpy(order(len(x), epoch))
        for chosen in rows.split(batch):
            loss = loss_function(model(x[chosen]), y[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(chosen)
            first_step = first_step or time.perf_counter()
        seconds.append(time.perf_counter() - epoch_begin)
    with torch.no_grad():
        scores = model(torch.from_numpy(data.test_x)).numpy()
    return {
        "first_step": first_step - begin,
        "epochs": seconds,
        "accuracy": float(np.mean(scores.argmax(axis=1) == data.test_y)),
    }


def scikit_learn(data: Split, batch: int, epochs: int) -> Result:
    """Train by `MLPClassifier.partial_fit`, an epoch a call; permuting is not timed."""
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier(
        (HIDDEN,), solver="sgd", alpha=0.0, batch_size=batch, learning_rate_init=RATE,
        momentum=0.0, nesterovs_momentum=False, shuffle=False, random_state=0,
    )  # fmt: skip
    seconds = []
    for epoch in range(epochs):
        rows = order(len(data.x), epoch)
        x, y = data.x[rows], data.y[rows]
        begin = time.perf_counter()
        model.partial_fit(x, y, classes=np.arange(CLASSES))
        seconds.append(time.perf_counter() - begin)
    accuracy = float(np.mean(model.predict(data.test_x) == data.test_y))
    return {"first_step": None, "epochs": seconds, "accuracy": accuracy}


PROGRAMS: dict[str, Callable[[Split, int, int], Result]] = {
    "ours": ours,
    "keras_fast": keras_fast,
    "keras": keras_fit,
    "keras_compiled": keras_compiled,
    "pytorch": pytorch,
    "sklearn": scikit_learn,
}


def train(program: str, batch: int, epochs: int, rows: int | None = None) -> Result:
    """Train on MNIST, or its first rows.

    Returns:
        `first_step`, the seconds to the end of the first step (for this recipe, of the
        first chunk of steps), or `None`; `epochs`, the seconds of each; `accuracy`.
    """
    data = mnist()
    data = data._replace(x=data.x[:rows], y=data.y[:rows])
    return PROGRAMS[program](data, batch, epochs)
