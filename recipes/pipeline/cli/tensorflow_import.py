"""Import TensorFlow without the log lines of its C++ part."""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from recipes.checks import memory

_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_SHOWN = ("0", "1")  # levels that ask for warnings, too
_FILTER = r"""
import re, sys
line_of_cpp = re.compile(
    rb"[IWE]\d{4} \S+ +\d+ \S+\.(cc|h):\d+\] |WARNING: All log messages before absl::"
)
for line in sys.stdin.buffer:
    if not line_of_cpp.match(line):
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
"""
# What a small run takes (TensorFlow 2.21); with less it ends without a word.
_ADDRESS_SPACE = 3.2e9
_DATA = 0.9e9


def import_tensorflow() -> None:
    """Import TensorFlow and suppress its C++ log lines, from the import on.

    `TF_CPP_MIN_LOG_LEVEL` suppresses the lines that follow the import: all of them, if
    it is not set. Those of the import itself ignore it (TensorFlow 2.21), as do those
    of XLA's first compilation (2.19); they are filtered out of standard error. With
    the levels 0 and 1, nothing is filtered out.

    Raises:
        InputError: The process's limits are too small for TensorFlow.
    """
    if "tensorflow" not in sys.modules:
        memory.require_limits(_ADDRESS_SPACE, _DATA, "TensorFlow")
    # Imported by Keras, it complains at length of a home that it cannot write to.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    level = os.environ[_LEVEL] = os.environ.get(_LEVEL) or "3"
    with nullcontext() if level in _SHOWN else _filtered_stderr():
        import tensorflow as tf

        tf.function(lambda: tf.constant(1.0) + 1.0, jit_compile=True)()


@contextmanager
def _filtered_stderr() -> Iterator[None]:
    """Filter the process's standard error by another process.

    So a fatal message (`F0000 …`), with which TensorFlow aborts this one, gets through.
    """
    sys.stderr.flush()
    stderr = os.dup(2)
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-IS", "-c", _FILTER],
        stdin=reader,
        stdout=stderr,
        start_new_session=True,  # the terminal's signals are for this process
    )
    os.close(reader)
    try:
        os.dup2(writer, 2)
        os.close(writer)
        yield
    finally:
        sys.stderr.flush()
        os.dup2(stderr, 2)
        os.close(stderr)
        process.wait()
