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


def test_a_regression_must_be_closer_and_correlate():
    y = np.arange(10.0)
    data = data_of(y, y)
    assert beats_baseline(data, y[:, None])
    assert not beats_baseline(data, np.full((10, 1), 4.5))
    assert not beats_baseline(data, y + 20)  # correlates, but is far off
    assert not beats_baseline(data, 9 - y)
    # Neighbours swapped: the rank correlation is 1 − 6·10/990 = 0.94, above 2/3.
    assert beats_baseline(data, np.array([1, 0, 3, 2, 5, 4, 7, 6, 9, 8]))
    # 1 − 6·58/990 = 0.648 is not.
    assert not beats_baseline(data, np.array([5, 1, 2, 3, 4, 0, 6, 9, 8, 7]))


def test_few_rows_tell_nothing():
    y = np.arange(5.0)
    assert not beats_baseline(data_of(y, y), y)
    assert not beats_baseline(data_of(y, y[:1]), y[:1])


def test_few_heavy_rows_tell_no_more_than_few():
    y = np.arange(40.0)
    data = data_of(y, y)
    assert beats_baseline(data, y)
    data.test.weight = np.where(y < 4, 1e6, 1.0)
    assert not beats_baseline(data, y)


def test_a_median_gains_nothing_on_the_median():
    rng = np.random.default_rng(0)
    y, known = np.exp(2 * rng.normal(size=(2, 500)))
    data = data_of(known, y)
    assert not beats_baseline(data, np.full(500, np.median(known)))
    assert not beats_baseline(data, np.full(500, known.mean()))


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
