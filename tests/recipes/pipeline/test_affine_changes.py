"""Predictions do not depend on the units and origins of the columns and the target.

A table is written in other units, loaded, preprocessed, learned by least squares, and
served from raw values. The predictions, converted back, stay those of the first table.
"""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from recipes.pipeline.cli.config import DataConfig
from recipes.pipeline.datasets import load
from recipes.pipeline.evaluation import preprocess, restore_offset
from recipes.pipeline.preprocessing import build_serving_model, learn_preprocessing
from recipes.pipeline.run import export

ROWS = 200
RNG = np.random.default_rng(0)
# Whole numbers, which all units below write exactly or to 15 digits.
COLUMNS = RNG.integers(-500, 500, (ROWS, 3))
TARGET = COLUMNS @ [3, -2, 1] + RNG.integers(-99, 99, ROWS)
UNITS = (1e-6, 1e-3, 1.0, 1e3, 1e9)
ORIGINS = (0.0, 300.0, -40_000.0, 1.7e9)
# Those in which float64 itself holds at least six digits of the values.
CHANGES = [
    (unit, origin)
    for unit, origin in itertools.product(UNITS, ORIGINS)
    if abs(origin) <= 1e10 * unit
]


def write(folder, form, columns, target):
    path = folder / f"data.{form}"
    if form == "npz":
        np.savez(path, x=columns, y=target)
        return path
    rows = np.column_stack([columns, target]).tolist()
    lines = ["a,b,c,y", *(",".join(map(repr, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


def learn(folder, form, columns, target):
    """Return the data, the predictions by part, and the serving model."""
    config = DataConfig(dataset=str(write(folder, form, columns, target)))
    data = load(config, task="regression")
    layer = learn_preprocessing(data)
    features = {name: preprocess(rows, layer) for name, rows in data.parts.items()}
    dense = keras.layers.Dense(1)
    y = data.targets["train"]
    centre, scale = y.mean(), y.std()
    weights = np.linalg.lstsq(features["train"], (y - centre) / scale, rcond=None)[0]
    dense.build((None, len(weights)))
    dense.set_weights([weights[:, np.newaxis] * scale, np.array([centre])])
    outputs = {name: np.asarray(dense(x)) for name, x in features.items()}
    serving = build_serving_model(data.description, layer, dense)
    return data, restore_offset(data, outputs), serving


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The predictions of the original numbers, by part."""
    return learn(tmp_path_factory.mktemp("reference"), "csv", COLUMNS, TARGET)[1]


def serve(predict, data, columns):
    """Call a function of raw inputs, given as its signature asks."""
    if data.description.tabular:
        names = [column.name for column in data.description.columns]
        dtypes = [column.dtype for column in data.description.columns]
        values = zip(columns.T, dtypes, strict=True)
        inputs = dict(zip(names, (x.astype(dtype) for x, dtype in values), strict=True))
    else:
        inputs = columns.astype(data.train.features.dtype)
    return np.asarray(predict(tf.nest.map_structure(tf.constant, inputs)))


def check(folder, form, change, target_change, reference):
    unit, origin = change
    target_unit, target_origin = target_change
    columns = COLUMNS * [unit, 1, -unit] + [origin, 0, origin]
    data, predictions, serving = learn(
        folder, form, columns, TARGET * target_unit + target_origin
    )
    # What float64 keeps of the digits of one, and float32 of numbers near zero.
    bound = 2e-5 * TARGET.std()
    for part, expected in reference.items():
        found = (np.float64(predictions[part]) - target_origin) / target_unit
        np.testing.assert_allclose(found, expected, rtol=0, atol=bound)
        raw = data.parts[part].features
        served = serve(serving, data, raw)
        assert served.dtype == predictions[part].dtype
        scale = TARGET.std() * target_unit
        np.testing.assert_allclose(served, predictions[part], rtol=0, atol=1e-5 * scale)
    return data, predictions, serving


@pytest.mark.parametrize("form", ["csv", "npz"])
@pytest.mark.parametrize("change", CHANGES)
def test_columns_in_other_units(tmp_path, form, change, reference):
    check(tmp_path, form, change, (1.0, 0.0), reference)


@pytest.mark.parametrize("change", CHANGES)
def test_a_target_in_other_units(tmp_path, change, reference):
    check(tmp_path, "csv", (1.0, 0.0), change, reference)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["csv", "npz"])
@pytest.mark.parametrize("change", [(1.0, 300.0), (1.0, 1.7e9)])
def test_the_saved_model_and_file(tmp_path, form, change, reference):
    data, predictions, serving = check(tmp_path, form, change, change, reference)
    outputs = export.outputs(data.description)
    folder = export.save_model(serving, tmp_path / "export", outputs)
    saved = tf.saved_model.load(str(folder))

    def predict_arrays(inputs):
        arrays = tf.nest.map_structure(lambda x: x.numpy(), inputs)
        return serving.predict(arrays, batch_size=32, verbose=0)

    file = export.save_keras(serving, tmp_path / "model.keras")
    loaded = keras.models.load_model(file)
    rows = data.test.features
    predictors = lambda x: saved.serve(x)["prediction"], loaded, predict_arrays
    for predict in predictors:
        served = serve(predict, data, rows)
        np.testing.assert_allclose(
            served, predictions["test"], rtol=0, atol=1e-5 * TARGET.std()
        )
        assert len(np.unique(served)) == len(np.unique(predictions["test"]))
