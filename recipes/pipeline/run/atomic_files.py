"""Files and folders that appear complete or not at all.

Each is written next to its final place under a name that begins with `.tmp-`, and
renamed once complete.
"""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf

from recipes.errors import InputError

_TEMPORARY = ".tmp-"
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
def write_atomically(path: str | os.PathLike[str], what: str) -> Iterator[Path]:
    """Write a file so that it appears complete or not at all.

    Args:
        path: The file; replaced if it exists. Its folder is created if necessary.
        what: What the file is, for the error message.

    Yields:
        The path to write to, in the same folder and with the same suffix. It is renamed
        to `path` at the end, or removed if the block raises an exception.

    Raises:
        InputError: The disk is full or the folder is not writable.
    """
    path = Path(path)
    with (
        system_errors_as_input_errors(what, path),
        temporary_beside(path.parent, path.name) as temporary,
    ):
        yield temporary
        os.replace(temporary, path)


def write_text(
    path: Path, text: str, what: str | None = None, *, errors: str = "strict"
) -> None:
    """Write a UTF-8 text file that appears complete or not at all.

    Args:
        path: The file; replaced if it exists.
        text: Its content.
        what: What the file is, for the error message. Default value: its name.
        errors: What to do about text that is not valid Unicode, as for `open`.

    Raises:
        InputError: The disk is full or the folder is not writable.
    """
    with write_atomically(path, what or path.name) as temporary:
        temporary.write_text(text, encoding="utf-8", errors=errors)


@contextlib.contextmanager
def temporary_beside(directory: Path, name: str) -> Iterator[Path]:
    """Yield an unused path in a directory, and remove it if the block fails.

    What killed processes have left in the directory is removed too.

    Args:
        directory: Created if it does not exist.
        name: The end of the temporary name.
    """
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
            with contextlib.suppress(OSError):  # another process already uses it
                directory.rmdir()
        raise


def _is_running(process: int) -> bool:
    """Return whether another process with this number is running."""
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
def system_errors_as_input_errors(what: str, path: Path) -> Iterator[None]:
    """Turn the system's errors on writing into a one-line message for the user.

    Args:
        what: What is written, for the message.
        path: Where it is written.

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
            text = "the disk is full; free some space or choose another --out_dir"
        else:
            text = f"{os.strerror(number)}; choose another --out_dir"
        raise InputError(f"{path}: cannot write {what}: {text}") from error


def _find_system_error(error: Exception) -> int | None:
    """Return the system's error number, if the system is the cause."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    message = str(error)
    return next((n for text, n in _SYSTEM_ERRORS.items() if text in message), None)
