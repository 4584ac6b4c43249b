"""Keras loads the models of a recipe once the recipe has been imported."""

import importlib
import inspect
import json

import keras
import pytest

from tests.commands import ROOT, run_forked, run_fresh

SAVED = ROOT / "tests" / "recipes" / "saved"
FILES = {
    "linear_regression": ["linear_regression", "LinearRegression"],
    "svm": ["svm", "SupportVectorClassifier"],
    "neural_network": ["neural_network", "MultilayerPerceptronClassifier"],
}


CODE = """
import json, sys
saved, *files = sys.argv[1:]
for file in files:
    keras.models.load_model(f"{saved}/{file}.keras")
for config in json.load(open("configs.json")):
    model = keras.saving.deserialize_keras_object(config)
    assert type(model).__name__ == config["class_name"]
"""


# In the last two the recipe waits for Keras.
@pytest.mark.parametrize(
    ("recipe", "run", "order"),
    [
        ("linear_regression", run_forked, "keras {}"),
        ("svm", run_forked, "keras {}"),
        ("neural_network", run_forked, "keras {}"),
        ("svm", run_fresh, "{} keras"),
        ("neural_network", run_fresh, "{} tensorflow keras"),
    ],
)
def test_the_recipe_s_import_is_enough(recipe, run, order, tmp_path):
    package = importlib.import_module(f"recipes.{recipe}")
    public = [getattr(package, name) for name in package.__all__]
    models = [
        cls for cls in public if inspect.isclass(cls) and issubclass(cls, keras.Model)
    ]
    configs = [keras.saving.serialize_keras_object(cls()) for cls in models]
    (tmp_path / "configs.json").write_text(json.dumps(configs))
    names = order.format(f"recipes.{recipe}").split()
    code = "\n".join([*(f"import {name}" for name in names), CODE])
    ended = run(tmp_path, "-c", code, str(SAVED), *FILES[recipe])
    assert ended.code == 0, ended.err
