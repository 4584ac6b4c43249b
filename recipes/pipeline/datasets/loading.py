"""From the flags to rows and their description."""

from pathlib import Path

import numpy as np
import scipy.sparse

from recipes.errors import InputError
from recipes.pipeline.cli.config import DataConfig
from recipes.pipeline.datasets import in_place_matrix, source
from recipes.pipeline.datasets.align_test_set import matched
from recipes.pipeline.datasets.description import Data, Description, Rows, Task
from recipes.pipeline.datasets.encoding import encode_features, encode_target
from recipes.pipeline.datasets.infer_task import Asked, decide, how_decided
from recipes.pipeline.datasets.readers import (
    embedded,
    files,
    idx,
    libsvm,
    npz,
    table,
    tfds,
)
from recipes.pipeline.datasets.source import Source
from recipes.pipeline.datasets.split import split, stratified_split


def load(config: DataConfig, *, task: Asked) -> Data:
    """Load the data that the flags name, divided into training and test rows.

    Args:
        config: Which data set, which target, and how to divide.
        task: What the recipe learns. "auto": classes where the target is text, an
            embedded classification set, or at most 20 different whole numbers, or
            more of them where they look like numbered classes.

    Returns:
        Both parts in memory, with their description.

    Raises:
        InputError: The data are not there, or not right; the message says where.
    """
    if not 0 < config.test_fraction < 1:
        raise InputError(
            f"--test_fraction: {config.test_fraction} is not between 0 and 1"
        )
    if config.seed < 0:
        raise InputError(f"--seed: {config.seed} is negative; expected is 0 or more")
    found = _read("--dataset", config.dataset, config.target)
    if config.test_dataset:
        other = _read("--test_dataset", config.test_dataset, config.target, found)
        found = matched(found, other)
    if not len(found.train.target):
        raise InputError(f"--dataset: {found.where} has no rows")
    decided = decide(task, found)
    train, test = found.train, found.test
    if test is None:
        train, test = _divided(found.train, decided, config)
    _check(found, train, test)
    data = _data(found, train, test, decided, config.dataset)
    return data.with_notes(*how_decided(task, found, decided))


def _read(flag: str, value: str, target: str, like: Source | None = None) -> Source:
    """Read one source, whatever its form."""
    if value.startswith(tfds.PREFIX):
        return tfds.read(value, target, flag)
    if value in embedded.NAMES:
        return source.retarget(embedded.read(value), target)
    path = Path(value)
    if not path.exists() and not files.form_of(path) and path.name == value:
        raise InputError(
            f"{flag}: no data set '{value}'{source.suggestion(value, embedded.NAMES)} "
            f"(embedded: {' '.join(embedded.NAMES)}; else tfds:NAME or a file's path)"
        )
    files.check(flag, path)
    form = files.form_of(path)
    if form == ".npz":
        return source.retarget(npz.read(path), target)
    if form == files.IDX:
        return source.retarget(idx.read(path), target)
    if form in (".libsvm", ".svm"):
        return source.retarget(libsvm.read(path, like), target)
    return table.read(path, target, like)


def _divided(rows: Rows, task: Task, config: DataConfig) -> tuple[Rows, Rows]:
    """Split test rows off; the memory of the rows becomes the training rows'."""
    features, labels = rows.features, rows.target
    if task == "classification":
        _, classes = np.unique(labels, return_inverse=True)
        train, test = stratified_split(classes, config.test_fraction, config.seed)
    else:
        train, test = split(len(labels), config.test_fraction, config.seed)
    # The test rows are copied out first: to keep the training rows overwrites them.
    held_out = Rows(features[test], labels[test])
    if scipy.sparse.issparse(features):
        return Rows(features[train], labels[train]), held_out
    return Rows(in_place_matrix.keep(features, rows=train), labels[train]), held_out


def _data(found: Source, train: Rows, test: Rows, task: Task, value: str) -> Data:
    """Put class and level names into the training rows' terms, and describe it all."""
    if found.image_shape:
        _refuse_blank_pixels(found, train, test)
    else:
        _refuse_blank_columns(found, train)
    target = found.target
    if task == "classification":
        target, *labels = encode_target(target, train.target, test.target, found.where)
        train = Rows(train.features, labels[0])
        test = Rows(test.features, labels[1])
    columns, unseen = encode_features(found.columns, train.features, test.features)
    description = Description(
        name=found.name,
        source=value,
        tabular=found.tabular,
        columns=columns,
        target=target,
        task=task,
        notes=(*found.notes, *unseen),
        image_shape=found.image_shape,
    )
    return Data(train, test, description)


def _check(found: Source, train: Rows, test: Rows) -> None:
    """See that there is something to learn from and to test on."""
    if not found.columns:
        raise InputError(f"{found.where} has no feature columns beside the target")
    if len(train.target) < 2 or not len(test.target):
        raise InputError(
            f"{found.where}: {len(train.target)} training and {len(test.target)} test "
            "rows; at least 2 and 1 are needed"
        )
    if np.ptp(train.target) == 0:
        raise InputError(
            f"{found.where}: the target '{found.target.name}' is the same in every "
            "training row; there is nothing to learn"
        )


def _refuse_blank_columns(found: Source, train: Rows) -> None:
    """Refuse a column that training sees nothing of."""
    if scipy.sparse.issparse(train.features):
        return
    counts = in_place_matrix.count_nan(train.features)
    for column, count in zip(found.columns, counts, strict=True):
        if count == len(train.target):
            raise InputError(
                f"{found.where}: column '{column.name}' is blank in all {count} "
                "training rows; remove it"
            )


def _refuse_blank_pixels(found: Source, *parts: Rows) -> None:
    """Refuse images that are not whole."""
    for rows in parts:
        counts = in_place_matrix.count_nan(rows.features)
        if counts.any():
            pixel = found.columns[int(counts.argmax())].name
            raise InputError(
                f"{found.where}: {counts.sum()} pixels are blank (NaN), as {pixel} in "
                f"{counts.max()} images; every pixel should have a value"
            )
