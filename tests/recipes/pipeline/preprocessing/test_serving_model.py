"""Models that take raw inputs."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from recipes.pipeline.preprocessing import learn
from tests.recipes.pipeline.preprocessing.data_sets import data_of, odd_table


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_serving_raw_rows_equals_the_training_path(dtype):
    data, raw = odd_table()
    layer = learn.learn_preprocessing(data)
    dense = keras.layers.Dense(1, dtype=dtype)
    expected = dense(layer(data.train.features))
    serving = learn.build_serving_model(data.description, layer, dense)
    output = serving({name: tf.constant(column) for name, column in raw.items()})
    assert output.dtype == dtype
    np.testing.assert_array_equal(output, expected)
    objects = {
        name: column.astype(object) if column.dtype.kind == "U" else column
        for name, column in raw.items()
    }
    np.testing.assert_allclose(
        serving.predict(objects, batch_size=7, verbose=0),
        expected,
        rtol=1e-6,
        atol=1e-6,
    )


def test_serving_an_array_takes_the_matrix():
    data = data_of([[1, 10], [3, 30]], tabular=False)
    layer, dense = learn.learn_preprocessing(data), keras.layers.Dense(1)
    serving = learn.build_serving_model(data.description, layer, dense)
    assert serving.signature() == tf.TensorSpec((None, 2), tf.float32, "features")
    np.testing.assert_array_equal(
        serving(data.train.features), dense(layer(data.train.features))
    )


def test_table_of_300_columns():
    rows = np.random.default_rng(4).integers(0, 2, (10, 300))
    levels = {number: ("no", "yes") for number in range(0, 300, 2)}
    data = data_of(rows, categorical=levels)
    layer = learn.learn_preprocessing(data)
    serving = learn.build_serving_model(data.description, layer, keras.layers.Dense(1))
    assert len(serving.signature()) == 300
    assert serving.signature()["x0"].dtype == tf.string
    assert serving.signature()["x1"].dtype == tf.float32


@pytest.mark.parametrize(("log", "inverse"), [("log", np.exp), ("log1p", np.expm1)])
def test_a_learned_logarithm_is_undone_also_in_a_saved_model(tmp_path, log, inverse):
    data = data_of([[1, 10], [3, 30]], tabular=False)
    layer, dense = learn.learn_preprocessing(data), keras.layers.Dense(1)
    about = dataclasses.replace(data.description, target_log=log, target_offset=2.0)
    serving = learn.build_serving_model(about, layer, dense)
    rows = data.train.features
    expected = inverse(np.float64(dense(layer(rows))) + 2)
    np.testing.assert_allclose(serving(rows), expected, rtol=1e-12)
    serving.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(rows), serving(rows))
