"""TensorFlow's import without the log lines of its C++ part."""

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_CPP_LOG_LINE = re.compile(rb"[IWE]\d{4} |WARNING: All log messages before absl::")


def import_tensorflow() -> None:
    """Imports TensorFlow; its C++ log lines, then and later, are not shown.

    `TF_CPP_MIN_LOG_LEVEL` silences what comes after the import. The lines that come
    during it heed no setting (TensorFlow 2.21), nor do those of XLA when it first
    compiles (2.19), so they are taken out of standard error. Whoever has set the
    variable sees all that TensorFlow says.
    """
    if _LEVEL in os.environ:
        return
    os.environ[_LEVEL] = "3"
    with _held_stderr():
        import tensorflow as tf

        tf.function(lambda: tf.constant(1.0) + 1.0, jit_compile=True)()


@contextmanager
def _held_stderr() -> Iterator[None]:
    """Holds back what the process writes to descriptor 2; drops C++ log lines."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            held.seek(0)
            for line in held:
                if not _CPP_LOG_LINE.match(line):
                    os.write(2, line)
