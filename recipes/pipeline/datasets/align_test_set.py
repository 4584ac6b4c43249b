"""Alignment of a separate test set with the training set's columns."""

import dataclasses
from typing import Any

import numpy as np
import scipy.sparse

from recipes.errors import InputError, quote
from recipes.pipeline.datasets import in_place_matrix, source
from recipes.pipeline.datasets.description import Column, Examples
from recipes.pipeline.datasets.encoding import Levels, look_up
from recipes.pipeline.datasets.readers import libsvm
from recipes.pipeline.datasets.source import Source, check_same_columns, number_columns


def align_test_set(training: Source, other: Source) -> Source:
    """Make another source's rows the test rows of the training source.

    Columns take the training set's order, levels its codes; levels that it lacks get
    codes after its own. LIBSVM rows become as wide as the wider file.

    Args:
        training: The training set; its own test rows, if any, are discarded.
        other: The test set; its own test rows are used, if any, otherwise its training
            rows.

    Raises:
        InputError: The columns, the kind of a column, or the sizes of images differ.
    """
    sizes = [source.format_size(each.image_shape) for each in (other, training)]
    if all(sizes) and sizes[0] != sizes[1]:
        raise InputError(
            f"--test_dataset: the images of {other.where} are {sizes[0]}, those of the "
            f"training set {training.where} {sizes[1]}; their sizes should be equal"
        )
    rows = other.test or other.train
    if training.first_index is not None and other.first_index is not None:
        training, rows = _align_widths(training, rows)
    else:
        training, rows = _align_columns(training, other, rows)
    features: Any = rows.features
    if scipy.sparse.issparse(training.train.features):
        features = scipy.sparse.csr_array(features)
    elif scipy.sparse.issparse(features):
        features = features.toarray()
    target, labels = _merge_levels(
        training.target, other.target, rows.target, other.where
    )
    return dataclasses.replace(
        training,
        target=target,
        test=dataclasses.replace(rows, features=features, target=labels),
        notes=tuple(dict.fromkeys((*training.notes, *other.notes))),
    )


def _align_widths(training: Source, test: Examples) -> tuple[Source, Examples]:
    parts = training.train, test
    width = max(part.features.shape[1] for part in parts)
    train, test = (
        dataclasses.replace(part, features=libsvm.widen(part.features, width))
        for part in parts
    )
    columns = number_columns(width)
    return dataclasses.replace(training, columns=columns, train=train), test


def _align_columns(
    training: Source, other: Source, test: Examples
) -> tuple[Source, Examples]:
    names = [column.name for column in other.columns]
    check_same_columns(training, other.where, [*names, *other.dropped])
    places_of = {name: place for place, name in enumerate(names)}
    places = np.array([places_of[c.name] for c in training.columns], np.int64)
    features: Any = test.features
    if scipy.sparse.issparse(features):
        features = features[:, places]
    else:
        features = in_place_matrix.keep_in_place(features, columns=places)
    columns = list(training.columns)
    for place, column in enumerate(columns):
        theirs = other.columns[places[place]]
        if column.kind in ("categorical", "text") or column.kind != theirs.kind:
            columns[place], features[:, place] = _merge_levels(
                column, theirs, features[:, place], other.where
            )
    training = dataclasses.replace(training, columns=tuple(columns))
    return training, dataclasses.replace(test, features=features)


def _merge_levels(
    ours: Column, theirs: Column, values: Any, where: str
) -> tuple[Column, Any]:
    """Translate the codes of their column's levels, or texts, into those of ours."""
    if ours.kind != theirs.kind:
        kinds = {"numeric": "numbers", "date": "dates", "text": "free text"}
        kinds["categorical"] = "text"
        raise InputError(
            f"--test_dataset: {quote(ours.name)} holds {kinds[theirs.kind]} in "
            f"{where}, but {kinds[ours.kind]} in the training set"
        )
    if ours.kind not in ("categorical", "text"):
        return ours, values
    levels = Levels(ours.levels or ours.texts)  # a column has the one or the other
    codes = [levels.encode(text) for text in theirs.levels or theirs.texts]
    if ours.kind == "text":
        ours = dataclasses.replace(ours, texts=levels.texts)
    else:
        ours = dataclasses.replace(ours, levels=levels.texts)
    return ours, look_up(values, np.array(codes, np.float64))
