"""The contract of all layers of this project, checked by one call."""

import json
import textwrap
import warnings

import keras
import numpy as np
import tensorflow as tf

from tests.commands import run_forked

TOLERANCE = {"rtol": 1e-6, "atol": 1e-6}


def check_layer(
    layer_class,
    arguments,
    inputs,
    output_shape,
    *,
    tmp_path,
    set_up=lambda layer: None,
    trainable=(),
    non_trainable=(),
    policies=("float32", "float64", "mixed_float16", "mixed_bfloat16"),
    weights_dtype=None,
):
    """Check the contract.

    Args:
        layer_class: The class.
        arguments: The constructor's arguments, a dict.
        inputs: One batch of several rows: an array, or a dict of arrays.
        output_shape: The output's shape for that batch.
        tmp_path: A folder for the saved models.
        set_up: Function that gives a built layer weights that make a difference.
        trainable: The shapes of the trainable weights, in order.
        non_trainable: The shapes of the others.
        policies: The dtype policies that the layer supports.
        weights_dtype: The dtype of the weights, if it is not the policy's.
    """
    layer = layer_class(**arguments)
    before = layer.get_config()
    layer.build(keras.tree.map_structure(np.shape, inputs))
    set_up(layer)
    expected = _array(layer(inputs))

    assert expected.shape == output_shape
    assert np.ptp(expected) > 0, "the check needs an output that varies"
    assert [tuple(w.shape) for w in layer.trainable_weights] == list(trainable)
    assert [tuple(w.shape) for w in layer.non_trainable_weights] == list(non_trainable)
    assert layer.get_config() == before, "building or calling changed the config"
    _check_config(layer, inputs, expected)
    _check_shapes(layer, inputs, expected)
    _check_batches(layer, inputs, expected)
    for policy in policies:
        _check_policy(layer_class, arguments, inputs, policy, weights_dtype)
    _check_keras_file(layer, inputs, expected, tmp_path)
    _check_saved_model(layer, inputs, expected, tmp_path)


def _check_config(layer, inputs, expected):
    config = json.loads(json.dumps(layer.get_config()))
    again = type(layer).from_config(config)
    assert json.loads(json.dumps(again.get_config())) == config
    again(inputs)
    again.set_weights(layer.get_weights())
    # Some layers keep values derived from weights; Keras recomputes them on loading.
    for sublayer in again._flatten_layers():
        getattr(sublayer, "finalize_state", lambda: None)()
    np.testing.assert_allclose(_array(again(inputs)), expected, **TOLERANCE)


def _check_shapes(layer, inputs, expected):
    unknown = keras.tree.map_structure(lambda x: (None, *np.shape(x)[1:]), inputs)
    assert layer.compute_output_shape(unknown) == (None, *expected.shape[1:])
    symbolic = layer(_symbolic(inputs))
    assert symbolic.shape == (None, *expected.shape[1:])
    assert keras.backend.standardize_dtype(symbolic.dtype) == expected.dtype.name


def _check_batches(layer, inputs, expected):
    compiled = tf.function(lambda x: layer(x), autograph=False)
    for rows in (0, 1, len(expected)):
        part = keras.tree.map_structure(
            lambda x, rows=rows: tf.constant(x[:rows]), inputs
        )
        for call in (layer, compiled):
            np.testing.assert_allclose(
                _array(call(part)), expected[:rows], **TOLERANCE, err_msg=f"{rows=}"
            )


def _check_policy(layer_class, arguments, inputs, policy, weights_dtype):
    layer = layer_class(**arguments, dtype=policy)
    output = layer(inputs)
    dtype = keras.dtype_policies.get(policy)
    assert keras.backend.standardize_dtype(output.dtype) == dtype.compute_dtype
    for weight in layer.weights:
        if keras.backend.is_float_dtype(weight.dtype):
            assert weight.dtype == (weights_dtype or dtype.variable_dtype)
    again = layer_class.from_config(layer.get_config())
    assert again.dtype_policy.name == layer.dtype_policy.name == policy


def _check_keras_file(layer, inputs, expected, tmp_path):
    """Save the layer, and load it in a new process that imports only `layers`."""
    symbolic = _symbolic(inputs)
    model = keras.Model(symbolic, layer(symbolic))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "__array__ implementation")
        model.save(tmp_path / "model.keras")
    load = """
        import keras, layers
        call = keras.models.load_model("model.keras")
        assert not any(name.split(".")[0] == "recipes" for name in sys.modules)
    """
    _check_elsewhere(load, inputs, expected, tmp_path)


def _check_saved_model(layer, inputs, expected, tmp_path):
    """Export the layer, and load it in a process that cannot import this project."""
    specs = keras.tree.map_structure(
        lambda path, x: tf.TensorSpec((None, *x.shape[1:]), x.dtype, name=path),
        _names(inputs),
        _tensors(inputs),
    )
    archive = keras.export.ExportArchive()
    archive.track(layer)
    archive.add_endpoint("serve", lambda x: layer(x), [specs])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "__array__ implementation")
        archive.write_out(tmp_path / "saved", verbose=False)
    load = """
        sys.modules["layers"] = sys.modules["recipes"] = None  # cannot be imported
        loaded = tf.saved_model.load("saved")
        call = loaded.serve
    """
    _check_elsewhere(load, inputs, expected, tmp_path, "-I")


def _check_elsewhere(load, inputs, expected, folder, *flags):
    """Run `load`, which defines `call`, in a new process, and call it there."""
    named = inputs if isinstance(inputs, dict) else {"": inputs}
    np.savez(folder / "inputs.npz", **named)
    code = """
        import sys
        import numpy as np, tensorflow as tf
        {load}
        inputs = np.load("inputs.npz")
        for rows in (0, 1, None):
            part = {{name: tf.constant(x[:rows]) for name, x in inputs.items()}}
            output = call(part[""] if list(part) == [""] else part)
            np.save(f"output-{{rows}}.npy", np.asarray(output))
    """
    code = textwrap.dedent(code).format(load=textwrap.dedent(load))
    ended = run_forked(folder, *flags, "-c", code)
    assert ended.code == 0, ended.err
    for rows in (0, 1, None):
        output = np.load(folder / f"output-{rows}.npy")
        np.testing.assert_allclose(output, expected[:rows], **TOLERANCE)


def _names(inputs):
    return {name: name for name in inputs} if isinstance(inputs, dict) else "inputs"


def _tensors(inputs):
    return keras.tree.map_structure(tf.constant, inputs)


def _symbolic(inputs):
    return keras.tree.map_structure(
        lambda name, x: keras.Input(x.shape[1:], dtype=x.dtype.name, name=name),
        _names(inputs),
        _tensors(inputs),
    )


def _array(tensor):
    return keras.ops.convert_to_numpy(tensor)
