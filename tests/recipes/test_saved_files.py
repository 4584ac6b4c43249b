"""`.keras` files that version 0.1 wrote still load, and predict the same.

They were written by Keras 3.10, the oldest supported: a later Keras reads them, whereas
an earlier one does not read what a later one writes.
"""

import json

import numpy as np
import pytest

from tests.commands import ROOT, run_forked

SAVED = ROOT / "tests" / "recipes" / "saved"
# The serving models of three runs on one table: raw columns to named outputs.
SERVED = {
    "svm": (
        {"area": [31.0, 44.0, 77.0], "district": ["n", "s", "x"]},
        {
            "scores": [
                [0.922500729560852, 2.2123208045959473, -0.19736801087856293],
                [2.217642068862915, -0.18780188262462616, 0.8762076497077942],
                [2.1052160263061523, -0.08577222377061844, 0.9656824469566345],
            ],
            "probabilities": [
                [0.32288586812648495, 0.17810226959712191, 0.4990118622763931],
                [0.14157047724918045, 0.527404303590102, 0.3310252191607176],
                [0.2839989551542143, 0.39684118339237423, 0.3191598614534115],
            ],
        },
    ),
    "linear_regression": (
        {"district": ["n", "s", "x"], "kind": ["den", "flat", "?"]},
        {"prediction": [[58.05726390107899], [59.72369487150099], [59.72369487150099]]},
    ),
    "neural_network": (
        {"area": [31.0, 44.0, 77.0], "district": ["n", "s", "x"]},
        {
            "scores": [
                [1.910020112991333, 1.2494016885757446, 1.3170301914215088],
                [0.08403147757053375, 0.1114429384469986, 0.16632714867591858],
                [-1.2223025560379028, -0.15483680367469788, 1.055925726890564],
            ],
            "probabilities": [
                [0.4832776188850403, 0.2496282458305359, 0.2670941650867462],
                [0.3211750090122223, 0.3301006555557251, 0.348724365234375],
                [0.07316693663597107, 0.2127695083618164, 0.7140635848045349],
            ],
        },
    ),
}
# Models saved by `model.save`: what `predict` and the classifier's methods gave for
# the rows (0, 5), (3, 1) and (6, 4).
MODELS = {
    "SupportVectorClassifier": {
        "predict": [[1.000081181526184], [-1.0000888109207153], [-1.0001055002212524]],
        "probabilities": [
            [0.11110335918863778, 0.8888966408113622],
            [0.947372792790607, 0.052627207209393],
            [0.9473748603071712, 0.05262513969282873],
        ],
        "predict_classes": ["low", "high", "high"],
    },
    "LinearRegression": {
        "predict": [[-8.999999999996476], [8.000000000006068], [10.999999999994301]]
    },
    "MultilayerPerceptronClassifier": {
        "predict": [[1.432877779006958], [-2.415527820587158], [-3.241182804107666]],
        "probabilities": [
            [0.1926506906747818, 0.8073493242263794],
            [0.9180037379264832, 0.08199626207351685],
            [0.9623549580574036, 0.037645019590854645],
        ],
        "predict_classes": ["low", "high", "high"],
    },
}
CODE = """
import json, sys
import keras, numpy as np, tensorflow as tf
import layers
from recipes.{recipe} import {name}
found = []
model = keras.models.load_model("{recipe}.keras")
columns = json.loads(sys.argv[1])
answer = model({{column: tf.constant(values) for column, values in columns.items()}})
answer = answer if isinstance(answer, dict) else {{"prediction": answer}}
found.append({{key: np.asarray(values).tolist() for key, values in answer.items()}})
model = keras.models.load_model("{name}.keras")
assert type(model) is {name}
x = np.array([[0.0, 5.0], [3.0, 1.0], [6.0, 4.0]], "float32")
answer = {{"predict": model.predict(x, verbose=0)}}
if "Classifier" in "{name}":
    answer["predict_classes"] = model.predict_classes(x, verbose=0)
    answer["probabilities"] = model.probabilities(x)
found.append({{key: np.asarray(values).tolist() for key, values in answer.items()}})
print(json.dumps(found))
"""


@pytest.mark.parametrize(("recipe", "name"), [*zip(SERVED, MODELS, strict=True)])
def test_files_of_version_0_1(recipe, name):
    raw, served = SERVED[recipe]
    code = CODE.format(recipe=recipe, name=name)
    ended = run_forked(SAVED, "-c", code, json.dumps(raw))
    assert ended.code == 0, ended.err
    found = json.loads(ended.out.splitlines()[-1])
    for answer, expected in zip(found, (served, MODELS[name]), strict=True):
        assert set(answer) == set(expected)
        for key, values in expected.items():
            if key == "predict_classes":
                assert answer[key] == values
            else:
                np.testing.assert_allclose(answer[key], values, rtol=1e-5, atol=1e-6)
