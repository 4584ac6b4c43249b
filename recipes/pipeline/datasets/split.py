"""The split into training rows and held-out rows."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import train_test_split

from recipes.errors import InputError
from recipes.pipeline.datasets.source import quote_first_five

RowNumbers = npt.NDArray[np.int64]


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
