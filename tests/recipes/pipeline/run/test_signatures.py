"""A table's inputs have its columns' names, whatever these are, for every reader."""

import json
import textwrap

import keras
import numpy as np
import pytest
import tensorflow as tf

from recipes.pipeline.preprocessing import learn
from recipes.pipeline.preprocessing.input_names import name_inputs
from recipes.pipeline.run import export
from tests.commands import run_forked
from tests.recipes.pipeline.preprocessing.data_sets import NASTY, data_of

SETS = {
    "all": NASTY,
    "one": ["self"],
    "two alike": ["x y", "x_y"],
    # Texts, which a file holds in a dict by their columns' names.
    "texts": ["class_name", "config", "self", "a b", "a_b"],
}


@pytest.fixture(scope="module", params=SETS.values(), ids=SETS)
def exported(request, tmp_path_factory):
    """A table's model in both formats, its inputs and its prediction, in a folder."""
    names, folder = request.param, tmp_path_factory.mktemp("exported")
    texts = names == SETS["texts"]
    codes = np.random.default_rng(0).integers(0, 3, (9, len(names)))
    levels = ("low", "medium", "high")
    categorical = dict.fromkeys(range(len(names)), levels) if texts else {}
    data = data_of(codes, names=names, categorical=categorical)
    model = learn.build_serving_model(
        data.description, learn.learn_preprocessing(data), keras.layers.Dense(1)
    )
    values = np.array(levels)[codes.T] if texts else codes.T.astype("float32")
    columns = {name: tf.constant(x) for name, x in zip(names, values, strict=True)}
    np.savez(folder / "table.npz", values=values, expected=model(columns))
    export.save_model(model, folder / "1", export.regression_outputs)
    export.save_keras(model, folder / "model.keras")
    spoken = {name.column: name.keyword for name in name_inputs(names)}
    (folder / "names.json").write_text(json.dumps([spoken[name] for name in names]))
    (folder / "columns.json").write_text(json.dumps(names))
    return folder


SETTING = """
    import json, sys
    import numpy as np, tensorflow as tf
    columns = json.load(open("columns.json"))
    keywords = json.load(open("names.json"))
    table = np.load("table.npz")
    values = [tf.constant(x) for x in table["values"]]
    by_column = dict(zip(columns, values))

    def check(prediction):
        np.testing.assert_allclose(prediction, table["expected"], rtol=1e-5, atol=1e-6)
"""


def run_elsewhere(folder, code, *flags):
    ended = run_forked(
        folder, *flags, "-c", textwrap.dedent(SETTING) + textwrap.dedent(code)
    )
    assert ended.code == 0, ended.err


def test_every_reader_of_the_saved_model(exported):
    code = """
        sys.modules["layers"] = sys.modules["recipes"] = None
        import keras
        loaded = tf.saved_model.load("1")
        check(loaded.serve(by_column)["prediction"])
        for name in ("serving_default", "serve"):
            signature = loaded.signatures[name]
            check(signature(**dict(zip(keywords, values)))["prediction"])
            positional, specs = signature.structured_input_signature
            assert not positional
            assert {spec.name for spec in specs.values()} == set(columns)
            shown = {key: by_column[spec.name] for key, spec in specs.items()}
            check(signature(**shown)["prediction"])
            layer = keras.layers.TFSMLayer("1", call_endpoint=name)
            check(layer(by_column)["prediction"])
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            graph = tf.compat.v1.saved_model.load(session, ["serve"], "1")
            signature = graph.signature_def["serving_default"]
            assert set(signature.inputs) == set(columns)
            check(session.run(
                signature.outputs["prediction"].name,
                {signature.inputs[c].name: x for c, x in zip(columns, table["values"])},
            ))
    """
    run_elsewhere(exported, code, "-I")


def test_the_keras_file(exported):
    code = """
        import keras, layers
        check(keras.models.load_model("model.keras")(by_column))
    """
    run_elsewhere(exported, code)
