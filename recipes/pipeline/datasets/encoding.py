"""Texts as codes in the training rows' terms: class names and categorical columns."""

import dataclasses

import numpy as np
import numpy.typing as npt

from recipes.pipeline.datasets.description import Column, Matrix
from recipes.pipeline.datasets.levels import look_up, natural, number_name
from recipes.pipeline.errors import InputError


def encode_target(
    target: Column,
    train: npt.NDArray[np.float64],
    test: npt.NDArray[np.float64],
    where: str,
) -> tuple[Column, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Number the classes of the training rows, in the natural order of their names.

    Args:
        target: The target column; where categorical, the labels are its codes.
        train: [n] labels of the training rows.
        test: [m] labels of the test rows.
        where: What messages call the test rows.

    Returns:
        The target with the class names as levels, and both parts' class indices.

    Raises:
        InputError: The test rows have a class that the training rows do not have.
    """

    def name(label: float) -> str:
        return target.levels[int(label)] if target.levels else number_name(label)

    keys = np.unique(train)
    unseen = np.setdiff1d(test, keys)
    if len(unseen):
        raise InputError(
            f"{where}: the target '{target.name}' has the class '{name(unseen[0])}', "
            "which no training row has"
        )
    names = [name(key) for key in keys]
    classes = natural(names)
    index = np.array([classes.index(text) for text in names], np.int64)
    column = Column(target.name, "categorical", target.unit, tuple(classes))
    return (
        column,
        index[np.searchsorted(keys, train)],
        index[np.searchsorted(keys, test)],
    )


def encode_features(
    columns: tuple[Column, ...], train: Matrix, test: Matrix
) -> tuple[tuple[Column, ...], list[str]]:
    """Number the levels of categorical columns by the training rows, in place.

    Levels that only test rows have become blanks.

    Args:
        columns: The d columns.
        train: [n, d] training rows; categorical columns are changed.
        test: [m, d] test rows, likewise.

    Returns:
        The columns with their levels in natural order, and notes on unseen levels.
    """
    coded, notes = list(columns), []
    for place, column in enumerate(columns):
        if column.kind != "categorical":
            continue
        used = np.unique(train[:, place])
        used = used[~np.isnan(used)].astype(int)
        texts = natural(column.levels[code] for code in used)
        table = np.full(len(column.levels), np.nan)
        for code in used:
            table[code] = texts.index(column.levels[code])
        blank = int(np.isnan(test[:, place]).sum())
        for part in (train, test):
            part[:, place] = look_up(part[:, place], table)
        coded[place] = dataclasses.replace(column, levels=tuple(texts))
        if unseen := int(np.isnan(test[:, place]).sum()) - blank:
            notes.append(
                f"in {unseen} test row{'s' * (unseen > 1)} '{column.name}' is a text "
                "that no training row has; it counts as blank"
            )
    return tuple(coded), notes
