"""The models that a run saves: `model.keras` and the SavedModel under `export/N`.

Both appear complete or not at all.
"""

import errno
import functools
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from layers.serving_model import ServingModel
from recipes.pipeline.datasets.description import Description
from recipes.pipeline.run.atomic_files import (
    system_errors_as_input_errors,
    temporary_beside,
    write_atomically,
)

Outputs = Callable[[Any], Mapping[str, Any]]


def save_keras(model: keras.Model, path: str | os.PathLike[str]) -> Path:
    """Save a model in Keras's own format.

    Args:
        model: A built model.
        path: The file, ending in `.keras`; replaced if it exists.

    Returns:
        The file's path.

    Raises:
        InputError: The disk is full or the folder is not writable.
    """
    with write_atomically(path, "the model") as temporary, warnings.catch_warnings():
        # Keras reads TensorFlow's variables in a way that NumPy 2 deprecates.
        warnings.filterwarnings("ignore", "__array__ implementation")
        model.save(temporary)
    return Path(path)


def save_model(
    model: ServingModel, directory: str | os.PathLike[str], outputs: Outputs
) -> Path:
    """Save a serving model as the next version of a SavedModel.

    The signatures `serving_default` and `serve` take the model's raw inputs, named
    columns under their own names. Loaded in Python, `loaded.serve(inputs)` takes them
    as the model does: as a dict or as the matrix. Only what inference needs is saved,
    and only once.

    Args:
        model: A built model of raw inputs.
        directory: The folder of the versions; created if necessary. Existing versions
            are kept; the new one gets the next number.
        outputs: Turns the model's output for a batch into the named outputs.

    Returns:
        The new version's folder, `directory/N`.

    Raises:
        InputError: The disk is full or the folder is not writable.
    """
    directory = Path(directory)
    with (
        system_errors_as_input_errors("the SavedModel", directory),
        temporary_beside(directory, "version") as temporary,
    ):
        _write_saved_model(model, temporary, outputs)
        return _rename_to_next_version(temporary, directory)


def outputs(description: Description) -> Outputs:
    """Return the function that names the outputs of a model of such data."""
    if description.task == "regression":
        dtype = tf.float64 if description.target_offset else tf.float32
        return functools.partial(regression_outputs, dtype=dtype)
    return classification_outputs(description.target.levels)


def regression_outputs(prediction: Any, dtype: tf.DType = tf.float32) -> dict[str, Any]:
    """Return the outputs of a regression: `prediction` `[batch, 1]`."""
    return {"prediction": tf.reshape(tf.cast(prediction, dtype), (-1, 1))}


def classification_outputs(levels: Sequence[str]) -> Outputs:
    """Return the function that names a classifier's outputs, with labels in the graph.

    Args:
        levels: the classes' names, k ≥ 2; index i stands for `levels[i]`.

    Returns:
        A function that turns a model's output into `scores` `[batch, 1 or k]` float32,
        `probabilities` `[batch, k]` float32 if the model gives them, `class_index`
        `[batch]` int64 and `label` `[batch]` string. The model's output is a tensor of
        scores, or a dict of `scores` and optionally `probabilities`. The scores decide
        on the class, as in `evaluation.decide`. A row with a score that is not a number
        has no class: its index is −1 and its label is empty.

    Raises:
        ValueError: if there are fewer levels; the function itself raises it if the
            output has another shape.
    """
    if len(levels) < 2:
        raise ValueError(f"levels should be two or more. Received: {list(levels)}")
    names = [*levels, ""]  # the last one is for index −1

    def outputs(output: Any) -> dict[str, Any]:
        given = output if isinstance(output, Mapping) else {"scores": output}
        scores = tf.convert_to_tensor(given["scores"])
        _check_width(scores, "scores", (1, 2) if len(levels) == 2 else (len(levels),))
        named = {"scores": tf.cast(scores, tf.float32)}
        if "probabilities" in given:
            probabilities = tf.convert_to_tensor(given["probabilities"])
            _check_width(probabilities, "probabilities", (len(levels),))
            named["probabilities"] = tf.cast(probabilities, tf.float32)
        if scores.shape[-1] == 1:
            index = tf.cast(scores[:, 0] > 0, tf.int64)
        else:
            index = tf.argmax(scores, axis=-1, output_type=tf.int64)
        unknown = tf.reduce_any(tf.math.is_nan(scores), axis=-1)
        place = tf.where(unknown, tf.constant(len(levels), tf.int64), index)
        return {
            **named,
            "class_index": tf.where(unknown, tf.constant(-1, tf.int64), index),
            "label": tf.gather(tf.constant(names), place),
        }

    return outputs


def _check_width(tensor: Any, name: str, widths: Sequence[int]) -> None:
    if tensor.shape.rank != 2 or tensor.shape[1] not in widths:
        wanted = " or ".join(map(str, widths))
        raise ValueError(
            f"{name} should have shape (batch, {wanted}). Received: {tensor.shape}"
        )


def _write_saved_model(model: ServingModel, directory: Path, outputs: Outputs) -> None:
    @tf.function(input_signature=[model.signature()], autograph=False)
    def serve(inputs: Any) -> Mapping[str, Any]:
        return outputs(model(inputs))

    # The module holds what the function uses, not the model: so nothing is saved
    # twice, and neither the optimiser's nor the metrics' state is saved.
    module = tf.Module()
    module.serve = serve
    function = serve.get_concrete_function()
    module.weights = list(function.variables)
    module.tables = list(model.tables)
    tf.saved_model.save(
        module,
        str(directory),
        signatures={"serving_default": function, "serve": function},
    )
    if isinstance(model.signature(), dict):
        names = {spec.name: name for name, spec in model.signature().items()}
        _rename_inputs(directory, names)


def _rename_inputs(directory: Path, names: Mapping[str, str]) -> None:
    """Give the signatures' inputs their real names.

    A signature allows any string, but `tf.saved_model.save` takes the names for those
    of Python parameters: it fails for "class" and changes "fixed acidity".
    """
    file = directory / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    (graph,) = saved.meta_graphs
    for signature in graph.signature_def.values():
        inputs = dict(signature.inputs)
        signature.ClearField("inputs")
        for old, tensor in inputs.items():
            signature.inputs[names[old]].CopyFrom(tensor)
    for node in graph.object_graph_def.nodes:
        if node.WhichOneof("kind") == "bare_concrete_function":
            keywords = node.bare_concrete_function.argument_keywords
            keywords[:] = [names.get(keyword, keyword) for keyword in keywords]
    file.write_bytes(saved.SerializeToString(deterministic=True))
    # An optional file; its checksums are no longer correct.
    (directory / "fingerprint.pb").unlink(missing_ok=True)


def _rename_to_next_version(temporary: Path, directory: Path) -> Path:
    while True:
        versions = [int(p.name) for p in directory.iterdir() if p.name.isdecimal()]
        target = directory / str(max(versions, default=0) + 1)
        try:
            os.rename(temporary, target)
        except OSError as error:
            # Unless another run has just taken the number.
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
        else:
            return target
