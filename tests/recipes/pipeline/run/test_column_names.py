"""A table whose columns' names are a trap in Python trains, and is served as any other.

By the command line, for every recipe.
"""

import csv
import json
import textwrap

import numpy as np
import pytest

from tests.commands import run_forked

NAMES = ["self", "x y", "x_y", "x  y", "class", "Größe/m²", "input_0", "training"]
TEXT = "name"
CHECKS = """
    import json, sys, warnings
    import keras, numpy as np, tensorflow as tf
    import recipes.{recipe}

    names = json.loads(sys.argv[1])
    rows = np.random.default_rng(1).normal(size=(5, len(names) - 1))
    columns = {{name: tf.constant(x, tf.float32) for name, x in zip(names, rows.T)}}
    columns[names[-1]] = tf.constant(["low", " low ", "high", "?", ""])
    loaded = tf.saved_model.load("run/export/1")
    served = {{key: x.numpy() for key, x in loaded.serve(columns).items()}}

    def check(outputs):
        for key, expected in served.items():
            if expected.dtype.kind == "f":
                np.testing.assert_allclose(outputs[key], expected, rtol=1e-4, atol=1e-6)
            else:
                assert (np.asarray(outputs[key]) == expected).all()

    signature = loaded.signatures["serving_default"]
    specs = signature.structured_input_signature[1]
    check(signature(**{{key: columns[spec.name] for key, spec in specs.items()}}))
    check(keras.layers.TFSMLayer("run/export/1", "serving_default")(columns))

    output = keras.models.load_model("run/model.keras")(columns)
    output = output if isinstance(output, dict) else {{"{output}": output}}
    key = "{output}"
    np.testing.assert_allclose(output[key], served[key], rtol=1e-4, atol=1e-6)

    converter = tf.lite.TFLiteConverter.from_saved_model("run/export/1")
    converter.target_spec.supported_ops = [
        tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS
    ]
    lite = converter.convert()
    warnings.filterwarnings("ignore", ".*tf.lite.Interpreter is deprecated")
    interpreter = tf.lite.Interpreter(model_content=lite)
    signature = interpreter.get_signature_list()["serving_default"]
    assert set(signature["inputs"]) == set(columns)
    assert set(signature["outputs"]) == set(served)
"""


@pytest.mark.parametrize(
    ("recipe", "output", "flags"),
    [
        ("linear_regression", "prediction", []),
        ("svm", "scores", []),
        ("neural_network", "scores", ["--epochs=1", "--learning_rate=0.01"]),
    ],
)
def test_every_reader_gives_the_same(recipe, output, flags, request, tmp_path):
    rng = np.random.default_rng(0)
    table = rng.normal(size=(60, len(NAMES))).round(3).tolist()
    with open(tmp_path / "table.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*NAMES, TEXT, "target"])
        for number, row in enumerate(table):
            target = row[0] - row[1] + number % 3
            label = target if recipe == "linear_regression" else f"class {target > 0}"
            writer.writerow([*row, ["low", "medium", "high"][number % 3], label])
    command = request.getfixturevalue(recipe)
    options = ["--dataset=table.csv", "--out_dir=run", "--noreport", *flags]
    ended = command(tmp_path, *options)
    assert ended.code == 0, ended.err
    assert "signature takes 'self' as input_1, 'x y' as input_3\n" in ended.out
    code = textwrap.dedent(CHECKS).format(recipe=recipe, output=output)
    names = json.dumps([*NAMES, TEXT])
    ended = run_forked(tmp_path, "-c", code, names)
    assert ended.code == 0, ended.err
