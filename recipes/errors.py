"""What users are told: their input is wrong, or a solver did not converge."""


class InputError(ValueError):
    """The user's input is wrong.

    The message is one line: what is wrong, where (flag, or file with line and column),
    and what would be right. A command line prints it alone and exits with 2.
    """


class DivergenceError(ValueError):
    """A solver's steps lead away from the optimum; the message says what would work."""


class ConvergenceWarning(UserWarning):
    """A solver ended before it reached its tolerance; its certificate says how far."""
