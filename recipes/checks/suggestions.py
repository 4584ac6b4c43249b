"""A hint for a misspelt word."""

import difflib
from collections.abc import Iterable
from itertools import islice

# Nobody mistypes longer words, and to compare many takes minutes.
_LONGEST_WORD = 60
_MOST_WORDS = 10_000


def suggest(written: str, known: Iterable[str], form: str = "{}") -> str:
    """Return " (did you mean …?)" with the nearest known word, "" if none is near.

    Upper and lower case are the same.

    Args:
        written: What the user wrote.
        known: The words that would be right.
        form: How to show the word: "'{}'" in quotes, "--{}" as a flag.
    """
    if len(written) > _LONGEST_WORD:
        return ""
    words = (word for word in known if len(word) <= _LONGEST_WORD)
    folded = {word.casefold(): word for word in islice(words, _MOST_WORDS)}
    nearest = difflib.get_close_matches(written.casefold(), folded, n=1)
    return f" (did you mean {form.format(folded[nearest[0]])}?)" if nearest else ""
