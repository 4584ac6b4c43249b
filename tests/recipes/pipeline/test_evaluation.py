"""Scores: hand-computed values, shapes, float64, the mean as a baseline."""

import itertools
import math

import numpy as np
import pytest

from recipes.pipeline.evaluation import mean_baseline_scores, regression_scores


def test_scores_by_hand():
    # Errors 0, 0, 0, 2; the squares around the mean of 2.5 add up to 5.
    scores = regression_scores([1, 2, 3, 4], [1, 2, 3, 6])
    assert scores == pytest.approx({"mse": 1, "rmse": 1, "mae": 0.5, "r2": 0.2})


def test_column_and_vector_shapes_score_alike():
    y, p = np.array([1.0, 2.0, 4.0]), np.array([1.5, 2.0, 3.0])
    results = [
        regression_scores(a, b)
        for a, b in itertools.product((y, y[:, None]), (p, p[:, None]))
    ]
    assert all(result == results[0] for result in results)
    assert results[0]["mse"] == pytest.approx(1.25 / 3)


@pytest.mark.parametrize(
    ("target", "prediction"),
    [
        (np.zeros(4), np.zeros(3)),
        (np.zeros(4), np.zeros(1)),
        (np.zeros(1), np.zeros((4, 1))),
        (np.zeros((4, 1)), np.zeros((4, 4))),
        (np.zeros((1, 4)), np.zeros(4)),
        (np.zeros((4, 1, 1)), np.zeros(4)),
        (np.float64(1.0), np.float64(1.0)),
        (np.zeros(0), np.zeros(0)),
    ],
)
def test_other_shapes_are_refused_not_broadcast(target, prediction):
    with pytest.raises(ValueError, match="should have"):
        regression_scores(target, prediction)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_values_that_are_not_finite_are_refused(bad):
    with pytest.raises(ValueError, match=r"NaN|infinity"):
        regression_scores([1.0, 2.0], [1.0, bad])


def test_float32_input_is_scored_in_float64():
    rng = np.random.default_rng(0)
    y = (1e4 + rng.normal(size=1000)).astype(np.float32)
    p = (y + 0.01 * rng.normal(size=1000)).astype(np.float32)
    errors = p.astype(np.float64) - y.astype(np.float64)
    scores = regression_scores(y, p)
    assert scores["mse"] == pytest.approx(np.mean(errors**2), rel=1e-12)
    assert all(type(value) is float for value in scores.values())


@pytest.mark.parametrize("y", [[3.0], [3.0, 3.0]])
def test_r2_is_nan_where_the_target_does_not_vary(y):
    scores = regression_scores(y, [4.0] * len(y))
    assert math.isnan(scores["r2"])
    assert scores["rmse"] == 1


def test_baseline_predicts_the_training_mean():
    scores = mean_baseline_scores([1, 2, 3, 6], np.array([[3.0], [5.0]]))
    assert scores == pytest.approx(
        {"mse": 2, "rmse": math.sqrt(2), "mae": 1, "r2": -1.0}
    )
