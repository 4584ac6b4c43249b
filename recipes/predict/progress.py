"""Lines that tell how far a command has come."""

import contextlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

_SECONDS_ON_TERMINAL = 0.2
_SECONDS_ELSEWHERE = 10.0


class Progress:
    """Tells how many rows are done, how fast, and how long the rest will take.

    On a terminal one line changes; elsewhere a line is added now and then.

    Args:
        share: Returns the share of the work that is done, 0 if it is not known.
        stream: Where to write; standard output by default.
        clock: Returns the time in seconds.
    """

    def __init__(
        self,
        share: Callable[[], float],
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._share, self._clock = share, clock
        self._stream = stream or sys.stdout
        self._on_terminal = self._stream.isatty()
        self._start = self._last = clock()
        self._width = 0

    @property
    def seconds(self) -> float:
        """The time since the start."""
        return self._clock() - self._start

    def show(self, rows: int) -> None:
        """Tell that so many rows are done, unless that was told just now."""
        now = self._clock()
        pause = _SECONDS_ON_TERMINAL if self._on_terminal else _SECONDS_ELSEWHERE
        if now - self._last < pause:
            return
        self._last = now
        elapsed, share = now - self._start, self._share()
        text = f"{rows:,} rows, {rows / elapsed:,.0f} rows/s"
        if 0 < share <= 1:
            text += f", {format_seconds(elapsed * (1 - share) / share)} left"
        if self._on_terminal:
            self._stream.write("\r" + text.ljust(self._width))
            self._stream.flush()
            self._width = len(text)
        else:
            print(text, file=self._stream, flush=True)

    def clear(self) -> None:
        """Remove the line from a terminal."""
        if self._width:
            self._stream.write("\r" + " " * self._width + "\r")
            self._stream.flush()
            self._width = 0


def format_seconds(seconds: float) -> str:
    """Write a time as 7 s, 1:05 min or 2:03 h."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02} min"
    return f"{whole // 3600}:{whole // 60 % 60:02} h"


def measure_share_read(path: Path) -> float:
    """Return the share of a file that this process has read, as far as is known.

    It is where the system will read on, in whatever way the file is being read.

    Returns:
        From 0, also if the file is not being read from its beginning on, to 1.
    """
    with contextlib.suppress(OSError, StopIteration, ValueError):
        place = os.path.realpath(path)
        number = next(
            number
            for number in os.listdir("/proc/self/fd")
            if _link(f"/proc/self/fd/{number}") == place
        )
        with open(f"/proc/self/fdinfo/{number}") as lines:
            return int(next(lines).removeprefix("pos:")) / os.path.getsize(place)
    return 0.0


def _link(path: str) -> str:
    with contextlib.suppress(OSError):  # it has been closed
        return os.readlink(path)
    return ""
