"""The learning rate: its schedule, and the range test that finds it."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

# The range test stops where the smoothed loss exceeds its least value so many times.
BLOWN_UP = 3.0
# Share of the past in the smoothed loss.
MEMORY = 0.9
# The chosen rate is the one with the least loss, over this.
MARGIN = 4.0


@keras.saving.register_keras_serializable("descent_recipes")
class CosineSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """From the full rate to 0 on half a cosine wave (Loshchilov & Hutter 2017).

    A function of the optimiser's own count of steps, so that a training that goes on
    after a break goes on with the rates it would have had.

    Args:
        rate: The rate at the start, positive.
        start: The step at which it begins.
        steps: Steps until it is 0.
    """

    def __init__(self, rate: float, start: int, steps: int) -> None:
        super().__init__()
        self.rate, self.start, self.steps = rate, start, steps

    def __call__(self, step: Any) -> Any:
        """The rate of a step: rate·(1 + cos(π·(step − start)/steps))/2."""
        done = (keras.ops.cast(step, "float32") - self.start) / self.steps
        done = keras.ops.clip(done, 0.0, 1.0)
        return self.rate * (1 + keras.ops.cos(np.pi * done)) / 2

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"rate": self.rate, "start": self.start, "steps": self.steps}


@dataclass(frozen=True)
class RangeTest:
    """What a range test saw.

    Attributes:
        rates: The rates tried, ascending, `[m]`.
        losses: The loss before the step with each, smoothed, `[m]`.
        chosen: The rate to train with.
    """

    rates: npt.NDArray[np.float64]
    losses: npt.NDArray[np.float64]
    chosen: float


def find_learning_rate(
    model: Any,
    x: Any,
    y: Any = None,
    batch_size: int = 32,
    *,
    sample_weight: Any = None,
    class_weight: Any = None,
    lowest: float = 1e-5,
    highest: float = 10.0,
    steps: int = 200,
) -> RangeTest:
    """Finds a learning rate by a range test (Smith 2017).

    The model trains for some steps, one batch each, while the rate grows exponentially.
    At first nothing happens, then the loss falls, then it rises as steps leap over
    valleys. The losses are smoothed, and a quarter of the rate at which they are least
    is chosen: there steps begin to be too large. Weights and optimiser are afterwards
    as they were.

    Args:
        model: A network of this recipe, fitted or not.
        x: As `fit`'s.
        y: As `fit`'s.
        batch_size: Rows in a batch of arrays. The rate found is for this size.
        sample_weight: As `fit`'s.
        class_weight: As a classifier's `fit`'s.
        lowest: The first rate.
        highest: The last rate, unless the loss blows up before.
        steps: Rates to try.

    Raises:
        ValueError: If the data are not as `fit` wants them, or the optimiser's rate is
            a schedule.
    """
    data = model.prepare(x, y, sample_weight, class_weight)
    batches = model.training_batches(data, batch_size)
    return range_test(model, batches, lowest, highest, steps)


def range_test(
    model: Any,
    batches: Iterable[Any],
    lowest: float = 1e-5,
    highest: float = 10.0,
    steps: int = 200,
) -> RangeTest:
    """The same, on batches as `train_step` takes them, repeated where they end."""
    optimizer = model.optimizer
    if isinstance(optimizer.get_config()["learning_rate"], dict):
        raise ValueError(
            "The optimizer's learning rate should be a number to be tried out. "
            "Received: a schedule"
        )
    optimizer.build(model.trainable_variables)
    variables = [*model.variables, *optimizer.variables]
    before = [variable.numpy() for variable in variables]
    step = tf.function(model.train_step, reduce_retracing=True, autograph=False)
    rates = np.geomspace(lowest, highest, steps)
    losses: list[float] = []
    mean = 0.0
    endless = itertools.chain.from_iterable(itertools.repeat(batches))
    for count, (rate, batch) in enumerate(zip(rates, endless, strict=False), 1):
        optimizer.learning_rate.assign(rate)
        model.reset_metrics()
        loss = float(step(batch)["loss"])
        mean = MEMORY * mean + (1 - MEMORY) * loss
        smoothed = mean / (1 - MEMORY**count)
        if not np.isfinite(smoothed) or smoothed > BLOWN_UP * min(losses, default=loss):
            break
        losses.append(smoothed)
    for variable, value in zip(variables, before, strict=True):
        variable.assign(value)
    seen = np.array(losses)
    chosen = rates[int(seen.argmin())] / MARGIN if len(seen) else lowest
    return RangeTest(rates[: len(seen)], seen, float(chosen))


def set_learning_rate(
    model: Any, training: tf.data.Dataset, epochs: int, initial_epoch: int
) -> None:
    """Gives a model's optimiser the rate, found where it should be, and the schedule.

    Args:
        model: A `MultilayerPerceptron`, built, before its first step or a later one.
        training: Batches as `train_step` takes them.
        epochs: Number of the last epoch.
        initial_epoch: Number of epochs before the first.
    """
    optimizer = model.optimizer
    optimizer.build(model.trainable_variables)
    taken = int(optimizer.iterations)
    if model.learning_rate == "auto" and not taken:
        model.range_test = range_test(model, training)
        optimizer.learning_rate = model.range_test.chosen
    if model.schedule == "cosine":
        rate = optimizer.get_config()["learning_rate"]
        if isinstance(rate, dict):  # an earlier fit's
            rate = rate["config"]["rate"]
        steps = int(training.cardinality())
        start = max(0, taken - initial_epoch * steps)
        optimizer.learning_rate = CosineSchedule(rate, start, epochs * steps)
        model.train_function = None  # it may have been traced with another rate
