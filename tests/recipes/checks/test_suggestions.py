"""The hint for a misspelt word."""

import pytest

from recipes.checks.suggestions import suggest


@pytest.mark.parametrize(
    ("form", "hint"),
    [
        ("{}", " (did you mean price?)"),
        ("'{}'", " (did you mean 'price'?)"),
        ("--{}", " (did you mean --price?)"),
    ],
)
def test_the_nearest_word_is_suggested(form, hint):
    assert suggest("pirce", iter(["size", "price"]), form) == hint


def test_nothing_is_suggested_where_no_word_is_near():
    assert suggest("pirce", ["rooms"]) == ""
