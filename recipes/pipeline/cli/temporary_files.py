"""The temporary files of a command."""

import atexit
import tempfile

from recipes.errors import InputError


def keep_in_own_folder() -> None:
    """Keep temporary files in a folder of their own, which goes with the process.

    TensorFlow writes the functions that it converts as temporary modules. It removes
    these, but not the bytecode that Python caches beside them.

    Raises:
        InputError: If there is no folder for temporary files, which TensorFlow needs.
    """
    try:
        folder = tempfile.TemporaryDirectory(
            prefix="recipes-", ignore_cleanup_errors=True
        )
    except OSError:
        raise InputError(
            "no folder for temporary files: set TMPDIR to one that you may write to"
        ) from None
    # Only at the end: Matplotlib, imported later, removes its own folder before.
    atexit.register(folder.cleanup)
    tempfile.tempdir = folder.name
