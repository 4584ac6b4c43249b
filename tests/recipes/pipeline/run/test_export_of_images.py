"""`model.keras` and the SavedModel of a model of images."""

import keras
import numpy as np
import pytest

from recipes.pipeline.preprocessing import learn
from recipes.pipeline.run import export
from tests.recipes.pipeline.preprocessing.data_sets import images_of
from tests.recipes.pipeline.run.test_export import run_elsewhere, saved_graph


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A serving model, exported: model, images, folder."""
    pixels = np.random.default_rng(1).integers(0, 256, (40, 16, 12, 3))
    data = images_of(pixels.astype("float32"))
    layer = learn.learn_preprocessing(data, images=True)
    parts = [keras.layers.Flatten(), keras.layers.Dense(512, "tanh")]
    inner = keras.Sequential([*parts, keras.layers.Dense(3)])
    model = learn.build_serving_model(data.description, layer, inner)
    directory = tmp_path_factory.mktemp("images")
    outputs = export.classification_outputs(["a", "b", "c"])
    export.save_model(model, directory / "1", outputs)
    return model, pixels.astype("float32"), directory / "1"


def test_images_in_a_process_without_the_project(exported, tmp_path):
    model, pixels, folder = exported
    np.save(tmp_path / "pixels.npy", pixels)
    code = """
        import numpy as np, tensorflow as tf
        pixels = np.load("pixels.npy")
        loaded = tf.saved_model.load(sys.argv[1])
        for rows in (0, 1, 40):
            features = tf.constant(pixels[:rows])
            for name in ("serving_default", "serve"):
                output = loaded.signatures[name](features=features)
                np.savez(f"{name}-{rows}.npz", **output)
    """
    run_elsewhere(code, tmp_path, folder)
    expected = model.predict(pixels, verbose=0)
    for name in ("serving_default", "serve"):
        for rows in (0, 1, 40):
            output = np.load(tmp_path / f"{name}-{rows}.npz", allow_pickle=True)
            np.testing.assert_allclose(
                output["scores"], expected[:rows], rtol=1e-5, atol=1e-5
            )
            best = expected[:rows].argmax(axis=1)
            np.testing.assert_array_equal(output["class_index"], best)


def test_images_are_the_only_input(exported):
    _, pixels, folder = exported
    signature = saved_graph(folder).signature_def["serving_default"]
    assert set(signature.inputs) == {"features"}
    shape = [d.size for d in signature.inputs["features"].tensor_shape.dim]
    assert shape == [-1, *pixels.shape[1:]]


def test_size_is_that_of_the_weights(exported):
    model, _, folder = exported
    weights = sum(weight.numpy().nbytes for weight in model.weights)
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    assert weights > 1e6
    assert 1.0 <= size / weights <= 1.2


def test_keras_file_can_be_loaded(exported, tmp_path):
    model, pixels, _ = exported
    path = export.save_keras(model, tmp_path / "model.keras")
    again = keras.models.load_model(path)
    np.testing.assert_array_equal(again(pixels), model(pixels))
    assert again.signature() == model.signature()
