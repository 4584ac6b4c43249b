"""The learning rate's schedule and range test."""

import keras
import numpy as np
import pytest

from recipes.neural_network.training.learning_rate import (
    SAFETY_FACTOR,
    CosineSchedule,
    find_breakdown,
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
    assert SAFETY_FACTOR * found.chosen > found.rates[found.losses.argmin()]
    assert 1e-3 < found.chosen < 3
    assert found.losses.min() < found.losses[0]


def test_range_test_stops_where_the_loss_diverges():
    x, y = make_rows("numbers", n=100)
    model = make_network("numbers", (50,), "relu")
    found = find_learning_rate(model, x, y, 8, highest=1e4, steps=100)
    assert len(found.rates) < 100
    assert np.isfinite(found.losses).all()
    assert found.losses[-1] < 3.1 * found.losses[0]
    assert 1e-3 < found.chosen < 1


@pytest.mark.parametrize(
    ("losses", "index"),
    [
        ([2.0, 1.9, 1.0, 0.4, 0.2, 1.0, 1.2, 5.0], 6),  # half of the fall is 0.9
        ([2.0, 1.9, 1.0, 0.4, 0.2, np.inf, np.inf], 5),
        ([2.0, 1.0, 1.8, 0.2, 0.3, 0.9, 0.4], 6),  # it never breaks down
        ([2.0, 3.0, 4.0], 1),
        ([np.inf, np.inf], 0),
    ],
)
def test_training_breaks_down_where_half_of_the_fall_is_lost(losses, index):
    assert find_breakdown(np.array(losses), 2.0) == index


def test_units_that_are_all_0_are_a_breakdown():
    """The loss then is the constant's, not the higher one of random weights."""
    losses = np.array([2.5, 1.5, 0.4, 0.9, 1.0, 1.0, 1.0])
    assert find_breakdown(losses, 1.0) == 3
    assert find_breakdown(losses, 5.0) == 6


@pytest.mark.parametrize(("scale", "momentum"), [(1.0, 0.0), (1.0, 0.9), (10.0, 0.0)])
def test_rate_is_below_the_limit_of_a_quadratic(scale, momentum):
    """Gradient descent on a quadratic diverges beyond 2(1 + momentum)/λ.

    Here, without noise from batches, the loss has reached its minimum before, and takes
    longest to rise again.
    """
    random = np.random.default_rng(0)
    x = scale * random.standard_normal((200, 4)) * [1.0, 0.8, 0.5, 0.3]
    y = x @ [1.0, -2.0, 0.5, 3.0] + 0.1 * scale * random.standard_normal(200)
    design = np.column_stack([x, np.ones(200)])
    curvature = 2 * np.linalg.eigvalsh(design.T @ design / 200)[-1]
    limit = 2 * (1 + momentum) / curvature
    model = make_network("numbers", (), momentum=momentum)
    found = find_learning_rate(model, x, y, 200, highest=1000, steps=250)
    assert limit / 20 < found.chosen < limit


def test_rate_hardly_depends_on_the_seed():
    x, y = make_arm(600)
    rates = []
    for seed in range(3):
        model = make_network(
            "numbers", (64, 32), "relu", "float32", momentum=0.9, seed=seed
        )
        rates.append(find_learning_rate(model, x, y).chosen)
        again = find_learning_rate(model, x, y).chosen
        assert again == rates[-1]  # to the bit
    assert max(rates) < 4 * min(rates)


def make_arm(rows):
    """Return angles of a robot's arm, and how far its tip is from a point."""
    random = np.random.default_rng(1)
    angles = random.uniform(-1.5, 1.5, (rows, 8))
    total = np.cumsum(angles, axis=1)
    tip = np.stack([np.cos(total).sum(1), np.sin(total).sum(1)], axis=1)
    distance = np.linalg.norm(tip - [3.0, 1.0], axis=1)
    return (angles / angles.std(0)).astype("float32"), distance


def test_auto_learns_whatever_the_seed():
    x, y = make_arm(800)
    for seed in range(4):
        model = make_network(
            *("numbers", (64, 32), "relu", "float32"),
            learning_rate="auto",
            momentum=0.9,
            seed=seed,
        )
        fit(model, x, y, epochs=15)
        assert model.certificate["relative_train_loss"] < 0.8


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
