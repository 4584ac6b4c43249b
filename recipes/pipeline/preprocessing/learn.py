"""The way from raw columns to the numbers that a model takes.

`learn_preprocessing` learns from the training rows how to fill blanks, encode
categories, drop constant columns and standardise the rest. `build_serving_model` puts
the result, and for a table the names and categories of its columns, in front of a
trained model.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
import scipy.sparse
import tensorflow as tf

from layers.image_rescaling import ImageRescaling
from layers.preprocessing import Preprocessing
from layers.raw_columns import RawColumns
from layers.serving_model import ServingModel
from recipes.errors import InputError, quote
from recipes.pipeline.datasets import Column, Data, Description, precision
from recipes.pipeline.datasets.description import Log
from recipes.pipeline.datasets.source import list_first_five
from recipes.pipeline.preprocessing.design_matrix import (
    SMALLEST,
    DesignMatrix,
    find_range,
    iterate_columns,
)
from recipes.pipeline.preprocessing.input_names import name_inputs

_INVERSES: dict[Log, Literal["", "exp", "expm1"]] = {
    "": "",
    "log": "exp",
    "log1p": "expm1",
}


def learn_preprocessing(
    data: Data,
    *,
    images: bool = False,
    sparse: bool = False,
    text_features: int = 2000,
) -> Any:
    """Learn the preprocessing of a data set from its training rows.

    Blanks in columns of numbers and dates are filled with the column's median, and
    marked by an output of 0 and 1. Each categorical column becomes outputs of 0 and 1,
    one for each level, blank or not, but the commonest, which is the reference and
    stands for unknown levels, too. A date becomes days and the parts of the calendar
    that vary. Columns and levels that are constant over the training rows are dropped.
    All outputs are scaled to mean 0 and standard deviation 1. A column of free text
    becomes the TF-IDF of its commonest words and pairs of words, which are the last
    outputs and not scaled.

    Medians are exact; means and variances are computed in float64. A dense matrix is
    copied some columns at a time, the stored entries of a sparse one once.

    Args:
        data: The data set; only `data.train` and `data.description` are used.
        images: Whether rows that are images become images, with all pixels rescaled
            together to the range from 0 to 1. Other data are not affected. Defaults to
            `False`.
        sparse: Whether a sparse matrix stays sparse. Then its columns are divided by
            their largest absolute values and not shifted. With columns of free text,
            what `evaluation.preprocess` returns becomes sparse. Other data are not
            affected. Defaults to `False`.
        text_features: The most words and pairs of words of a column of free text.
            Defaults to 2000.

    Returns:
        A built layer: `Preprocessing`, `[b, d]` → `[b, p]`, float32, or for images
        `ImageRescaling`, `[b, d]` or `[b, h, w]` → `[b, h, w]`, and likewise with
        channels, `[b, h, w, c]`. It has two more attributes, which are not saved:
        `output_names` (p names, such as "age", "age=(blank)", "sex=female" or
        "sold year") and `notes` (sentences on what was dropped and filled).

    Raises:
        InputError: A column has an infinity or only blanks in the training rows, or
            no column varies over them.
    """
    if images and data.description.image_shape:
        return _learn_image_rescaling(data)
    features = data.train.features
    if sparse and scipy.sparse.issparse(features):
        return _learn_scaling(data)
    columns = data.description.columns
    design = DesignMatrix()
    for number, (column, (values, zeros)) in enumerate(
        zip(columns, iterate_columns(features), strict=True)
    ):
        present = values[~np.isnan(values)]
        if not len(present) + zeros:
            raise InputError(
                f"{data.description.source}: column {quote(column.name)}: all "
                f"{features.shape[0]} training rows are blank; remove the column"
            )
        blanks = len(values) - len(present)
        if column.kind == "categorical":
            design.add_categorical(number, column, present, blanks)
        elif column.kind == "text":
            design.add_text(number, column, present, text_features)
        elif np.isinf(present).any():
            raise InputError(
                f"{data.description.source}: column {quote(column.name)}: holds "
                "infinity; values should be finite or blank"
            )
        elif column.kind == "date":
            design.add_date(number, column, present, blanks)
        else:
            design.add_numeric(number, column, present, zeros, blanks)
    layer = _build_layer(design, data)
    layer.sparse_output = sparse and bool(layer.num_terms)
    if data.description.tabular:
        layer.notes += tuple(_describe_renamed(columns))
    return layer


def build_serving_model(
    description: Description, preprocessing: Any, model: Any
) -> ServingModel:
    """Put raw inputs and the preprocessing in front of a model.

    Args:
        description: Names and kinds of the raw columns.
        preprocessing: The built preprocessing.
        model: Layer or model that takes the preprocessing's output.

    Returns:
        A built model that returns what `model` does, in the target's unit. Its
        input is, for a table, a dict with one tensor `[b]` per column under the
        column's name (string for categorical columns, free text and columns with a
        format, the columns' `dtype` for others);
        for `ImageRescaling`, images `[b, h, w]` or `[b, h, w, c]`; otherwise a matrix
        `[b, d]`. Both are float32, or float64 if that is the `dtype` of a column.
    """
    wide = [column.name for column in description.columns if column.dtype == "float64"]
    raw_columns = None
    if description.tabular:
        columns = description.columns
        raw_columns = RawColumns(
            [column.name for column in columns],
            {c.name: c.levels for c in columns if c.kind == "categorical"},
            wide,
            {c.name: c.format for c in columns if c.format},
            {c.name: c.na_values for c in columns if c.na_values},
            [c.name for c in columns if c.kind == "text"],
        )
    serving = ServingModel(
        preprocessing,
        model,
        len(description.columns),
        raw_columns,
        getattr(preprocessing, "image_shape", ()),
        float64=bool(wide),
        offset=description.target_offset,
        inverse=_INVERSES[description.target_log],
        name="serving",
    )
    # Call it once to build everything in it.
    serving(
        tf.nest.map_structure(
            lambda spec: tf.zeros((1, *spec.shape[1:]), spec.dtype),
            serving.signature(),
        )
    )
    return serving


def _build_layer(design: DesignMatrix, data: Data) -> Preprocessing:
    if not design.output_names:
        raise InputError(
            f"{data.description.source}: no column varies over the training rows"
        )
    return design.build_layer()


def _describe_renamed(columns: Sequence[Column]) -> Iterator[str]:
    renamed = [
        f"{name.column!r} as {name.keyword}"
        for name in name_inputs(column.name for column in columns)
        if name.keyword != name.column
    ]
    if renamed:
        yield f"in Python the SavedModel's signature takes {list_first_five(renamed)}"


def _learn_scaling(data: Data) -> Preprocessing:
    """Scale the columns of a sparse matrix, as scikit-learn's `MaxAbsScaler` does."""
    features, columns = data.train.features, data.description.columns
    sizes = abs(features).max(axis=0).toarray().reshape(-1).astype(np.float64)
    design = DesignMatrix()
    for number, (column, size) in enumerate(zip(columns, sizes, strict=True)):
        design.add_scaled(number, column, float(size))
    layer = _build_layer(design, data)
    sample = precision.sample_rows(features)
    kept = sample[:, layer.design.source.numpy()] if layer.design else sample
    merged = precision.find_merged(kept, layer.scale_sparse(sample))
    design.merged = [design.names[place] for place in np.flatnonzero(merged)]
    layer.notes = (
        "sparse columns are divided by their largest absolute values, not shifted",
        *design.write_notes(),
    )
    return layer


def _learn_image_rescaling(data: Data) -> ImageRescaling:
    about, features = data.description, data.train.features
    least, largest = find_range(features)
    if largest - least < SMALLEST[about.columns[0].dtype]:
        raise InputError(
            f"{about.source}: every pixel of the training images is {least:g}; there "
            "is nothing to learn"
        )
    layer = ImageRescaling(about.image_shape)
    layer.build((None, features.shape[1]))
    layer.least.assign(least)
    layer.largest.assign(largest)
    layer.output_names = tuple(column.name for column in about.columns)
    size = " × ".join(map(str, about.image_shape))
    layer.notes = (
        f"images of {size}: values from {least:g} to {largest:g} are brought to 0 to 1",
    )
    return layer
