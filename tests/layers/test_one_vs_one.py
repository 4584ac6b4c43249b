"""`OneVsOne`."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.datasets import load_iris
from sklearn.svm import SVC
from sklearn.utils.multiclass import _ovr_decision_function

from layers.one_vs_one import OneVsOne
from tests.layer_contract import check_layer


def scores_of(decisions, k, **arguments):
    return np.asarray(OneVsOne(k, dtype="float64", **arguments)(np.asarray(decisions)))


def reference(decisions, k):
    """Votes and confidences, counted one by one."""
    votes = np.zeros((len(decisions), k))
    confidences = np.zeros((len(decisions), k))
    for row, values in enumerate(decisions):
        pairs = itertools.combinations(range(k), 2)
        for (first, second), value in zip(pairs, values, strict=True):
            votes[row, second if value > 0 else first] += 1
            confidences[row, second] += value
            confidences[row, first] -= value
    return votes, confidences


def random_decisions(rows, k, *, seed=0):
    random = np.random.default_rng(seed)
    return random.standard_normal((rows, k * (k - 1) // 2)) * 2


def test_contract(tmp_path):
    check_layer(
        OneVsOne,
        {"num_classes": 4},
        random_decisions(6, 4).astype("float32"),
        (6, 4),
        tmp_path=tmp_path,
    )


def test_values_by_hand():
    # 1 over 0 by 3, 0 over 2 by 1, 1 over 2 by 0.5: votes 1, 2, 0; confidences
    # −3 + 1, 3 + 0.5, −1 − 0.5; x / (3·(|x| + 1)) of them −2/9, 7/27, −1/5.
    scores = scores_of([[3.0, -1.0, -0.5]], 3)
    expected = [[1 - 2 / 9, 2 + 7 / 27, 0 - 1 / 5]]
    np.testing.assert_allclose(scores, expected, rtol=1e-15)


def test_equal_votes_go_to_the_larger_confidence():
    # A circle: 1 over 0, 2 over 1, 0 over 2. Each has a vote.
    for winner, decisions in enumerate([[1, -9, 1], [9, -1, 1], [1, -1, 9]]):
        scores = scores_of([decisions], 3)
        assert scores.argmax() == winner
        np.testing.assert_array_equal(np.round(scores), 1)


def test_confidence_never_overrules_a_vote():
    # 0 narrowly beats 1 and 2; 2 beats 1 by far.
    assert scores_of([[-1e-9, -1e-9, 1e12]], 3).argmax() == 0


def test_a_decision_of_zero_votes_for_the_first_class():
    assert scores_of([[0.0]], 2).tolist() == [[1.0, 0.0]]
    assert scores_of([[0.0, 0.0, 0.0]], 3).tolist() == [[2.0, 1.0, 0.0]]


def test_two_classes():
    scores = scores_of([[2.0], [-2.0]], 2)
    np.testing.assert_allclose(scores, [[-2 / 9, 11 / 9], [11 / 9, -2 / 9]], rtol=1e-15)


@pytest.mark.parametrize("k", [2, 3, 10, 26])
def test_reference_and_scikit_learn(k):
    decisions = random_decisions(50, k)
    scores = scores_of(decisions, k)
    votes, confidences = reference(decisions, k)
    expected = votes + confidences / (3 * (abs(confidences) + 1))
    np.testing.assert_allclose(scores, expected, rtol=1e-12, atol=1e-13)
    peer = _ovr_decision_function(decisions > 0, decisions, k)
    np.testing.assert_allclose(scores, peer, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("classes", [2, 3])
def test_signs_of_a_real_classifier(classes):
    """In `SVC`, a positive decision value means the first class of a pair."""
    x, y = load_iris(return_X_y=True)
    x, y = x[y < classes], y[y < classes]
    svc = SVC(decision_function_shape="ovo").fit(x, y)
    decisions = svc.decision_function(x)
    if classes == 2:  # then scikit-learn flips the sign, and there is one column
        scores = scores_of(decisions[:, None], 2)
    else:
        scores = scores_of(-decisions, 3)
        ovr = svc.set_params(decision_function_shape="ovr").decision_function(x)
        np.testing.assert_allclose(scores, ovr, rtol=1e-12, atol=1e-13)
    np.testing.assert_array_equal(scores.argmax(-1), svc.predict(x))


decisions_of_five = hnp.arrays(
    np.float64, (3, 10), elements=st.floats(-1e6, 1e6, allow_subnormal=False)
)


@settings(max_examples=30, deadline=None)
@given(decisions_of_five)
def test_votes_come_first_and_confidence_second(decisions):
    scores = scores_of(decisions, 5)
    votes, confidences = reference(decisions, 5)
    np.testing.assert_array_equal(np.round(scores), votes)
    assert (abs(scores - votes) <= 1 / 3 + 1e-12).all()
    best = scores.argmax(-1)[:, None]
    tied = votes == votes.max(-1, keepdims=True)
    assert np.take_along_axis(tied, best, -1).all()
    highest = np.where(tied, confidences, -np.inf).max(-1, keepdims=True)
    # Sums in another order, mapped to ±1/3: equal up to rounding.
    mapped = [
        value / (3 * (abs(value) + 1))
        for value in (np.take_along_axis(confidences, best, -1), highest)
    ]
    np.testing.assert_allclose(*mapped, atol=1e-12)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_compiled(jit_compile):
    layer = OneVsOne(4, dtype="float64")
    call = tf.function(lambda x: layer(x), autograph=False, jit_compile=jit_compile)
    decisions = random_decisions(7, 4)
    np.testing.assert_allclose(
        call(tf.constant(decisions)), layer(decisions), rtol=1e-14
    )


def test_float16_keeps_votes_apart_and_does_not_overflow():
    layer = OneVsOne(3, dtype="mixed_float16")
    scores = layer(np.array([[6e4, 6e4, 6e4], [-6e4, -6e4, -6e4]], "float32"))
    np.testing.assert_array_equal(np.round(scores), [[0, 1, 2], [2, 1, 0]])


def test_any_number_of_leading_axes():
    decisions = random_decisions(6, 3)
    scores = scores_of(decisions.reshape(2, 3, 3), 3)
    assert scores.shape == (2, 3, 3)
    np.testing.assert_array_equal(scores.reshape(6, 3), scores_of(decisions, 3))


def test_nan_affects_only_its_row():
    scores = scores_of([[1.0, 1.0, 1.0], [1.0, np.nan, 1.0]], 3)
    np.testing.assert_array_equal(np.isnan(scores), [[False] * 3, [True] * 3])


def test_pairs_are_not_saved_as_a_matrix():
    """The graph of 60 classes holds two lists of 1770 numbers."""
    layer = OneVsOne(60)
    call = tf.function(lambda x: layer(x), autograph=False)
    graph = call.get_concrete_function(tf.TensorSpec((None, 1770), "float32")).graph
    assert graph.as_graph_def().ByteSize() < 8 * 1770 * 2 + 20_000


@pytest.mark.parametrize("num_classes", [1, 0, -3, 2.0, "3", None, True])
def test_wrong_number_of_classes_is_refused(num_classes):
    with pytest.raises(ValueError, match=r"`num_classes` should be an integer of at l"):
        OneVsOne(num_classes)


@pytest.mark.parametrize("last", [5, 7, 1, None])
def test_wrong_number_of_pairs_is_refused(last):
    with pytest.raises(ValueError, match=rf"size 6, one .* of 4 classes.*{last}\)"):
        OneVsOne(4).build((None, last))


def test_inputs_of_another_shape_are_refused():
    layer = OneVsOne(3)
    layer.build((None, 3))
    with pytest.raises(ValueError, match="incompatible"):
        layer(np.ones((2, 1)))
    with pytest.raises(ValueError, match="ndim"):
        layer(np.ones(3))
