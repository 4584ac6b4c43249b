"""Scores of classifications: by hand, against scikit-learn, with absent classes."""

import math

import numpy as np
import pytest
from sklearn import metrics

from recipes.pipeline import evaluation

TWO = ([0, 0, 1, 1], [[-1.0], [2.0], [0.5], [3.0]])  # one mistake: the second row


def random_rows(n, k, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    target = np.arange(n) % k
    scores = rng.normal(size=(n, k)) + 1.5 * np.eye(k)[target]
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    return target, scores.astype(dtype), p.astype(dtype)


def test_scores_of_two_classes_by_hand():
    scores = evaluation.classification_scores(*TWO)
    # Of the four pairs of a 1 and a 0, three are in order: only 0.5 < 2 is not.
    assert scores == {
        "accuracy": 0.75,
        "balanced_accuracy": 0.75,
        "log_loss": None,
        "auc": 0.75,
    }


def test_log_loss_by_hand():
    p = np.array([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5], [0.25, 0.75]])
    scores = evaluation.classification_scores(*TWO, p)
    assert scores["log_loss"] == pytest.approx(-np.log([0.9, 0.2, 0.5, 0.75]).mean())
    assert all(type(value) is float for value in scores.values())


@pytest.mark.parametrize("k", [2, 3, 26])
def test_scores_agree_with_scikit_learn(k):
    target, scores, p = random_rows(520, k)
    found = evaluation.classification_scores(target, scores, p)
    predicted = scores.argmax(axis=1)
    assert found == pytest.approx(
        {
            "accuracy": metrics.accuracy_score(target, predicted),
            "balanced_accuracy": metrics.balanced_accuracy_score(target, predicted),
            "log_loss": metrics.log_loss(target, p),
            "auc": metrics.roc_auc_score(
                target, p[:, 1] if k == 2 else p, multi_class="ovr"
            ),
        },
        rel=1e-12,
    )


def test_two_columns_of_scores_rank_by_their_difference():
    target, scores, _ = random_rows(60, 2)
    lead = scores[:, [1]] - scores[:, [0]]
    assert evaluation.classification_scores(target, scores) == (
        evaluation.classification_scores(target, lead)
    )


def test_probabilities_rank_but_do_not_decide():
    p = [[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4]]
    scores = evaluation.classification_scores(*TWO, p)
    assert scores["accuracy"] == 0.75
    assert scores["auc"] == 1


def test_the_decision():
    decisions = evaluation.decide([0, 1, 1], [[-1e-9], [0.0], [1e-9]])
    np.testing.assert_array_equal(decisions.predicted, [0, 0, 1])
    decisions = evaluation.decide([[0], [1], [2]], [[1, 1, 0], [0, 2, 2], [-3, -2, -1]])
    np.testing.assert_array_equal(decisions.predicted, [0, 1, 2])
    np.testing.assert_array_equal(decisions.target, [0, 1, 2])
    assert decisions.predicted.dtype == decisions.target.dtype == np.int64
    assert decisions.probabilities is None


def test_classes_absent_from_the_rows():
    """Class 1 is only predicted, class 3 is neither present nor predicted."""
    target = [0, 0, 2, 2]
    scores = np.eye(4)[[0, 1, 2, 2]]
    p = np.full((4, 4), 0.25)
    found = evaluation.classification_scores(target, scores, p)
    assert found["accuracy"] == 0.75
    assert found["balanced_accuracy"] == 0.75  # a half of class 0, all of class 2
    assert found["log_loss"] == pytest.approx(math.log(4))
    assert found["auc"] is None
    assert evaluation.classification_scores([1, 1], [[1.0], [-1.0]])["auc"] is None


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_probability_of_zero_counts_as_the_epsilon_of_its_type(dtype):
    p = np.array([[1, 0], [1, 0]], dtype)
    found = evaluation.classification_scores([0, 1], [[-1.0], [-1.0]], p)
    expected = -math.log(np.finfo(dtype).eps) / 2
    assert found["log_loss"] == pytest.approx(expected, rel=1e-6)


def test_float32_probabilities_need_not_add_up_to_the_last_bit():
    target, scores, p = random_rows(500, 5, dtype=np.float32)
    assert np.abs(p.astype(np.float64).sum(axis=1) - 1).max() > 1e-8
    found = evaluation.classification_scores(target, scores, p)
    assert found["log_loss"] == pytest.approx(
        metrics.log_loss(*random_rows(500, 5)[::2]), rel=1e-6
    )


@pytest.mark.parametrize(
    ("target", "scores", "probabilities", "words"),
    [
        ([0, 1], [[1.0]], None, "same number of rows"),
        ([0], [[1.0]], np.full((2, 2), 0.5), "same number of rows"),
        ([0, 1], [1.0, 2.0], None, r"scores should have shape"),
        ([], np.zeros((0, 2)), None, "scores should have shape"),
        ([[0, 1]], np.zeros((2, 2)), None, "target should have shape"),
        ([0, 2], [[1.0], [2.0]], None, "from 0 to 1. Received: 0 to 2"),
        ([-1, 0], np.zeros((2, 3)), None, "from 0 to 2. Received: -1 to 0"),
        ([0.0, 1.0], np.zeros((2, 2)), None, "target should hold integers"),
        ([0, 1], [[math.nan], [1.0]], None, "scores should be finite"),
        ([0, 1], [[math.inf], [1.0]], None, "scores should be finite"),
        ([0, 1], np.zeros((2, 3)), np.full((2, 2), 0.5), r"shape \[n, 3\]"),
        ([0, 1], np.zeros((2, 1)), np.full((2, 1), 0.5), r"shape \[n, 2\]"),
        ([0, 1], np.zeros((2, 1)), np.full((2, 2), 0.4), "adding up to 1"),
        ([0, 1], np.zeros((2, 1)), [[1.5, -0.5]] * 2, "0 or more"),
        ([0, 1], np.zeros((2, 1)), np.full((2, 2), math.nan), "adding up to 1"),
    ],
)
def test_invalid_arguments_are_refused(target, scores, probabilities, words):
    with pytest.raises(ValueError, match=words):
        evaluation.classification_scores(target, scores, probabilities)


def test_baseline_predicts_the_most_common_training_class():
    found = evaluation.majority_baseline_scores([0, 1, 1, 1], [[0], [0], [1], [0]], 2)
    assert found == pytest.approx(
        {
            "accuracy": 0.25,
            "balanced_accuracy": 0.5,
            "log_loss": -(3 * math.log(0.25) + math.log(0.75)) / 4,
            "auc": 0.5,
        }
    )


def test_baseline_of_many_classes_some_of_them_absent():
    found = evaluation.majority_baseline_scores([4, 4, 0], [4, 0, 0, 0], 26)
    assert found["accuracy"] == 0.25
    assert found["log_loss"] == pytest.approx(
        -(3 * math.log(1 / 3) + math.log(2 / 3)) / 4
    )
    assert found["auc"] is None


def test_ranking_of_each_of_two_classes():
    decisions = evaluation.decide(*TWO)
    np.testing.assert_array_equal(
        evaluation.class_ranking(decisions, 1), [-1, 2, 0.5, 3]
    )
    np.testing.assert_array_equal(
        evaluation.class_ranking(decisions, 0), [1, -2, -0.5, -3]
    )
