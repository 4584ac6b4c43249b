"""Loading the data that the flags name."""

import dataclasses
import os
from pathlib import Path

import numpy as np
import scipy.sparse

from recipes.checks.suggestions import suggest
from recipes.errors import InputError, quote
from recipes.pipeline.cli.config import DataConfig, Frame
from recipes.pipeline.cli.config_fields import as_text
from recipes.pipeline.datasets import in_place_matrix, precision, source
from recipes.pipeline.datasets.align_test_set import align_test_set
from recipes.pipeline.datasets.description import (
    Column,
    Data,
    Description,
    Examples,
    Task,
)
from recipes.pipeline.datasets.encoding import encode_features, encode_target
from recipes.pipeline.datasets.infer_task import RequestedTask, explain_task, infer_task
from recipes.pipeline.datasets.readers import (
    embedded,
    files,
    idx,
    libsvm,
    npz,
    table,
    tfds,
)
from recipes.pipeline.datasets.readers.csv_table import CsvTable
from recipes.pipeline.datasets.readers.open_table import names_many, open_table
from recipes.pipeline.datasets.readers.table_options import TableOptions
from recipes.pipeline.datasets.readers.table_source import Table
from recipes.pipeline.datasets.row_columns import keep_rows, take_weights
from recipes.pipeline.datasets.source import Source
from recipes.pipeline.datasets.split import (
    describe_undivided,
    split,
    split_stratified,
)


def load(config: DataConfig, *, task: RequestedTask) -> Data:
    """Load the data that the flags name, divided into training and test rows.

    Args:
        config: Which data set, which target, and how to divide.
        task: What the recipe learns. "auto" means classification if the target is text
            or belongs to an embedded classification set, has at most 20 different
            whole numbers, or has more that look like numbered classes.

    Returns:
        Both parts in memory, with their description.

    Raises:
        InputError: The data are missing or wrong; the message says where.
    """
    options = TableOptions.of_config(config)
    found = _read("--dataset", config.dataset, options)
    if not isinstance(config.test_dataset, str) or config.test_dataset:
        other = _read("--test_dataset", config.test_dataset, options, found)
        found = take_weights(found, config.weights)
        found = align_test_set(found, take_weights(other, config.weights))
    else:
        found = take_weights(found, config.weights)
    if not len(found.train.target):
        raise InputError(f"--dataset: {found.where} has no rows")
    found = precision.settle(found)
    inferred = infer_task(task, found)
    train, test = found.train, found.test
    if test is None:
        train, test = _split_off_test(found.train, inferred, config)
    _check_rows(found, train, test)
    data = _describe(found, train, test, inferred, config)
    if found.test is None and inferred == "classification":
        levels = data.description.target.levels
        data = data.with_notes(
            *describe_undivided(levels, data.train.target, data.test.target)
        )
    return data.with_notes(*explain_task(task, found, inferred))


def _read(
    flag: str,
    value: str | Frame,
    options: TableOptions,
    like: Source | None = None,
) -> Source:
    """Read one source of any kind."""
    if isinstance(value, str) and not _is_table(value):
        if options.named:
            raise InputError(
                f"--{options.named}: only tables have it; {flag}={value} is none"
            )
        return _read_arrays(flag, value, options.target, like)
    known = like or options.columns
    formats = {
        column.name: column.format
        for column in (known.columns if known else ())
        if column.kind == "date"
    }
    found = open_table(
        value, flag, lambda path: CsvTable(path, options.layout), formats
    )
    return _read_table(found, options, like)


def _read_table(found: Table, options: TableOptions, like: Source | None) -> Source:
    """Read a table: as the training set, as a file of columns says, or as it looks."""
    if like is not None:
        if like.target.name not in found.names:
            raise source.missing_column_error(
                like.target.name, found.where, found.names
            )
        names = [name for name in found.names if name != like.target.name]
        source.check_same_columns(like, found.where, names)
        return table.read_as(found, like.columns, like.target, "the training set")
    if options.columns:
        known = options.columns
        columns = (*known.columns, *map(Column, options.others))
        return table.read_as(found, columns, known.target, "--columns")
    return table.read(found, options)


def _is_table(value: str) -> bool:
    """Return whether a value names a table: a file, or several."""
    if value.startswith(tfds.PREFIX) or value in embedded.NAMES:
        return False
    return names_many(value) or files.detect_format(Path(value)) in files.TABLES


def _read_arrays(flag: str, value: str, target: str, like: Source | None) -> Source:
    """Read one source that is no table."""
    if value.startswith(tfds.PREFIX):
        return tfds.read(value, target, flag)
    if value in embedded.NAMES:
        return source.retarget(embedded.read(value), target)
    path = Path(value)
    if (
        not os.path.exists(path)
        and not files.detect_format(path)
        and path.name == value
    ):
        hint = suggest(value, embedded.NAMES, "'{}'")
        raise InputError(
            f"{flag}: no data set {quote(value)}{hint}; use an embedded one "
            f"({' '.join(embedded.NAMES)}), tfds:NAME or the path of a file"
        )
    files.check_file(flag, path)
    file_format = files.detect_format(path)
    if file_format == files.NPZ:
        return source.retarget(npz.read(path), target)
    if file_format == files.IDX:
        return source.retarget(idx.read(path), target)
    return source.retarget(libsvm.read(path, like), target)


def _split_off_test(
    rows: Examples, task: Task, config: DataConfig
) -> tuple[Examples, Examples]:
    """Split test rows off; the training rows take over the memory of all rows."""
    labels = rows.target
    if task == "classification":
        _, classes = np.unique(labels, return_inverse=True)
        train, test = split_stratified(classes, config.test_fraction, config.seed)
    else:
        train, test = split(len(labels), config.test_fraction, config.seed)
    # The test rows are copied first, because moving the training rows overwrites them.
    held_out = rows.take(test)
    return keep_rows(rows, train), held_out


def _describe(
    found: Source, train: Examples, test: Examples, task: Task, config: DataConfig
) -> Data:
    """Encode classes and levels by the training rows, and describe the data."""
    if found.image_shape:
        _refuse_blank_pixels(found, train, test)
    else:
        _refuse_blank_columns(found, train)
    target, offset = found.target, 0.0
    merged: tuple[str, ...] = ()
    if task == "classification":
        if target.kind == "numeric":
            merged = precision.describe_large_labels(target.name, train.target)
        target, *labels = encode_target(
            target, train.target, test.target, found.where, config.positive_class
        )
        train, test = (
            dataclasses.replace(part, target=each)
            for part, each in zip((train, test), labels, strict=True)
        )
    elif config.positive_class:
        raise InputError(
            f"--positive_class: needs two classes, and the target {quote(target.name)} "
            f"of {found.where} is a number; omit it, or use --task=classification"
        )
    else:
        offset, merged = precision.choose_offset(target.name, train.target)
    columns, unseen = encode_features(found.columns, train.features, test.features)
    description = Description(
        name=found.name,
        source=as_text(config.dataset),
        tabular=found.tabular,
        columns=columns,
        target=target,
        task=task,
        notes=(*found.notes, *merged, *unseen),
        image_shape=found.image_shape,
        layout=found.layout,
        target_offset=offset,
        weights=config.weights,
    )
    return Data(train, test, description)


def _check_rows(found: Source, train: Examples, test: Examples) -> None:
    """Check that there are rows and columns to learn from and rows to test on."""
    if not found.columns:
        raise InputError(f"{found.where} has no feature columns besides the target")
    if len(train.target) < 2 or not len(test.target):
        raise InputError(
            f"{found.where}: {len(train.target)} training and {len(test.target)} test "
            "rows; at least 2 and 1 are needed"
        )
    if np.ptp(train.target) == 0:
        raise InputError(
            f"{found.where}: the target {quote(found.target.name)} is the same in "
            "every training row; there is nothing to learn"
        )


def _refuse_blank_columns(found: Source, train: Examples) -> None:
    """Refuse columns that are blank in all training rows."""
    if scipy.sparse.issparse(train.features):
        return
    counts = in_place_matrix.count_nan(train.features)
    for column, count in zip(found.columns, counts, strict=True):
        if count == len(train.target):
            raise InputError(
                f"{found.where}: column {quote(column.name)} is blank in all {count} "
                "training rows; remove it"
            )


def _refuse_blank_pixels(found: Source, *parts: Examples) -> None:
    """Refuse images with blank pixels."""
    for rows in parts:
        counts = in_place_matrix.count_nan(rows.features)
        if counts.any():
            pixel = found.columns[int(counts.argmax())].name
            raise InputError(
                f"{found.where}: {counts.sum()} pixels are blank (NaN), as {pixel} in "
                f"{counts.max()} images; every pixel needs a value"
            )
