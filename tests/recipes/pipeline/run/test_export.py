"""`model.keras` and the SavedModel: complete or not there, and usable elsewhere."""

import errno
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from recipes.errors import InputError
from recipes.pipeline.preprocessing import learn
from recipes.pipeline.run import atomic_files, export
from tests.commands import ROOT, run_forked
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
    export.save_model(model, directory, export.regression_outputs)
    return model, raw, expected, directory / "1"


@pytest.fixture(scope="module")
def matrix(tmp_path_factory):
    """An array's serving model, exported: model, rows, prediction, folder."""
    rng = np.random.default_rng(0)
    data = data_of(rng.normal(size=(40, 5)), tabular=False)
    model = model_of(data)
    rows = data.train.features
    directory = tmp_path_factory.mktemp("matrix")
    export.save_model(model, directory, export.regression_outputs)
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
    assert export.save_keras(model, tmp_path / "m.keras") == tmp_path / "m.keras"
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
    saved = export.saved_model_pb2.SavedModel()
    saved.ParseFromString((folder / "saved_model.pb").read_bytes())
    (graph,) = saved.meta_graphs
    return graph


def test_python_signature_takes_the_columns_names(tmp_path):
    names = ["fixed acidity", "price/m²", "class", "Größe", "input_0"]
    data = data_of(np.random.default_rng(1).normal(size=(9, 5)), names=names)
    model = model_of(data)
    folder = export.save_model(model, tmp_path, export.regression_outputs)
    columns = dict(zip(names, tf.constant(data.train.features.T), strict=True))
    loaded = tf.saved_model.load(folder)
    np.testing.assert_allclose(
        loaded.signatures["serving_default"](**columns)["prediction"],
        model(columns),
        rtol=1e-5,
    )
    again = keras.layers.TFSMLayer(folder, call_endpoint="serve")
    np.testing.assert_allclose(again(columns)["prediction"], model(columns), rtol=1e-5)


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


# Versions, and what goes wrong.


def small_model():
    return model_of(data_of([[1, 10], [3, 30]], tabular=False))


def save(directory):
    return export.save_model(small_model(), directory, export.regression_outputs)


def test_versions_count_up_and_earlier_ones_are_kept(tmp_path):
    assert save(tmp_path / "export") == tmp_path / "export/1"
    before = (tmp_path / "export/1/saved_model.pb").read_bytes()
    (tmp_path / "export/7").mkdir()
    (tmp_path / "export/notes.txt").write_text("not a version")
    assert save(tmp_path / "export") == tmp_path / "export/8"
    assert (tmp_path / "export/1/saved_model.pb").read_bytes() == before
    names = {path.name for path in (tmp_path / "export").iterdir()}
    assert names == {"1", "7", "8", "notes.txt"}


def test_version_taken_meanwhile_is_not_overwritten(tmp_path, monkeypatch):
    rename = os.rename

    def rename_too_late(source, target):
        if Path(target).name == "1":
            Path(target).mkdir()
            (Path(target) / "other").touch()
        rename(source, target)

    monkeypatch.setattr(os, "rename", rename_too_late)
    assert save(tmp_path) == tmp_path / "2"
    assert (tmp_path / "1/other").exists()


def test_version_appears_complete(tmp_path, monkeypatch):
    rename, seen = os.rename, []

    def look_and_rename(source, target):
        files = {p.name for p in Path(source).rglob("*")}
        seen.append((files, {p.name for p in tmp_path.iterdir()}))
        rename(source, target)

    monkeypatch.setattr(os, "rename", look_and_rename)
    save(tmp_path)
    ((files, siblings),) = seen
    assert {"saved_model.pb", "variables.index"} <= files
    assert siblings == {f".tmp-{os.getpid()}-version"}


@pytest.fixture(scope="module")
def dead_process():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_files_left_by_a_killed_run_are_removed(tmp_path, dead_process):
    ended = tmp_path / f".tmp-{dead_process}-version"
    running = tmp_path / f".tmp-{os.getppid()}-version"
    foreign = tmp_path / ".tmp-of-somebody-else"
    for folder in (ended, running, foreign):
        (folder / "variables").mkdir(parents=True)
    (tmp_path / f".tmp-{dead_process}-model.keras").touch()
    save(tmp_path)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"1", running.name, foreign.name}


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, "the disk is full"), (errno.EACCES, "Permission denied")],
)
def test_failed_write_is_reported_and_leaves_nothing(
    tmp_path, monkeypatch, number, words
):
    save(tmp_path / "export")

    def fail(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "write_bytes", fail)
    monkeypatch.setattr(tf.saved_model, "save", half_written_then(fail))
    with pytest.raises(InputError, match=f"cannot write the SavedModel: {words}") as e:
        save(tmp_path / "export")
    assert len(str(e.value).splitlines()) == 1
    with pytest.raises(InputError, match=words):
        save(tmp_path / "new")
    monkeypatch.setattr(keras.Model, "save", fail)
    with pytest.raises(InputError, match=f"cannot write the model: {words}"):
        export.save_keras(small_model(), tmp_path / "model.keras")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["export"]
    assert [path.name for path in (tmp_path / "export").iterdir()] == ["1"]


def half_written_then(fail):
    def save(module, directory, **kwargs):
        os.makedirs(directory)
        (Path(directory) / "saved_model.pb").touch()
        fail()

    return save


def test_errors_of_the_program_are_not_input_errors(tmp_path):
    def broken(tensor):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        export.save_model(small_model(), tmp_path, broken)
    assert not list(tmp_path.iterdir())


def test_out_dir_that_is_a_file_is_reported(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot write the SavedModel: "):
        save(tmp_path / "file" / "export")


WRITE_TOO_MUCH = """
    import sys, pathlib, keras, tensorflow as tf
    from layers.preprocessing import Preprocessing
    from layers.serving_model import ServingModel
    from recipes.pipeline.run import export
    from recipes.errors import InputError
    size = 400_000
    model = ServingModel(Preprocessing(), keras.layers.Dense(1), size)
    model(tf.zeros((1, size)))
    folder = pathlib.Path("room")
    {limit}
    def save_keras():
        export.save_keras(model, folder / "model.keras")
    def save_model():
        export.save_model(model, folder / "export", export.regression_outputs)
    for save in (save_keras, save_model):
        try:
            save()
        except InputError as error:
            print(error)
    assert not list(folder.iterdir()), list(folder.rglob("*"))
"""


def test_file_size_limit_is_reported(tmp_path):
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (200_000,) * 2)"
    (tmp_path / "room").mkdir()
    printed = run_elsewhere(
        textwrap.dedent(WRITE_TOO_MUCH).format(limit=limit), tmp_path, isolated=False
    )
    assert printed.splitlines() == [
        "room/model.keras: cannot write the model: File too large; "
        "choose another --out_dir",
        "room/export: cannot write the SavedModel: File too large; "
        "choose another --out_dir",
    ]


# In its own namespace: only this process and its children see what is mounted.
SMALL_DISK = ["unshare", "--mount", "sh", "-c"]
MOUNT = "mount -t tmpfs -o size=1m none room"


def test_full_disk_is_reported(tmp_path):
    (tmp_path / "room").mkdir()
    if (
        not shutil.which("unshare")
        or subprocess.run(
            [*SMALL_DISK, MOUNT], cwd=tmp_path, capture_output=True
        ).returncode
    ):
        pytest.skip("this user cannot mount a small file system")
    code = textwrap.dedent(WRITE_TOO_MUCH).format(limit="")
    result = subprocess.run(
        [*SMALL_DISK, f'{MOUNT} && exec "$@"', "-", sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    full = "the disk is full; free some space or choose another --out_dir"
    assert result.stdout.splitlines() == [
        f"room/model.keras: cannot write the model: {full}",
        f"room/export: cannot write the SavedModel: {full}",
    ]


def test_file_appears_complete_or_not_at_all(tmp_path):
    path = tmp_path / "new" / "report.html"
    with atomic_files.write_atomically(path, "the report") as temporary:
        temporary.write_text("first")
        assert not path.exists()
    assert path.read_text() == "first"
    with (
        pytest.raises(ZeroDivisionError),
        atomic_files.write_atomically(path, "the report") as temporary,
    ):
        temporary.write_text("second")
        raise ZeroDivisionError
    assert path.read_text() == "first"
    assert list(path.parent.iterdir()) == [path]
