"""The models that a run saves: `model.keras` and the SavedModel under `export/N`."""

import functools
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from layers.serving_model import ServingModel
from recipes.pipeline.datasets.description import Description, Threshold
from recipes.pipeline.preprocessing.input_names import InputName, name_inputs
from recipes.pipeline.run.signatures import rename_inputs

Outputs = Callable[[Any], Mapping[str, Any]]


def save_keras(model: keras.Model, path: Path) -> Path:
    """Save a model in Keras's own format.

    Args:
        model: A built model.
        path: The file, ending in `.keras`; replaced if it exists.

    Returns:
        The file.
    """
    with warnings.catch_warnings():
        # Keras reads TensorFlow's variables in a way that NumPy 2 deprecates.
        warnings.filterwarnings("ignore", "__array__ implementation")
        model.save(path)
    return path


def save_model(model: ServingModel, folder: Path, outputs: Outputs) -> Path:
    """Save a serving model as a SavedModel.

    The signatures `serving_default` and `serve` take the model's raw inputs, named
    columns under their own names. Loaded in Python, `loaded.serve(inputs)` takes them
    as the model does: as a dict or as the matrix. Only what inference needs is saved,
    and only once.

    Args:
        model: A built model of raw inputs.
        folder: The SavedModel's folder.
        outputs: Turns the model's output for a batch into the named outputs.

    Returns:
        The folder.
    """
    specs = model.signature()
    names: dict[str, InputName] = {}
    if isinstance(specs, dict):
        # With leading zeros they are in order for TensorFlow, too.
        digits = len(str(len(specs)))
        names = {
            f"input_{number:0{digits}}": name
            for number, name in enumerate(name_inputs(specs))
        }
        specs = {
            name.column: tf.TensorSpec.from_spec(specs[name.column], saved)
            for saved, name in names.items()
        }

    @tf.function(input_signature=[specs], autograph=False)
    def serve(inputs: Any) -> Mapping[str, Any]:
        return outputs(model(inputs))

    # The module holds what the function uses, not the model: so nothing is saved
    # twice, and neither the optimiser's nor the metrics' state is saved. It has the
    # function under the signatures' names, where Keras's `TFSMLayer` looks first.
    module = tf.Module()
    module.serve = module.serving_default = serve
    function = serve.get_concrete_function()
    module.weights = list(function.variables)
    module.tables = list(model.tables)
    tf.saved_model.save(
        module,
        str(folder),
        signatures={"serving_default": function, "serve": function},
    )
    if names:
        rename_inputs(folder, names)
    return folder


def outputs(description: Description) -> Outputs:
    """Return the function that names the outputs of a model of such data."""
    if description.task == "regression":
        is_wide = description.target_offset or description.target_log
        dtype = tf.float64 if is_wide else tf.float32
        return functools.partial(regression_outputs, dtype=dtype)
    return classification_outputs(description.target.levels, description.threshold)


def regression_outputs(prediction: Any, dtype: tf.DType = tf.float32) -> dict[str, Any]:
    """Return the outputs of a regression: `prediction` `[batch, 1]`."""
    return {"prediction": tf.reshape(tf.cast(prediction, dtype), (-1, 1))}


def classification_outputs(
    levels: Sequence[str], threshold: Threshold | None = None
) -> Outputs:
    """Return the function that names a classifier's outputs, with labels in the graph.

    Args:
        levels: the classes' names, k ≥ 2; index i stands for `levels[i]`.
        threshold: what decides between two classes; None for the scores.

    Returns:
        A function that turns a model's output into `scores` `[batch, 1 or k]` float32,
        `probabilities` `[batch, k]` float32 if the model gives them, `class_index`
        `[batch]` int64 and `label` `[batch]` string. The model's output is a tensor of
        scores, or a dict of `scores` and optionally `probabilities`. The scores decide
        on the class, as in `evaluation.decide`, unless there is a threshold. A row with
        a score that is not a number has no class: its index is −1 and its label is
        empty.

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
        if threshold:
            index = tf.cast(_rank(named, threshold) >= threshold.value, tf.int64)
        elif scores.shape[-1] == 1:
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


def _rank(named: Mapping[str, Any], threshold: Threshold) -> Any:
    """Return what the threshold is compared with, `[batch]` float32."""
    if threshold.of == "probability":
        return named["probabilities"][:, 1]
    scores = named["scores"]
    return scores[:, 0] if scores.shape[-1] == 1 else scores[:, 1] - scores[:, 0]


def _check_width(tensor: Any, name: str, widths: Sequence[int]) -> None:
    if tensor.shape.rank != 2 or tensor.shape[1] not in widths:
        wanted = " or ".join(map(str, widths))
        raise ValueError(
            f"{name} should have shape (batch, {wanted}). Received: {tensor.shape}"
        )
