"""Files that appear complete or not at all, and what the system says of writing."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf

from recipes.errors import InputError

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
# TensorFlow's errors carry the system's message but not its number.
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


@contextlib.contextmanager
def write_atomically(path: Path) -> Iterator[Path]:
    """Write a file so that it appears complete or not at all.

    Args:
        path: The file; replaced if it exists.

    Yields:
        The path to write to, in the same folder and with the same suffix. It is renamed
        to `path` at the end, or removed if the block raises an exception.
    """
    temporary = path.with_name(f".tmp-{path.name}")
    try:
        yield temporary
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file that appears complete or not at all."""
    with write_atomically(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def errors_as_input_errors(
    what: str, path: Path, flag: str = "--out_dir"
) -> Iterator[None]:
    """Turn the system's errors on writing into a one-line message for the user.

    Args:
        what: What is written, for the message.
        path: Where it is written.
        flag: What the user can choose another place by.

    Raises:
        InputError: If the block raises an error that the system caused.
    """
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        number = _find_system_error(error)
        if number is None:
            raise
        if number in _DISK_FULL:
            text = f"the disk is full; free some space or choose another {flag}"
        else:
            text = f"{os.strerror(number)}; choose another {flag}"
        raise InputError(f"{path}: cannot write {what}: {text}") from error


def _find_system_error(error: Exception) -> int | None:
    """Return the system's error number, if the system is the cause."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    message = str(error)
    return next((n for text, n in _SYSTEM_ERRORS.items() if text in message), None)
