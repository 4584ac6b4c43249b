"""The split into training rows and held-out rows."""

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import train_test_split

from recipes.errors import InputError

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

    The row of a class with a single row goes to training.

    Args:
        classes: [n] class of each row.
        fraction: Share of rows to hold out, between 0 and 1.
        seed: The same seed gives the same rows.
        flag: Name of the fraction's flag, for the message.

    Returns:
        Numbers of the training rows and of the held-out rows, each ascending.

    Raises:
        InputError: There are too few rows for every class to be in both parts.
    """
    counts = np.bincount(classes)
    divided = np.flatnonzero(counts[classes] > 1)
    kinds = int((counts > 1).sum())
    test = round(len(divided) * fraction)
    if not kinds or not kinds <= test <= len(divided) - kinds:
        raise InputError(
            f"--{flag}: {fraction} of {len(classes)} rows in "
            f"{int((counts > 0).sum())} classes cannot hold every class in both "
            "parts; more rows are needed, or another fraction"
        )
    state = np.random.RandomState(np.random.MT19937(seed))
    _, held_out = train_test_split(
        divided, test_size=test, stratify=classes[divided], random_state=state
    )
    return np.setdiff1d(np.arange(len(classes)), held_out), np.sort(held_out)
