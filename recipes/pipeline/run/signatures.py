"""The signatures of a SavedModel, whose inputs may have any names.

`tf.saved_model.save` takes the inputs' names for those of Python parameters: it fails
for "class" and changes "fixed acidity". So the inputs are saved under neutral names,
which the file then exchanges for those that each of its readers can take.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tensorflow.core.protobuf import saved_model_pb2

from recipes.pipeline.preprocessing.input_names import InputName


def rename_inputs(directory: Path, names: Mapping[str, InputName]) -> None:
    """Rename the inputs of a SavedModel's signatures.

    Args:
        directory: The SavedModel.
        names: The names, by those that the inputs have been saved under.
    """
    file = directory / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    (graph,) = saved.meta_graphs
    for signature in graph.signature_def.values():
        _rename_keys(signature.inputs, {old: names[old].column for old in names})
    objects = graph.object_graph_def
    for node in objects.nodes:
        function = node.bare_concrete_function
        if function.argument_keywords:
            function.argument_keywords[:] = [
                names[old].keyword for old in function.argument_keywords
            ]
            # It is optional and repeats what follows, as parameters.
            function.ClearField("function_spec")
            arguments = (
                objects.concrete_functions[function.concrete_function_name]
                .canonicalized_input_signature.tuple_value.values[1]
                .dict_value.fields
            )
            for old, value in arguments.items():
                value.tensor_spec_value.name = names[old].column
            _rename_keys(arguments, {old: names[old].argument for old in names})
    file.write_bytes(saved.SerializeToString(deterministic=True))
    # An optional file; its checksums are no longer correct.
    (directory / "fingerprint.pb").unlink(missing_ok=True)


def _rename_keys(messages: Any, names: Mapping[str, str]) -> None:
    """Rename the keys of a protobuf's map from strings to messages."""
    old = dict(messages)
    messages.clear()
    for key, message in old.items():
        messages[names[key]].CopyFrom(message)
