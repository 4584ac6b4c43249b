"""Small data sets for tests of preprocessing and export."""

import dataclasses

import numpy as np
import scipy.sparse

from recipes.pipeline.datasets import Column, Data, Description, Examples

NAN = np.nan


def data_of(rows, *, categorical=None, test=None, tabular=True, names=None):
    """Return a data set; `categorical` maps a column's number to its levels."""
    if not scipy.sparse.issparse(rows):
        rows = np.asarray(rows, np.float32)
    names = names or [f"x{number}" for number in range(rows.shape[1])]
    columns = tuple(
        Column(name, "categorical", levels=categorical[number])
        if number in (categorical or {})
        else Column(name)
        for number, name in enumerate(names)
    )
    description = Description(
        "rows", "rows.csv", tabular, columns, Column("y"), "regression"
    )
    train = Examples(rows, np.zeros(rows.shape[0]))
    test = Examples(
        rows if test is None else np.asarray(test, np.float32), train.target
    )
    return Data(train, test, description)


def images_of(pixels):
    """Return a data set of images [n, h, w] or [n, h, w, c]."""
    shape = np.shape(pixels)[1:]
    data = data_of(np.reshape(pixels, (len(pixels), -1)), tabular=False)
    about = dataclasses.replace(data.description, image_shape=shape)
    return dataclasses.replace(data, description=about)


ODD = ["fixed acidity", "price/m²", "class", "self", "Größe", "a_b", "a b", "input_1"]


def odd_table():
    rng = np.random.default_rng(3)
    codes = rng.integers(0, 3, (40, 2))
    rows = rng.normal(size=(40, len(ODD)))
    rows[:, 2], rows[:, 4] = codes[:, 0], codes[:, 1]
    rows[5, 0] = rows[6, 2] = NAN
    levels = {2: ("a", "b", "c"), 4: ("groß", "klein", "")}
    data = data_of(rows, categorical=levels, names=ODD)
    raw = {
        name: (
            np.array(
                ["unheard of" if np.isnan(c) else levels[j][int(c)] for c in rows[:, j]]
            )
            if j in levels
            else rows[:, j].astype("float32")
        )
        for j, name in enumerate(ODD)
    }
    return data, raw


# What Python, TensorFlow or Keras could take for something else or for each other.
NASTY = [
    *("self", "name", "args", "kwargs", "inputs", "features", "training", "mask"),
    *("prediction", "label", "scores", "class", "None", "1st", "_id", "arg__id"),
    *("x y", "x_y", "x  y", "X_Y", "input_0", "input_1", "input_00", "Größe", "中文"),
    *("😀", "👩‍🚀", "ﬁ", "fi", "é", "e\u0301", "price/m²", "a.b", "a/b", "it's", '"'),
    *("a=b", ";", "a\0b", "a\nb", "\t", "\x7f", "x" * 300, "x" * 299 + "y"),
    *("class_name", "config", "module", "registered_name", "shared_object_id"),
    *("build_config", "input_shape", "shapes_dict", "ẞ", "\ufeffid", "\u200b"),
]
