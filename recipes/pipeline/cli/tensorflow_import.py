"""Import TensorFlow without the log lines of its C++ part."""

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_CPP_LOG_LINE = re.compile(rb"[IWE]\d{4} |WARNING: All log messages before absl::")


def import_tensorflow() -> None:
    """Import TensorFlow and suppress its C++ log lines, from the import on.

    `TF_CPP_MIN_LOG_LEVEL` suppresses the lines that follow the import. Those of the
    import itself ignore it (TensorFlow 2.21), as do those of XLA's first compilation
    (2.19); they are filtered out of standard error. If the variable is already set,
    nothing is suppressed.
    """
    if _LEVEL in os.environ:
        return
    os.environ[_LEVEL] = "3"
    with _filtered_stderr():
        import tensorflow as tf

        tf.function(lambda: tf.constant(1.0) + 1.0, jit_compile=True)()


@contextmanager
def _filtered_stderr() -> Iterator[None]:
    """Hold back the process's standard error, then write it without C++ log lines."""
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as buffer:
        os.dup2(buffer.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)
            buffer.seek(0)
            for line in buffer:
                if not _CPP_LOG_LINE.match(line):
                    os.write(2, line)
