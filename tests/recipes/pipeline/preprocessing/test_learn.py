"""Preprocessing learned from training rows, and raw inputs in front of a model."""

import dataclasses

import keras
import numpy as np
import pytest
import scipy.sparse
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from recipes.errors import InputError
from recipes.pipeline.datasets import Column, Data, Description, Examples
from recipes.pipeline.preprocessing import design_matrix, learn

NAN = np.nan


def data_of(rows, *, categorical=None, test=None, tabular=True, names=None):
    """A data set; `categorical` maps a column's number to its levels."""
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


def output_of(data, rows=None):
    layer = learn.learn_preprocessing(data)
    return layer, np.asarray(layer(data.train.features if rows is None else rows))


def test_standardised_by_hand():
    layer, output = output_of(data_of([[1, 10], [3, 30]]))
    np.testing.assert_allclose(output, [[-1, -1], [1, 1]], rtol=1e-6)
    assert layer.output_names == ("x0", "x1")
    assert layer.notes == ()
    np.testing.assert_allclose(layer.center, [2, 20], rtol=1e-7)
    np.testing.assert_allclose(layer.scale, [1, 10], rtol=1e-7)


def test_numeric_columns_without_work_need_no_design():
    assert learn.learn_preprocessing(data_of([[1, 10], [3, 30]])).design is None


def test_only_training_rows_are_learned_from():
    one = learn.learn_preprocessing(data_of([[1], [3]], test=[[1e9], [NAN]]))
    two = learn.learn_preprocessing(data_of([[1], [3]]))
    for a, b in zip(one.get_weights(), two.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_blanks_become_the_training_median():
    data = data_of([[1], [2], [NAN], [10], [NAN]])
    layer, output = output_of(data)
    filled = np.array([1, 2, 2, 10, 2.0])
    np.testing.assert_allclose(layer.center, filled.mean(), rtol=1e-6)
    np.testing.assert_allclose(layer.scale, filled.std(), rtol=1e-6)
    np.testing.assert_allclose(
        output[:, 0], (filled - filled.mean()) / filled.std(), rtol=1e-6, atol=1e-6
    )
    assert layer.notes == (
        "2 blanks in the training rows, filled with the median of the training rows: "
        "2 in 'x0'",
    )


def test_even_count_takes_the_mean_of_the_two_in_the_middle():
    layer = learn.learn_preprocessing(data_of([[4], [1], [2], [100], [NAN]]))
    assert layer.imputation.median.numpy().tolist() == [3.0]


def test_blank_is_filled_where_training_had_none():
    layer, output = output_of(data_of([[1], [2], [6]]), np.array([[NAN]], "float32"))
    np.testing.assert_allclose(output[0, 0], (2 - layer.center[0]) / layer.scale[0])


def test_categories_are_one_hot_but_for_the_commonest():
    rows = [[0], [1], [1], [2], [NAN]]
    data = data_of(rows, categorical={0: ("a", "b", "c", "d")})
    layer, output = output_of(data)
    assert layer.output_names == ("x0=a", "x0=c")
    raw = output * layer.scale + layer.center
    np.testing.assert_allclose(raw, [[1, 0], [0, 0], [0, 0], [0, 1], [0, 0]], atol=1e-6)
    np.testing.assert_allclose(output.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(output.std(axis=0), 1, rtol=1e-6)
    assert layer.notes == (
        "levels that no training row has: 'x0=d'",
        "1 blanks in the training rows, taken as the commonest level: 1 in 'x0'",
    )


def test_constant_columns_are_dropped_with_a_word():
    rows = [[7, 1, 0, NAN], [7, 2, 0, 3], [7, 3, NAN, 3]]
    layer, output = output_of(data_of(rows, categorical={2: ("only",)}))
    assert layer.output_names == ("x1",)
    assert output.shape == (3, 1)
    assert layer.notes[0] == "dropped, the same in all training rows: 'x0', 'x2', 'x3'"


def test_many_names_are_not_all_listed():
    rows = np.zeros((2, 8))
    rows[0, 0] = 1
    notes = learn.learn_preprocessing(data_of(rows)).notes
    assert notes[0].endswith("'x1', 'x2', 'x3', 'x4', 'x5' and 2 more")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[1, NAN], [2, NAN]], "column 'x1': all 2 training rows are blank"),
        ([[1, np.inf], [2, 0]], "column 'x1': holds infinity"),
        ([[1, 2], [1, 2]], "no column varies over the training rows"),
    ],
)
def test_bad_columns_are_told(rows, message):
    with pytest.raises(InputError, match=f"rows.csv: {message}"):
        learn.learn_preprocessing(data_of(rows))


@pytest.mark.parametrize("unit", [1e-30, 1e-12, 1e-8, 1e-6, 1.0, 1e6, 1e18, 1e30])
@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_any_unit_comes_out_with_deviation_1(unit, offset):
    rng = np.random.default_rng(0)
    rows = ((rng.normal(size=(2000, 1)) + offset) * unit).astype("float32")
    layer, output = output_of(data_of(rows))
    output = output.astype("float64")
    assert abs(output.std() - 1) < 1e-5
    # What float32 cannot tell of the column's mean is all that remains of it.
    assert abs(output.mean()) < 1e-6 + 1e-7 * offset
    # And the told center and scale are those that were applied, to rounding.
    np.testing.assert_allclose(
        output, (rows - layer.center) / layer.scale, rtol=1e-5, atol=1e-5
    )


def test_units_a_million_million_apart_in_one_matrix():
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(1000, 3)) * [1e-6, 1, 1e6] + [0, 0, 1e6]
    _, output = output_of(data_of(rows))
    np.testing.assert_allclose(output.std(axis=0), 1, rtol=1e-5)


def test_a_million_plus_minus_one():
    rows = np.array([[1e6 - 1], [1e6 + 1]] * 1001, "float32")
    layer, output = output_of(data_of(rows))
    np.testing.assert_array_equal(np.abs(output), 1)
    assert (layer.center[0], layer.scale[0]) == (1e6, 1)


numbers = st.floats(-1e6, 1e6, width=32) | st.sampled_from([0.0, 0.0, 0.0, NAN])
matrices = st_numpy.arrays(
    np.float32, st.tuples(st.integers(1, 12), st.integers(1, 5)), elements=numbers
)


@settings(max_examples=60, deadline=None)
@given(matrices)
def test_statistics_match_numpy_dense_and_sparse(rows):
    # A column that no rule of bad input meets keeps the rest from being refused.
    good = np.arange(len(rows), dtype="float32")[:, None]
    rows = np.hstack([rows[:, ~np.isnan(rows).all(axis=0)], good])
    rows = np.vstack([rows, rows[:1] + np.float32(1)])
    medians = np.nanmedian(rows.astype("float64"), axis=0).astype("float32")
    filled = np.where(np.isnan(rows), medians, rows)
    varies = np.ptp(filled.astype("float64"), axis=0) >= np.finfo("float32").tiny
    filled = filled[:, varies].astype("float64")
    for form in (rows, scipy.sparse.csr_array(rows)):
        layer = learn.learn_preprocessing(data_of(form))
        np.testing.assert_array_equal(layer.imputation.median.numpy(), medians)
        assert layer.output_names == tuple(f"x{j}" for j in np.flatnonzero(varies))
        np.testing.assert_allclose(layer.scale, filled.std(axis=0), rtol=1e-5)
        error = np.abs(layer.center - filled.mean(axis=0))
        assert (error <= 1e-6 * (np.abs(filled).max(axis=0))).all()


def test_matrix_is_read_in_blocks(monkeypatch):
    rows = np.random.default_rng(2).normal(size=(50, 7)).astype("float32")
    whole = learn.learn_preprocessing(data_of(rows)).get_weights()
    monkeypatch.setattr(design_matrix, "_BLOCK_BYTES", 50 * 4 * 3)
    for a, b in zip(
        whole, learn.learn_preprocessing(data_of(rows)).get_weights(), strict=True
    ):
        np.testing.assert_array_equal(a, b)


# Images.


def images_of(pixels):
    """A data set of images [n, h, w] or [n, h, w, c]."""
    shape = np.shape(pixels)[1:]
    data = data_of(np.reshape(pixels, (len(pixels), -1)), tabular=False)
    about = dataclasses.replace(data.description, image_shape=shape)
    return dataclasses.replace(data, description=about)


PIXELS = np.random.default_rng(6).integers(-20, 236, (30, 2, 3, 4)).astype("float32")
PIXELS[3, 1, 1, 1], PIXELS[4, 0, 0, 0] = -20, 236


@pytest.mark.parametrize("pixels", [PIXELS, PIXELS[..., 1], PIXELS[..., :1]])
def test_images_are_rescaled_by_their_ends(pixels):
    data = images_of(pixels)
    layer = learn.learn_preprocessing(data, images=True)
    expected = (pixels - pixels.min()) / (pixels.max() - pixels.min())
    for rows in (data.train.features, pixels, pixels[:1], pixels[:0]):
        output = layer(rows)
        assert output.dtype == "float32"
        np.testing.assert_allclose(output, expected[: len(rows)], rtol=1e-6)
    output = np.asarray(layer(pixels))
    assert (output.min(), output.max()) == (0, 1)
    assert layer.output_names == tuple(f"x{j}" for j in range(pixels[0].size))
    size = " × ".join(map(str, pixels.shape[1:]))
    assert layer.notes[0].startswith(f"images of {size}: values from ")


def test_test_images_are_not_learned_from():
    data = images_of(PIXELS)
    data = dataclasses.replace(
        data, test=Examples(data.test.features * 10, data.test.target)
    )
    assert learn.learn_preprocessing(data, images=True).largest.numpy() == 236


def test_images_of_one_value_are_told():
    with pytest.raises(InputError, match="every pixel of the training images is 7;"):
        learn.learn_preprocessing(images_of(np.full((5, 2, 2), 7)), images=True)


def test_who_does_not_ask_for_images_gets_rows():
    data = images_of(PIXELS)
    layer, other = learn.learn_preprocessing(data), data_of(PIXELS.reshape(30, 24))
    for a, b in zip(
        layer.get_weights(), learn.learn_preprocessing(other).get_weights(), strict=True
    ):
        np.testing.assert_array_equal(a, b)
    serving = learn.build_serving_model(data.description, layer, keras.layers.Dense(1))
    assert serving.signature() == tf.TensorSpec((None, 24), tf.float32, "features")
    # And there are no images where there were none.
    table = data_of([[1, 10], [3, 30]], tabular=False)
    assert learn.learn_preprocessing(table, images=True)(np.ones((1, 2))).shape == (
        1,
        2,
    )


def test_serving_images_takes_images():
    data = images_of(PIXELS)
    layer = learn.learn_preprocessing(data, images=True)
    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(2)])
    expected = model(layer(data.train.features))
    serving = learn.build_serving_model(data.description, layer, model)
    assert serving.signature() == tf.TensorSpec((None, 2, 3, 4), tf.float32, "features")
    np.testing.assert_array_equal(serving(PIXELS), expected)
    np.testing.assert_allclose(
        serving.predict(PIXELS.astype("float64"), batch_size=7, verbose=0),
        expected,
        rtol=1e-6,
        atol=1e-6,
    )


# Raw inputs.

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


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_serving_raw_rows_equals_the_training_path(dtype):
    data, raw = odd_table()
    layer = learn.learn_preprocessing(data)
    dense = keras.layers.Dense(1, dtype=dtype)
    expected = dense(layer(data.train.features))
    serving = learn.build_serving_model(data.description, layer, dense)
    output = serving({name: tf.constant(column) for name, column in raw.items()})
    assert output.dtype == dtype
    np.testing.assert_array_equal(output, expected)
    objects = {
        name: column.astype(object) if column.dtype.kind == "U" else column
        for name, column in raw.items()
    }
    np.testing.assert_allclose(
        serving.predict(objects, batch_size=7, verbose=0), expected, rtol=1e-6
    )


def test_serving_an_array_takes_the_matrix():
    data = data_of([[1, 10], [3, 30]], tabular=False)
    layer, dense = learn.learn_preprocessing(data), keras.layers.Dense(1)
    serving = learn.build_serving_model(data.description, layer, dense)
    assert serving.signature() == tf.TensorSpec((None, 2), tf.float32, "features")
    np.testing.assert_array_equal(
        serving(data.train.features), dense(layer(data.train.features))
    )


def test_table_of_300_columns():
    rows = np.random.default_rng(4).integers(0, 2, (10, 300))
    levels = {number: ("no", "yes") for number in range(0, 300, 2)}
    data = data_of(rows, categorical=levels)
    layer = learn.learn_preprocessing(data)
    serving = learn.build_serving_model(data.description, layer, keras.layers.Dense(1))
    assert len(serving.signature()) == 300
    assert serving.signature()["x0"].dtype == tf.string
    assert serving.signature()["x1"].dtype == tf.float32


def test_nothing_learned_is_in_the_config():
    rng = np.random.default_rng(5)
    sizes = [
        len(
            str(
                learn.learn_preprocessing(data_of(rng.normal(size=(9, d)))).get_config()
            )
        )
        for d in (10, 1000)
    ]
    assert abs(sizes[1] - sizes[0]) < 10
