"""Signals that ask a command to end, heeded in the same way wherever they strike.

They are SIGINT (Ctrl-C), SIGTERM (`kill`, `docker stop`, a cluster's scheduler) and
SIGHUP (a terminal that closes). The first one raises `KeyboardInterrupt`. While that or
another exception is being handled, a second one raises nothing, so that it does not
stop the clean-up; in case the first one was lost, it raises again. The third ends the
process at once, even while C++ is running, as a kill does.
"""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

# Each with its handler when a process starts.
_SIGNALS: dict[signal.Signals, Any] = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGTERM: signal.SIG_DFL,
    signal.SIGHUP: signal.SIG_DFL,
}
_ENOUGH = 3
_received: list[int] = []


def watch() -> None:
    """Heed the signals of this process from now on.

    Python raises `KeyboardInterrupt` at whatever line is running. If C++ called that
    line, as TensorFlow does while it traces, the interrupt may turn into another
    exception, or be printed and forgotten. After a signal such output is suppressed.
    A signal that the parent process ignores (`nohup`) stays ignored.
    """
    for number, initial in _SIGNALS.items():
        if signal.getsignal(number) is initial:
            signal.signal(number, _receive)
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=_end_at_last, args=[reader], daemon=True).start()
    sys.excepthook = _silence_after_signal(sys.excepthook)
    sys.unraisablehook = _silence_after_signal(sys.unraisablehook)


def unwatch() -> None:
    """Let the process end as it is about to, whatever signals come now."""
    for number in _SIGNALS:
        if signal.getsignal(number) is _receive:
            signal.signal(number, lambda *_: None)


def has_come() -> bool:
    """Return whether a signal has come since `watch`."""
    return bool(_received)


def check() -> None:
    """Heed a signal whose `KeyboardInterrupt` got lost.

    Raises:
        KeyboardInterrupt: If a signal has come since `watch`.
    """
    if has_come():
        raise KeyboardInterrupt from None


@contextlib.contextmanager
def as_keyboard_interrupt() -> Iterator[None]:
    """Turn whatever a signal became in the block back into `KeyboardInterrupt`.

    Raises:
        KeyboardInterrupt: If a signal has come when the block ends, in whatever way.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise
    except BaseException:
        check()
        raise
    check()


def exit_code() -> int:
    """Return the exit code of a process that was interrupted: 128 + the signal."""
    return 128 + (_received or [signal.SIGINT])[0]


def _receive(number: int, frame: Any) -> None:
    is_cleaning_up = has_come() and sys.exception() is not None
    _received.append(number)
    if not is_cleaning_up:
        raise KeyboardInterrupt


def _end_at_last(numbers: int) -> None:
    """End the process when enough signals have come.

    Python's handlers run between two lines of the main thread, which C++ can delay for
    long. Its C part writes each signal's number to a pipe at once.
    """
    first, *_ = [os.read(numbers, 1)[0] for _ in range(_ENOUGH)]
    os._exit(128 + first)


def _silence_after_signal(hook: Callable[..., Any]) -> Callable[..., Any]:
    def show(*details: Any) -> None:
        if not has_come():
            hook(*details)

    return show
