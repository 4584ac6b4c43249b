"""`model.keras` and the SavedModel, and where they can be used."""

import subprocess
import sys
import textwrap
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from recipes.pipeline.preprocessing import learn
from recipes.pipeline.run import export
from tests.commands import run_forked
from tests.recipes.pipeline.preprocessing.data_sets import data_of, odd_table

SIGNATURES = ["serving_default", "serve"]


def model_of(data, dtype="float32"):
    layer = learn.learn_preprocessing(data)
    dense = keras.layers.Dense(1, dtype=dtype, bias_initializer="ones")
    return learn.build_serving_model(data.description, layer, dense)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A table's serving model, exported: model, raw columns, prediction, folder."""
    data, raw = odd_table()
    model = model_of(data, "float64")
    expected = model({name: tf.constant(x) for name, x in raw.items()}).numpy()
    directory = tmp_path_factory.mktemp("table")
    export.save_model(model, directory / "1", export.regression_outputs)
    return model, raw, expected, directory / "1"


@pytest.fixture(scope="module")
def matrix(tmp_path_factory):
    """An array's serving model, exported: model, rows, prediction, folder."""
    rng = np.random.default_rng(0)
    data = data_of(rng.normal(size=(40, 5)), tabular=False)
    model = model_of(data)
    rows = data.train.features
    directory = tmp_path_factory.mktemp("matrix")
    export.save_model(model, directory / "1", export.regression_outputs)
    return model, rows, model(rows).numpy(), directory / "1"


# In another process.


def run_elsewhere(code, folder, *arguments, isolated=True):
    """Run code in a process that cannot import this project, or (not isolated) can."""
    code = textwrap.dedent(code)
    if isolated:
        absent = "import sys\nsys.modules['layers'] = sys.modules['recipes'] = None\n"
        ended = run_forked(folder, "-I", "-c", absent + code, *arguments)
    else:
        ended = run_forked(folder, "-c", code, *arguments)
    assert ended.code == 0, ended.err
    return ended.out


def test_table_in_a_process_without_the_project(table, tmp_path):
    _, raw, expected, folder = table
    np.savez(tmp_path / "raw.npz", **{f"c{i}": x for i, x in enumerate(raw.values())})
    code = """
        import numpy as np, tensorflow as tf
        names = sys.argv[2:]
        raw = np.load("raw.npz")
        columns = {name: tf.constant(raw[f"c{i}"]) for i, name in enumerate(names)}
        loaded = tf.saved_model.load(sys.argv[1])
        for rows in (0, 1, 40):
            part = {name: column[:rows] for name, column in columns.items()}
            np.save(f"{rows}.npy", loaded.serve(part)["prediction"])
    """
    run_elsewhere(code, tmp_path, folder, *raw)
    for rows in (0, 1, 40):
        output = np.load(tmp_path / f"{rows}.npy")
        assert output.dtype == np.float32
        assert output.shape == (rows, 1)
        np.testing.assert_allclose(output, expected[:rows], rtol=1e-5, atol=1e-6)


def test_matrix_in_a_process_without_the_project(matrix, tmp_path):
    _, rows, expected, folder = matrix
    np.save(tmp_path / "rows.npy", rows)
    code = """
        import numpy as np, tensorflow as tf
        rows = np.load("rows.npy")
        loaded = tf.saved_model.load(sys.argv[1])
        for name in ("serving_default", "serve"):
            for number in (0, 1, 40):
                features = tf.constant(rows[:number])
                output = loaded.signatures[name](features=features)
                np.save(f"{name}-{number}.npy", output["prediction"])
        np.save("float64.npy", loaded.serve(rows.astype("float64"))["prediction"])
    """
    run_elsewhere(code, tmp_path, folder)
    for name in SIGNATURES:
        for number in (0, 1, 40):
            output = np.load(tmp_path / f"{name}-{number}.npy")
            np.testing.assert_allclose(output, expected[:number], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        np.load(tmp_path / "float64.npy"), expected, rtol=1e-5, atol=1e-6
    )


def test_keras_file_in_a_process_that_imports_layers(table, tmp_path):
    model, raw, expected, _ = table
    export.save_keras(model, tmp_path / "m.keras")
    np.savez(tmp_path / "raw.npz", **{f"c{i}": x for i, x in enumerate(raw.values())})
    code = """
        import sys, keras, layers, numpy as np, tensorflow as tf
        raw = np.load("raw.npz")
        columns = {n: tf.constant(raw[f"c{i}"]) for i, n in enumerate(sys.argv[1:])}
        np.save("output.npy", keras.models.load_model("m.keras")(columns))
    """
    run_elsewhere(code, tmp_path, *raw, isolated=False)
    np.testing.assert_array_equal(np.load(tmp_path / "output.npy"), expected)


# The signatures.


def test_inputs_have_the_columns_names_whatever_they_are(table):
    _, raw, _, folder = table
    graph = saved_graph(folder)
    for name in SIGNATURES:
        signature = graph.signature_def[name]
        assert set(signature.inputs) == set(raw)
        for column, tensor in signature.inputs.items():
            strings = raw[column].dtype.kind == "U"
            assert tensor.dtype == (tf.string if strings else tf.float32)
            assert [d.size for d in tensor.tensor_shape.dim] == [-1]
        assert set(signature.outputs) == {"prediction"}
        prediction = signature.outputs["prediction"]
        assert prediction.dtype == tf.float32
        assert [d.size for d in prediction.tensor_shape.dim] == [-1, 1]


def test_array_has_one_input_features(matrix):
    signature = saved_graph(matrix[-1]).signature_def["serving_default"]
    assert set(signature.inputs) == {"features"}
    assert [d.size for d in signature.inputs["features"].tensor_shape.dim] == [-1, 5]


def saved_graph(folder):
    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((folder / "saved_model.pb").read_bytes())
    (graph,) = saved.meta_graphs
    return graph


def test_there_may_be_several_outputs(tmp_path):
    def outputs(scores):
        index = tf.argmax(scores, axis=-1)
        return {
            "scores": scores,
            "class_index": index,
            "label": tf.gather(tf.constant(["no", "yes"]), index),
        }

    data = data_of(np.random.default_rng(2).normal(size=(9, 3)), tabular=False)
    layer = learn.learn_preprocessing(data)
    model = learn.build_serving_model(data.description, layer, keras.layers.Dense(2))
    folder = export.save_model(model, tmp_path, outputs)
    loaded = tf.saved_model.load(folder)
    result = loaded.serve(data.train.features)
    scores = model(data.train.features).numpy()
    np.testing.assert_allclose(result["scores"], scores, rtol=1e-5)
    labels = np.array([b"no", b"yes"])[scores.argmax(axis=1)]
    assert result["label"].numpy().tolist() == labels.tolist()


def test_weights_are_saved_only_once(tmp_path):
    class Wide(keras.layers.Layer):
        def build(self, shape):
            self.table = self.add_weight(shape=(shape[-1], 100_000))
            self.unused = self.add_weight(shape=(1_000_000,))

        def call(self, x):
            return keras.ops.sum(x @ self.table, axis=-1, keepdims=True)

        def compute_output_shape(self, shape):
            return (*shape[:-1], 1)

    data = data_of(np.random.default_rng(3).normal(size=(9, 3)), tabular=False)
    layer = learn.learn_preprocessing(data)
    model = learn.build_serving_model(data.description, layer, Wide())
    folder = export.save_model(model, tmp_path, export.regression_outputs)
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    assert 1.0 <= size / (4 * 3 * 100_000) <= 1.2


# Other readers.


def test_saved_model_cli_shows_and_runs(table, tmp_path):
    _, raw, expected, folder = table
    shown = saved_model_cli(
        "show", "--dir", folder, "--tag_set", "serve", "--signature_def", "serve"
    )
    for name in raw:
        assert f"inputs['{name}']" in shown
    assert "outputs['prediction']" in shown

    inputs = []
    for number, (name, column) in enumerate(raw.items()):
        np.save(tmp_path / f"{number}.npy", column)
        inputs.append(f"{name}={tmp_path / f'{number}.npy'}")
    saved_model_cli(
        "run", "--dir", folder, "--tag_set", "serve",
        "--signature_def", "serving_default",
        "--inputs", ";".join(inputs), "--outdir", tmp_path,
    )  # fmt: skip
    output = np.load(tmp_path / "prediction.npy")
    np.testing.assert_allclose(output, expected, rtol=1e-5, atol=1e-6)


def saved_model_cli(*arguments):
    module = "tensorflow.python.tools.saved_model_cli"
    ended = run_forked(Path.cwd(), "-m", module, *arguments)
    assert ended.code == 0, ended.err
    return ended.out


def test_c_loader_reads_the_matrix(matrix, tmp_path):
    _, rows, expected, folder = matrix
    np.testing.assert_allclose(
        run_by_c(folder, {"features": rows}, tmp_path), expected, rtol=1e-5, atol=1e-6
    )


def test_c_loader_reads_the_table(table, tmp_path):
    _, raw, expected, folder = table
    np.testing.assert_allclose(
        run_by_c(folder, raw, tmp_path), expected, rtol=1e-5, atol=1e-6
    )


def run_by_c(folder, inputs, tmp_path):
    """Predict with TensorFlow's C library alone, as a server does."""
    tensors = saved_graph(folder).signature_def["serving_default"]
    arrays = {tensors.inputs[name].name: array for name, array in inputs.items()}
    names = list(arrays)
    np.savez(tmp_path / "c.npz", **{f"c{i}": arrays[n] for i, n in enumerate(names)})
    output = tensors.outputs["prediction"].name
    program = Path(__file__).with_name("c_loader.py")
    subprocess.run(
        [sys.executable, "-I", program, folder, tmp_path, output, *names], check=True
    )
    return np.load(tmp_path / "output.npy")
