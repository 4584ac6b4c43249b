"""Files and folders that appear whole or not at all.

They are written beside their place under a name that begins with `.tmp-`, and renamed
when complete.
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
    with system_errors_told(what, path), beside(path.parent, path.name) as temporary:
        yield temporary
        os.replace(temporary, path)


def write_text(path: Path, text: str) -> None:
    """Writes a file, in UTF-8, that appears whole or not at all."""
    with whole_file(path, path.name) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def beside(directory: Path, name: str) -> Iterator[Path]:
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
def system_errors_told(what: str, path: Path) -> Iterator[None]:
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
