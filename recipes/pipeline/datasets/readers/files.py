"""Formats of files, and files, plain or compressed, opened as bytes."""

import bz2
import gzip
import lzma
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from tempfile import TemporaryFile
from typing import IO, Any

from recipes.checks import memory
from recipes.checks.suggestions import suggest
from recipes.errors import InputError, as_one_line, quote

IDX, NPZ, LIBSVM = ".idx", ".npz", ".libsvm"
CSV, TSV, PARQUET, FEATHER = ".csv", ".tsv", ".parquet", ".feather"
JSON_LINES, SPREADSHEET = ".jsonl", ".xlsx"
TABLES = (CSV, TSV, PARQUET, FEATHER, JSON_LINES, SPREADSHEET)
_BY_SUFFIX = {
    **{each: each for each in (IDX, NPZ, LIBSVM, *TABLES)},
    **{".svm": LIBSVM, ".arrow": FEATHER, ".ndjson": JSON_LINES},
    **{".xlsm": SPREADSHEET, ".xls": SPREADSHEET, ".ods": SPREADSHEET},
}
_BY_MAGIC = {
    b"PAR1": PARQUET,
    b"ARROW1": FEATHER,
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": SPREADSHEET,  # of Excel before 2007
}
KNOWN = (
    "known formats are .csv .tsv .txt .data .parquet .feather .jsonl .xlsx .libsvm "
    ".svm .npz and MNIST's, …-images-idx3-ubyte, each also as .gz .bz2 .xz .zip"
)
_HEAD_BYTES = 1 << 16
_COPIED_BYTES = 16 << 20  # at a time
# In bytes: a table of a million columns has shorter lines, and what is no text in lines
# would fill the memory.
LONGEST_LINE = 32 << 20
_LONGEST_PATH = 200  # that a message shows
_IDX_NAME = re.compile(r"[-._]idx\d-\w+$", re.ASCII | re.IGNORECASE)
# Two zeros, the type of the entries, the number of dimensions.
_IDX_MAGIC = re.compile(rb"\0\0[\x08\x09\x0b-\x0e][\x01-\x04]")
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_NO_TEXT = re.compile(rb"[\0-\x08\x0e-\x19\x1c-\x1f]")
_MARKUP = re.compile(rb"\s*<(!doctype|html|\?xml)", re.IGNORECASE)
_OBJECT = re.compile(rb"\s*\{\s*[\"}]")
_SPARSE_ROW = re.compile(rb"[-+.\deE]+([ \t]+(qid|\d+):[-+.\deE]+)*\s*(#.*)?")


def detect_format(path: Path) -> str:
    """Detect the file's format: a suffix that stands for it, "" if it is unknown.

    The suffix decides, or for an idx file the name, as in train-images-idx3-ubyte. Of
    a file with another name or none the content decides.

    Raises:
        InputError: The content decides, and cannot be read.
    """
    if known := known_format(path):
        return known
    if not os.path.isfile(path):  # which raises no error of a name too long
        return ""
    if found := _detect_archive(path):
        return found
    with open_decompressed(path) as stream:
        return _detect_content(stream.read(_HEAD_BYTES))


def known_format(path: Path) -> str:
    """Return the format that a file has by its name; "" if that does not tell."""
    bare = strip_compression(path)
    if _IDX_NAME.search(bare.name):
        return IDX
    return _BY_SUFFIX.get(bare.suffix.lower(), "")


def _detect_content(head: bytes) -> str:
    """Detect the format of a file that begins with these bytes."""
    for magic, found in _BY_MAGIC.items():
        if head.startswith(magic):
            return found
    if is_idx(head[:4]):
        return IDX
    if head.startswith(_UTF_16):
        return CSV
    if _NO_TEXT.search(head) or _MARKUP.match(head):
        return ""
    if _OBJECT.match(head.removeprefix(b"\xef\xbb\xbf")):
        return JSON_LINES
    whole = head[: head.rfind(b"\n")] if len(head) == _HEAD_BYTES else head
    lines = [line.strip() for line in whole.splitlines()[:10] if line.strip()]
    is_sparse = all(map(_SPARSE_ROW.fullmatch, lines))
    return LIBSVM if is_sparse and any(b":" in line for line in lines) else CSV


def _detect_archive(path: Path) -> str:
    """Detect a format that is a zip archive itself; "" if it is none."""
    with suppress(OSError, zipfile.BadZipFile), zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        if "xl/workbook.xml" in names or names[:1] == ["mimetype"]:
            return SPREADSHEET
        if names and all(name.endswith(".npy") for name in names):
            return NPZ
    return ""


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
    shown = as_one_line(str(path), _LONGEST_PATH)
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        hint = suggest(path.name, _list_names(path.parent), "'{}'")
        raise InputError(f"{flag}: there is no file {shown}{hint}") from None
    except (OSError, ValueError) as error:  # also of names that no file can have
        words = getattr(error, "strerror", None) or error
        raise InputError(f"{flag}: {shown} cannot be read: {words}") from None
    if not stat.S_ISREG(mode):
        raise InputError(
            f"{flag}: {shown} is a pipe or device, which can be read only once; "
            "expected a file on disk"
        )
    if not detect_format(path):
        raise InputError(f"{flag}: {shown} has an unknown format; {KNOWN}")


@contextmanager
def open_decompressed(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for reading its decompressed bytes.

    Raises:
        InputError: It cannot be read, its compressed data are damaged, or it is an
            archive of several tables.
    """
    compression = _find_compression(path)
    try:
        with _COMPRESSIONS.get(compression, open)(path, "rb") as stream:
            yield stream
    except _DAMAGES as error:
        raise InputError(_describe_damage(path, error)) from error
    except OSError as error:
        if error.errno is None and compression:
            raise InputError(_describe_damage(path, error)) from error
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error


@contextmanager
def open_seekable(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for reading its decompressed bytes in any order.

    Compressed data are unpacked into a temporary file first: seeking in them would
    unpack them again each time.

    Raises:
        InputError: As of `open_decompressed`, or it is too large.
    """
    with open_decompressed(path) as stream:
        if not is_compressed(path):
            yield stream
            return
        with TemporaryFile() as file:
            while chunk := stream.read(_COPIED_BYTES):
                file.write(chunk)
                memory.require(file.tell(), f"{path}, unpacked,")
            file.seek(0)
            yield file


def is_compressed(path: Path) -> bool:
    """Return whether the file is compressed, by its name or, without one, by itself."""
    return bool(_find_compression(path))


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
    """Return the path without the suffix of its compression, or of a zip's one file."""
    compression = path.suffix.lower()
    if compression == ".zip":
        with suppress(OSError, zipfile.BadZipFile, InputError, ValueError):
            with zipfile.ZipFile(path) as archive:
                name = PurePosixPath(_choose_member(path, archive).filename).name
            return path.with_name(name)
    return path.with_suffix("") if compression in _COMPRESSIONS else path


def _find_compression(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix in _COMPRESSIONS:
        return suffix
    if known_format(path) or not os.path.isfile(path):
        return ""
    with suppress(OSError), open(path, "rb") as file:
        start = file.read(6)
        for magic, found in _COMPRESSION_MAGIC.items():
            if start.startswith(magic) and not _detect_archive(path):
                return found
    return ""


@contextmanager
def _open_zip(path: Path, _: str) -> Iterator[IO[bytes]]:
    with zipfile.ZipFile(path) as archive:
        member = _choose_member(path, archive)
        if member.flag_bits & 1:
            raise InputError(f"{path} is encrypted; extract it, and name what it holds")
        with archive.open(member) as stream:
            yield stream


def _choose_member(path: Path, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    """Return the one file of data in an archive; hidden files and the like are none.

    Raises:
        InputError: There are several, or none.
    """
    visible = [
        member
        for member in archive.infolist()
        if not member.is_dir()
        and not any(
            part.startswith((".", "__MACOSX"))
            for part in PurePosixPath(member.filename).parts
        )
    ]
    known = [
        m for m in visible if PurePosixPath(m.filename).suffix.lower() in _BY_SUFFIX
    ]
    found = known or visible
    if len(found) != 1:
        names = ", ".join(quote(member.filename) for member in found[:5])
        more = " and more" if len(found) > 5 else ""
        holds = f"holds {len(found)} files, {names}{more}" if found else "holds no file"
        raise InputError(f"{path} {holds}; expected an archive of one file of data")
    return found[0]


_COMPRESSIONS: dict[str, Any] = {
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
    ".zip": _open_zip,
}
_COMPRESSION_MAGIC = {
    b"\x1f\x8b": ".gz",
    b"BZh": ".bz2",
    b"\xfd7zXZ": ".xz",
    b"PK\x03\x04": ".zip",
}
_DAMAGES = (
    EOFError,
    NotImplementedError,
    zlib.error,
    lzma.LZMAError,
    gzip.BadGzipFile,
    zipfile.BadZipFile,
)
