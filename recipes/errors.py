"""The errors that people meet: wrong input, or a solver that did not converge."""

from typing import Any


class InputError(ValueError):
    """The user's input is wrong.

    The message is one line: what is wrong, where (flag, or file with line and column),
    and what would be right. A command line prints it alone and exits with 2.
    """


class ArgumentError(ValueError):
    """An argument is wrong.

    Args:
        argument: Its name.
        expected: What it should be, after "should be".
        value: What it is.
    """

    def __init__(self, argument: str, expected: str, value: Any) -> None:
        super().__init__(
            f"`{argument}` should be {expected}. Received: {argument}={value!r}"
        )
        self.argument, self.expected, self.value = argument, expected, value


class DivergenceError(ValueError):
    """A solver's steps lead away from the optimum; the message says what would help."""


class ConvergenceWarning(UserWarning):
    """A solver ended before it reached its tolerance; its certificate says how far."""
