"""The split into training rows and held-out rows: at random, by time or by group."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import train_test_split

from recipes.errors import InputError, shorten
from recipes.pipeline.datasets.description import Examples
from recipes.pipeline.datasets.source import quote_first_five

RowNumbers = npt.NDArray[np.int64]
Key = npt.NDArray[np.float64]


def parse_split(rule: str) -> tuple[str, str]:
    """Return how `--split` divides rows, and by which column: "" at random.

    Raises:
        InputError: It is no way to divide them.
    """
    how, _, column = rule.partition(":")
    if rule != "random" and not (how in ("time", "group") and column):
        raise InputError(
            f"--split={shorten(rule)}: should be random, time:COLUMN or group:COLUMN"
        )
    return how, column


def divide(
    rows: Examples,
    rule: str,
    fraction: float,
    seed: int,
    flag: str = "test_fraction",
    *,
    has_classes: bool,
) -> tuple[RowNumbers, RowNumbers]:
    """Divide rows as `--split` says.

    Args:
        rows: The rows, with a `key` unless they are divided at random.
        rule: The value of `--split`.
        fraction: Share of rows to hold out, between 0 and 1.
        seed: The same seed gives the same rows.
        flag: Name of the fraction's flag, for the message.
        has_classes: Whether the targets are classes, which random parts have in equal
            shares.

    Returns:
        Numbers of the training rows and of the held-out rows, each ascending.

    Raises:
        InputError: There are too few rows.
    """
    how, _ = parse_split(rule)
    if rows.key is None or how == "random":
        if not has_classes:
            return split(len(rows.target), fraction, seed, flag)
        _, classes = np.unique(rows.target, return_inverse=True)
        return split_stratified(classes, fraction, seed, flag)
    if how == "time":
        held_out = _choose_last(rows.key, fraction)
    else:
        held_out = _choose_groups(rows.key, fraction, seed)
    left = len(held_out) - int(held_out.sum())
    if left < 2 or left == len(held_out):
        raise InputError(
            f"--split={shorten(rule)}: --{flag}={fraction} of {len(held_out)} rows in "
            f"{len(np.unique(rows.key))} groups of equal values leaves {left} for "
            f"training and {len(held_out) - left} held out; at least 2 and 1 are needed"
        )
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def _choose_last(key: Key, fraction: float) -> npt.NDArray[np.bool_]:
    """Return which rows have the largest values, equal ones together."""
    values, counts = np.unique(key, return_counts=True)
    sizes = np.cumsum(counts[::-1])[::-1]  # rows from each value on
    allowed = len(key) - sizes >= 2
    if not allowed.any():
        return np.full(len(key), False)
    distance = np.where(allowed, np.abs(sizes - len(key) * fraction), np.inf)
    return key >= values[np.argmin(distance)]


def _choose_groups(key: Key, fraction: float, seed: int) -> npt.NDArray[np.bool_]:
    """Return the rows of groups that bring their number nearer to the fraction.

    The groups come in random order; if the first is too large already, the smallest.
    """
    _, group, sizes = np.unique(key, return_inverse=True, return_counts=True)
    missing = len(key) * fraction
    chosen = []
    for number in np.random.default_rng(seed).permutation(len(sizes)):
        if abs(missing - sizes[number]) < abs(missing):
            chosen.append(number)
            missing -= sizes[number]
    return np.isin(group, chosen or [np.argmin(sizes)])


def split(
    rows: int, fraction: float, seed: int, flag: str = "test_fraction"
) -> tuple[RowNumbers, RowNumbers]:
    """Divide rows at random.

    Args:
        rows: Number of rows.
        fraction: Share of rows to hold out, between 0 and 1; rounded to whole rows.
        seed: The same seed gives the same rows.
        flag: Name of the fraction's flag, for the message.

    Returns:
        Numbers of the training rows and of the held-out rows, each ascending.

    Raises:
        InputError: Fewer than two training rows, or no held-out row, would be left.
    """
    test = round(rows * fraction)
    if test < 1 or rows - test < 2:
        raise InputError(
            f"--{flag}: {fraction} of {rows} rows leaves {rows - test} for "
            f"training and {test} held out; at least 2 and 1 are needed"
        )
    order = np.random.default_rng(seed).permutation(rows)
    return np.sort(order[test:]), np.sort(order[:test])


def split_stratified(
    classes: npt.NDArray[np.int64],
    fraction: float,
    seed: int,
    flag: str = "test_fraction",
) -> tuple[RowNumbers, RowNumbers]:
    """Divide rows at random so that both parts have the classes in equal shares.

    Every class keeps a row for training. A class with too few rows for both parts may
    have none held out; `describe_undivided` says so.

    Args:
        classes: [n] class of each row.
        fraction: Share of rows to hold out, between 0 and 1.
        seed: The same seed gives the same rows.
        flag: Name of the fraction's flag, for the message.

    Returns:
        Numbers of the training rows and of the held-out rows, each ascending.

    Raises:
        InputError: No row can be held out: the fraction is of too few, or every class
            has a single row.
    """
    counts = np.bincount(classes)
    divided = np.flatnonzero(counts[classes] > 1)
    kinds = int((counts > 1).sum())
    if round(len(classes) * fraction) < 1 or not kinds:
        raise InputError(
            f"--{flag}: {fraction} of {len(classes)} rows in "
            f"{int((counts > 0).sum())} classes leaves none to hold out, as every "
            "class needs one for training; more rows are needed, or another fraction"
        )
    test = max(round(len(divided) * fraction), 1)
    held_out = np.arange(len(classes))
    if kinds <= test <= len(divided) - kinds:
        state = np.random.RandomState(np.random.MT19937(seed))
        _, held_out = train_test_split(
            divided, test_size=test, stratify=classes[divided], random_state=state
        )
    if not np.isin(classes, np.delete(classes, held_out)).all():
        held_out = _hold_out_in_turn(classes, test, seed)
    return np.setdiff1d(np.arange(len(classes)), held_out), np.sort(held_out)


def _hold_out_in_turn(
    classes: npt.NDArray[np.int64], size: int, seed: int
) -> RowNumbers:
    """Hold out rows at equal distances in the order of classes, at most all but one.

    So each class has its share to within a row, even if that is none.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(classes))
    order = order[np.argsort(classes[order], kind="stable")]
    keeps = np.append(True, np.diff(classes[order]) != 0)
    free = order[~keeps]
    size = min(size, len(free))
    places = (np.arange(size) + rng.random()) * len(free) / size
    return free[places.astype(np.int64)]


def describe_undivided(
    levels: Sequence[str],
    train: npt.NDArray[np.int64],
    held_out: npt.NDArray[np.int64],
) -> Iterator[str]:
    """Note which classes a split could not divide.

    Args:
        levels: Names of the classes.
        train: [n] classes of the training rows.
        held_out: [m] classes of the rows held out.
    """
    counts = np.bincount(train, minlength=len(levels)).tolist()
    absent = [
        place
        for place, count in enumerate(counts)
        if count and not np.isin(place, held_out)
    ]
    names = quote_first_five(levels[place] for place in absent)
    most = max((counts[place] for place in absent), default=0)
    rows = f"{most} row{'s' * (most > 1)}"
    if len(absent) == 1:
        yield f"class {names} has {rows}: it is in training only"
    elif absent:
        yield (
            f"{len(absent)} classes have at most {rows} each and are in training only: "
            + names
        )
