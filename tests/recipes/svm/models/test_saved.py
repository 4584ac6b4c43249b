"""The machines saved, and loaded where the process is new or the project unknown."""

import inspect
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from recipes.pipeline.preprocessing import learn
from recipes.pipeline.run import export
from recipes.svm import (
    NuSupportVectorClassifier,
    OneClassSupportVectorMachine,
    SupportVectorClassifier,
    SupportVectorRegressor,
)
from tests.recipes.pipeline.preprocessing.data_sets import data_of
from tests.recipes.pipeline.run.test_export import run_elsewhere
from tests.recipes.svm.fitting import data, fit, matrix, save, targets, three_classes


@keras.saving.register_keras_serializable("test_model_saved")
def cauchy(x, z):
    differences = x[:, None, :] - z[None, :, :]
    return 1 / (1 + keras.ops.sum(differences**2, axis=-1))


@pytest.fixture(scope="module")
def machines():
    """One of each kind, fitted, with rows to predict."""
    x, y = data()
    x3, y3 = three_classes()
    names = np.array(["a", "b & c", "größer"])[y3]
    K = matrix("rbf", x)
    double = x.astype("float64") + 1e-9
    return {
        "two": (fit(SupportVectorClassifier(gamma=1.0, C=2.0), x, y - 5), x),
        "names": (fit(SupportVectorClassifier(probability=True), x3, names), x3),
        "rest": (
            fit(
                SupportVectorClassifier(
                    probability=True, multiclass="one_vs_rest", kernel="linear"
                ),
                x3,
                y3,
            ),
            x3,
        ),
        "nu": (fit(NuSupportVectorClassifier(nu=0.4, probability=True), x, y), x),
        "regressor": (fit(SupportVectorRegressor(), x, targets(x)), x),
        "one class": (fit(OneClassSupportVectorMachine(), x), x),
        "float64": (fit(SupportVectorClassifier(dtype="float64"), double, y), double),
        "function": (fit(SupportVectorClassifier(kernel=cauchy), x, y), x),
        "matrix": (fit(SupportVectorClassifier(kernel="precomputed"), K, y), K),
    }


def outputs_of(model, x):
    """What a model gives, by name."""
    found = {"scores": model(x).numpy()}
    if getattr(model, "probability", False):
        found["probabilities"] = model.probabilities(x).numpy()
    return found


def test_loaded_in_a_new_process_they_are_the_same(machines, tmp_path):
    for name, (model, x) in machines.items():
        save(model, tmp_path / f"{name}.keras")
        np.save(tmp_path / f"{name}.npy", x)
    code = f"""
from recipes.svm import (
    NuSupportVectorClassifier,
    OneClassSupportVectorMachine,
    SupportVectorClassifier,
    SupportVectorRegressor,
)
import keras, numpy as np, pathlib
{inspect.getsource(cauchy)}
for path in pathlib.Path().glob("*.keras"):
    model = keras.models.load_model(path)
    x = np.load(path.with_suffix(".npy"))
    found = {{"scores": model(x), "config": repr(model.get_config())}}
    if getattr(model, "probability", False):
        found["probabilities"] = model.probabilities(x)
    if hasattr(model, "classes"):
        found["classes"] = model.classes
        found["labels"] = model.predict_classes(x, verbose=0)
    np.savez(path.with_suffix(".npz"), **found)
"""
    run_elsewhere(code, tmp_path, isolated=False)
    for name, (model, x) in machines.items():
        found = np.load(tmp_path / f"{name}.npz")
        for key, value in outputs_of(model, x).items():
            np.testing.assert_array_equal(found[key], value, err_msg=name)
        assert str(found["config"]) == repr(model.get_config())
        if hasattr(model, "classes"):
            np.testing.assert_array_equal(found["classes"], model.classes)
            assert found["classes"].dtype == model.classes.dtype
            labels = model.predict_classes(x, verbose=0)
            np.testing.assert_array_equal(found["labels"], labels)


@pytest.mark.parametrize("name", ["two", "names", "regressor", "one class"])
def test_a_loaded_machine_can_be_asked_and_fitted(machines, tmp_path, name):
    model, x = machines[name]
    save(model, tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    for attribute in ("support_vectors", "dual_coefficients", "bias"):
        np.testing.assert_array_equal(
            getattr(again, attribute), getattr(model, attribute)
        )
    if name == "one class":
        fit(again, x)
    else:
        fit(again, x, targets(x) if name == "regressor" else np.arange(len(x)) % 2)
    assert again.certificate["converged"]


@pytest.mark.parametrize("name", ["two", "names", "regressor", "one class"])
def test_keras_exports_it(machines, tmp_path, name):
    model, x = machines[name]
    model.export(tmp_path / "export", verbose=False)
    served = tf.saved_model.load(tmp_path / "export")
    found = served.serve(tf.constant(x))
    expected = outputs_of(model, x)
    if not isinstance(found, dict):
        found = {"scores": found}
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        np.testing.assert_allclose(found[key], value, rtol=1e-5, atol=1e-6)


def test_what_cannot_be_loaded_or_written_says_how(machines, tmp_path):
    model, _ = machines["two"]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "__array__ implementation")
        model.save_weights(tmp_path / "a.weights.h5")
    fresh = SupportVectorClassifier()
    with pytest.raises(ValueError, match=r"`keras\.saving\.load_model` reads it"):
        fresh.load_weights(tmp_path / "a.weights.h5")
    with pytest.raises(ValueError, match="is not fitted yet"):
        fresh.export(tmp_path / "export")
    with pytest.raises(ValueError, match=r"should end in \.keras"):
        model.save(tmp_path / "model.h5")
    assert [path.name for path in tmp_path.iterdir()] == ["a.weights.h5"]


def test_a_function_that_is_not_registered_is_reported(tmp_path):
    model = fit(SupportVectorClassifier(kernel=lambda x, z: cauchy(x, z)), *data())
    with pytest.raises(ValueError, match="should be registered"):
        save(model, tmp_path / "model.keras")


def test_before_fit_there_is_a_config_to_save(tmp_path):
    with pytest.warns(UserWarning, match="has not yet been built"):
        SupportVectorClassifier(C=7.0).save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.C == 7
    fit(again, *data())


@pytest.mark.parametrize("number", [np.float32(2), np.int64(2)])
def test_arguments_of_numpy_are_saved(tmp_path, number):
    model = SupportVectorClassifier(C=number, gamma=number, max_iterations=np.int64(9))
    save(fit(model, *data()), tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.C == again.gamma == 2
    assert again.max_iterations == 9


# ---- the model that is served


def served(model, x):
    """The machine behind the layer that scales, as a recipe joins them."""
    rows = data_of(x, tabular=False)
    layer = learn.learn_preprocessing(rows)
    return learn.build_serving_model(rows.description, layer, model.inference_model())


@pytest.mark.parametrize("name", ["two", "names", "rest", "nu", "regressor", "float64"])
def test_the_inference_model_gives_the_same(machines, name):
    model, x = machines[name]
    output = model.inference_model()(x)
    expected = outputs_of(model, x)
    if not isinstance(output, dict):
        output = {"scores": output}
    assert output.keys() == expected.keys()
    for key, value in expected.items():
        np.testing.assert_allclose(output[key], value, rtol=1e-6, atol=1e-6)


def test_saved_models_in_a_process_without_the_project(machines, tmp_path):
    expected = {}
    for name, levels in {
        "two": ("-5", "-4"),
        "names": ("a", "b & c", "größer"),
        "rest": ("0", "1", "2"),
        "nu": ("0", "1"),
    }.items():
        model, x = machines[name]
        serving = served(model, x)
        outputs = export.classification_outputs(levels)
        export.save_model(serving, tmp_path / name, outputs)
        np.save(tmp_path / f"{name}.npy", x)
        expected[name] = {k: v.numpy() for k, v in outputs(serving(x)).items()}
    run_elsewhere(
        """
        import numpy as np, pathlib, tensorflow as tf
        for path in pathlib.Path().glob("*.npy"):
            x = np.load(path)
            loaded = tf.saved_model.load(path.stem)
            for rows in (0, 1, 7, 60):
                found = loaded.serve(x[:rows])
                np.savez(f"{path.stem} {rows}.npz", **found)
        """,
        tmp_path,
    )
    for name, outputs in expected.items():
        for rows in (0, 1, 7, 60):
            found = np.load(tmp_path / f"{name} {rows}.npz", allow_pickle=True)
            assert set(found) == set(outputs)
            for key, value in outputs.items():
                value = value[:rows]
                if value.dtype.kind == "f":
                    np.testing.assert_allclose(found[key], value, atol=1e-5)
                else:
                    np.testing.assert_array_equal(found[key], value)


def test_a_saved_model_is_as_large_as_its_support_vectors(tmp_path):
    random = np.random.default_rng(0)
    x = random.standard_normal((2100, 150)).astype("float32")
    model = fit(SupportVectorClassifier(), x, random.integers(0, 2, 2100))
    size = model.support_vectors.nbytes
    assert size > 1e6
    outputs = export.classification_outputs(("0", "1"))
    folder = export.save_model(served(model, x), tmp_path, outputs)
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 1.2 * size
    save(model, tmp_path / "model.keras")
    assert (tmp_path / "model.keras").stat().st_size <= 1.2 * size
