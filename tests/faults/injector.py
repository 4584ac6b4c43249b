"""Faults at the n-th file operation of a block, by Python's audit events.

Python raises an audit event before it opens, creates, renames or removes anything; an
exception from the hook takes the place of the operation.
"""

import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_NEEDS_SPACE = {"open", "os.mkdir", "os.rename"}
_EVENTS = _NEEDS_SPACE | {"os.remove", "os.rmdir", "os.listdir", "os.scandir"}
_WRITES = os.O_WRONLY | os.O_RDWR


class Killed(BaseException):
    """Stands for the end of the process: no handler expects it."""


class Fault:
    """A fault at an operation in a folder.

    Args:
        kind: `"kill"`: nothing after it happens, clean-up included. `"full"`: neither
            it nor anything that needs space succeeds. `"interrupt"`: Ctrl-C at it.
        folder: Where operations count.
        at: The number of the operation, from 1.

    Attributes:
        count: The operations so far.
    """

    def __init__(self, kind: str, folder: Path, at: int) -> None:
        self._kind, self._folder, self._at = kind, str(folder), at
        self.count = 0

    @property
    def has_struck(self) -> bool:
        return self.count >= self._at

    def meet(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Lets an operation pass, or raises in its place."""
        names = [str(each) for each in arguments[:2] if isinstance(each, str | Path)]
        if not any(name.startswith(self._folder) for name in names):
            return
        is_writing = event != "open" or bool(arguments[2] & _WRITES)
        needs_space = event in _NEEDS_SPACE and is_writing
        if self._kind == "full" and not needs_space:
            return
        self.count += 1
        if not self.has_struck or (self._kind == "interrupt" and self.count > self._at):
            return
        if event == "open" and is_writing and self.count == self._at:
            _leave_half(arguments[0])
        if self._kind == "kill":
            raise Killed
        if self._kind == "interrupt":
            raise KeyboardInterrupt
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _leave_half(path: str) -> None:
    global _fault
    fault, _fault = _fault, None
    with contextlib.suppress(OSError):
        Path(path).write_bytes(b"PK half of it")
    _fault = fault


_fault: Fault | None = None


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _fault and event in _EVENTS:
        _fault.meet(event, arguments)


sys.addaudithook(_hook)


@contextlib.contextmanager
def injected(kind: str, folder: Path, at: int) -> Iterator[Fault]:
    """Injects a fault into the block."""
    global _fault
    _fault = fault = Fault(kind, folder, at)
    try:
        yield fault
    finally:
        _fault = None
