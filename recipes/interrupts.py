"""Ctrl-C, made to end a command in the same way wherever it strikes."""

import contextlib
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

_presses: list[int] = []


def watch() -> None:
    """Record each Ctrl-C of this process from now on.

    Python raises `KeyboardInterrupt` at whatever line is running. If C++ called that
    line, as TensorFlow does while it traces, the interrupt may turn into another
    exception, or be printed and forgotten. After Ctrl-C such output is suppressed.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return  # the process that started this one ignores or handles the signal
    signal.signal(signal.SIGINT, _record_press)
    sys.excepthook = _silence_after_press(sys.excepthook)
    sys.unraisablehook = _silence_after_press(sys.unraisablehook)


def was_pressed() -> bool:
    """Return whether Ctrl-C has been pressed since `watch`."""
    return bool(_presses)


@contextlib.contextmanager
def as_keyboard_interrupt() -> Iterator[None]:
    """Turn whatever Ctrl-C became in the block back into `KeyboardInterrupt`.

    Raises:
        KeyboardInterrupt: If the block raises after Ctrl-C has been pressed.
    """
    try:
        yield
    except Exception:
        if not was_pressed():
            raise
        raise KeyboardInterrupt from None


def _record_press(number: int, frame: Any) -> None:
    _presses.append(number)
    raise KeyboardInterrupt


def _silence_after_press(hook: Callable[..., Any]) -> Callable[..., Any]:
    def show(*details: Any) -> None:
        if not was_pressed():
            hook(*details)

    return show
