"""All rows of one source, as a reader returns them, before any split."""

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse

from recipes.checks import memory
from recipes.checks.suggestions import suggest
from recipes.errors import InputError, quote
from recipes.pipeline.datasets import in_place_matrix
from recipes.pipeline.datasets.description import Column, Examples
from recipes.pipeline.datasets.encoding import Levels, is_too_varied

_COLUMN_BYTES = 400  # of memory that the description of a column takes


@dataclass(frozen=True)
class Source:
    """All rows of one source.

    Features are finite or NaN (blank), never infinite; targets are finite. The reader
    ensures this, because only it can name the line. If the target is categorical,
    `Examples.target` holds its codes, as floats, until the task is known.
    """

    name: str  # short name, for folders
    where: str  # its name in messages: the file, or the name as given
    tabular: bool
    columns: tuple[Column, ...]
    target: Column
    train: Examples
    test: Examples | None = None  # if the source has its own test rows
    notes: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()  # columns left out as useless
    first_index: int | None = None  # of a LIBSVM file: index of its first column
    image_shape: tuple[int, ...] = ()  # (h, w) or (h, w, c) if rows are images
    layout: Mapping[str, Any] = field(default_factory=dict)  # as of `Description`
    unnamed_columns: int = 0  # as of `Description`


def check_width(width: int, where: str) -> None:
    """Check that so many columns can be described.

    Raises:
        InputError: They would not fit into the memory.
    """
    memory.require(width * _COLUMN_BYTES, f"{where}: {width:,} columns")


def number_columns(width: int) -> tuple[Column, ...]:
    """Name the columns of data without names x1, x2, …."""
    return tuple(Column(f"x{i + 1}") for i in range(width))


def name_pixels(shape: tuple[int, ...]) -> tuple[Column, ...]:
    """Name the columns of images pixel_0_0, … by line, column and any channel."""
    places = itertools.product(*map(range, shape))
    return tuple(Column("_".join(["pixel", *map(str, place)])) for place in places)


def format_size(shape: tuple[int, ...]) -> str:
    """Write an image's shape as 28 × 28."""
    return " × ".join(map(str, shape))


def list_first_five(texts: Iterable[str]) -> str:
    """List the first five texts, and count the rest."""
    texts = list(texts)
    more = f" and {len(texts) - 5} more" if len(texts) > 5 else ""
    return ", ".join(texts[:5]) + more


def quote_first_five(names: Iterable[str]) -> str:
    """List the first five names in quotes, and count the rest."""
    return list_first_five(map(quote, names))


def describe_blanks(levels: Mapping[str, Levels]) -> Iterator[str]:
    """Note in which columns, by name, blanks around texts were stripped."""
    names = [name for name, each in levels.items() if each.had_blanks]
    if names:
        yield f"blanks around texts are ignored in {quote_first_five(names)}"


def missing_column_error(
    name: str, where: str, names: Iterable[str], flag: str = "target"
) -> InputError:
    """Return the error for a flag that names a column that does not exist."""
    names = list(names)
    hint = suggest(name, names, "'{}'") or f"; there are {quote_first_five(names)}"
    return InputError(f"--{flag}: no column {quote(name)} in {where}{hint}")


def check_rows(
    features: npt.NDArray[np.floating],
    target: npt.NDArray[np.floating],
    columns: tuple[Column, ...],
    target_name: str,
    where: str,
) -> Examples:
    """Check arrays of rows, which may hold blank features but no infinities.

    Args:
        features: [n, d] of any float type; float16 is cast to float32.
        target: [n] of any float type; cast to float64.
        columns: The d columns, for messages.
        target_name: Name of the target, for messages.
        where: Name of the source, for messages.

    Raises:
        InputError: An entry is infinite or too large for float32, or a target is
            blank.
    """
    is_wide = features.dtype.itemsize > np.dtype(np.float32).itemsize
    cast = np.ascontiguousarray(features, np.float64 if is_wide else np.float32)
    if (place := in_place_matrix.find_first_infinite(cast)) is not None:
        row, column = place
        raise InputError(
            f"{where}, row {row + 1}, column {quote(columns[column].name)}: "
            f"{features[place]} is infinite or too large for 32-bit floats"
        )
    bad = np.flatnonzero(~np.isfinite(target))
    if len(bad):
        raise InputError(
            f"{where}, row {bad[0] + 1}: the target {quote(target_name)} is "
            f"{target[bad[0]]}; it must be a finite number in every row"
        )
    return Examples(cast, np.asarray(target, np.float64))


def check_same_columns(training: Source, where: str, names: Iterable[str]) -> None:
    """Check that a test set has the training set's columns, in any order.

    Raises:
        InputError: Columns are missing or superfluous; the message says which.
    """
    names = set(names)
    wanted = {column.name for column in training.columns}
    missing = sorted(wanted - names)
    extra = sorted(names - wanted - set(training.dropped))
    faults = []
    if missing:
        faults.append(f"lacks {quote_first_five(missing)}")
    if extra:
        faults.append(
            f"has {quote_first_five(extra)}, which the training set does not have"
        )
    if faults:
        raise InputError(
            f"--test_dataset: {where} differs in its columns from {training.where}: it "
            + " and ".join(faults)
        )


def drop_useless_columns(found: Source, but: str = "") -> Source:
    """Drop text columns that identify the training rows instead of grouping them.

    Args:
        found: All rows of a source.
        but: Name of a column that stays.
    """
    kept, useless = [], []
    for place, column in enumerate(found.columns):
        is_text = column.kind == "categorical" and column.name != but
        if is_text and _identifies_rows(found.train, place):
            useless.append(column.name)
        else:
            kept.append(place)
    if useless:
        places = np.array(kept, np.int64)
        found = dataclasses.replace(
            found,
            columns=tuple(found.columns[place] for place in kept),
            train=_select_columns(found.train, places),
            test=found.test and _select_columns(found.test, places),
            dropped=(*found.dropped, *useless),
        )
    notes = [
        f"dropped {quote(name)}: too many different texts" for name in found.dropped
    ]
    return dataclasses.replace(found, notes=(*found.notes, *notes))


def _identifies_rows(rows: Examples, place: int) -> bool:
    codes = rows.features[:, place]
    filled = codes[~np.isnan(codes)]
    return is_too_varied(len(np.unique(filled)), len(filled))


def _select_columns(rows: Examples, places: npt.NDArray[np.int64]) -> Examples:
    features = in_place_matrix.keep_in_place(rows.features, columns=places)
    return dataclasses.replace(rows, features=features)


def retarget(source: Source, name: str) -> Source:
    """Use another column of array data as the target, and drop the usual one.

    Raises:
        InputError: There is no such column, or it has blanks.
    """
    if name in ("", source.target.name):
        return source
    names = [column.name for column in source.columns]
    if name not in names:
        raise missing_column_error(name, source.where, [*names, source.target.name])
    place = names.index(name)
    return dataclasses.replace(
        source,
        columns=source.columns[:place] + source.columns[place + 1 :],
        target=source.columns[place],
        train=_move_to_target(source.train, place, source),
        test=source.test and _move_to_target(source.test, place, source),
        notes=(
            *source.notes,
            f"left out {quote(source.target.name)}, the usual target",
        ),
        image_shape=(),
    )


def _move_to_target(rows: Examples, place: int, source: Source) -> Examples:
    others = np.delete(np.arange(rows.features.shape[1]), place)
    if scipy.sparse.issparse(rows.features):
        target = rows.features[:, [place]].toarray().reshape(-1)
        return Examples(rows.features[:, others], target.astype(np.float64))
    target = rows.features[:, place].astype(np.float64)
    features = in_place_matrix.keep_in_place(rows.features, columns=others)
    columns = tuple(source.columns[i] for i in others)
    return check_rows(
        features, target, columns, source.columns[place].name, source.where
    )
