"""Preprocessing of columns, learned from the training rows."""

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from recipes.errors import InputError
from recipes.pipeline.preprocessing import design_matrix, learn
from tests.recipes.pipeline.preprocessing.data_sets import NAN, data_of


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


def test_unchanged_numeric_columns_need_no_design():
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
    blank = np.array([0, 0, 1, 0, 1.0])
    assert layer.output_names == ("x0", "x0=(blank)")
    expected = np.stack([filled, blank], axis=1)
    np.testing.assert_allclose(layer.center, expected.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(layer.scale, expected.std(axis=0), rtol=1e-6)
    np.testing.assert_allclose(
        output * layer.scale + layer.center, expected, rtol=1e-6, atol=1e-6
    )
    assert layer.notes == (
        "2 blanks in the training rows, filled with the median and marked by an input "
        "of their own: 2 in 'x0'",
    )


def test_even_count_takes_the_mean_of_the_two_in_the_middle():
    layer = learn.learn_preprocessing(data_of([[4], [1], [2], [100], [NAN]]))
    assert layer.imputation.median.numpy().tolist() == [3.0]


def test_blank_is_filled_where_training_had_none():
    layer, output = output_of(data_of([[1], [2], [6]]), np.array([[NAN]], "float32"))
    np.testing.assert_allclose(output[0, 0], (2 - layer.center[0]) / layer.scale[0])


def test_categories_are_one_hot_except_the_commonest():
    rows = [[0], [1], [1], [2], [4]]
    data = data_of(rows, categorical={0: ("a", "b", "c", "d", "")})
    layer, output = output_of(data)
    assert layer.output_names == ("x0=a", "x0=c", "x0=(blank)")
    raw = output * layer.scale + layer.center
    expected = [[1, 0, 0], [0, 0, 0], [0, 0, 0], [0, 1, 0], [0, 0, 1]]
    np.testing.assert_allclose(raw, expected, atol=1e-6)
    np.testing.assert_allclose(output.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(output.std(axis=0), 1, rtol=1e-6)
    assert layer.notes == (
        "levels that no training row has: 'x0=d'",
        "1 blanks in the training rows, a level of their own: 1 in 'x0'",
    )


def test_a_level_that_no_training_row_has_is_as_the_commonest():
    data = data_of([[0], [1], [1]], categorical={0: ("a", "b")})
    layer = learn.learn_preprocessing(data)
    unknown, commonest = layer(np.array([[NAN], [1]], "float32")).numpy()
    np.testing.assert_array_equal(unknown, commonest)


def test_constant_columns_are_dropped_and_noted():
    rows = [[7, 1, 0], [7, 2, 0], [7, 3, 0]]
    layer, output = output_of(data_of(rows, categorical={2: ("only",)}))
    assert layer.output_names == ("x1",)
    assert output.shape == (3, 1)
    assert layer.notes[0] == "dropped, the same in all training rows: 'x0', 'x2'"


def test_of_one_value_and_blanks_the_blanks_are_kept():
    rows = [[NAN, 0], [3, 0], [3, 1]]
    layer, output = output_of(data_of(rows, categorical={1: ("only", "")}))
    assert layer.output_names == ("x0=(blank)", "x1=(blank)")
    raw = output * layer.scale + layer.center
    np.testing.assert_allclose(raw, [[1, 0], [0, 0], [0, 1]], atol=1e-6)


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
def test_bad_columns_are_refused(rows, message):
    with pytest.raises(InputError, match=f"rows.csv: {message}"):
        learn.learn_preprocessing(data_of(rows))


@pytest.mark.parametrize("unit", [1e-30, 1e-12, 1e-8, 1e-6, 1.0, 1e6, 1e18, 1e30])
@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_any_unit_is_scaled_to_deviation_1(unit, offset):
    rng = np.random.default_rng(0)
    rows = ((rng.normal(size=(2000, 1)) + offset) * unit).astype("float32")
    layer, output = output_of(data_of(rows))
    output = output.astype("float64")
    assert abs(output.std() - 1) < 1e-5
    # Only the rounding error of float32 remains of the column's mean.
    assert abs(output.mean()) < 1e-6 + 1e-7 * offset
    # The reported center and scale are those applied, up to rounding.
    np.testing.assert_allclose(
        output, (rows - layer.center) / layer.scale, rtol=1e-5, atol=1e-5
    )


def test_units_far_apart_in_one_matrix():
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
    # A valid column, so that the data are not refused because of the others.
    good = np.arange(len(rows), dtype="float32")[:, None]
    rows = np.hstack([rows[:, ~np.isnan(rows).all(axis=0)], good])
    rows = np.vstack([rows, rows[:1] + np.float32(1)])
    medians = np.nanmedian(rows.astype("float64"), axis=0)
    names, expected = [], []
    for j, column in enumerate(rows.T.astype("float64")):
        filled = np.where(np.isnan(column), medians[j], column)
        if np.ptp(filled) >= np.finfo("float32").tiny:
            names.append(f"x{j}")
            expected.append(filled)
        if np.isnan(column).any():
            names.append(f"x{j}=(blank)")
            expected.append(np.isnan(column).astype("float64"))
    expected = np.stack(expected, axis=1)
    for form in (rows, scipy.sparse.csr_array(rows)):
        layer = learn.learn_preprocessing(data_of(form))
        np.testing.assert_array_equal(layer.imputation.median.numpy(), medians)
        assert layer.output_names == tuple(names)
        np.testing.assert_allclose(layer.scale, expected.std(axis=0), rtol=1e-5)
        error = np.abs(layer.center - expected.mean(axis=0))
        assert (error <= 1e-6 * (np.abs(expected).max(axis=0))).all()
        output = layer(rows).numpy().astype("float64")
        scaled = (expected - layer.center) / layer.scale
        np.testing.assert_allclose(output, scaled, rtol=1e-5, atol=1e-6)


def test_matrix_is_read_in_blocks(monkeypatch):
    rows = np.random.default_rng(2).normal(size=(50, 7)).astype("float32")
    whole = learn.learn_preprocessing(data_of(rows)).get_weights()
    monkeypatch.setattr(design_matrix, "_BLOCK_BYTES", 50 * 4 * 3)
    for a, b in zip(
        whole, learn.learn_preprocessing(data_of(rows)).get_weights(), strict=True
    ):
        np.testing.assert_array_equal(a, b)


def test_the_config_does_not_grow_with_the_data():
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
