"""The learning rate: its schedule, and the range test that chooses it."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

# The range test stops once the smoothed loss exceeds this multiple of its minimum.
DIVERGENCE_FACTOR = 3.0
# Decay of the exponential moving average that smooths the loss.
SMOOTHING = 0.9
# The chosen rate is the rate with the lowest loss, divided by this.
SAFETY_FACTOR = 4.0


@keras.saving.register_keras_serializable("descent_recipes")
class CosineSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """A decay from the full rate to 0 along half a cosine (Loshchilov & Hutter 2017).

    It depends only on the optimiser's step count, so a resumed training continues with
    the rates that it would have had without the break.

    Args:
        rate: The initial rate, positive.
        start: The step at which the decay begins.
        steps: The number of steps until the rate is 0.
    """

    def __init__(self, rate: float, start: int, steps: int) -> None:
        super().__init__()
        self.rate, self.start, self.steps = rate, start, steps

    def __call__(self, step: Any) -> Any:
        """Return the rate of a step, rate·(1 + cos(π·(step − start)/steps))/2."""
        done = (keras.ops.cast(step, "float32") - self.start) / self.steps
        done = keras.ops.clip(done, 0.0, 1.0)
        return self.rate * (1 + keras.ops.cos(np.pi * done)) / 2

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"rate": self.rate, "start": self.start, "steps": self.steps}


@dataclass(frozen=True)
class RangeTest:
    """The result of a range test.

    Attributes:
        rates: The rates that were tried, ascending, `[m]`.
        losses: The smoothed loss before the step with each rate, `[m]`.
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
    """Find a learning rate by a range test (Smith 2017).

    The model takes a number of steps, one batch each, while the rate grows
    exponentially. At first the loss hardly changes, then it falls, and finally it rises
    as steps overshoot. Steps begin to be too large where the smoothed loss is lowest;
    a quarter of that rate is chosen. Weights and optimiser are restored afterwards.

    Args:
        model: A network of this recipe, fitted or not.
        x: As for `fit`.
        y: As for `fit`.
        batch_size: Rows in a batch of arrays. The rate found is for this size.
        sample_weight: As for `fit`.
        class_weight: As for a classifier's `fit`.
        lowest: The first rate.
        highest: The last rate, unless the loss diverges before.
        steps: The number of rates to try.

    Raises:
        ValueError: If the data are not as `fit` requires, or the optimiser's learning
            rate is a schedule.
    """
    data = model.prepare_training(x, y, sample_weight, class_weight)
    batches = model.batch_rows(data, batch_size)
    return run_range_test(model, batches, lowest, highest, steps)


def run_range_test(
    model: Any,
    batches: Iterable[Any],
    lowest: float = 1e-5,
    highest: float = 10.0,
    steps: int = 200,
) -> RangeTest:
    """Run the test of `find_learning_rate` on batches as `train_step` takes them.

    The batches are repeated if there are fewer than steps.
    """
    optimizer = model.optimizer
    if isinstance(optimizer.get_config()["learning_rate"], dict):
        raise ValueError(
            "A range test needs an optimizer whose learning rate is a number. "
            "Received: a schedule"
        )
    optimizer.build(model.trainable_variables)
    variables = [*model.variables, *optimizer.variables]
    saved_values = [variable.numpy() for variable in variables]
    step = tf.function(model.train_step, reduce_retracing=True, autograph=False)
    rates = np.geomspace(lowest, highest, steps)
    losses: list[float] = []
    mean = 0.0
    endless = itertools.chain.from_iterable(itertools.repeat(batches))
    for count, (rate, batch) in enumerate(zip(rates, endless, strict=False), 1):
        optimizer.learning_rate.assign(rate)
        model.reset_metrics()
        loss = float(step(batch)["loss"])
        mean = SMOOTHING * mean + (1 - SMOOTHING) * loss
        smoothed = mean / (1 - SMOOTHING**count)
        limit = DIVERGENCE_FACTOR * min(losses, default=loss)
        if not np.isfinite(smoothed) or smoothed > limit:
            break
        losses.append(smoothed)
    for variable, value in zip(variables, saved_values, strict=True):
        variable.assign(value)
    chosen = rates[int(np.argmin(losses))] / SAFETY_FACTOR if losses else lowest
    return RangeTest(rates[: len(losses)], np.array(losses), float(chosen))


def set_learning_rate(
    model: Any, training: tf.data.Dataset, epochs: int, initial_epoch: int
) -> None:
    """Set the learning rate and schedule, after a range test if the rate is `"auto"`.

    Args:
        model: A built `MultilayerPerceptron`; only before its first step is it tested.
        training: Batches as `train_step` takes them.
        epochs: The number of the last epoch.
        initial_epoch: The number of epochs before the first.
    """
    optimizer = model.optimizer
    optimizer.build(model.trainable_variables)
    steps_taken = int(optimizer.iterations)
    if model.learning_rate == "auto" and not steps_taken:
        model.range_test = run_range_test(model, training)
        optimizer.learning_rate = model.range_test.chosen
    if model.schedule == "cosine":
        rate = optimizer.get_config()["learning_rate"]
        if isinstance(rate, dict):  # from an earlier `fit`
            rate = rate["config"]["rate"]
        steps = int(training.cardinality())
        start = max(0, steps_taken - initial_epoch * steps)
        optimizer.learning_rate = CosineSchedule(rate, start, epochs * steps)
        model.train_function = None  # it may have been traced with the old rate
