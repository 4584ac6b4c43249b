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
    Data,
    Description,
    Examples,
    Log,
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
from recipes.pipeline.datasets.row_columns import keep_rows, take_key, take_weights
from recipes.pipeline.datasets.source import Source
from recipes.pipeline.datasets.split import (
    describe_undivided,
    divide,
    parse_split,
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

    def take(found: Source) -> Source:
        return take_key(take_weights(found, config.weights), config.split)

    found = _read("--dataset", config.dataset, options)
    if not isinstance(config.test_dataset, str) or config.test_dataset:
        other = _read("--test_dataset", config.test_dataset, options, found)
        found = align_test_set(take(found), take(other))
    else:
        found = take(found)
    if not len(found.train.target):
        raise InputError(f"--dataset: {found.where} has no rows")
    found = precision.settle(found)
    inferred = infer_task(task, found)
    train, test = found.train, found.test
    if test is None:
        train, test = _split_off_test(found.train, inferred, config)
    _check_rows(found, train, test)
    data = _describe(found, train, test, inferred, config)
    how, column = parse_split(config.split)
    if found.test is None and how == "time":
        data = data.with_notes(_describe_time(found, test, column))
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
    if options.text_flag and not found.layout:
        raise InputError(
            f"--{options.text_flag}: only text tables have it; {found.where} is none"
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
        names = [column.name for column in known.columns]
        others = [column for column in options.others if column.name not in names]
        columns = (*known.columns, *others)
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
    train, test = divide(
        rows,
        config.split,
        config.test_fraction,
        config.seed,
        has_classes=task == "classification",
    )
    # The test rows are copied first, because moving the training rows overwrites them.
    held_out = rows.take(test)
    return keep_rows(rows, train), held_out


def _describe_time(found: Source, test: Examples, name: str) -> str:
    """Note from when on the rows are test rows."""
    column = next(column for column in found.columns if column.name == name)
    first = float(np.min(np.asarray(test.key)))
    text = f"{first:.12g}"
    if column.kind == "date":
        seconds = np.datetime64(round(first * 86400), "s")
        text = str(seconds).replace("T", " ").removesuffix(" 00:00:00")
    count = f"{len(test.target):,}"
    return f"the {count} test rows are those with {quote(name)} from {text} on"


def _describe(
    found: Source, train: Examples, test: Examples, task: Task, config: DataConfig
) -> Data:
    """Encode classes and levels by the training rows, and describe the data."""
    if found.image_shape:
        _refuse_blank_pixels(found, train, test)
    else:
        _refuse_blank_columns(found, train)
    target = found.target
    log: Log = ""
    merged: tuple[str, ...] = ()
    if task == "classification":
        if target.kind == "numeric":
            merged = precision.describe_large_labels(target.name, train.target)
        where = found.where
        if train.key is not None:
            where = f"--split={config.split}: the part of {where} held out"
        target, *labels = encode_target(
            target, train.target, test.target, where, config.positive_class
        )
        train, test = (
            dataclasses.replace(part, target=each)
            for part, each in zip((train, test), labels, strict=True)
        )
        if config.log_target:
            raise InputError(
                f"--log_target: the target {quote(target.name)} of {found.where} has "
                "classes, which have no logarithm; omit it, or use --task=regression"
            )
    elif config.positive_class:
        raise InputError(
            f"--positive_class: needs two classes, and the target {quote(target.name)} "
            f"of {found.where} is a number; omit it, or use --task=classification"
        )
    else:
        log = choose_log(found) if config.log_target else ""
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
        unnamed_columns=found.unnamed_columns,
        target_log=log,
        weights=config.weights,
    )
    if task == "regression":
        description = _choose_offset(description, train)
    return Data(train, test, description)


def choose_log(found: Source) -> Log:
    """Return which logarithm a target has: of 1 + target if there are zeros.

    Raises:
        InputError: A target is negative.
    """
    parts = [found.train, *([found.test] if found.test else [])]
    for rows in parts:
        bad = np.flatnonzero(rows.target < 0)
        if len(bad):
            raise InputError(
                f"--log_target: {found.where}, row {bad[0] + 1}, column "
                f"{quote(found.target.name)}: {rows.target[bad[0]]:g} has no "
                "logarithm; targets should be 0 or above"
            )
    return "log1p" if any((rows.target == 0).any() for rows in parts) else "log"


def _choose_offset(about: Description, train: Examples) -> Description:
    """Return the description with an offset of the target, if it needs one."""
    name = about.learned_name
    offset, notes = precision.choose_offset(name, about.to_learned(train.target))
    if about.target_log:
        notes = (
            f"learned is {name}: predictions are in the unit of "
            f"{quote(about.target.name)}, its median rather than its mean",
            *notes,
        )
    return dataclasses.replace(
        about, target_offset=offset, notes=(*about.notes, *notes)
    )


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
                f"training rows; leave it out by --drop={column.name}"
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
