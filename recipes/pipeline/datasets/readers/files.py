"""Formats of files, and files, plain or compressed, opened as bytes."""

import bz2
import gzip
import lzma
import os
import re
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from recipes.checks.suggestions import suggest
from recipes.errors import InputError, as_one_line

_COMPRESSIONS: dict[str, Any] = {
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
}
IDX = ".idx"
FORMATS = (".csv", ".tsv", ".libsvm", ".svm", ".npz", IDX)
# In bytes: a table of a million columns has shorter lines, and what is no text in lines
# would fill the memory.
LONGEST_LINE = 32 << 20
_LONGEST_PATH = 200  # that a message shows
_IDX_NAME = re.compile(r"[-._]idx\d-\w+$", re.ASCII | re.IGNORECASE)
# Two zeros, the type of the entries, the number of dimensions.
_IDX_MAGIC = re.compile(rb"\0\0[\x08\x09\x0b-\x0e][\x01-\x04]")


def detect_format(path: Path) -> str:
    """Detect the file's format: one of `FORMATS`, "" if it is none of them.

    The suffix decides. An idx file has no suffix of its own: it is recognised by a name
    such as train-images-idx3-ubyte, or else by its first bytes.
    """
    suffix = strip_compression(path).suffix.lower()
    if suffix in FORMATS:
        return suffix
    if _IDX_NAME.search(strip_compression(path).name):
        return IDX
    if not os.path.isfile(path):  # which raises no error of a name too long
        return ""
    with open_decompressed(path) as stream:
        return IDX if is_idx(stream.read(4)) else ""


def is_idx(magic: bytes) -> bool:
    """Return whether a file that begins with these four bytes is an idx file."""
    return _IDX_MAGIC.fullmatch(magic) is not None


def strip_suffixes(path: Path) -> str:
    """Return the file's name without the suffixes of its format and compression."""
    return strip_compression(path).stem


def check_file(flag: str, path: Path) -> None:
    """Check that the file exists and has a known format.

    Raises:
        InputError: It does not, or is no regular file; the message names the flag.
    """
    known = (
        "known formats are .csv .tsv .libsvm .svm .npz and MNIST's, "
        "…-images-idx3-ubyte, each also as .gz .bz2 .xz"
    )
    shown = as_one_line(str(path), _LONGEST_PATH)
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        hint = suggest(path.name, _list_names(path.parent), "'{}'")
        raise InputError(f"{flag}: there is no file {shown}{hint}") from None
    except (OSError, ValueError) as error:  # also of names that no file can have
        words = getattr(error, "strerror", None) or error
        raise InputError(f"{flag}: {shown} cannot be read: {words}") from None
    if stat.S_ISDIR(mode):
        raise InputError(f"{flag}: {shown} is a folder; expected a file ({known})")
    if not stat.S_ISREG(mode):
        raise InputError(
            f"{flag}: {shown} is a pipe or device, which can be read only once; "
            "expected a file on disk"
        )
    if not detect_format(path):
        raise InputError(f"{flag}: {shown} has an unknown suffix; {known}")


@contextmanager
def open_decompressed(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for reading its decompressed bytes.

    Raises:
        InputError: It cannot be read, or its compressed data are damaged.
    """
    compression = path.suffix.lower()
    try:
        with _COMPRESSIONS.get(compression, open)(path, "rb") as stream:
            yield stream
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise InputError(_describe_damage(path, error)) from error
    except OSError as error:
        if error.errno is None and compression in _COMPRESSIONS:
            raise InputError(_describe_damage(path, error)) from error
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error


def read_whole_lines(
    path: Path, stream: IO[bytes], block_bytes: int
) -> Iterator[tuple[int, bytes]]:
    """Yield a text in blocks of whole lines, each with the number of its first line.

    Args:
        path: The text's file, for the message.
        stream: Its bytes.
        block_bytes: Bytes read at a time.

    Raises:
        InputError: A line is longer than `LONGEST_LINE`.
    """
    line, length = 1, 0
    pending: list[bytes] = []  # the unfinished line, of that length
    while chunk := stream.read(block_bytes):
        cut = chunk.rfind(b"\n") + 1
        if cut:
            block = b"".join([*pending, chunk[:cut]])
            yield line, block
            line += block.count(b"\n")
            pending, length = [], 0
        pending.append(chunk[cut:])
        length += len(chunk) - cut
        if length > LONGEST_LINE:
            raise InputError(
                f"{path}, line {line}: longer than {LONGEST_LINE >> 20} MiB; expected "
                "text in lines"
            )
    if length:
        yield line, b"".join(pending)


def _list_names(folder: Path) -> Iterator[str]:
    with suppress(OSError):
        yield from (each.name for each in folder.iterdir())


def _describe_damage(path: Path, error: Exception) -> str:
    words = " ".join(str(error).split())
    return f"{path} is truncated or damaged: {words}"


def strip_compression(path: Path) -> Path:
    """Return the path without the suffix of its compression."""
    return path.with_suffix("") if path.suffix.lower() in _COMPRESSIONS else path
