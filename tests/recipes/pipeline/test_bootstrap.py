"""The intervals of scores: against theory, by hand, and against resamples by name."""

import numpy as np
import pytest
from scipy import stats

from recipes.pipeline import bootstrap, evaluation


def test_an_accuracy_s_interval_is_the_binomial_s():
    """Resampled hits are binomial: the interval's ends are its quantiles."""
    target = np.repeat([0, 1], 100)
    scores = np.where(np.arange(200) % 5 == 0, -1, 1) * np.where(target, 1, -1)
    decisions = evaluation.decide(target, scores[:, None])
    low, high = bootstrap.classification_intervals(decisions)["accuracy"]
    expected = stats.binom(200, 0.8).ppf([0.025, 0.975]) / 200
    np.testing.assert_allclose([low, high], expected, atol=0.011)


def test_a_mean_s_interval_is_the_normal_s():
    rng = np.random.default_rng(0)
    error = rng.normal(size=4000)
    intervals = bootstrap.regression_intervals(np.zeros(4000), error)
    for name, losses in (("mse", error**2), ("mae", abs(error))):
        half = 1.96 * losses.std() / np.sqrt(len(losses))
        expected = [losses.mean() - half, losses.mean() + half]
        np.testing.assert_allclose(intervals[name], expected, atol=half / 8)
    np.testing.assert_allclose(intervals["rmse"], np.sqrt(intervals["mse"]))
    assert "r2" not in intervals  # there is nothing to explain


@pytest.mark.parametrize("classes", [2, 4])
def test_resampled_scores_are_the_scores_of_the_resample(classes, monkeypatch):
    """With rows that are drawn by name, each score is that of `evaluation`."""
    rng = np.random.default_rng(1)
    target = rng.integers(0, classes, 60)
    logits = rng.normal(size=(60, classes)).round(1) + 1.5 * np.eye(classes)[target]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    scores = logits if classes > 2 else logits[:, 1:] - logits[:, :1]
    decisions = evaluation.decide(target, scores, probabilities)
    drawn = rng.integers(0, 60, (1, 60))
    monkeypatch.setattr(bootstrap, "RESAMPLES", 1)
    monkeypatch.setattr(np.random, "default_rng", lambda _: Drawing(drawn))
    found = bootstrap.classification_intervals(decisions)
    rows = drawn[0]
    expected = evaluation.classification_scores(
        target[rows], scores[rows], probabilities[rows]
    )
    assert set(found) == set(expected)
    for name, (low, high) in found.items():
        assert low == high == pytest.approx(expected[name], rel=1e-12)


def test_resampled_regression_scores_are_the_scores_of_the_resample(monkeypatch):
    rng = np.random.default_rng(2)
    target = rng.normal(1e6, 1, 50)
    prediction = target + rng.normal(0, 0.4, 50)
    drawn = rng.integers(0, 50, (1, 50))
    monkeypatch.setattr(bootstrap, "RESAMPLES", 1)
    monkeypatch.setattr(np.random, "default_rng", lambda _: Drawing(drawn))
    found = bootstrap.regression_intervals(target, prediction[:, None])
    expected = evaluation.regression_scores(target[drawn[0]], prediction[drawn[0]])
    for name, (low, high) in found.items():
        assert low == high == pytest.approx(expected[name], rel=1e-9)


class Drawing:
    """A random generator that draws what it was given."""

    def __init__(self, rows):
        self._rows = rows

    def integers(self, low, high, size):
        assert (low, size) == (0, self._rows.shape)
        return self._rows


def test_a_large_set_s_interval_is_as_narrow_as_its_size_allows(monkeypatch):
    """Samples of fewer rows give the interval of all rows."""
    rng = np.random.default_rng(3)
    target = rng.normal(size=9000)
    prediction = target + rng.normal(0, 0.5, 9000)
    whole = bootstrap.regression_intervals(target, prediction)
    monkeypatch.setattr(bootstrap, "_MOST_ROWS", 900)
    sampled = bootstrap.regression_intervals(target, prediction)
    for name, (low, high) in whole.items():
        width = high - low
        np.testing.assert_allclose(sampled[name], (low, high), atol=width / 6)


def test_the_intervals_are_the_same_each_time():
    target = np.arange(30) % 3
    decisions = evaluation.decide(target, np.random.default_rng(4).normal(size=(30, 3)))
    once = bootstrap.classification_intervals(decisions)
    assert once == bootstrap.classification_intervals(decisions)
    assert set(once) == {"accuracy", "balanced_accuracy", "auc"}


def test_a_missing_class_has_no_area():
    decisions = evaluation.decide([0, 0, 1], np.eye(3), np.eye(3))
    assert "auc" not in bootstrap.classification_intervals(decisions)
