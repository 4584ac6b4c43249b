"""Codes for texts: for the levels of categorical columns and the names of classes."""

import dataclasses
import re
import string
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from layers import cells
from recipes.checks.suggestions import suggest
from recipes.errors import InputError, quote
from recipes.pipeline.datasets.description import Column, FeatureMatrix

# Texts of blanks where any text may stand: "-" is a class of many data sets.
BLANKS = cells.BLANKS - cells.PLACEHOLDERS

# What counts as a number in a file. Python's `float` also accepts "1_000" and digits of
# other scripts, which the CSV reader does not.
NUMBER = r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|(?i:inf|infinity|nan))"
_NUMBER = re.compile(NUMBER, re.ASCII)

MOST_LEVELS = 100
_FEW_LEVELS = 20
_PROSE_WORDS = 5  # in a cell, on average; names and addresses have fewer


def is_number(text: str) -> bool:
    """Return whether a cell's text is a number."""
    return _NUMBER.fullmatch(text.strip(string.whitespace)) is not None


def is_blank(text: str) -> bool:
    """Return whether a cell's text stands for a missing value."""
    return text.strip() in BLANKS


def is_too_varied(levels: int, filled: int) -> bool:
    """Return whether a text column identifies rows instead of grouping them.

    Args:
        levels: Number of different texts.
        filled: Number of rows that are not blank.
    """
    return levels > MOST_LEVELS or (levels > _FEW_LEVELS and levels == filled)


def is_prose(counts: Mapping[str, int]) -> bool:
    """Return whether texts are sentences, by their average number of words.

    Args:
        counts: The number of cells of each text.
    """
    words = sum(len(text.split()) * cells for text, cells in counts.items())
    return words >= _PROSE_WORDS * sum(counts.values())


def format_class(value: float) -> str:
    """Write a number as a class name: 3.0 as "3", 0.5 as "0.5"."""
    return str(int(value)) if value == int(value) else repr(float(value))


def sort_naturally(texts: Iterable[str]) -> list[str]:
    """Sort texts by value if all are numbers, otherwise alphabetically."""
    texts = list(texts)
    if all(is_number(text) for text in texts):
        return sorted(texts, key=lambda text: (float(text), text))
    return sorted(texts)


class Levels:
    """The different texts of one column, numbered in order of appearance.

    Args:
        texts: The texts that are known already.
        na_values: Texts of blanks, besides `BLANKS`.

    Attributes:
        had_blanks: Whether `encode_all` met a text with blanks or quotes around it,
            which it strips.
    """

    def __init__(
        self, texts: Iterable[str] = (), na_values: Iterable[str] = ()
    ) -> None:
        self._code = {text: code for code, text in enumerate(texts)}
        self._known: dict[str | None, float] = {}  # codes of texts not yet stripped
        self._blanks = BLANKS.union(_strip(na_values))
        self.had_blanks = False

    def encode(self, text: str) -> int:
        """Return a text's code; a new text gets the next number."""
        return self._code.setdefault(text, len(self._code))

    def encode_all(self, texts: Sequence[str | None]) -> npt.NDArray[np.float64]:
        """Return each text's code, NaN for a blank; new texts get the next numbers."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        bare = _strip(text or "" for text in new)
        for text, stripped in zip(new, bare, strict=True):
            if stripped in self._blanks:
                self._known[text] = np.nan
            else:
                self._known[text] = self.encode(stripped)
                self.had_blanks |= stripped != text
        return np.array([self._known[text] for text in texts], np.float64)

    def __len__(self) -> int:
        return len(self._code)

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts, in the order of their codes."""
        return tuple(self._code)


def _strip(texts: Iterable[str]) -> list[str]:
    return [text.decode() for text in cells.clean(list(texts)).numpy()]


def look_up(
    codes: npt.NDArray[np.floating], table: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return `table[code]` for each code, NaN for NaN.

    Args:
        codes: Whole numbers or NaN, [n].
        table: A value for each code.
    """
    blank = np.isnan(codes)
    found = np.append(table, np.nan)[np.where(blank, len(table), codes).astype(int)]
    return np.asarray(found)


def encode_target(
    target: Column,
    train: npt.NDArray[np.float64],
    test: npt.NDArray[np.float64],
    where: str,
    positive: str = "",
) -> tuple[Column, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Encode the classes of the training rows in the natural order of their names.

    Args:
        target: The target column; if categorical, the labels are its codes.
        train: [n] labels of the training rows.
        test: [m] labels of the test rows.
        where: Name of the test rows, for messages.
        positive: The class that comes last, of two; if empty, they keep their order.

    Returns:
        The target with the class names as levels, and the class indices of both parts.

    Raises:
        InputError: The test rows have a class that no training row has, or there is no
            such positive class, or there are more than two.
    """

    def name(label: float) -> str:
        return target.levels[int(label)] if target.levels else format_class(label)

    keys = np.unique(train)
    unseen = np.setdiff1d(test, keys)
    if len(unseen):
        raise InputError(
            f"{where}: the target {quote(target.name)} has the class "
            f"{quote(name(unseen[0]))}, which no training row has"
        )
    names = [name(key) for key in keys]
    classes = sort_naturally(names)
    if positive:
        _check_positive(positive, classes, target.name, where)
        classes.sort(key=positive.__eq__)
    index = np.array([classes.index(text) for text in names], np.int64)
    column = Column(target.name, "categorical", target.unit, tuple(classes))
    return (
        column,
        index[np.searchsorted(keys, train)],
        index[np.searchsorted(keys, test)],
    )


def _check_positive(
    positive: str, classes: Sequence[str], target: str, where: str
) -> None:
    what = f"--positive_class: the target {quote(target)} of {where} has"
    if len(classes) != 2:
        raise InputError(f"{what} {len(classes)} classes; a positive one is of two")
    if positive not in classes:
        hint = suggest(positive, classes, "'{}'")
        listed = f"; there are {' and '.join(map(quote, classes))}"
        raise InputError(f"{what} no class {quote(positive)}{hint or listed}")


def encode_features(
    columns: tuple[Column, ...], train: FeatureMatrix, test: FeatureMatrix
) -> tuple[tuple[Column, ...], list[str]]:
    """Encode the levels of categorical columns by the training rows, in place.

    Blanks become the last level, "", if training rows have any. Levels that only test
    rows have become NaN, as their blanks do if no training row is blank.

    Args:
        columns: The d columns.
        train: [n, d] training rows; categorical columns are overwritten.
        test: [m, d] test rows, likewise.

    Returns:
        The columns with their levels in natural order, and notes on unseen levels.
    """
    coded, notes = list(columns), []
    for place, column in enumerate(columns):
        if column.kind != "categorical":
            continue
        used = np.unique(train[:, place])
        has_blanks = bool(np.isnan(used).any())
        used = used[~np.isnan(used)].astype(int)
        texts = sort_naturally(column.levels[code] for code in used)
        table = np.full(len(column.levels), np.nan)
        for code in used:
            table[code] = texts.index(column.levels[code])
        blank = np.isnan(test[:, place])
        for part in (train, test):
            part[:, place] = look_up(part[:, place], table)
        if unseen := int((np.isnan(test[:, place]) & ~blank).sum()):
            notes.append(
                f"in {unseen} test row{'s' * (unseen > 1)} {quote(column.name)} is a "
                "text that no training row has; the model takes it as the commonest"
            )
        if has_blanks:
            train[np.isnan(train[:, place]), place] = len(texts)
            test[blank, place] = len(texts)
            texts.append("")
        coded[place] = dataclasses.replace(column, levels=tuple(texts))
    return tuple(coded), notes
