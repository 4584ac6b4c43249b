"""Columns that tell something of the rows: their weights, and what divides them."""

import dataclasses

import numpy as np
import numpy.typing as npt
import scipy.sparse

from recipes.errors import InputError, quote, shorten
from recipes.pipeline.datasets import in_place_matrix
from recipes.pipeline.datasets.description import Column, Examples
from recipes.pipeline.datasets.source import Source, missing_column_error
from recipes.pipeline.datasets.split import parse_split

Vector = npt.NDArray[np.float64]


def take_weights(found: Source, name: str) -> Source:
    """Make a column the weights of the rows, and no longer a feature.

    Rows of weight 0 are left out: they count nowhere.

    Args:
        found: All rows of a source.
        name: The column; if empty, the rows have no weights.

    Raises:
        InputError: There is no such column, or it holds texts, blanks, or negative
            numbers, or only zeros.
    """
    if not name:
        return found
    place = find_column(found, name, "weights")
    if found.columns[place].kind != "numeric":
        raise InputError(
            f"--weights: the column {quote(name)} of {found.where} is "
            f"{found.columns[place].kind}; weights are numbers"
        )
    columns = found.columns[:place] + found.columns[place + 1 :]
    train = _weigh(found, found.train, place)
    dropped = len(found.train.target) - len(train.target)
    note = f"{dropped:,} rows of weight 0 are left out"
    return dataclasses.replace(
        found,
        columns=columns,
        train=train,
        test=found.test and _weigh(found, found.test, place),
        notes=(*found.notes, *([note] if dropped else [])),
    )


def take_key(found: Source, rule: str) -> Source:
    """Make a column the key that the rows are divided by.

    A time stays a feature. A group does not: what tells the rows of a group from those
    of all others is of no use for other groups.

    Args:
        found: All rows of a source.
        rule: As `--split` has it.

    Raises:
        InputError: There is no such column, it has blanks, or a time is a text.
    """
    how, name = parse_split(rule)
    if how == "random":
        return found
    place = find_column(found, name, "split")
    column = found.columns[place]
    if how == "time" and column.kind == "categorical":
        raise InputError(
            f"--split={shorten(rule)}: the column {quote(name)} of {found.where} holds "
            "texts; a time is a number or a date, and texts are divided by group"
        )

    def convert(rows: Examples) -> Examples:
        if how == "time":
            key = np.asarray(rows.features[:, place], np.float64)
        else:
            rows, key = drop_column(rows, place)
        check_column(key, column, found.where, "split")
        return dataclasses.replace(rows, key=key)

    found = dataclasses.replace(
        found, train=convert(found.train), test=found.test and convert(found.test)
    )
    if how == "time":
        return found
    return dataclasses.replace(
        found,
        columns=found.columns[:place] + found.columns[place + 1 :],
        notes=(*found.notes, f"{quote(name)} groups the rows and is no feature"),
    )


def find_column(found: Source, name: str, flag: str) -> int:
    """Return the place of the feature that a flag names.

    Raises:
        InputError: There is no such feature, or the columns have no names.
    """
    if found.first_index is not None or found.image_shape:
        raise InputError(
            f"--{flag}: {found.where} has no named columns; use a table to name one"
        )
    names = [column.name for column in found.columns]
    if name == found.target.name:
        raise InputError(
            f"--{flag}: {quote(name)} is the target of {found.where}; name another "
            "column"
        )
    if name in found.dropped:
        raise InputError(
            f"--{flag}: the column {quote(name)} of {found.where} holds too many "
            "different texts; name another column"
        )
    if name not in names:
        known = [*names, *found.dropped]
        raise missing_column_error(name, found.where, known, flag)
    return names.index(name)


def check_column(
    values: Vector, column: Column, where: str, flag: str, *, least: float = -np.inf
) -> None:
    """Check that there is a number in every row.

    Raises:
        InputError: One is blank, or too small.
    """
    bad = np.flatnonzero(~(values >= least))
    if len(bad):
        value = values[bad[0]]
        is_blank = np.isnan(value)
        raise InputError(
            f"--{flag}: {where}, row {bad[0] + 1}, column {quote(column.name)}: "
            + ("blank" if is_blank else f"{value:g}")
            + "; every row needs a "
            + ("value" if np.isinf(least) else f"number from {least:g}")
        )


def drop_column(rows: Examples, place: int) -> tuple[Examples, Vector]:
    """Return the rows without a feature, and its values; takes over their memory."""
    values = rows.features[:, place].astype(np.float64)
    others = np.delete(np.arange(rows.features.shape[1]), place)
    features = in_place_matrix.keep_in_place(rows.features, columns=others)
    return dataclasses.replace(rows, features=features), values


def keep_rows(rows: Examples, numbers: npt.NDArray[np.int64]) -> Examples:
    """Return some rows, in ascending order; takes over the memory of all."""
    if scipy.sparse.issparse(rows.features):
        return rows.take(numbers)
    others = dataclasses.replace(rows, features=np.empty((len(rows.target), 0)))
    features = in_place_matrix.keep_in_place(rows.features, rows=numbers)
    return dataclasses.replace(others.take(numbers), features=features)


def _weigh(found: Source, rows: Examples, place: int) -> Examples:
    rows, weight = drop_column(rows, place)
    check_column(weight, found.columns[place], found.where, "weights", least=0)
    rows = dataclasses.replace(rows, weight=weight)
    counts = np.flatnonzero(weight)
    if not len(counts):
        raise InputError(
            f"--weights: {quote(found.columns[place].name)} of {found.where} is 0 in "
            "every row; some rows need a weight"
        )
    return rows if len(counts) == len(weight) else keep_rows(rows, counts)
