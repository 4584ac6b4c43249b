"""`ServingModel`."""

import json

import keras
import numpy as np
import tensorflow as tf

from layers.image_rescaling import ImageRescaling
from layers.preprocessing import Preprocessing
from layers.raw_columns import RawColumns
from layers.serving_model import ServingModel

COLUMNS = {"age": np.array([40.0, 50.0, 60.0]), "sex": tf.constant(["f", "m", "?"])}


def table_model():
    raw = RawColumns(["age", "sex"], {"sex": ["f", "m"]})
    return ServingModel(Preprocessing(), keras.layers.Dense(1), 2, raw)


def test_applies_its_parts_in_order():
    model = table_model()
    expected = model.model(model.preprocessing(model.raw_columns(COLUMNS)))
    np.testing.assert_array_equal(model(COLUMNS), expected)
    assert model(COLUMNS).shape == (3, 1)


def test_matrix_without_raw_columns():
    model = ServingModel(Preprocessing(), keras.layers.Dense(1), 2)
    rows = np.array([[1.0, 2.0]], "float32")
    np.testing.assert_array_equal(model(rows), model.model(model.preprocessing(rows)))
    assert model.signature() == tf.TensorSpec((None, 2), tf.float32, "features")
    assert model.tables == ()


def test_images():
    layers = ImageRescaling((2, 3)), keras.layers.Flatten()
    model = ServingModel(*layers, 6, image_shape=(2, 3))
    images = np.arange(12.0, dtype="float32").reshape(2, 2, 3)
    np.testing.assert_array_equal(model(images), images.reshape(2, 6))
    assert model.signature() == tf.TensorSpec((None, 2, 3), tf.float32, "features")
    again = ServingModel.from_config(json.loads(json.dumps(model.get_config())))
    assert again.signature() == model.signature()
    np.testing.assert_array_equal(again(images), model(images))


def test_signature_of_a_table():
    model = table_model()
    assert model.signature() == {
        "age": tf.TensorSpec((None,), tf.float32, "age"),
        "sex": tf.TensorSpec((None,), tf.string, "sex"),
    }
    assert len(model.tables) == 1


def test_config_round_trip():
    model = table_model()
    model(COLUMNS)
    config = json.loads(json.dumps(model.get_config()))
    again = ServingModel.from_config(config)
    again(COLUMNS)
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(again(COLUMNS), model(COLUMNS))


def test_training_reaches_the_parts():
    model = ServingModel(Preprocessing(), keras.layers.Dropout(0.9), 2)
    rows = np.ones((50, 2), "float32")
    np.testing.assert_array_equal(model(rows), rows)
    assert np.asarray(model(rows, training=True)).min() == 0
