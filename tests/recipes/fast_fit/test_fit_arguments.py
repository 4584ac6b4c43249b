"""Class weights and validation data of `fit`."""

import keras
import numpy as np
import pytest

from tests.recipes.fast_fit.small_models import (
    BATCH,
    CLASSES,
    ROWS,
    X,
    Y,
    dataset,
    fit_both_ways,
    functional,
    network,
)

pytestmark = pytest.mark.usefixtures("chunks_of_four")


@pytest.mark.parametrize("source", ["arrays", "dataset", "one-hot"])
def test_class_weights_equal_keras(source):
    weights = {0: 0.25, 2: 3.0}
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    y = Y
    if source == "one-hot":
        y = np.eye(CLASSES, dtype=np.float32)[Y]
        loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    fast, plain = (functional(True, loss=loss, metrics=[]) for _ in range(2))
    data = (X, y) if source == "arrays" else (dataset(X, y),)
    size = {"batch_size": BATCH} if source == "arrays" else {}
    history = fast.fit(*data, **size, shuffle=False, class_weight=weights, verbose=0)
    keras_fit = keras.Model.fit  # with the arguments as they are
    plain.make_train_function = lambda force=False: keras.Model.make_train_function(
        plain, force
    )
    expected = keras_fit(
        plain, *data, **size, shuffle=False, class_weight=weights, verbose=0
    )
    np.testing.assert_allclose(
        history.history["loss"], expected.history["loss"], rtol=1e-6
    )
    for one, other in zip(fast.weights, plain.weights, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), atol=1e-6)


def test_weighted_validation():
    validation = {"validation_data": (X[:19], Y[:19], np.arange(19.0))}
    _, _, history = fit_both_ways(
        network,
        lambda m: m.fit(dataset(), epochs=2, verbose=0, **validation),
    )
    assert {"val_loss", "val_accuracy"} < set(history)


@pytest.mark.parametrize(
    "validation",
    [
        {"validation_data": dataset(X[:19], Y[:19])},
        {"validation_data": (X, Y), "validation_steps": 2},
        {"validation_data": (X, Y), "validation_batch_size": 5, "validation_freq": 2},
    ],
)
@pytest.mark.filterwarnings("ignore:Your input ran out of data")
def test_validation_arguments(validation):
    fit_both_ways(
        network, lambda m: m.fit(dataset(), epochs=2, verbose=0, **validation)
    )


def test_validation_split_takes_the_last_rows():
    fast = functional(True)
    history = fast.fit(X, Y, BATCH, 1, 0, validation_split=0.25)
    kept = int(ROWS * 0.75)
    expected = fast.evaluate(X[kept:], Y[kept:], verbose=0, return_dict=True)
    assert history.history["val_loss"] == pytest.approx([expected["loss"]])
