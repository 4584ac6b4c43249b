"""TensorFlow converts the SavedModel to LiteRT's format, texts included."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from recipes.pipeline.datasets import Column
from recipes.pipeline.preprocessing import learn
from recipes.pipeline.run import export
from tests.recipes.pipeline.preprocessing.data_sets import data_of

LEVELS = ("low", "medium", "high")


def with_texts(data, place, texts):
    """Make a column free text."""
    columns = list(data.description.columns)
    columns[place] = Column(columns[place].name, "text", texts=texts)
    about = dataclasses.replace(data.description, columns=tuple(columns))
    return dataclasses.replace(data, description=about)


@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated")
def test_a_table_with_texts(tmp_path):
    rng = np.random.default_rng(0)
    rows = np.stack(
        [rng.normal(size=9), rng.integers(0, 3, 9), np.arange(9) % 3], axis=1
    )
    names = ["price/m²", "size class", "note"]
    data = data_of(rows, names=names, categorical={1: LEVELS})
    data = with_texts(data, 2, ("good", "not good", "bad"))
    model = learn.build_serving_model(
        data.description, learn.learn_preprocessing(data), keras.layers.Dense(1)
    )
    folder = export.save_model(model, tmp_path, export.regression_outputs)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder))
    converter.target_spec.supported_ops = [
        tf.lite.OpsSet.TFLITE_BUILTINS,
        tf.lite.OpsSet.SELECT_TF_OPS,
    ]
    interpreter = tf.lite.Interpreter(model_content=converter.convert())
    operations = {operation["op_name"] for operation in interpreter._get_ops_details()}
    assert "HASHTABLE_FIND" in operations, "LiteRT has to have the table itself"
    predict = interpreter.get_signature_runner("serving_default")
    assert set(predict.get_input_details()) == set(names)
    columns = {
        names[0]: np.array([1, np.nan, 3, 4], "float32"),
        names[1]: np.array([" low", "high", "unheard of", "medium"]),
        names[2]: np.array(["Good!", "not GOOD", "", "unheard of"]),
    }
    try:
        prediction = predict(**columns)["prediction"]
    except RuntimeError as error:
        # Not every TensorFlow links the operations of TensorFlow to its interpreter.
        assert "Flex delegate" in str(error)
    else:
        np.testing.assert_allclose(prediction, model(columns), rtol=1e-5)
