"""Formats of files, and files, plain or compressed, opened as bytes."""

import bz2
import gzip
import lzma
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from recipes.checks.suggestions import suggest
from recipes.errors import InputError

_COMPRESSIONS: dict[str, Any] = {
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
}
IDX = ".idx"
FORMATS = (".csv", ".tsv", ".libsvm", ".svm", ".npz", IDX)
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
    if not path.is_file():
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
        InputError: It does not; the message names the flag.
    """
    known = (
        "known formats are .csv .tsv .libsvm .svm .npz and MNIST's, "
        "…-images-idx3-ubyte, each also as .gz .bz2 .xz"
    )
    if path.is_dir():
        raise InputError(f"{flag}: {path} is a folder; expected a file ({known})")
    if not path.exists():
        names = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        hint = suggest(path.name, names, "'{}'")
        raise InputError(f"{flag}: there is no file {path}{hint}")
    if not detect_format(path):
        raise InputError(f"{flag}: {path} has an unknown suffix; {known}")


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


def _describe_damage(path: Path, error: Exception) -> str:
    words = " ".join(str(error).split())
    return f"{path} is truncated or damaged: {words}"


def strip_compression(path: Path) -> Path:
    """Return the path without the suffix of its compression."""
    return path.with_suffix("") if path.suffix.lower() in _COMPRESSIONS else path
