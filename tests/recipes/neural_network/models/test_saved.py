"""Networks that are saved, loaded, and served."""

import inspect
import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from recipes.neural_network.models.classifier import MultilayerPerceptronClassifier
from tests.commands import ROOT
from tests.recipes.neural_network.fitting import (
    fit,
    make_images,
    make_network,
    make_rows,
)


@pytest.fixture(scope="module")
def models():
    """A fitted model of each kind, with rows to predict."""
    x, y = make_rows("three", dtype="float32")
    names = np.array(["a", "b & c", "größer"])[y]
    pictures, digits = make_images()
    two, second = make_rows("two", dtype="float64")
    numbers, target = make_rows("numbers", dtype="float32")
    plain = {"dtype": "float32"}
    return {
        "names": (
            fit(make_network("three", dropout=0.2, **plain), x, names, epochs=1),
            x,
        ),
        "two": (
            fit(make_network("two", schedule="cosine"), two, second - 5, epochs=1),
            two,
        ),
        "images": (
            fit(
                make_network(
                    "three",
                    architecture="cnn",
                    batch_normalization=True,
                    optimizer="adam",
                    classes=(0, 1, 2),
                    **plain,
                ),
                pictures,
                digits,
                epochs=1,
            ),
            pictures,
        ),
        "numbers": (
            fit(
                make_network("numbers", momentum=0.9, **plain),
                numbers,
                target,
                epochs=1,
            ),
            numbers,
        ),
    }


def test_models_are_the_same_in_a_new_process(models, tmp_path):
    for name, (model, x) in models.items():
        model.save(tmp_path / f"{name}.keras")
        np.save(tmp_path / f"{name}.npy", x)
    code = """
import keras, numpy as np, pathlib, json
from recipes.neural_network import (
    MultilayerPerceptronClassifier, MultilayerPerceptronRegressor
)
loaded = {}
for path in pathlib.Path().glob("*.keras"):
    model = keras.models.load_model(path)
    x = np.load(path.with_suffix(".npy"))
    np.save(path.with_suffix(".out.npy"), model.predict(x, verbose=0))
    loaded[path.stem] = [
        getattr(model, "classes", np.empty(0)).tolist(),
        model.get_config(), int(model.optimizer.iterations),
        float(model.optimizer.learning_rate),
    ]
print(json.dumps(loaded))
"""
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    loaded = json.loads(ended.stdout.splitlines()[-1])
    for name, (model, x) in models.items():
        found = np.load(tmp_path / f"{name}.out.npy")
        np.testing.assert_allclose(found, model.predict(x, verbose=0), rtol=1e-6)
        classes, config, steps, rate = loaded[name]
        assert classes == getattr(model, "classes", np.empty(0)).tolist()
        assert config == json.loads(json.dumps(model.get_config()))
        assert steps == int(model.optimizer.iterations) == 1
        assert rate == pytest.approx(float(model.optimizer.learning_rate))


def test_a_loaded_model_can_be_fitted_further(models, tmp_path):
    x, y = make_rows("numbers", dtype="float32")
    model = models["numbers"][0]
    model.save(tmp_path / "model.keras")
    other = keras.models.load_model(tmp_path / "model.keras")
    other.fast_fit = False
    fit(other, x, y, epochs=1), fit(model, x, y, epochs=1)
    for one, two in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("name", ["names", "two", "images", "numbers"])
def test_inference_model(models, name):
    model, x = models[name]
    inference = model.inference_model()
    served = inference(x)
    if name == "numbers":
        np.testing.assert_allclose(served, model(x), rtol=1e-6)
        assert served.shape == (20, 1)
    else:
        assert set(served) == {"scores", "probabilities"}
        np.testing.assert_allclose(served["scores"], model(x), rtol=1e-6)
        np.testing.assert_allclose(
            served["probabilities"], model.probabilities(x), rtol=1e-6
        )
    assert not any(isinstance(each, keras.layers.Dropout) for each in inference.layers)
    shared = {id(weight) for weight in inference.weights}
    assert shared <= {id(weight) for weight in model.weights}


def test_config_round_trip():
    given = {
        "hidden_sizes": (3, 4),
        "architecture": "cnn",
        "activation": "selu",
        "batch_normalization": True,
        "dropout": 0.1,
        "skip_layer": True,
        "l1": 0.2,
        "l2": 0.3,
        "label_smoothing": 0.4,
        "noise": 0.5,
        "mixup": 0.6,
        "shift": 7,
        "optimizer": "sgd",
        "learning_rate": "auto",
        "momentum": 0.8,
        "nesterov": True,
        "weight_decay": 0.9,
        "schedule": "cosine",
        "seed": 10,
        "classes": ("a", "b"),
        "name": "own",
        "dtype": "float64",
        "trainable": False,
    }
    assert set(given) == {*inspect.signature(MultilayerPerceptronClassifier).parameters}
    model = MultilayerPerceptronClassifier(**given)
    config = json.loads(json.dumps(model.get_config()))
    again = MultilayerPerceptronClassifier.from_config(config)
    assert again.get_config() == model.get_config()
    for name in set(given) - {"dtype", "optimizer", "classes"}:
        assert getattr(again, name) == given[name], name
    assert list(again.classes) == ["a", "b"]
    assert again.compute_dtype == "float64"
