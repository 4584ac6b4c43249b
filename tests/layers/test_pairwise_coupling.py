"""`PairwiseCoupling`."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from layers.pairwise_coupling import PairwiseCoupling
from tests.layer_contract import check_layer


def coupled(pairs, k):
    return np.asarray(PairwiseCoupling(k, dtype="float64")(np.asarray(pairs)))


def matrix(pairs, k):
    """Return r[a, b] = P(a | a or b) for one row of pairs, and 0 where a = b."""
    r = np.zeros((k, k))
    for (a, b), value in zip(
        itertools.combinations(range(k), 2), np.clip(pairs, 1e-7, 1 - 1e-7), strict=True
    ):
        r[a, b], r[b, a] = value, 1 - value
    return r


def quadratic(r):
    """Return Q of the objective 2·pᵀ·Q·p."""
    q = -r.T * r
    np.fill_diagonal(q, (r**2).sum(0))
    return q


def objective(p, r):
    return sum(
        (r[b, a] * p[a] - r[a, b] * p[b]) ** 2
        for a, b in itertools.permutations(range(len(p)), 2)
    )


def optimum(r):
    """Solve the optimality conditions under Σp = 1, in p and the multiplier."""
    k = len(r)
    conditions = np.block(
        [[quadratic(r), np.ones((k, 1))], [np.ones((1, k)), np.zeros((1, 1))]]
    )
    return np.linalg.solve(conditions, np.append(np.zeros(k), 1))[:k]


def iterated(r, *, tolerance=None):
    """Iterate like LIBSVM: set p[a] to its optimum given the rest, normalise, repeat.

    The defaults are LIBSVM's: 0.005/k on the conditions, max(100, k) rounds.
    """
    k = len(r)
    q = quadratic(r)
    p = np.full(k, 1 / k)
    for _ in range(max(100, k) if tolerance is None else 1000):
        if abs(q @ p - p @ q @ p).max() < (tolerance or 0.005 / k):
            break
        for a in range(k):
            p[a] += (p @ q @ p - q[a] @ p) / q[a, a]
            p /= p.sum()
    return p


def random_pairs(rows, k, *, seed=0):
    return np.random.default_rng(seed).random((rows, k * (k - 1) // 2))


def pairs_of(p):
    """Return the pairwise probabilities that agree with `p`, [rows, k]."""
    first, second = np.triu_indices(p.shape[1], 1)
    return p[:, first] / (p[:, first] + p[:, second])


def test_contract(tmp_path):
    check_layer(
        PairwiseCoupling,
        {"num_classes": 4},
        random_pairs(6, 4).astype("float32"),
        (6, 4),
        tmp_path=tmp_path,
    )


def test_consistent_pairs_give_back_their_probabilities():
    p = np.array([[0.5, 0.3, 0.2], [0.01, 0.98, 0.01]])
    np.testing.assert_allclose(coupled(pairs_of(p), 3), p, rtol=1e-12)


def test_values_by_hand():
    # 0 beats 1, 1 beats 2 and 2 beats 0, all by the same: no class leads.
    np.testing.assert_allclose(coupled([[0.8, 0.2, 0.8]], 3), [[1 / 3] * 3], rtol=1e-14)
    # Even pairs but P(0 | 0 or 1) = 1: 4·Q is [[1, 0, −1], [0, 5, −1], [−1, −1, 2]] and
    # Q·p is constant at p = (15, 3, 11)/29, up to the margin of 1e-7.
    expected = [[15 / 29, 3 / 29, 11 / 29]]
    np.testing.assert_allclose(coupled([[1.0, 0.5, 0.5]], 3), expected, atol=1e-6)


def test_two_classes_are_exact():
    r = np.array([[0.3], [0.123456789012345], [1e-7], [0.75]])
    np.testing.assert_array_equal(coupled(r, 2), np.hstack([r, 1 - r]))


@pytest.mark.parametrize("k", [3, 4, 10, 26])
def test_optimality_and_libsvm(k):
    pairs = random_pairs(20, k)
    p = coupled(pairs, k)
    assert (p >= 0).all()
    np.testing.assert_allclose(p.sum(-1), 1, rtol=1e-14)
    for row, values in zip(p, pairs, strict=True):
        r = matrix(values, k)
        multiples = quadratic(r) @ row
        np.testing.assert_allclose(multiples, multiples.mean(), rtol=0, atol=1e-13)
        np.testing.assert_allclose(row, optimum(r), rtol=1e-9, atol=1e-13)
        np.testing.assert_allclose(row, iterated(r, tolerance=1e-12), atol=1e-10)
        # Where LIBSVM stops is close, and no better.
        stopped = iterated(r)
        np.testing.assert_allclose(row, stopped, atol=0.02)
        assert objective(row, r) <= objective(stopped, r) + 1e-15


def test_no_neighbour_is_better():
    pairs = random_pairs(5, 5)
    random = np.random.default_rng(1)
    for row, values in zip(coupled(pairs, 5), pairs, strict=True):
        r = matrix(values, 5)
        for _ in range(20):
            step = random.standard_normal(5) * 1e-3
            other = row + step - step.mean()
            assert objective(other, r) > objective(row, r)


certain_or_not = st.one_of(st.sampled_from([0.0, 1.0, 0.5]), st.floats(0, 1))


@settings(max_examples=60, deadline=None)
@given(hnp.arrays(np.float64, (3, 10), elements=certain_or_not))
def test_any_pairs_give_the_optimum(pairs):
    p = coupled(pairs, 5)
    assert (p >= 0).all()
    np.testing.assert_allclose(p.sum(-1), 1, rtol=1e-14)
    for row, values in zip(p, pairs, strict=True):
        np.testing.assert_allclose(row, optimum(matrix(values, 5)), atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(
    hnp.arrays(np.float64, (1, 6), elements=certain_or_not), st.permutations([*"abcd"])
)
def test_order_of_classes_does_not_matter(pairs, order):
    """Permuting the classes permutes the probabilities, and nothing else."""
    order = np.array(["abcd".index(letter) for letter in order])
    r = matrix(pairs[0], 4)[np.ix_(order, order)]
    other = coupled(r[np.triu_indices(4, 1)][None], 4)
    np.testing.assert_allclose(other[0], coupled(pairs, 4)[0][order], atol=1e-12)


@pytest.mark.parametrize("k", [3, 26])
def test_certain_pairs(k):
    """A class that beats all others has all but the margin; no class has zero."""
    p = coupled(np.ones((1, k * (k - 1) // 2)), k)[0]
    assert p[0] > 1 - 1e-5
    assert (p > 1e-9).all()
    # Values beyond 0 and 1, by rounding, are clipped like 0 and 1.
    beyond = coupled(np.full((1, k * (k - 1) // 2), 1 + 1e-9), k)[0]
    np.testing.assert_array_equal(beyond, p)


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("rows", [0, 1, 7])
def test_compiled(rows, jit_compile):
    layer = PairwiseCoupling(4, dtype="float64")
    call = tf.function(lambda x: layer(x), autograph=False, jit_compile=jit_compile)
    pairs = random_pairs(rows, 4)
    np.testing.assert_allclose(call(tf.constant(pairs)), layer(pairs), rtol=1e-12)


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float32", 1e-6), ("mixed_float16", 2e-3)]
)
def test_lower_precision_policies_are_solved_in_float64(dtype, tolerance):
    pairs = random_pairs(20, 10)
    p = PairwiseCoupling(10, dtype=dtype)(pairs)
    np.testing.assert_allclose(p, coupled(pairs, 10), atol=tolerance)
    np.testing.assert_allclose(np.sum(p, -1), 1, atol=5 * tolerance)


def test_any_number_of_leading_axes():
    pairs = random_pairs(6, 3)
    p = coupled(pairs.reshape(2, 3, 3), 3)
    assert p.shape == (2, 3, 3)
    np.testing.assert_allclose(p.reshape(6, 3), coupled(pairs, 3), rtol=1e-14)


@pytest.mark.parametrize("run_eagerly", [True, False])
def test_nan_affects_only_its_row(run_eagerly):
    layer = PairwiseCoupling(3)
    call = layer if run_eagerly else tf.function(lambda x: layer(x), autograph=False)
    p = call(tf.constant([[0.5, 0.5, 0.5], [0.5, np.nan, 0.5], [0.9, 0.9, 0.5]]))
    np.testing.assert_array_equal(np.isnan(p).all(-1), [False, True, False])
    np.testing.assert_array_equal(np.isnan(p).any(-1), [False, True, False])


@pytest.mark.parametrize("num_classes", [1, 0, -3, 2.0, "3", None, True])
def test_wrong_number_of_classes_is_refused(num_classes):
    with pytest.raises(ValueError, match=r"`num_classes` should be an integer of at l"):
        PairwiseCoupling(num_classes)


@pytest.mark.parametrize("last", [5, 7, 1, None])
def test_wrong_number_of_pairs_is_refused(last):
    with pytest.raises(ValueError, match=rf"size 6, one .* of 4 classes.*{last}\)"):
        PairwiseCoupling(4).build((None, last))


def test_inputs_of_another_shape_are_refused():
    layer = PairwiseCoupling(3)
    layer.build((None, 3))
    with pytest.raises(ValueError, match="incompatible"):
        layer(np.ones((2, 1)))
    with pytest.raises(ValueError, match="ndim"):
        layer(np.ones(3))
