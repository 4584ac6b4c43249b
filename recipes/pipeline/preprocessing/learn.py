"""From raw columns to the numbers that a model takes.

`learn_preprocessing` learns from the training rows how to fill blanks, code categories,
drop what does not vary and standardise the rest. `build_serving_model` puts the
result, and for a table the names and categories of its columns, in front of a trained
model.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from layers.image_rescaling import ImageRescaling
from layers.raw_columns import RawColumns
from layers.serving_model import ServingModel
from recipes.errors import InputError
from recipes.pipeline.datasets import Data, Description
from recipes.pipeline.preprocessing.design_matrix import (
    SMALLEST,
    DesignMatrix,
    find_range,
    iterate_columns,
)


def learn_preprocessing(data: Data, *, images: bool = False) -> Any:
    """Learns the preprocessing of a data set from its training rows.

    Each numeric column has its blanks filled by its median. Each categorical column
    becomes an output of 0 and 1 for every level but the commonest, which is the
    reference, as are blanks and unknown levels. What is constant over the training
    rows is dropped. All outputs are brought to mean 0 and standard deviation 1.

    Medians are exact, means and variances are computed in float64. A dense matrix is
    copied some columns at a time, a sparse one once by its stored entries.

    Args:
        data: The data set; only `data.train` and `data.description` are looked at.
        images: Whether rows that are images become images, all pixels brought to the
            range from 0 to 1 together. Other data are not changed by it.

    Returns:
        A built layer, `Preprocessing` `[b, d]` → `[b, p]`, float32; for images
        `ImageRescaling`, `[b, d]` or `[b, h, w]` → `[b, h, w]`, or `[b, h, w, c]`
        likewise. Besides what every such layer has, `output_names` (p names, as "age"
        or "sex=female") and `notes` (what was dropped and filled, in words); neither
        is saved with it.

    Raises:
        InputError: A column holds infinity or nothing but blanks in the training
            rows, or no column varies over them.
    """
    if images and data.description.image_shape:
        return _learn_image_rescaling(data)
    features = data.train.features
    columns = data.description.columns
    design = DesignMatrix()
    for number, (column, (values, zeros)) in enumerate(
        zip(columns, iterate_columns(features), strict=True)
    ):
        present = values[~np.isnan(values)]
        if not len(present) + zeros:
            raise InputError(
                f"{data.description.source}: column {column.name!r}: all "
                f"{features.shape[0]} training rows are blank; remove the column"
            )
        blanks = len(values) - len(present)
        if column.kind == "categorical":
            design.add_categorical(number, column, present, blanks)
        elif np.isinf(present).any():
            raise InputError(
                f"{data.description.source}: column {column.name!r}: holds infinity; "
                "values should be finite or blank"
            )
        else:
            design.add_numeric(number, column, present, zeros, blanks)
    if not design.names:
        raise InputError(
            f"{data.description.source}: no column varies over the training rows"
        )
    return design.build_layer()


def build_serving_model(
    description: Description, preprocessing: Any, model: Any
) -> ServingModel:
    """Puts raw inputs and the preprocessing in front of a model.

    Args:
        description: Names and kinds of the raw columns.
        preprocessing: The built preprocessing.
        model: Layer or model from what the preprocessing gives to its predictions.

    Returns:
        A built model. For a table its input is a dict with one tensor `[b]` per
        column under the column's name (string for categorical columns, float32 for
        the others); for `ImageRescaling` images `[b, h, w]` or `[b, h, w, c]` float32;
        otherwise a matrix `[b, d]` float32. It returns what `model` does.
    """
    raw_columns = None
    if description.tabular:
        raw_columns = RawColumns(
            [column.name for column in description.columns],
            {
                column.name: column.levels
                for column in description.columns
                if column.kind == "categorical"
            },
        )
    serving = ServingModel(
        preprocessing,
        model,
        len(description.columns),
        raw_columns,
        getattr(preprocessing, "image_shape", ()),
        name="serving",
    )
    # Called once, so that everything in it is built.
    serving(
        tf.nest.map_structure(
            lambda spec: tf.zeros((1, *spec.shape[1:]), spec.dtype),
            serving.signature(),
        )
    )
    return serving


def _learn_image_rescaling(data: Data) -> ImageRescaling:
    about, features = data.description, data.train.features
    least, largest = find_range(features)
    if largest - least < SMALLEST:
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
