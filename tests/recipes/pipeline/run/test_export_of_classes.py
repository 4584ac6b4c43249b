"""The SavedModel of a classification: its outputs, and where it can be loaded."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from recipes.pipeline import evaluation
from recipes.pipeline.preprocessing import learn
from recipes.pipeline.run import export
from tests.recipes.pipeline.preprocessing.data_sets import data_of, odd_table
from tests.recipes.pipeline.run.test_export import run_elsewhere

LEVELS = {1: ("no", "yes"), 2: ("-1", "+1"), 3: ("a", "b & c", "größer")}


def classifier(inputs, width, *, probable):
    """Scores of a linear model, alone or with probabilities."""
    x = keras.Input((inputs,))
    scores = keras.layers.Dense(width, kernel_initializer="glorot_normal")(x)
    if not probable:
        return keras.Model(x, scores)
    p = keras.layers.Softmax()(scores)
    if width == 1:
        two = keras.layers.Concatenate()([keras.ops.zeros_like(scores), scores])
        p = keras.layers.Softmax()(two)
    return keras.Model(x, {"scores": scores, "probabilities": p})


def matrix_model(width, *, probable):
    keras.utils.set_random_seed(width)
    rng = np.random.default_rng(width)
    data = data_of(rng.normal(size=(50, 4)), tabular=False)
    layer = learn.learn_preprocessing(data)
    model = classifier(4, width, probable=probable)
    serving = learn.build_serving_model(data.description, layer, model)
    return serving, data.train.features


ELSEWHERE = """
    import numpy as np, tensorflow as tf
    rows = np.load("rows.npy")
    loaded = tf.saved_model.load(sys.argv[1])
    for number in (0, 1, 50):
        for name in ("serve", "serving_default"):
            signature = loaded.signatures[name]
            output = signature(features=tf.constant(rows[:number]))
            output = {key: value.numpy() for key, value in output.items()}
            output["label"] = output["label"].astype(bytes).astype("S20")
            np.savez(f"{name}-{number}.npz", **output)
"""


@pytest.mark.parametrize("probable", [False, True], ids=["scores", "probabilities"])
@pytest.mark.parametrize("width", [1, 2, 3])
def test_outputs_in_a_process_without_the_project(tmp_path, width, probable):
    model, rows = matrix_model(width, probable=probable)
    levels = LEVELS[width]
    folder = export.save_model(
        model, tmp_path / "export", export.classification_outputs(levels)
    )
    np.save(tmp_path / "rows.npy", rows)
    run_elsewhere(ELSEWHERE, tmp_path, folder)

    expected = model.predict(rows, verbose=0)
    given = expected if probable else {"scores": expected}
    made = evaluation.decide(np.zeros(50, int), given["scores"])
    assert 0 < made.predicted.mean() < len(levels) - 1  # not always the same class
    labels = [levels[index].encode() for index in made.predicted]
    for name in ("serve", "serving_default"):
        for number in (0, 1, 50):
            found = dict(np.load(tmp_path / f"{name}-{number}.npz"))
            assert set(found) == {*given, "class_index", "label"}
            assert found["class_index"].dtype == np.int64
            np.testing.assert_array_equal(
                found.pop("class_index"), made.predicted[:number]
            )
            assert found.pop("label").tolist() == labels[:number]
            for key, value in found.items():
                assert value.dtype == np.float32
                assert value.shape == (number, given[key].shape[1])
                np.testing.assert_allclose(
                    value, given[key][:number], rtol=1e-5, atol=1e-6
                )


def test_named_columns_and_a_dict_of_outputs(tmp_path):
    data, raw = odd_table()
    layer = learn.learn_preprocessing(data)
    width = len(layer.output_names)
    model = classifier(width, 3, probable=True)
    serving = learn.build_serving_model(data.description, layer, model)
    columns = {name: tf.constant(values) for name, values in raw.items()}
    expected = serving(columns)
    assert set(expected) == {"scores", "probabilities"}

    folder = export.save_model(
        serving, tmp_path / "export", export.classification_outputs(LEVELS[3])
    )
    loaded = tf.saved_model.load(folder)
    found = loaded.serve(columns)
    for key, value in expected.items():
        np.testing.assert_allclose(found[key], value, rtol=1e-5, atol=1e-6)

    export.save_keras(serving, tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    for key, value in again(columns).items():
        np.testing.assert_array_equal(value, expected[key])


def test_decision_by_hand():
    outputs = export.classification_outputs(["no", "yes"])
    found = outputs(tf.constant([[-1e-9], [0.0], [1e-9]]))
    assert found["class_index"].numpy().tolist() == [0, 0, 1]
    assert found["label"].numpy().tolist() == [b"no", b"no", b"yes"]
    several = export.classification_outputs(["a", "b", "c"])
    found = several(tf.constant([[1.0, 1, 0], [0, 2, 2], [-3, -2, -1]]))
    assert found["class_index"].numpy().tolist() == [0, 1, 2]


def test_scores_decide_in_their_own_precision():
    outputs = export.classification_outputs(["a", "b"])
    found = outputs({"scores": tf.constant([[1e-60], [-1e-60]], tf.float64)})
    assert found["scores"].dtype == tf.float32
    assert found["class_index"].numpy().tolist() == [1, 0]


@pytest.mark.parametrize("width", [1, 3])
def test_rows_whose_scores_are_not_numbers_have_no_class(width):
    scores = np.ones((3, width), np.float32)
    scores[1, -1] = np.nan
    scores[2, 0] = np.inf
    outputs = export.classification_outputs(LEVELS[width])
    found = outputs(tf.constant(scores))
    index = [1, -1, 1] if width == 1 else [0, -1, 0]
    assert found["class_index"].numpy().tolist() == index
    assert found["label"].numpy()[1] == b""
    assert b"" not in found["label"].numpy()[[0, 2]]


@pytest.mark.parametrize(
    ("levels", "output"),
    [
        (("a", "b", "c"), tf.zeros((5, 2))),
        (("a", "b", "c"), tf.zeros((5, 1))),
        (("a", "b"), tf.zeros((5, 3))),
        (("a", "b"), tf.zeros(5)),
        (("a", "b"), {"scores": tf.zeros((5, 1)), "probabilities": tf.zeros((5, 1))}),
    ],
)
def test_outputs_that_do_not_fit_the_classes_are_refused(levels, output):
    with pytest.raises(ValueError, match=r"should have shape \(batch, "):
        export.classification_outputs(levels)(output)


def test_one_class_is_refused():
    with pytest.raises(ValueError, match="two or more"):
        export.classification_outputs(["only"])
