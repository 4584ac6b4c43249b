"""Files of text as UTF-8, whatever their encoding."""

import codecs
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import charset_normalizer

from recipes.errors import InputError
from recipes.pipeline.datasets.readers import files

UTF8 = "utf-8"
HINT = "; --encoding names another encoding"  # at the end of notes
_BLOCK_BYTES = 1 << 20
_ASCII = 127
_FEW_LETTERS = 20  # that tell nothing
_WESTERN, _CYRILLIC = "cp1252", "cp1251"
_WORD = re.compile(rb"[A-Za-z\x80-\xff]+")


@contextmanager
def open_utf8(path: Path, encoding: str) -> Iterator[IO[bytes]]:
    """Open a file, compressed or not, for reading its text as UTF-8.

    Raises:
        InputError: It cannot be read; while reading, it is not text of that encoding.
    """
    with files.open_decompressed(path) as stream:
        if codecs.lookup(encoding).name == UTF8:
            yield stream
        else:
            yield io.BufferedReader(BlockStream(_recode(path, stream, encoding)))


def choose_encoding(path: Path, wanted: str) -> tuple[str, tuple[str, ...]]:
    """Return the encoding of a file's first megabyte, and notes about it.

    Args:
        path: The file.
        wanted: The encoding that the user names; empty if it is to be detected.

    Raises:
        InputError: There is no such encoding.
    """
    if wanted:
        try:
            return codecs.lookup(wanted).name, ()
        except LookupError:
            raise InputError(
                f"--encoding={wanted}: no such encoding; usual ones are utf-8, cp1252, "
                "latin-1, cp1251, shift_jis and gb18030"
            ) from None
    with files.open_decompressed(path) as stream:
        head = stream.read(_BLOCK_BYTES)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16", ()
    return UTF8, ()


def is_beyond_ascii_in_utf8(path: Path) -> bool:
    """Return whether a file is UTF-8 throughout, with characters beyond ASCII.

    Hardly any text of another encoding is, so it is UTF-8 whatever others were.
    """
    _, sample = _find_undecodable_block(path)
    if sample:
        return False
    with files.open_decompressed(path) as stream:
        return any(
            not block.isascii()
            for block in iter(lambda: stream.read(_BLOCK_BYTES), b"")
        )


def detect_encoding(path: Path) -> tuple[str, tuple[str, ...]]:
    """Guess the encoding of a file that is not UTF-8, and return notes about it.

    Words of Western Europe have a few letters with accents, written in Windows; in
    others nearly all letters are beyond ASCII, and then their statistics tell.
    """
    line, sample = _find_undecodable_block(path)
    words = [word for word in _WORD.findall(sample) if max(word) > _ASCII]
    beyond = sum(byte > _ASCII for word in words for byte in word)
    used = _WESTERN
    if beyond >= max(_FEW_LETTERS, sum(map(len, words)) / 2):
        matches: Any = charset_normalizer.from_bytes(sample)
        found = [match.encoding for match in matches]
        used = _CYRILLIC if _CYRILLIC in found else (*found, _WESTERN)[0]
    return used, (f"not UTF-8 (line {line}), read as {used}{HINT}",)


class BlockStream(io.RawIOBase):
    """Blocks of bytes as a stream.

    Args:
        blocks: The bytes.
    """

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._rest = b""

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer as far as a block reaches; 0 at the end."""
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._rest = block
        part, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)


def _recode(path: Path, stream: IO[bytes], encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)()
    lines = 1
    while True:
        block = stream.read(_BLOCK_BYTES)
        try:
            text = decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            raise InputError(
                f"{path}, near line {lines}: not {encoding} text; --encoding names "
                "another encoding"
            ) from error
        lines += text.count("\n")
        yield text.encode()
        if not block:
            return


def _find_undecodable_block(path: Path) -> tuple[int, bytes]:
    """Return the first line that is not UTF-8, and the block that it is in."""
    decoder = codecs.getincrementaldecoder(UTF8)()
    line = 1
    with files.open_decompressed(path) as stream:
        while block := stream.read(_BLOCK_BYTES):
            try:
                decoder.decode(block)
            except UnicodeDecodeError as error:
                return line + error.object[: error.start].count(b"\n"), block
            line += block.count(b"\n")
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        return line, error.object
    return line, b""
