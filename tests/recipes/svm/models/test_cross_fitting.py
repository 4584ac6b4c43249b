"""Probabilities of classifiers: Platt's sigmoid on held-out rows, and coupling."""

import warnings

import numpy as np
import pytest
import scipy.special
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.metrics import log_loss
from sklearn.preprocessing import scale
from sklearn.svm import SVC

from recipes.svm import NuSupportVectorClassifier, SupportVectorClassifier
from tests.recipes.svm.fitting import data, fit, refused, three_classes


@pytest.fixture(scope="module")
def breast_cancer():
    """Training and test rows."""
    x, y = load_breast_cancer(return_X_y=True)
    x = scale(x).astype("float32")
    return x[:400], y[:400], x[400:], y[400:]


@pytest.fixture(scope="module")
def iris():
    x, y = load_iris(return_X_y=True)
    x = scale(x).astype("float32")
    return x[::2], y[::2], x[1::2], y[1::2]


@pytest.fixture(scope="module")
def two():
    x, y = data()
    return fit_probable(x, y), x, y


@pytest.fixture(scope="module", params=["one_vs_one", "one_vs_rest"])
def three(request):
    x, y = three_classes()
    return fit_probable(x, y, multiclass=request.param), x, y


def fit_probable(x, y, **arguments):
    """Fit a classifier with probabilities."""
    weight = arguments.pop("sample_weight", None)
    model = SupportVectorClassifier(probability=True, **arguments)
    return fit(model, x, y, sample_weight=weight)


def test_probabilities_of_two_classes_rise_with_the_score(two):
    model, x, y = two
    p, score = model.probabilities(x).numpy(), model(x).numpy()[:, 0]
    assert p.shape == (60, 2)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=0, atol=1e-12)
    assert (p > 0).all()
    order = np.argsort(score)
    assert (np.diff(p[order, 1]) >= 0).all()
    assert p[y == 1, 1].mean() > p[y == 0, 1].mean() + 0.2


def test_two_classes_by_hand(two):
    """P(second) = 1 / (1 + exp(A·f + B)), where A is negative."""
    model, x, _ = two
    slope, offset = (w.numpy() for w in (model.platt.slope, model.platt.offset))
    assert slope[0] < 0
    f = model.decisions(x).numpy().astype("float64")
    expected = scipy.special.expit(-(slope * f + offset))
    p = model.probabilities(x).numpy()
    np.testing.assert_allclose(p[:, 1:], expected, rtol=1e-12)


def test_several_classes_sum_to_one(three):
    model, x, y = three
    p = model.probabilities(x).numpy()
    assert p.shape == (60, 3)
    assert (p > 0).all()
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=0, atol=1e-12)
    assert (p.argmax(axis=1) == y).mean() > 0.7


def test_several_classes_by_hand(three):
    """Pairs are coupled; one against the rest is divided by the sum."""
    model, x, _ = three
    slope, offset = (w.numpy() for w in (model.platt.slope, model.platt.offset))
    f = model.decisions(x).numpy().astype("float64")
    second = scipy.special.expit(-(slope * f + offset))
    if model.multiclass == "one_vs_rest":
        expected = second / second.sum(axis=1, keepdims=True)
    else:
        expected = np.array([couple(row) for row in second])
    np.testing.assert_allclose(model.probabilities(x), expected, atol=1e-8)


def couple(second):
    """Minimise Σ (r[b, a]·p[a] − r[a, b]·p[b])² with Σp = 1, by its KKT system."""
    r = np.zeros((3, 3))
    for (a, b), p in zip([(0, 1), (0, 2), (1, 2)], second, strict=True):
        r[b, a], r[a, b] = p, 1 - p
    system = np.zeros((4, 4))
    for a in range(3):
        for b in range(3):
            if a != b:
                system[a, a] += r[b, a] ** 2
                system[a, b] = -r[b, a] * r[a, b]
    system[:3, 3] = system[3, :3] = 1
    return np.linalg.solve(system, [0, 0, 0, 1])[:3]


def test_probabilities_do_not_change_the_scores(two):
    model, x, y = two
    plain = fit(SupportVectorClassifier(), x, y)
    np.testing.assert_array_equal(model(x), plain(x))
    assert model.certificate == plain.certificate
    assert len(model.traces) == 1


def test_the_seed_determines_the_folds(two):
    model, x, y = two
    expected = model.probabilities(x).numpy()
    np.testing.assert_array_equal(fit_probable(x, y).probabilities(x), expected)
    other = fit_probable(x, y, seed=1).probabilities(x).numpy()
    assert (other != expected).any()
    np.testing.assert_allclose(other, expected, atol=0.25)


def test_decisions_for_held_out_rows_are_less_confident(two):
    """A sigmoid fitted to decisions for training rows would be steeper."""
    model, x, y = two
    own = fit_probable(np.repeat(x, 5, 0), np.repeat(y, 5), C=0.2)
    assert own.platt.slope.numpy()[0] < model.platt.slope.numpy()[0]


def assert_comparable(ours, theirs, y):
    """Check that our log loss on test rows is as good, and return it."""
    ours, theirs = log_loss(y, ours), log_loss(y, theirs)
    assert ours <= 1.1 * theirs + 0.01
    return ours


def test_log_loss_beside_scikit_learn_for_two_classes(breast_cancer):
    x, y, x_test, y_test = breast_cancer
    model = fit_probable(x, y)
    peer = CalibratedClassifierCV(SVC(), ensemble=False).fit(x, y)
    ours = model.probabilities(x_test).numpy()
    assert assert_comparable(ours, peer.predict_proba(x_test), y_test) < 0.15
    # Chance is far worse.
    assert log_loss(y_test, np.full((len(y_test), 2), 0.5)) > 0.5


@pytest.mark.parametrize("multiclass", ["one_vs_one", "one_vs_rest"])
def test_log_loss_beside_scikit_learn_for_several(iris, multiclass):
    x, y, x_test, y_test = iris
    model = fit_probable(x, y, multiclass=multiclass)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # deprecated in scikit-learn
        peer = SVC(probability=True, random_state=0).fit(x, y)
    ours = model.probabilities(x_test).numpy()
    assert assert_comparable(ours, peer.predict_proba(x_test), y_test) < 0.3
    assert (ours.argmax(axis=1) == y_test).mean() > 0.9


def test_weights_count_in_the_sigmoid():
    """Rows of weight 0 are in neither the folds nor the fit."""
    x, y = data()
    noisy = np.concatenate([x, x]), np.concatenate([y, 1 - y])
    weight = np.repeat([1.0, 0.0], 60)
    model = fit_probable(*noisy, gamma=1.0, sample_weight=weight)
    expected = fit_probable(x, y, gamma=1.0)
    np.testing.assert_array_equal(model.platt.slope, expected.platt.slope)
    np.testing.assert_array_equal(model.probabilities(x), expected.probabilities(x))


def test_probabilities_of_well_separated_classes_stay_between_0_and_1():
    x = np.concatenate([np.full((20, 1), -5.0), np.full((20, 1), 5.0)])
    x += np.random.default_rng(0).uniform(-1, 1, x.shape)
    p = fit_probable(x, np.arange(40) // 20).probabilities(x).numpy()
    assert (p > 0).all()
    assert (p[:20, 0] > 0.8).all()
    assert (p[20:, 1] > 0.8).all()


def test_fewer_rows_than_folds():
    """A class of two rows leads to two folds."""
    x, y = data()
    y[:] = 0
    y[[5, 17]] = 1
    model = fit_probable(x, y)
    p = model.probabilities(x).numpy()
    assert np.isfinite(p).all()
    assert p[:, 1].mean() < 0.3


@pytest.mark.parametrize(
    "machine", [SupportVectorClassifier, NuSupportVectorClassifier]
)
def test_a_class_of_one_row_is_refused(machine):
    x, y = data()
    y[:] = 0
    y[5] = 1
    settings = {"nu": 0.01} if machine is NuSupportVectorClassifier else {}
    message = refused(machine(probability=True, **settings), x, y)
    assert "a class has a single row" in message
    fit(machine(probability=False, **settings), x, y)


def test_nu_svc_has_probabilities_too():
    x, y = data()
    model = NuSupportVectorClassifier(nu=0.4, probability=True, gamma=1.0)
    p = fit(model, x, y).probabilities(x).numpy()
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert p[y == 1, 1].mean() > p[y == 0, 1].mean() + 0.2


def test_the_largest_feasible_nu_has_probabilities():
    """A fold may be less balanced than all rows, and allow only a smaller ν."""
    x, y = data()
    y = (np.arange(60) < 12).astype(int)
    model = NuSupportVectorClassifier(nu=0.4, probability=True)
    p = fit(model, x, y).probabilities(x).numpy()
    np.testing.assert_allclose(p.sum(axis=1), 1)


def test_probabilities_have_to_be_requested_before_fit():
    x, y = data()
    model = fit(SupportVectorClassifier(), x, y)
    with pytest.raises(ValueError, match="before `fit`, by probability=True"):
        model.probabilities(x)
    with pytest.raises(ValueError, match="is not fitted yet"):
        SupportVectorClassifier(probability=True).probabilities(x)


def test_refitting_with_other_classes():
    model = SupportVectorClassifier(probability=True)
    x, y = data()
    assert fit(model, x, y).probabilities(x).shape == (60, 2)
    x, y = three_classes()
    assert fit(model, x, y).probabilities(x).shape == (60, 3)
    x, y = data()
    assert fit(model, x, y).probabilities(x).shape == (60, 2)
