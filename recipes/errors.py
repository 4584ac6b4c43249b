"""Errors and warnings for users: wrong input, or a solver that did not converge."""


class InputError(ValueError):
    """The user's input is wrong.

    The message is one line: what is wrong, where (flag, or file with line and column),
    and what would be right. A command line prints only this line and exits with 2.
    """


class DivergenceError(ValueError):
    """A solver's steps lead away from the optimum; the message says what would help."""


class ConvergenceWarning(UserWarning):
    """A solver stopped short of its tolerance; its certificate says by how much."""
