"""Files, plain or compressed, opened as bytes."""

import bz2
import gzip
import lzma
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from recipes.pipeline.datasets.source import suggestion
from recipes.pipeline.errors import InputError

_COMPRESSIONS: dict[str, Any] = {
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
}
FORMS = (".csv", ".tsv", ".libsvm", ".svm", ".npz")


def form_of(path: Path) -> str:
    """Give the file's form, one of `FORMS`, or "" where the suffix is none of them."""
    form = _plain(path).suffix.lower()
    return form if form in FORMS else ""


def stem_of(path: Path) -> str:
    """Give the file's name without the suffixes of its form and compression."""
    return _plain(path).stem


def check(flag: str, path: Path) -> None:
    """See that there is a file of a known form.

    Raises:
        InputError: There is none; the message names the flag.
    """
    known = "known are .csv .tsv .libsvm .svm .npz, each also .gz .bz2 .xz"
    if path.is_dir():
        raise InputError(f"{flag}: {path} is a folder; a file is expected ({known})")
    if not path.exists():
        names = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        hint = suggestion(path.name, names)
        raise InputError(f"{flag}: there is no file {path}{hint}")
    if not form_of(path):
        raise InputError(f"{flag}: {path} has an unknown suffix; {known}")


@contextmanager
def reading(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for reading bytes, decompressed.

    Raises:
        InputError: It cannot be read, or its compressed form is damaged.
    """
    compression = path.suffix.lower()
    try:
        with _COMPRESSIONS.get(compression, open)(path, "rb") as stream:
            yield stream
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise InputError(_damaged(path, error)) from error
    except OSError as error:
        if error.errno is None and compression in _COMPRESSIONS:
            raise InputError(_damaged(path, error)) from error
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error


def _damaged(path: Path, error: Exception) -> str:
    words = " ".join(str(error).split())
    return f"{path} is truncated or damaged: {words}"


def _plain(path: Path) -> Path:
    return path.with_suffix("") if path.suffix.lower() in _COMPRESSIONS else path
