"""The fit of Platt's sigmoid: optimality first, agreement with a peer second."""

import warnings

import numpy as np
import pytest
import scipy.special
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.calibration import _SigmoidCalibration
from sklearn.datasets import load_iris
from sklearn.metrics import log_loss
from sklearn.svm import SVC

from layers.one_vs_one import OneVsOne
from layers.pairwise_coupling import PairwiseCoupling
from layers.platt_scaling import PlattScaling
from recipes.errors import ConvergenceWarning, InputError
from recipes.svm.models import platt


def targets_of(positive, weights=None):
    weights = np.ones(len(positive)) if weights is None else weights
    plus, minus = weights[positive].sum(), weights[~positive].sum()
    return np.where(positive, (plus + 1) / (plus + 2), 1 / (minus + 2))


def loss(slope, offset, decisions, positive, weights=None):
    t = targets_of(positive, weights)
    z = slope * decisions + offset
    losses = -t * scipy.special.log_expit(-z) - (1 - t) * scipy.special.log_expit(z)
    return np.average(losses, weights=weights)


def gradient(slope, offset, decisions, positive, weights=None):
    """Return the largest gradient of `loss` in (A·s, B), s the largest |decision|."""
    z = slope * decisions + offset
    residual = targets_of(positive, weights) - scipy.special.expit(-z)
    columns = np.stack([decisions / (abs(decisions).max() or 1), np.ones(len(z))])
    return abs(np.average(columns * residual, axis=1, weights=weights)).max()


def tolerance(n):
    """Return the tolerance of the mean loss, twice for the change of parameters."""
    return 2 * platt.GRADIENT_TOLERANCE / n


def sample(n, *, slope=-1.5, offset=0.3, seed=0):
    random = np.random.default_rng(seed)
    decisions = random.standard_normal(n) * 2
    chance = scipy.special.expit(-(slope * decisions + offset))
    return decisions, random.random(n) < chance


@pytest.mark.parametrize("n", [2, 10, 300, 20_000])
def test_optimality_and_scikit_learn(n):
    decisions, positive = sample(n)
    fitted = platt.fit_sigmoid(decisions, positive)
    assert gradient(*fitted, decisions, positive) < tolerance(n)
    peer = _SigmoidCalibration().fit(decisions, positive.astype(float))
    assert loss(*fitted, decisions, positive) <= (
        loss(peer.a_, peer.b_, decisions, positive) + 1e-12
    )
    np.testing.assert_allclose(fitted, [peer.a_, peer.b_], rtol=1e-4, atol=1e-6)


def test_finds_the_sigmoid_that_the_classes_were_drawn_from():
    fitted = platt.fit_sigmoid(*sample(200_000))
    # Four standard errors, of about 0.008.
    np.testing.assert_allclose(fitted, [-1.5, 0.3], atol=0.03)


def test_returns_plain_numbers():
    assert [type(value) for value in platt.fit_sigmoid(*sample(10))] == [float, float]


def test_two_rows_by_hand():
    # Targets 1/3 and 2/3, met exactly where A·1 + B = −log 2 and −A + B = log 2.
    fitted = platt.fit_sigmoid(np.array([-1.0, 1.0]), np.array([False, True]))
    np.testing.assert_allclose(fitted, [-np.log(2), 0], atol=1e-8)


def test_weights_act_like_repeated_and_omitted_rows():
    decisions, positive = sample(200)
    weights = np.random.default_rng(1).integers(0, 3, 200).astype(float)
    fitted = platt.fit_sigmoid(decisions, positive, weights)
    assert gradient(*fitted, decisions, positive, weights) < tolerance(200)
    rows = np.repeat(np.arange(200), weights.astype(int))
    repeated = platt.fit_sigmoid(decisions[rows], positive[rows])
    np.testing.assert_allclose(fitted, repeated, rtol=1e-8)
    peer = _SigmoidCalibration().fit(decisions, positive.astype(float), weights)
    np.testing.assert_allclose(fitted, [peer.a_, peer.b_], rtol=1e-4)


def test_rows_of_weight_zero_do_not_affect_the_scale():
    decisions, positive = sample(100)
    expected = platt.fit_sigmoid(decisions, positive)
    fitted = platt.fit_sigmoid(
        np.append(decisions, 1e200),
        np.append(positive, True),
        np.append(np.ones(100), 0.0),
    )
    assert fitted == expected


@pytest.mark.parametrize("weight", [1e-8, 1e-3, 1e13])
def test_any_weight_is_fitted_to_the_same_tolerance(weight):
    decisions, positive = sample(300)
    weights = np.full(300, weight)
    fitted = platt.fit_sigmoid(decisions, positive, weights)
    assert gradient(*fitted, decisions, positive, weights) < tolerance(300)


@pytest.mark.parametrize("scale", [1e-250, 1e-10, 1e-3, 1e3, 1e10, 1e250])
def test_decisions_of_any_scale_are_fitted_alike(scale):
    decisions, positive = sample(300)
    slope, offset = platt.fit_sigmoid(decisions, positive)
    fitted = platt.fit_sigmoid(decisions * scale, positive)
    np.testing.assert_allclose(fitted, [slope / scale, offset], rtol=1e-10)


def test_decisions_far_from_zero():
    decisions, positive = sample(300)
    slope, offset = platt.fit_sigmoid(decisions, positive)
    fitted = platt.fit_sigmoid(decisions + 1e6, positive)
    np.testing.assert_allclose(fitted, [slope, offset - 1e6 * slope], rtol=1e-8)


def test_separated_classes():
    decisions, _ = sample(1000)
    positive = decisions > 0.1
    slope, offset = platt.fit_sigmoid(decisions, positive)
    assert np.isfinite([slope, offset]).all()
    assert slope < 0
    assert gradient(slope, offset, decisions, positive) < tolerance(1000)
    probabilities = scipy.special.expit(-(slope * decisions + offset))
    assert ((probabilities > 0.5) == positive).mean() > 0.99


def test_decisions_of_opposite_sign():
    decisions, positive = sample(300)
    slope, offset = platt.fit_sigmoid(decisions, positive)
    fitted = platt.fit_sigmoid(-decisions, positive)
    np.testing.assert_allclose(fitted, [-slope, offset], rtol=1e-10)


@pytest.mark.parametrize("side", [False, True])
@pytest.mark.parametrize("n", [1, 50])
def test_one_class_only(n, side):
    """Every row has the same probability, that of the shrunken target."""
    decisions, _ = sample(n)
    slope, offset = platt.fit_sigmoid(decisions, np.full(n, side))
    assert slope == 0
    odds = np.exp(-offset)
    np.testing.assert_allclose(odds, (n + 1.0) ** (1 if side else -1), rtol=1e-12)


@pytest.mark.parametrize("noise", [0.0, 1e-17])
@pytest.mark.parametrize("value", [0.0, 0.1, -3e10])
def test_constant_decisions(value, noise):
    """Without information, every row gets the mean of the targets."""
    decisions = value * (1 + noise * np.arange(50))
    positive = np.arange(50) < 20
    slope, offset = platt.fit_sigmoid(decisions, positive)
    assert slope == 0
    mean = targets_of(positive).mean()
    np.testing.assert_allclose(scipy.special.expit(-offset), mean, rtol=1e-6)


@pytest.mark.parametrize("outlier", [1e3, 1e10, 1e100])
def test_an_outlier(outlier):
    decisions, positive = sample(300)
    decisions[0] = outlier
    fitted = platt.fit_sigmoid(decisions, positive)
    assert np.isfinite(fitted).all()
    assert gradient(*fitted, decisions, positive) < tolerance(300)


def test_a_rare_class():
    random = np.random.default_rng(0)
    decisions = np.append(random.standard_normal(100_000), 5.0)
    positive = np.arange(100_001) == 100_000
    fitted = platt.fit_sigmoid(decisions, positive)
    assert gradient(*fitted, decisions, positive) < tolerance(100_001)
    assert fitted[0] < 0


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_rows_are_fitted(data):
    n = data.draw(st.integers(1, 30))
    size = data.draw(st.sampled_from([1e-6, 1.0, 1e6]))
    decisions = data.draw(
        hnp.arrays(float, n, elements=st.floats(-size, size, allow_subnormal=False))
    )
    positive = data.draw(hnp.arrays(bool, n))
    weights = data.draw(
        hnp.arrays(float, n, elements=st.sampled_from([0, 1, 0.01, 99]))
    )
    assume(weights.any())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted = platt.fit_sigmoid(decisions, positive, weights)
    assert np.isfinite(fitted).all()
    assert gradient(*fitted, decisions, positive, weights) < tolerance(
        weights.astype(bool).sum()
    )


def test_no_nearby_point_is_better():
    decisions, positive = sample(100)
    slope, offset = platt.fit_sigmoid(decisions, positive)
    least = loss(slope, offset, decisions, positive)
    for angle in np.linspace(0, 2 * np.pi, 16):
        other = slope + 1e-3 * np.cos(angle), offset + 1e-3 * np.sin(angle)
        assert loss(*other, decisions, positive) > least


def test_the_layers_accept_the_fitted_parameters():
    """Pairwise decisions become class probabilities; the signs must agree."""
    x, y = load_iris(return_X_y=True)
    svc = SVC(decision_function_shape="ovo").fit(x[::2], y[::2])
    decisions = -svc.decision_function(x[1::2])  # now positive for the second class
    pairs = [(0, 1), (0, 2), (1, 2)]
    fitted = []
    for column, (first, second) in zip(decisions.T, pairs, strict=True):
        taken = (y[1::2] == first) | (y[1::2] == second)
        fitted.append(platt.fit_sigmoid(column[taken], y[1::2][taken] == second))
    scaling = PlattScaling(dtype="float64")
    scaling.build((None, 3))
    scaling.set_weights(np.transpose(fitted))
    of_second = scaling(decisions)
    # Coupling expects the probability of the first class.
    probabilities = np.asarray(PairwiseCoupling(3, dtype="float64")(1 - of_second))
    np.testing.assert_allclose(probabilities.sum(-1), 1, rtol=1e-12)
    assert log_loss(y[1::2], probabilities) < 0.2
    assert (probabilities.argmax(-1) == y[1::2]).mean() > 0.93
    scores = np.asarray(OneVsOne(3)(decisions))
    assert (scores.argmax(-1) == y[1::2]).mean() > 0.93


def test_the_last_steps_survive_rounding(monkeypatch):
    """A step from near the minimum decreases the loss by less than its rounding."""

    def count(*arguments):
        steps.append(arguments)
        return compute_step(*arguments)

    compute_step, steps = platt._compute_newton_step, []
    decisions, positive = sample(50_000)
    rows = decisions / 10, targets_of(positive), np.ones(50_000)
    minimum = platt._minimise(np.zeros(2), *rows)
    minimum += compute_step(minimum, *rows)[1]
    monkeypatch.setattr(platt, "_compute_newton_step", count)
    for distance in np.linspace(5e-9, 2e-8, 10):
        steps.clear()
        beside = minimum + [0, distance]
        assert abs(compute_step(beside, *rows)[0]).max() > platt.GRADIENT_TOLERANCE
        platt._minimise(beside, *rows)
        assert len(steps) == 2  # one step, and the check that it suffices


def test_ending_early_warns(monkeypatch):
    decisions, positive = sample(300)
    monkeypatch.setattr(platt, "MAX_ITERATIONS", 2)
    with pytest.warns(
        ConvergenceWarning, match=r"gradient of .*tolerance 1e-05"
    ) as caught:
        slope, offset = platt.fit_sigmoid(decisions, positive)
    assert caught[0].filename == __file__
    start = loss(0, 0, decisions, positive)
    assert loss(slope, offset, decisions, positive) < start


def test_a_failed_line_search_warns(monkeypatch):
    def uphill(*arguments):
        gradient, direction = compute_step(*arguments)
        return gradient, -direction

    compute_step = platt._compute_newton_step
    monkeypatch.setattr(platt, "_compute_newton_step", uphill)
    with pytest.warns(ConvergenceWarning, match="gradient of"):
        platt.fit_sigmoid(*sample(300))


def test_arguments_are_not_modified():
    decisions, positive = sample(20)
    weights = np.ones(20)
    copies = [array.copy() for array in (decisions, positive, weights)]
    for array in (decisions, positive, weights):
        array.setflags(write=False)
    platt.fit_sigmoid(decisions, positive, weights)
    for array, copy in zip((decisions, positive, weights), copies, strict=True):
        np.testing.assert_array_equal(array, copy)


F, YES = np.zeros(3), np.ones(3, bool)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((F[:, None], YES), r"vectors of one length.*\(3, 1\), \(3,\)"),
        ((F, YES[:2]), r"vectors of one length.*\(3,\), \(2,\)"),
        ((F, YES, np.ones(2)), r"vectors of one length.*\(3,\) and \(2,\)"),
        ((F, np.array([-1, 1, 1])), "positive should be bool, but is int"),
        ((np.array([0, np.nan, 0]), YES), "decisions should be finite"),
        ((np.array([0, np.inf, 0]), YES), "decisions should be finite"),
        ((F, YES, np.array([1, -1, 1])), "weights should be finite and not negative"),
        ((F, YES, np.array([1, np.nan, 1])), "weights should be finite"),
        ((F, YES, np.array([1, np.inf, 1])), "weights should be finite"),
        ((F, YES, np.zeros(3)), "one of them positive"),
        ((F[:0], YES[:0]), "one of them positive"),
    ],
)
def test_invalid_input(arguments, message):
    with pytest.raises(InputError, match=message):
        platt.fit_sigmoid(*arguments)
