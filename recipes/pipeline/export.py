"""What a run leaves to be used: `model.keras` and the SavedModel under `export/N`.

Both appear whole or not at all: they are written beside their place under a name that
begins with `.tmp-`, and renamed when complete.
"""

import contextlib
import errno
import os
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from layers.serving_model import ServingModel
from recipes.pipeline.errors import InputError

Outputs = Callable[[Any], Mapping[str, Any]]

_TEMPORARY = ".tmp-"
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
# TensorFlow's errors carry the system's message and no number.
_SYSTEM_ERRORS = {
    os.strerror(number): number
    for number in (
        *_DISK_FULL,
        errno.EFBIG,
        errno.EACCES,
        errno.EPERM,
        errno.EROFS,
        errno.EIO,
    )
}


def save_keras(model: keras.Model, path: str | os.PathLike[str]) -> Path:
    """Saves a model in Keras's own format.

    Args:
        model: A built model.
        path: The file, ending in `.keras`; replaced if it exists.

    Returns:
        The file's path.

    Raises:
        InputError: The disk is full or the folder cannot be written.
    """
    with whole_file(path, "the model") as temporary, warnings.catch_warnings():
        # Keras reads TensorFlow's variables in a way that NumPy 2 deprecates.
        warnings.filterwarnings("ignore", "__array__ implementation")
        model.save(temporary)
    return Path(path)


def save_model(
    model: ServingModel, directory: str | os.PathLike[str], outputs: Outputs
) -> Path:
    """Saves a serving model as the next version of a SavedModel.

    The signatures `serving_default` and `serve` take the model's raw inputs, named
    columns under their own names. Loaded in Python, `loaded.serve(inputs)` takes them
    as the model does: a dict, or the matrix. Only what inference needs is saved, once.

    Args:
        model: A built model of raw inputs.
        directory: The versions' folder; made if it is not there. Versions in it are
            kept, the next number is taken.
        outputs: Turns what the model returns for a batch into the named outputs.

    Returns:
        The new version's folder, `directory/N`.

    Raises:
        InputError: The disk is full or the folder cannot be written.
    """
    directory = Path(directory)
    with (
        _told("the SavedModel", directory),
        _temporary(directory, "version") as temporary,
    ):
        _write_saved_model(model, temporary, outputs)
        return _rename_to_next_version(temporary, directory)


def regression_outputs(prediction: Any) -> dict[str, Any]:
    """The outputs of a regression: `prediction` `[batch, 1]` float32."""
    return {"prediction": tf.reshape(tf.cast(prediction, tf.float32), (-1, 1))}


def classification_outputs(levels: Sequence[str]) -> Outputs:
    """The outputs of a classification, the classes' names in the graph.

    Args:
        levels: the classes' names, k ≥ 2; index i stands for `levels[i]`.

    Returns:
        What turns a model's output into `scores` `[batch, 1 or k]` float32,
        `probabilities` `[batch, k]` float32 where the model gives them, `class_index`
        `[batch]` int64 and `label` `[batch]` string. The model's output is a tensor of
        scores, or a dict of `scores` and perhaps `probabilities`. Scores decide on the
        class, as in `evaluation.decisions`. A row with a score that is not a number
        has no class: its index is −1, its label is empty.

    Raises:
        ValueError: on fewer levels and, when it is called, on outputs of other shapes.
    """
    if len(levels) < 2:
        raise ValueError(f"levels should be two or more. Received: {list(levels)}")
    names = [*levels, ""]  # the last one is that of index −1

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


@contextlib.contextmanager
def whole_file(path: str | os.PathLike[str], what: str = "the file") -> Iterator[Path]:
    """Lets a file be written so that it appears whole or not at all.

    Args:
        path: The file; replaced if it exists. Its folder is made if it is not there.
        what: What it is, for the message.

    Yields:
        The path to write to, in the same folder and with the same suffix. It becomes
        `path` at the end, or is removed if an exception comes.

    Raises:
        InputError: The disk is full or the folder cannot be written.
    """
    path = Path(path)
    with _told(what, path), _temporary(path.parent, path.name) as temporary:
        yield temporary
        os.replace(temporary, path)


def _write_saved_model(model: ServingModel, directory: Path, outputs: Outputs) -> None:
    @tf.function(input_signature=[model.signature()], autograph=False)
    def serve(inputs: Any) -> Mapping[str, Any]:
        return outputs(model(inputs))

    # The module holds what the function uses, and not the model: so nothing is
    # saved twice, and no state of the optimiser or the metrics.
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
    """Gives the signatures' inputs their real names.

    In a signature they may be any strings, but `tf.saved_model.save` takes them for
    the names of Python parameters: it fails at "class" and alters "fixed acidity".
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
    # A file that need not be there, of checksums that are no longer right.
    (directory / "fingerprint.pb").unlink(missing_ok=True)


def _rename_to_next_version(temporary: Path, directory: Path) -> Path:
    while True:
        versions = [int(p.name) for p in directory.iterdir() if p.name.isdecimal()]
        target = directory / str(max(versions, default=0) + 1)
        try:
            os.rename(temporary, target)
        except OSError as error:
            # Another run has just taken the number.
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
        else:
            return target


@contextlib.contextmanager
def _temporary(directory: Path, name: str) -> Iterator[Path]:
    """A free path in the directory; nothing of it remains where an error comes."""
    is_new = not directory.exists()
    directory.mkdir(parents=True, exist_ok=True)
    for stale in directory.glob(f"{_TEMPORARY}*-*"):
        process = stale.name.removeprefix(_TEMPORARY).split("-")[0]
        if process.isdecimal() and not _is_running(int(process)):
            _remove(stale)
    path = directory / f"{_TEMPORARY}{os.getpid()}-{name}"
    try:
        yield path
    except BaseException:
        _remove(path)
        if is_new:
            with contextlib.suppress(OSError):  # somebody else uses it already
                directory.rmdir()
        raise


def _is_running(process: int) -> bool:
    """Whether it is the number of a process that runs and is not this one."""
    if process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()


@contextlib.contextmanager
def _told(what: str, path: Path) -> Iterator[None]:
    """Turns what the system reports while writing into a line for the user."""
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        number = _system_error(error)
        if number is None:
            raise
        if number in _DISK_FULL:
            text = "the disk is full; free some space or choose another --out_dir"
        else:
            text = f"{os.strerror(number)}; choose another --out_dir"
        raise InputError(f"{path}: cannot write {what}: {text}") from error


def _system_error(error: Exception) -> int | None:
    """The system's error number, where the system is the cause."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    message = str(error)
    return next((n for text, n in _SYSTEM_ERRORS.items() if text in message), None)
