"""The verdict: what beats the simplest rival, and what does not beyond chance."""

from types import SimpleNamespace

import numpy as np
import pytest

from recipes.pipeline.evaluation import decide
from recipes.pipeline.verdict import beats_baseline


def data_of(train, test):
    rows = [
        SimpleNamespace(target=np.asarray(each), weight=None) for each in (train, test)
    ]
    return SimpleNamespace(train=rows[0], test=rows[1])


def test_a_regression_beats_the_mean_by_more_than_two_standard_errors():
    y = np.array([0.0, 2.0, 0.0, 2.0])
    data = data_of([0.0, 2.0], y)
    # Gains 1 − (y − p)²: with p = y all are 1; the mean itself gains nothing.
    assert beats_baseline(data, y[:, None])
    assert not beats_baseline(data, np.ones((4, 1)))
    # Gains 1, 1, 1, −1: mean 0.5, standard error √0.75 / 2 = 0.433.
    off = np.sqrt(2)
    assert not beats_baseline(data, y + [0, 0, 0, off])
    # Gains 1, 1, 1, 0: mean 0.75, standard error √0.1875 / 2 = 0.217.
    assert beats_baseline(data, y + [0, 0, 0, 1])


def test_noise_does_not_beat_the_mean_and_a_signal_does():
    rng = np.random.default_rng(0)
    y = rng.normal(size=200)
    data = data_of(rng.normal(size=200), y)
    assert not beats_baseline(data, 0.1 * rng.normal(size=200))
    assert beats_baseline(data, 0.3 * y)


def test_accuracy_alone_suffices():
    y = np.repeat([0, 1], 20)
    scores = np.where(y == 1, 1.0, -1.0)[:, None]
    assert beats_baseline(data_of(y, y), decide(y, scores))
    assert not beats_baseline(data_of(y, y), decide(y, -scores))


@pytest.mark.parametrize("with_probabilities", [False, True])
def test_a_rare_class_that_is_ranked_well_needs_no_better_accuracy(with_probabilities):
    y = np.repeat([0, 1], [95, 5])
    scores = np.linspace(-2, -1, 100)[:, None]  # never above 0
    p = 1 / (1 + np.exp(-scores))
    probabilities = np.hstack([1 - p, p]) if with_probabilities else None
    decisions = decide(y, scores, probabilities)
    assert (decisions.predicted == 0).all()
    assert beats_baseline(data_of(y, y), decisions)


def test_guesses_do_not_beat_the_most_common_class():
    rng = np.random.default_rng(1)
    y = rng.integers(0, 3, 300)
    shares = rng.dirichlet([20, 20, 20], 300)
    assert not beats_baseline(data_of(y, y), decide(y, shares, shares))


def test_a_class_without_test_rows_leaves_the_other_scores():
    y = np.repeat([0, 1], 20)
    sure = np.eye(3)[y]
    assert beats_baseline(data_of([*y, 2], y), decide(y, sure, sure))
