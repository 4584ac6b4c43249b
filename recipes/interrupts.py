"""Ctrl-C, which is to end a command in one way wherever it strikes."""

import contextlib
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

_presses: list[int] = []


def watch() -> None:
    """From here on, notes each Ctrl-C of this process.

    `KeyboardInterrupt` is raised at whatever line of Python is being run. Where C++
    has called it, as while TensorFlow traces, another exception may come of it, or it
    is printed and forgotten: then what is printed would be no news to who pressed.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return  # whoever started the process wants none, or has seen to it
    signal.signal(signal.SIGINT, _record_press)
    sys.excepthook = _silence_after_press(sys.excepthook)
    sys.unraisablehook = _silence_after_press(sys.unraisablehook)


def was_pressed() -> bool:
    """Whether Ctrl-C has been pressed since `watch`."""
    return bool(_presses)


@contextlib.contextmanager
def as_keyboard_interrupt() -> Iterator[None]:
    """Makes `KeyboardInterrupt` again of what has come of one in the block.

    Raises:
        KeyboardInterrupt: If the block raises, and Ctrl-C has been pressed.
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
