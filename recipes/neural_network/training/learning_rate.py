"""The learning rate: its schedule, and the range test that chooses it."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

# A draw ends once its loss exceeds this multiple of its first.
DIVERGENCE_FACTOR = 3.0
# Draws of initial weights and batches of which the median loss is taken.
DRAWS = 3
# Batches on which the loss is computed after each step, always the same.
SAMPLE_BATCHES = 4
# Training breaks down where the loss has risen again by this share of its fall.
RISE = 0.5
# The chosen rate is the lowest rate at which a draw breaks down, divided by this: what
# is too large for many steps breaks down in a few only at a larger rate.
SAFETY_FACTOR = 10.0


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
        losses: The loss after the step with each rate, the median over the draws,
            `[m]`.
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
    as steps overshoot. Training breaks down at the rate at which the loss has risen
    again by half of its fall (from the error of a constant, if it started higher). A
    tenth of that is chosen.

    How low the loss falls before depends on chance, and where it is lowest even more.
    So the loss is that of the same few rows after every step, not that of the step's
    batch; and there are three draws, from other initial weights (unless the model is
    fitted: then from its own) and with other batches, of which the one that breaks down
    first counts. Weights and optimiser are restored afterwards.

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
    batches: tf.data.Dataset,
    lowest: float = 1e-5,
    highest: float = 10.0,
    steps: int = 200,
) -> RangeTest:
    """Run the test of `find_learning_rate` on batches as `train_step` takes them.

    The batches are repeated if there are too few.
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
    is_fitted = int(optimizer.iterations) > 0
    rates = np.geomspace(lowest, highest, steps)
    endless = itertools.chain.from_iterable(itertools.repeat(batches))
    sample = list(itertools.islice(endless, SAMPLE_BATCHES))
    step, constant_error = _make_step(model, sample), _constant_error(model, sample)
    curves = np.full((DRAWS, steps), np.inf)
    for draw, curve in enumerate(curves):
        for variable, value in zip(variables, saved_values, strict=True):
            variable.assign(value)
        if not is_fitted:
            model.network.set_weights(model.draw_weights(draw))
        _trace_curve(curve, step, optimizer, rates, endless)
    for variable, value in zip(variables, saved_values, strict=True):
        variable.assign(value)
    limit = rates[min(find_breakdown(curve, constant_error) for curve in curves)]
    losses = np.median(curves, axis=0)
    losses = losses[np.isfinite(losses)]
    return RangeTest(rates[: len(losses)], losses, float(limit / SAFETY_FACTOR))


def find_breakdown(losses: npt.NDArray[np.float64], constant_error: float) -> int:
    """Return where a curve has risen again by half of its fall.

    Its fall is from its first value or, if that is lower, from the error of the best
    constant prediction, at which a network ends whose units have all become 0.

    Args:
        losses: `[m]`, infinite from where it diverges.
        constant_error: That error.

    Returns:
        An index; the last one if it does not rise so far, 0 if it diverges at once.
    """
    if not np.isfinite(losses[0]):
        return 0
    lowest = int(np.argmin(losses))
    fall = min(losses[0], constant_error) - losses[lowest]
    has_risen = losses[lowest + 1 :] > losses[lowest] + RISE * fall
    return (
        lowest + 1 + int(np.argmax(has_risen)) if has_risen.any() else len(losses) - 1
    )


def _constant_error(model: Any, sample: list[Any]) -> float:
    """Return the error of the best constant prediction for a few batches."""
    targets = np.concatenate(
        [np.asarray(model.encode_targets(batch[1], training=True)) for batch in sample]
    ).astype(np.float64)
    error = model.compute_constant_error(
        targets.mean(axis=0), (targets**2).mean(axis=0)
    )
    return float(error)


def _make_step(model: Any, sample: list[Any]) -> Callable[[Any], tf.Tensor]:
    """Return a function that takes a step and returns the loss of the sample."""

    @tf.function(reduce_retracing=True, autograph=False)
    def step(batch: Any) -> tf.Tensor:
        model.train_step(batch)
        losses = [tf.cast(model.training_loss(*each), tf.float64) for each in sample]
        return tf.add_n(losses) / len(losses)

    return step


def _trace_curve(
    curve: npt.NDArray[np.float64],
    step: Callable[[Any], tf.Tensor],
    optimizer: Any,
    rates: npt.NDArray[np.float64],
    batches: Iterator[Any],
) -> None:
    """Enter the loss after the step with each rate, until it diverges."""
    for number, rate in enumerate(rates):
        optimizer.learning_rate.assign(rate)
        loss = float(step(next(batches)))
        if not loss <= DIVERGENCE_FACTOR * (curve[0] if number else abs(loss)):
            break
        curve[number] = loss


def set_learning_rate(
    model: Any, training: tf.data.Dataset, epochs: int, initial_epoch: int
) -> None:
    """Set the learning rate and schedule, after a range test if the rate is `"auto"`.

    Args:
        model: A built `MultilayerPerceptron`; only before its first step is it tested,
            and not if it has the result of a test already.
        training: Batches as `train_step` takes them.
        epochs: The number of the last epoch.
        initial_epoch: The number of epochs before the first.
    """
    optimizer = model.optimizer
    optimizer.build(model.trainable_variables)
    steps_taken = int(optimizer.iterations)
    if model.learning_rate == "auto" and not steps_taken:
        model.range_test = model.range_test or run_range_test(model, training)
        optimizer.learning_rate = model.range_test.chosen
    if model.schedule == "cosine":
        rate = optimizer.get_config()["learning_rate"]
        if isinstance(rate, dict):  # from an earlier `fit`
            rate = rate["config"]["rate"]
        steps = int(training.cardinality())
        start = max(0, steps_taken - initial_epoch * steps)
        optimizer.learning_rate = CosineSchedule(rate, start, epochs * steps)
        model.train_function = None  # it may have been traced with the old rate
