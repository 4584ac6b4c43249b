"""Standard output and error that a command survives the loss of.

What a run is for are its files. It goes on when its output's reader has ended
(`| head`), the disk behind its output is full, there is none (`>&-`), or its encoding
lacks a character.
"""

import errno
import io
import os
import sys
from typing import Any, TextIO

_STDOUT, _STDERR = 1, 2


def secure() -> None:
    """Make printing safe: nothing that is printed from now on raises an error."""
    for descriptor in (0, _STDOUT, _STDERR):
        _open_if_closed(descriptor)
    sys.stdout = _wrap(_STDOUT, sys.stdout, "replace")
    sys.stderr = _wrap(_STDERR, sys.stderr, "backslashreplace")


def _open_if_closed(descriptor: int) -> None:
    """Keep files that are opened later from becoming a standard stream.

    Args:
        descriptor: One of the standard streams, the lower ones of which are open.
    """
    try:
        os.fstat(descriptor)
    except OSError:
        # The lowest free number is given to it.
        os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


def _wrap(descriptor: int, stream: TextIO | None, errors: str) -> TextIO:
    """Return the stream with safe writing.

    Args:
        descriptor: The stream's.
        stream: Python's own; `None` if the descriptor was closed when it started.
        errors: What to do about characters that its encoding lacks, as for `open`.
    """
    raw = _Output(descriptor, "w", closefd=False)
    if not isinstance(stream, io.TextIOWrapper):
        return io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8")
    return io.TextIOWrapper(
        raw if stream.write_through else io.BufferedWriter(raw),
        encoding=stream.encoding,
        errors=errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


class _Output(io.FileIO):
    """A standard stream that turns into a sink when it cannot be written to."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            sink = os.open(os.devnull, os.O_WRONLY)
            os.dup2(sink, self.fileno())  # C++ writes there, too
            os.close(sink)
            if self.fileno() == _STDOUT and error.errno != errno.EPIPE:
                print(
                    f"warning: standard output: {error.strerror}; the run goes on "
                    "without it",
                    file=sys.stderr,
                )
            return len(data)
