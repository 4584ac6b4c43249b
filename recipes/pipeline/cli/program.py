"""How a command begins and ends: its streams, its signals and its exit code."""

import contextlib
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import NoReturn

from recipes import interrupts
from recipes.checks import memory
from recipes.errors import InputError, as_one_line
from recipes.pipeline.cli import streams


def run(main: Callable[[], object]) -> NoReturn:
    """Run a command and end the process with its exit code.

    Exit 0: done. Exit 2: the user's input is wrong. Exit 128 + n: signal n ended it, so
    130 after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP. Each of them but 0 comes with
    one line on standard error. Anything else is the program's fault: traceback, 1.

    Args:
        main: The command. Where it raises `KeyboardInterrupt("what was kept")`, the
            text is printed.
    """
    sys.exit(_run(main))


def _run(main: Callable[[], object]) -> int:
    try:
        streams.secure()
        interrupts.watch()
        try:
            with (
                _warnings_last(),
                memory.exhaustion_as_input_error(),
                interrupts.as_keyboard_interrupt(),
            ):
                main()
        finally:
            interrupts.unwatch()
    except InputError as error:
        _complain(f"error: {error}")
        return 2
    except KeyboardInterrupt as interrupt:
        kept = str(interrupt) or "the files written so far are whole"
        print(file=sys.stderr)
        _complain(f"interrupted: {kept}")
        return interrupts.exit_code()
    return 0


@contextlib.contextmanager
def _warnings_last() -> Iterator[None]:
    """Hold warnings back until the end, and show each as one line without code."""
    with warnings.catch_warnings(record=True) as held:
        try:
            yield
        except (InputError, KeyboardInterrupt):  # these are reported alone
            held.clear()
            raise
        finally:
            sys.stdout.flush()
            for warning in held:
                _complain(f"warning: {warning.message}")


def _complain(message: str) -> None:
    print(as_one_line(message), file=sys.stderr)
