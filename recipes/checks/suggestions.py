"""A hint for a misspelt word."""

import difflib
from collections.abc import Iterable


def suggest(written: str, known: Iterable[str], form: str = "{}") -> str:
    """Return " (did you mean …?)" with the nearest known word, "" if none is near.

    Args:
        written: What the user wrote.
        known: The words that would be right.
        form: How to show the word: "'{}'" in quotes, "--{}" as a flag.
    """
    nearest = difflib.get_close_matches(written, list(known), n=1)
    return f" (did you mean {form.format(nearest[0])}?)" if nearest else ""
