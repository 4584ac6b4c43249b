"""The learning rate's schedule and range test."""

import keras
import numpy as np
import pytest

from recipes.neural_network.training.learning_rate import (
    CosineSchedule,
    find_learning_rate,
)
from tests.recipes.neural_network.fitting import (
    fit,
    make_dataset,
    make_network,
    make_rows,
)


class Rates(keras.callbacks.Callback):
    """A callback that records the rate after each step."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(float(self.model.optimizer.learning_rate))


def test_schedule_is_half_a_cosine():
    schedule = CosineSchedule(0.5, 10, 100)
    steps = [0, 10, 35, 60, 110, 500]
    expected = [0.5, 0.5, 0.25 * (1 + np.sqrt(0.5)), 0.25, 0, 0]
    found = [float(schedule(step)) for step in steps]
    assert found == pytest.approx(expected, abs=1e-7)
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(schedule)
    )
    assert float(again(35)) == found[2]


@pytest.mark.parametrize("from_dataset", [False, True])
def test_rate_falls_to_zero_over_the_epochs(from_dataset):
    x, y = make_rows("three")
    model, rates = make_network("three", schedule="cosine", learning_rate=0.5), Rates()
    data = (make_dataset(x, y),) if from_dataset else (x, y)
    fit(model, *data, batch_size=8, epochs=4, callbacks=rates)
    expected = [0.25 * (1 + np.cos(np.pi * t / 12)) for t in range(1, 13)]
    assert rates.seen == pytest.approx(expected, abs=1e-6)
    # Fitting again restarts the schedule.
    rates.seen = []
    fit(model, *data, batch_size=8, epochs=2, callbacks=rates)
    expected = [0.25 * (1 + np.cos(np.pi * t / 6)) for t in range(1, 7)]
    assert rates.seen == pytest.approx(expected, abs=1e-6)


def test_range_test_leaves_the_model_unchanged():
    x, y = make_rows("three", n=100)
    model = make_network("three", dropout=0.2, momentum=0.9, batch_normalization=True)
    found = find_learning_rate(model, x, y, 8, lowest=1e-4, highest=100, steps=60)
    other = fit(
        make_network("three", dropout=0.2, momentum=0.9, batch_normalization=True),
        x,
        y,
        batch_size=8,
        epochs=1,
    )
    fit(model, x, y, batch_size=8, epochs=1)
    for one, two in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    assert len(found.rates) == len(found.losses) <= 60
    assert found.rates[0] == pytest.approx(1e-4)
    np.testing.assert_allclose(found.rates[1:] / found.rates[:-1], 1e6 ** (1 / 59))
    assert found.chosen == found.rates[found.losses.argmin()] / 4
    assert 1e-3 < found.chosen < 3
    assert found.losses.min() < found.losses[0]


def test_range_test_stops_where_the_loss_diverges():
    x, y = make_rows("numbers", n=100)
    model = make_network("numbers", (50,), "relu")
    found = find_learning_rate(model, x, y, 8, highest=1e4, steps=100)
    assert len(found.rates) < 100
    assert np.isfinite(found.losses).all()
    assert found.losses[-1] < 3.1 * found.losses.min()
    assert 1e-3 < found.chosen < 1


def test_auto_runs_the_range_test():
    x, y = make_rows("numbers", n=100)
    model = make_network("numbers", learning_rate="auto", schedule="cosine")
    rates = Rates()
    fit(model, x, y, batch_size=8, epochs=1, callbacks=rates)
    own = make_network("numbers", learning_rate=0.01)
    found = find_learning_rate(own, x, y, 8)
    assert model.range_test.chosen == pytest.approx(found.chosen)
    assert rates.seen[0] == pytest.approx(found.chosen, rel=0.02)
    assert model.get_config()["learning_rate"] == "auto"


def test_range_test_of_a_schedule_is_refused():
    x, y = make_rows("three")
    model = make_network("three")
    model.compile(optimizer=keras.optimizers.SGD(CosineSchedule(0.1, 0, 10)))
    with pytest.raises(ValueError, match=r"rate is a number\. Received: a schedule"):
        find_learning_rate(model, x, y)
