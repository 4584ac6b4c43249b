"""The errors that people meet, and how messages show what a user wrote."""

from typing import Any

_LONGEST_QUOTE = 60
_LONGEST_MESSAGE = 1000


def shorten(text: str, most: int = _LONGEST_QUOTE) -> str:
    """Return the first characters of a text, control characters escaped."""
    return _escape(text[:most]) + ("…" if len(text) > most else "")


def quote(written: object) -> str:
    """Return what a user wrote in quotes, shortened, control characters escaped."""
    return f"'{shorten(str(written))}'"


def as_one_line(message: str, most: int = _LONGEST_MESSAGE) -> str:
    """Return a message as one printable line, a very long one without its middle."""
    if len(message) > most:
        half = most // 2
        message = f"{message[:half]} … {message[-half:]}"
    return _escape(" ".join(message.splitlines()))


def _escape(text: str) -> str:
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode()
        for each in text
    )


class InputError(ValueError):
    """The user's input is wrong.

    The message is one line: what is wrong, where (flag, or file with line and column),
    and what would be right. A command line prints it alone and exits with 2.
    """

    def __init__(self, message: str) -> None:
        super().__init__(as_one_line(message))


class ArgumentError(ValueError):
    """An argument is wrong.

    Args:
        argument: Its name.
        expected: What it should be, after "should be".
        value: What it is.
    """

    def __init__(self, argument: str, expected: str, value: Any) -> None:
        received = f"{argument}={value!r}"
        super().__init__(
            as_one_line(f"`{argument}` should be {expected}. Received: {received}")
        )
        self.argument, self.expected, self.value = argument, expected, value


class DivergenceError(ValueError):
    """A solver's steps lead away from the optimum; the message says what would help."""


class ConvergenceWarning(UserWarning):
    """A solver ended before it reached its tolerance; its certificate says how far."""
