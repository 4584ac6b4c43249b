"""Predict with a SavedModel through TensorFlow's C library, without its Python.

Arguments: the SavedModel, a folder with `c.npz`, the output tensor's name, and the
input tensors' names in the order of `c.npz`. Writes `output.npy` into the folder.
"""

import ctypes
import importlib.util
import sys
from ctypes import c_char_p, c_int, c_int64, c_size_t, c_void_p
from pathlib import Path

import numpy as np

FLOAT, STRING = 1, 7  # TF_DataType
STRING_BYTES = 24  # a TF_TString


class Output(ctypes.Structure):
    _fields_ = (("operation", c_void_p), ("index", c_int))


def load_library():
    folder = Path(importlib.util.find_spec("tensorflow").origin).parent
    for name in ("libtensorflow_framework.so.2", "libtensorflow_cc.so.2"):
        library = ctypes.CDLL(str(folder / name), mode=ctypes.RTLD_GLOBAL)
    for name in (
        "TF_NewStatus", "TF_NewGraph", "TF_NewSessionOptions", "TF_AllocateTensor",
        "TF_TensorData", "TF_GraphOperationByName", "TF_LoadSessionFromSavedModel",
    ):  # fmt: skip
        getattr(library, name).restype = c_void_p
    library.TF_Message.restype = c_char_p
    library.TF_Dim.restype = c_int64
    return library


def main(model, folder, output_name, *input_names):
    tf = load_library()
    status = c_void_p(tf.TF_NewStatus())

    def check():
        if tf.TF_GetCode(status):
            sys.exit(tf.TF_Message(status).decode())

    def endpoint(graph, name):
        operation, index = name.split(":")
        found = tf.TF_GraphOperationByName(graph, operation.encode())
        return Output(found, int(index))

    def tensor_of(array):
        strings = array.dtype.kind == "U"
        item, kind = (STRING_BYTES, STRING) if strings else (4, FLOAT)
        shape = (c_int64 * array.ndim)(*array.shape)
        size = c_size_t(item * array.size)
        tensor = c_void_p(tf.TF_AllocateTensor(kind, shape, array.ndim, size))
        start = tf.TF_TensorData(tensor)
        if not strings:
            ctypes.memmove(start, np.ascontiguousarray(array).ctypes.data, size.value)
        for place, text in enumerate(array.flat if strings else ()):
            word, data = c_void_p(start + item * place), text.encode()
            tf.TF_StringInit(word)
            tf.TF_StringCopy(word, data, c_size_t(len(data)))
        return tensor

    graph = c_void_p(tf.TF_NewGraph())
    options, tags = c_void_p(tf.TF_NewSessionOptions()), (c_char_p * 1)(b"serve")
    session = c_void_p(
        tf.TF_LoadSessionFromSavedModel(
            options, None, model.encode(), tags, 1, graph, None, status
        )
    )
    check()
    arrays = np.load(Path(folder, "c.npz"))
    count = len(input_names)
    inputs = (Output * count)(*(endpoint(graph, name) for name in input_names))
    values = (c_void_p * count)(*(tensor_of(arrays[f"c{i}"]) for i in range(count)))
    outputs, results = (Output * 1)(endpoint(graph, output_name)), (c_void_p * 1)()
    tf.TF_SessionRun(
        session, None, inputs, values, count, outputs, results, 1, None, 0, None, status
    )
    check()
    result = c_void_p(results[0])
    shape = [tf.TF_Dim(result, axis) for axis in range(tf.TF_NumDims(result))]
    data = ctypes.cast(tf.TF_TensorData(result), ctypes.POINTER(ctypes.c_float))
    np.save(Path(folder, "output.npy"), np.ctypeslib.as_array(data, shape))
    assert not {"tensorflow", "layers", "recipes"} & set(sys.modules)


if __name__ == "__main__":
    main(*sys.argv[1:])
