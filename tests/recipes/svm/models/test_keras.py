"""The machines as Keras models: `evaluate`, configs, precision, what they refuse."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import sparse

from layers import kernels
from recipes.svm import (
    NuSupportVectorClassifier,
    NuSupportVectorRegressor,
    OneClassSupportVectorMachine,
    SupportVectorClassifier,
    SupportVectorRegressor,
)
from tests.recipes.pipeline.run.test_export import run_elsewhere
from tests.recipes.svm.fitting import (
    classify,
    data,
    fit,
    matrix,
    targets,
    three_classes,
)

CLASSIFIER = {
    "kernel": "polynomial",
    "gamma": 0.5,
    "degree": 2,
    "coef0": 1.0,
    "multiclass": "one_vs_rest",
    "probability": True,
    "tolerance": 1e-5,
    "max_iterations": 123,
    "cache_mb": 50.0,
    "seed": 7,
    "name": "machine",
    "dtype": "float64",
}
BOTH = {k: CLASSIFIER[k] for k in CLASSIFIER.keys() - {"multiclass", "probability"}}
REGRESSOR = {k: v for k, v in BOTH.items() if k != "seed"}
ARGUMENTS = [
    (SupportVectorClassifier, {**CLASSIFIER, "C": 3.0}),
    (NuSupportVectorClassifier, {**CLASSIFIER, "nu": 0.25}),
    (SupportVectorRegressor, {**REGRESSOR, "C": 3.0, "epsilon": 0.5}),
    (NuSupportVectorRegressor, {**REGRESSOR, "C": 3.0, "nu": 0.25}),
    (OneClassSupportVectorMachine, {**REGRESSOR, "nu": 0.25}),
]


@pytest.fixture(scope="module")
def fitted():
    return classify(*data())


# ---- configs


@pytest.mark.parametrize(("machine", "arguments"), ARGUMENTS)
def test_config_round_trip(machine, arguments):
    model = machine(**arguments)
    again = machine.from_config(model.get_config())
    assert again.get_config() == model.get_config()
    for name, value in arguments.items():
        if name != "dtype":
            assert getattr(again, name) == value
    assert again.kernel_dtype == "float64"
    # And as Keras does it, by the registered name.
    config = keras.saving.serialize_keras_object(model)
    other = keras.saving.deserialize_keras_object(config)
    assert type(other) is machine
    assert other.get_config() == model.get_config()


def test_fitting_does_not_change_the_config(fitted):
    config = SupportVectorClassifier(name=fitted.name).get_config()
    assert fitted.get_config() == config


def test_a_kernel_object_in_the_config():
    model = SupportVectorClassifier(kernel=kernels.LaplacianKernel(gamma=0.25))
    again = SupportVectorClassifier.from_config(model.get_config())
    x, y = data()
    for one in (model, again):
        fit(one, x, y)
    np.testing.assert_array_equal(again.dual_coefficients, model.dual_coefficients)
    named = classify(x, y, kernel="laplacian", gamma=0.25)
    np.testing.assert_array_equal(named.dual_coefficients, model.dual_coefficients)


# ---- kernels that are not built in


@keras.saving.register_keras_serializable("test_model_keras")
def gaussian(x, z):
    """exp(−½‖x − z‖²), as a user would write it."""
    differences = x[:, None, :] - z[None, :, :]
    return keras.ops.exp(-0.5 * keras.ops.sum(differences**2, axis=-1))


def test_a_function_is_the_built_in_kernel_is_its_matrix():
    x, y = data()
    tolerance = 1e-4
    built_in = classify(x, y, gamma=0.5, tolerance=tolerance)
    function = classify(x, y, kernel=gaussian, tolerance=tolerance)
    K = matrix("rbf", x, gamma=0.5)
    precomputed = classify(K, y, kernel="precomputed", tolerance=tolerance)
    elsewhere = np.random.default_rng(1).standard_normal((9, 3)).astype("float32")
    expected = built_in.predict(elsewhere, verbose=0)
    found = function.predict(elsewhere, verbose=0)
    np.testing.assert_allclose(found, expected, atol=2 * tolerance)
    found = precomputed.predict(matrix("rbf", elsewhere, x, gamma=0.5), verbose=0)
    np.testing.assert_allclose(found, expected, atol=2 * tolerance)
    np.testing.assert_array_equal(
        precomputed.support_vectors[:, 0], precomputed.support_indices
    )


def test_a_precomputed_kernel_of_several_classes_and_weights():
    x, y = three_classes()
    weight = np.random.default_rng(0).integers(0, 3, 60)
    K = matrix("rbf", x, gamma=0.5)
    model = classify(K, y, kernel="precomputed", sample_weight=weight, tolerance=1e-4)
    expected = classify(x, y, gamma=0.5, sample_weight=weight, tolerance=1e-4)
    np.testing.assert_allclose(
        model.predict(K, verbose=0), expected.predict(x, verbose=0), atol=2e-4
    )


# ---- fitted and not


def test_predict_is_call(fitted):
    x, _ = data()
    called = fitted(x).numpy()
    assert called.shape == (60, 1)
    assert called.dtype == np.float32
    for batch_size in (7, 60):
        found = fitted.predict(x, batch_size=batch_size, verbose=0)
        np.testing.assert_allclose(found, called, atol=1e-6)
    rows = tf.data.Dataset.from_tensor_slices(x).batch(7)
    np.testing.assert_allclose(fitted.predict(rows, verbose=0), called, atol=1e-6)
    assert fitted(x[:0]).shape == (0, 1)


@pytest.mark.parametrize(("machine", "arguments"), ARGUMENTS)
def test_before_fit_there_is_nothing(machine, arguments):
    model = machine(**arguments)
    x, y = data()
    for ask in (
        lambda: model(x),
        lambda: model.predict(x, verbose=0),
        lambda: model.evaluate(x, y, verbose=0),
        lambda: model.inference_model(),
        lambda: model.support_vectors,
        lambda: model.bias,
    ):
        with pytest.raises(ValueError, match="is not fitted yet: call `fit`"):
            ask()


def test_evaluate_is_the_accuracy():
    x, y = data()
    weight = np.random.default_rng(0).uniform(0, 5, 60)
    for labels in (["no", "yes"], [7, -3]):
        own = np.array(labels)[y]
        model = classify(x, own)
        right = model.predict_classes(x, verbose=0) == own
        assert 0.5 < right.mean() < 1
        for batch_size in (7, 60):
            found = model.evaluate(x, own, batch_size=batch_size, verbose=0)
            assert found == pytest.approx(right.mean())
        found = model.evaluate(x, own, sample_weight=weight, verbose=0)
        assert found == pytest.approx(right @ weight / weight.sum())
    x, y = three_classes()
    model = classify(x, y)
    right = model.predict_classes(x, verbose=0) == y
    found = model.evaluate(x, y[:, np.newaxis], verbose=0, return_dict=True)
    assert found == {"accuracy": pytest.approx(right.mean())}


def test_evaluate_is_the_mean_squared_error():
    x, _ = data()
    y = targets(x)
    weight = np.random.default_rng(0).uniform(0, 5, 60)
    model = fit(SupportVectorRegressor(), x, y)
    squares = (model.predict(x, verbose=0)[:, 0] - y) ** 2
    for shape in ((60,), (60, 1)):
        found = model.evaluate(x, y.reshape(shape), batch_size=7, verbose=0)
        assert found == pytest.approx(squares.mean(), rel=1e-5)
    found = model.evaluate(x, y, sample_weight=weight, verbose=0)
    assert found == pytest.approx(squares @ weight / weight.sum(), rel=1e-5)


def test_evaluate_takes_what_fit_takes(fitted):
    x, y = data()
    expected = fitted.evaluate(x, y, verbose=0)
    rows = tf.data.Dataset.from_tensor_slices((x, y)).batch(7)
    for given in ((x.tolist(), y.tolist()), (sparse.csr_matrix(x), y), (rows,)):
        assert fitted.evaluate(*given, verbose=0) == pytest.approx(expected)


def test_evaluate_refuses_what_fit_refuses(fitted):
    x, y = data()
    bad = x.copy()
    bad[3, 1] = np.nan
    rows = tf.data.Dataset.from_tensor_slices((bad, y)).batch(60)
    for given, message in (
        ((bad, y), "`x` should be finite"),
        ((rows,), "`x` should be finite"),
        ((rows, y), "brings its own"),
        ((x[:, :2], y), "`x` should have shape [n, 3]"),
        ((x, y[1:]), "`y` should have shape [60]"),
        ((x, None), "`y` should be given"),
        ((x, y + 0.5), "`y` should hold labels"),
        ((x, y.astype(str)), "such as 0. Received: "),
    ):
        with pytest.raises(ValueError, match=re.escape(message)) as caught:
            fitted.evaluate(*given, verbose=0)
        assert "\n" not in str(caught.value)
    machine = fit(OneClassSupportVectorMachine(), x)
    with pytest.raises(ValueError, match="no labels to evaluate"):
        machine.evaluate(x, y, verbose=0)


def test_no_rows_become_a_class_that_no_one_can_tell(fitted):
    x, _ = data()
    x[3, 1] = np.nan
    for ask in (fitted.predict_classes, fitted.predict):
        with pytest.raises(ValueError, match="`x` should be finite"):
            ask(x, verbose=0)
    with pytest.raises(ValueError, match="`x` should be finite"):
        fitted.decisions(x)
    assert np.isnan(fitted(x)[3])
    linear = classify(*data(), kernel="linear")
    with pytest.raises(ValueError, match="`scores` should be finite"):
        linear.predict_classes(np.full((1, 3), 3e38), verbose=0)


def test_another_number_of_features_is_refused(fitted):
    with pytest.raises(ValueError, match="expected axis -1"):
        fitted(np.ones((2, 4), "float32"))


# ---- what a Keras model could, and this one does not


def test_compile_takes_no_optimiser_and_no_loss():
    for arguments in ({"optimizer": "sgd"}, {"loss": "hinge"}):
        with pytest.raises(ValueError, match="should be omitted"):
            SupportVectorClassifier().compile(**arguments)
    model = SupportVectorClassifier()
    model.compile(run_eagerly=False)
    fit(model, *data())


def test_batches_are_refused(fitted):
    x, y = data()
    for model in (SupportVectorClassifier(), fitted):
        with pytest.raises(ValueError, match="trained by `fit` only"):
            model.train_on_batch(x, y)


def test_replicas_are_refused():
    """In a process of its own: it needs two devices."""
    run_elsewhere(
        """
        import numpy as np, tensorflow as tf
        from recipes.svm import SupportVectorClassifier
        (cpu,) = tf.config.list_physical_devices("CPU")
        two = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(cpu, two)
        with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
            model = SupportVectorClassifier()
        try:
            model.fit(np.eye(4), [0, 1, 0, 1], verbose=0)
        except ValueError as error:
            assert "spread over replicas. Received: 2 replicas" in str(error), error
        else:
            raise AssertionError("not refused")
        """,
        ".",
        isolated=False,
    )


# ---- precision


def test_float64_throughout():
    x, y = data()
    x = x.astype("float64") + np.random.default_rng(0).uniform(-1e-9, 1e-9, x.shape)
    model = classify(x, y, dtype="float64", gamma=1.0, tolerance=1e-6)
    assert model.support_vectors.dtype == np.float64
    np.testing.assert_array_equal(model.support_vectors, x[model.support_indices])
    scores = model(x)
    assert scores.dtype == "float64"
    expected = matrix("rbf", x)[:, model.support_indices] @ model.dual_coefficients
    np.testing.assert_allclose(scores, expected + model.bias, rtol=0, atol=1e-12)


def test_half_precision_around_it_changes_nothing_inside(fitted):
    x, y = data()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = classify(x, y)
    finally:
        keras.config.set_dtype_policy("float32")
    np.testing.assert_array_equal(model.dual_coefficients, fitted.dual_coefficients)
    np.testing.assert_array_equal(model.bias, fitted.bias)
    assert model.support_vectors.dtype == np.float32
    np.testing.assert_allclose(model(x), fitted(x), atol=2e-3)
    np.testing.assert_array_equal(
        model.predict_classes(x, verbose=0), fitted.predict_classes(x, verbose=0)
    )
