"""The certificate speaks of the function that `predict` computes, whatever the units.

Every check here takes the model's own predictions for the rows as they were given.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

from recipes.errors import ConvergenceWarning
from recipes.svm import (
    NuSupportVectorClassifier,
    NuSupportVectorRegressor,
    OneClassSupportVectorMachine,
    SupportVectorClassifier,
    SupportVectorRegressor,
)
from tests.recipes.svm.fitting import (
    coefficients,
    data,
    fit,
    fit_unfinished,
    pair_violation,
    refused,
    save,
    targets,
)

TOLERANCE = 1e-3
# Rows whose differences float64 keeps to the last digits.
ROWS, CLASSES = data(n=60)
ROWS = np.round(ROWS.astype("float64"), 4)
SIGN = np.where(CLASSES == 1, 1.0, -1.0)
TARGETS = np.round(targets(ROWS), 4)
OFFSETS = (0.0, 300.0, -1e5, 1.7e9)


def predict(model, x):
    return model.predict(x, verbose=0)[:, 0].astype("float64")


def assert_classifier_holds(model, x, sign=SIGN, cost=1.0, tolerance=TOLERANCE):
    """Check the conditions of optimality of what the model predicts for its rows."""
    assert model.certificate["converged"]
    beta = coefficients(model, len(x))
    excess = sign * predict(model, x) - 1
    alpha = beta * sign
    assert (excess[alpha == 0] >= -tolerance).all()
    assert (excess[alpha == cost] <= tolerance).all()
    assert (abs(excess[(alpha > 0) & (alpha < cost)]) <= tolerance).all()
    violation = pair_violation(
        predict(model, x) - sign,
        beta,
        np.minimum(0, sign * cost),
        np.maximum(0, sign * cost),
    )
    assert violation <= tolerance
    assert model.certificate["max_kkt_violation"] == pytest.approx(violation, abs=1e-9)


@pytest.mark.parametrize("offset", OFFSETS)
@pytest.mark.parametrize("kernel", ["rbf", "laplacian", "linear"])
def test_an_offset_of_the_columns_changes_nothing(kernel, offset):
    model = fit(SupportVectorClassifier(kernel, gamma=0.5), ROWS + offset, CLASSES)
    assert_classifier_holds(model, ROWS + offset)
    near = fit(SupportVectorClassifier(kernel, gamma=0.5), ROWS, CLASSES)
    np.testing.assert_allclose(
        predict(model, ROWS + offset), predict(near, ROWS), rtol=0, atol=3 * TOLERANCE
    )


@pytest.mark.parametrize("offset", [0.0, 300.0, -1e5])
def test_the_bias_is_that_of_rows_as_they_are(offset):
    model = fit(SupportVectorClassifier("linear"), ROWS + offset, CLASSES)
    slopes = model.support_vectors.T.astype("float64") @ model.dual_coefficients
    f = (ROWS + offset) @ slopes + model.bias
    np.testing.assert_allclose(
        f[:, 0], predict(model, ROWS + offset), rtol=0, atol=1e-4
    )


@pytest.mark.parametrize("scale", [1e-21, 1e19])
def test_units_of_the_columns_change_nothing(scale):
    model = fit(SupportVectorClassifier(), ROWS * scale, CLASSES)
    assert_classifier_holds(model, ROWS * scale)
    plain = fit(SupportVectorClassifier(), ROWS, CLASSES)
    np.testing.assert_allclose(
        predict(model, ROWS * scale), predict(plain, ROWS), rtol=0, atol=3 * TOLERANCE
    )


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_units_beyond_float64_are_refused(scale):
    assert "scaled" in refused(SupportVectorClassifier(), ROWS * scale, CLASSES)


@pytest.mark.parametrize("machine", [SupportVectorRegressor, NuSupportVectorRegressor])
@pytest.mark.parametrize(("offset", "scale"), [(1e8, 1.0), (0.0, 1e-21), (-5e15, 1e12)])
def test_an_affine_change_of_the_target_changes_nothing(machine, offset, scale):
    def fitted(target, scale):
        options = {"C": scale, "tolerance": TOLERANCE * scale, "gamma": 0.5}
        if machine is SupportVectorRegressor:
            options["epsilon"] = 0.1 * scale
        return fit(machine(**options), ROWS, target)

    model = fitted(offset + scale * TARGETS, scale)
    assert model.certificate["converged"]
    plain = fitted(TARGETS, 1.0)
    np.testing.assert_allclose(
        (predict(model, ROWS) - offset) / scale,
        predict(plain, ROWS),
        rtol=0,
        atol=3 * TOLERANCE,
    )


def test_cancellation_is_met_with_float64():
    x = np.array([[1.0, 9999.0], [2.0, 9999.0]])
    model = fit(SupportVectorClassifier("polynomial", degree=2, gamma=1.0), x, [0, 1])
    assert model.kernel_dtype == "float64"
    assert_classifier_holds(model, x, np.array([-1.0, 1.0]))


def test_rows_that_float32_rounds_are_certified_as_they_are():
    x = ROWS * [1.0, 3.0, 0.5] + [0.0, 1e4, 0.1]
    model = fit(SupportVectorClassifier("linear", C=10.0), x, CLASSES)
    assert_classifier_holds(model, x, cost=10.0)


@pytest.mark.parametrize("copy", ["keras", "served", "dataset"])
def test_every_way_to_predict_is_in_the_precision_of_the_machine(copy, tmp_path):
    x = ROWS + 1.7e9
    model = fit(SupportVectorClassifier(gamma=0.5), x, CLASSES)
    assert model.kernel_dtype == "float64"
    if copy == "keras":
        save(model, tmp_path / "machine.keras")
        found = predict(keras.models.load_model(tmp_path / "machine.keras"), x)
    elif copy == "served":
        model.inference_model().export(tmp_path / "served", verbose=False)
        served = tf.saved_model.load(tmp_path / "served")
        found = served.serve(x).numpy()[:, 0]
    else:
        found = predict(model, tf.data.Dataset.from_tensor_slices(x).batch(7))
    np.testing.assert_allclose(found, predict(model, x), rtol=0, atol=1e-12)


def test_fit_from_a_dataset_in_float64():
    x = ROWS + 1.7e9
    dataset = tf.data.Dataset.from_tensor_slices((x, CLASSES)).batch(7)
    model = fit(SupportVectorClassifier(gamma=0.5), dataset)
    assert_classifier_holds(model, x)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float16"])
def test_half_precision_leaves_predictions_whole(policy):
    target = 1e5 * (2 + TARGETS)
    options = {"C": 1e5, "epsilon": 1e4, "tolerance": 100.0, "gamma": 0.5}
    model = fit(SupportVectorRegressor(**options, dtype=policy), ROWS, target)
    whole = fit(SupportVectorRegressor(**options), ROWS, target)
    assert model.certificate["converged"]
    np.testing.assert_array_equal(predict(model, ROWS), predict(whole, ROWS))


@pytest.mark.parametrize("nu", [0.02, 0.1, 0.4])
def test_a_nu_machine_is_certified_in_units_of_its_margin(nu):
    x = np.random.default_rng(0).standard_normal((64, 3))
    sign = np.where(x[:, 0] + 0.5 * x[:, 1] ** 2 > 0.3, 1.0, -1.0)
    model = fit(NuSupportVectorClassifier(nu=nu), x, sign.astype(int))
    certificate = model.certificate
    assert certificate["converged"]
    assert certificate["relative_duality_gap"] <= 0.01
    excess = sign * predict(model, x) - 1
    alpha = coefficients(model, len(x)) * sign
    free = (alpha > 0) & (alpha < alpha.max() * (1 - 1e-12))
    assert (alpha >= 0).all()
    assert (excess[alpha == 0] >= -TOLERANCE).all()
    assert (abs(excess[free]) <= TOLERANCE).all()
    assert (excess[(alpha > 0) & ~free] <= TOLERANCE).all()


def test_one_class_of_a_tiny_share_flags_few_rows():
    model = fit(OneClassSupportVectorMachine(nu=1e-6), ROWS)
    assert model.certificate["converged"]
    assert model.certificate["relative_duality_gap"] <= 0.01
    assert (predict(model, ROWS) < 0).mean() <= 0.1


@pytest.mark.parametrize("cost", [1e4, 1e9])
def test_a_gap_near_one_is_no_convergence(cost):
    x = np.random.default_rng(0).standard_normal((60, 3))
    sign = np.where(x[:, 0] > 0.1, 1.0, -1.0)
    model = fit(SupportVectorClassifier("linear", C=cost), x, sign.astype(int))
    assert model.certificate["converged"]
    assert model.certificate["relative_duality_gap"] <= 0.01


def test_a_cost_beyond_rounding_does_not_converge():
    # Overlapping classes, whose rows are at a bound that float64 cannot balance.
    model, warning = fit_unfinished(
        SupportVectorClassifier("linear", C=1e15, max_iterations=50), ROWS, CLASSES
    )
    assert not model.certificate["converged"]
    assert "did not converge" in warning


# ---- problems that are not convex


def distances(x):
    return np.linalg.norm(x[:, np.newaxis] - x, axis=2)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_distances_as_a_kernel_prove_nothing(dtype):
    model, warning = fit_unfinished(
        SupportVectorClassifier("precomputed", dtype=dtype), distances(ROWS), CLASSES
    )
    assert model.certificate["convex"] is False
    assert model.certificate["converged"] is False
    assert "positive semidefinite" in warning


def test_negative_distances_are_convex_where_sums_are_fixed():
    model = fit(SupportVectorClassifier("precomputed"), -distances(ROWS), CLASSES)
    assert model.certificate["convex"] is True
    assert model.certificate["converged"]


def test_a_precomputed_matrix_of_shuffled_rows_is_refused():
    gram = np.exp(-distances(ROWS))
    order = np.random.default_rng(0).permutation(len(gram))
    message = refused(
        SupportVectorClassifier("precomputed"), gram[order], CLASSES[order]
    )
    assert "symmetric" in message


def test_the_sigmoid_kernel_is_judged_by_its_values():
    sigmoid = {"kernel": "sigmoid", "coef0": -1.0}
    with pytest.warns(ConvergenceWarning, match="positive semidefinite"):
        model = fit(SupportVectorClassifier(**sigmoid, gamma=1.0), ROWS, CLASSES)
    assert model.certificate["convex"] is False


def test_kernels_that_are_known_are_taken_at_their_word(monkeypatch):
    monkeypatch.setattr("scipy.linalg.eigvalsh", None)
    model = fit(SupportVectorClassifier("polynomial", coef0=1.0), ROWS, CLASSES)
    assert model.certificate["convex"] is True


def test_an_objective_of_zero_is_an_optimum():
    model = fit(OneClassSupportVectorMachine("linear"), ROWS - ROWS.mean(axis=0))
    assert model.certificate["converged"]
    assert abs(model.certificate["dual_objective"]) < 1e-6
    assert model.certificate["relative_duality_gap"] <= 0.01


def test_classes_that_no_kernel_tells_apart_have_no_margin():
    model, _ = fit_unfinished(NuSupportVectorClassifier(), np.ones((60, 3)), CLASSES)
    assert model.certificate["max_kkt_violation"] > 1


def test_evaluate_is_in_the_precision_of_the_machine():
    x, target = ROWS + 1.7e9, 1e8 + TARGETS
    model = fit(SupportVectorRegressor(gamma=0.5), x, target)
    error = model.evaluate(x, target, verbose=0)
    expected = np.mean((predict(model, x) - target) ** 2)
    assert error == pytest.approx(expected, rel=1e-6)
    model = fit(SupportVectorClassifier(gamma=0.5), x, CLASSES)
    right = (model.predict_classes(x, verbose=0) == CLASSES).mean()
    assert model.evaluate(x, CLASSES, batch_size=7, verbose=0) == pytest.approx(right)


@pytest.mark.parametrize("kernel", ["rbf", "linear"])
def test_rows_without_weight_do_not_cost_digits(kernel):
    x, y = np.vstack([ROWS, [[1e12] * 3]]), np.append(CLASSES, 0)
    weight = np.append(np.ones(len(ROWS)), 0.0)
    model = SupportVectorClassifier(kernel, gamma=0.5)
    model = fit(model, x, y, sample_weight=weight)
    alone = fit(SupportVectorClassifier(kernel, gamma=0.5), ROWS, CLASSES)
    np.testing.assert_array_equal(predict(model, ROWS), predict(alone, ROWS))
