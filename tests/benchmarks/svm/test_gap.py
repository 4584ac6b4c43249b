"""The benchmark's measure of every program's solution."""

import numpy as np
import pytest
from sklearn.svm import SVC, SVR

from benchmarks.svm.gap import Answer, of_classes, of_regression, pairwise

C, GAMMA, EPSILON = 2.0, 0.5, 0.1


def rows(classes: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((150, 3)).astype(np.float32)
    return x, np.digitize(
        x[:, 0] + 0.3 * rng.standard_normal(150), [-0.5, 0.5]
    ) % classes


def answer_of(model: SVC, y: np.ndarray) -> Answer:
    _, index = np.unique(y, return_inverse=True)
    return Answer(model.support_, pairwise(model.dual_coef_, index[model.support_]))


def gram(x: np.ndarray) -> np.ndarray:
    x = x.astype(np.float64)
    return np.exp(-GAMMA * np.square(x[:, None] - x[None]).sum(-1))


@pytest.mark.parametrize("classes", [2, 3])
def test_solved_to_a_tolerance_has_that_gap(classes):
    x, y = rows(classes)
    gaps = []
    for tolerance in (1e-1, 1e-5):
        model = SVC(C=C, gamma=GAMMA, tol=tolerance).fit(x, y)
        gaps.append(of_classes(x, y, answer_of(model, y), C, GAMMA).kkt_gap)
    # LIBSVM's kernel is float32, so its promise holds up to that.
    assert gaps[1] < 2e-5 < gaps[0] < 0.11


def test_two_classes_by_the_definition():
    x, y = rows(2)
    model = SVC(C=C, gamma=GAMMA, tol=0.3).fit(x, y)
    truth = of_classes(x, y, answer_of(model, y), C, GAMMA)
    sign = np.where(y == 1, 1.0, -1.0)
    alpha = np.zeros(len(x))
    alpha[model.support_] = np.abs(model.dual_coef_[0])
    q = gram(x) * np.outer(sign, sign)
    assert truth.dual_objective == pytest.approx(alpha.sum() - alpha @ q @ alpha / 2)
    # In LIBSVM's terms: the largest −y∇ that may rise, less the smallest that may fall.
    score = -sign * (q @ alpha - 1)
    up = ((sign > 0) & (alpha < C)) | ((sign < 0) & (alpha > 0))
    low = ((sign > 0) & (alpha > 0)) | ((sign < 0) & (alpha < C))
    assert truth.kkt_gap == pytest.approx(score[up].max() - score[low].min())
    assert truth.kkt_gap > 0.01


def test_pairs_are_independent():
    x, y = rows(3)
    model = SVC(C=C, gamma=GAMMA, tol=1e-8).fit(x, y)
    total = of_classes(x, y, answer_of(model, y), C, GAMMA).dual_objective
    parts = 0.0
    for pair in ((0, 1), (0, 2), (1, 2)):
        own = np.isin(y, pair)
        model = SVC(C=C, gamma=GAMMA, tol=1e-8).fit(x[own], y[own])
        answer = answer_of(model, y[own])
        parts += of_classes(x[own], y[own], answer, C, GAMMA).dual_objective
    assert total == pytest.approx(parts, rel=1e-7)


def test_regression_by_the_definition():
    x, _ = rows(2)
    y = np.sin(x[:, 0]) + 0.2 * x[:, 1]
    model = SVR(C=C, gamma=GAMMA, epsilon=EPSILON, tol=1e-6).fit(x, y)
    answer = Answer(model.support_, model.dual_coef_.T)
    truth = of_regression(x, y, answer, C, GAMMA, EPSILON)
    assert truth.kkt_gap < 2e-6
    beta = np.zeros(len(x))
    beta[model.support_] = model.dual_coef_[0]
    objective = y @ beta - EPSILON * np.abs(beta).sum() - beta @ gram(x) @ beta / 2
    assert truth.dual_objective == pytest.approx(objective, rel=1e-6)
    answer.coefficients[0] *= 0.5
    assert of_regression(x, y, answer, C, GAMMA, EPSILON).kkt_gap > 1e-3


def test_tiles_do_not_change_it(monkeypatch):
    x, y = rows(2)
    answer = answer_of(SVC(C=C, gamma=GAMMA).fit(x, y), y)
    total = of_classes(x, y, answer, C, GAMMA)
    monkeypatch.setattr("benchmarks.svm.gap.TILE_BYTES", 8 * len(answer.support) * 7)
    assert of_classes(x, y, answer, C, GAMMA) == pytest.approx(total, rel=1e-9)


def test_coefficients_outside_their_bounds_are_refused():
    x, y = rows(2)
    answer = answer_of(SVC(C=C, gamma=GAMMA).fit(x, y), y)
    with pytest.raises(ValueError, match="outside its bounds"):
        of_classes(x, y, answer._replace(coefficients=-answer.coefficients), C, GAMMA)


def test_rows_of_other_classes_are_refused():
    x, y = rows(3)
    answer = answer_of(SVC(C=C, gamma=GAMMA).fit(x, y), y)
    swapped = answer._replace(coefficients=answer.coefficients[:, ::-1])
    with pytest.raises(ValueError, match="other classes"):
        of_classes(x, y, swapped, C, GAMMA)
