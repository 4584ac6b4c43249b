"""`RawColumns`."""

import numpy as np
import pytest
import tensorflow as tf

from layers.raw_columns import RawColumns
from tests.layer_contract import check_layer

NAN = np.nan
LEVELS = {"sex": ["female", "male"], "city": ["Ürümqi"]}


def test_contract(tmp_path):
    check_layer(
        RawColumns,
        {"names": ["age", "sex", "city"], "levels": LEVELS},
        {
            "age": np.array([40, 50, 60], "float32"),
            "sex": np.array(["male", "female", "male"]),
            "city": np.array(["Ürümqi", "Ürümqi", "Ürümqi"]),
        },
        (3, 3),
        policies=("float32", "float64"),
        tmp_path=tmp_path,
    )


def test_unknown_and_missing_levels_are_nan():
    layer = RawColumns(["sex", "age"], {"sex": ["female", "male"]})
    output = layer(
        {
            "age": np.array([1, NAN, 3, 4]),
            "sex": tf.constant(["male", "", "diverse", "female"]),
        }
    )
    np.testing.assert_array_equal(output, [[1, 1], [NAN, NAN], [NAN, 3], [0, 4]])


def test_blanks_around_texts_do_not_matter():
    layer = RawColumns(["sex"], {"sex": ["female", " male"]})
    output = layer({"sex": tf.constant([" female", "male\t", " male", "ma le"])})
    np.testing.assert_array_equal(output[:, 0], [0, 1, 1, NAN])


def test_float64_columns_keep_their_digits():
    layer = RawColumns(["time", "sex"], {"sex": ["female", "male"]}, ["time"])
    time = 1_700_000_000 + np.arange(3.0)
    output = layer({"time": time, "sex": tf.constant(["male"] * 3)})
    np.testing.assert_array_equal(output, np.stack([time, np.ones(3)], axis=1))


def test_numbers_of_any_type_are_accepted():
    layer = RawColumns(["a", "b"])
    output = layer({"b": np.array([1, 2]), "a": np.array([True, False])})
    np.testing.assert_array_equal(output, [[1, 1], [0, 2]])


def test_columns_have_the_order_of_names():
    layer = RawColumns(["z", "a"])
    assert layer({"a": np.array([1.0]), "z": np.array([2.0])}).numpy().tolist() == [
        [2, 1]
    ]


@pytest.mark.parametrize("names", [[], ["a", "a"]])
def test_bad_names_are_refused(names):
    with pytest.raises(ValueError, match="`names` should be different names"):
        RawColumns(names)


def test_levels_of_an_unknown_column_are_refused():
    with pytest.raises(ValueError, match="`levels` should be given for columns"):
        RawColumns(["a"], {"b": ["x"]})


def test_float64_of_other_than_numeric_columns_is_refused():
    for name in ("sex", "b"):
        with pytest.raises(ValueError, match="`float64` should be names of numeric"):
            RawColumns(["a", "sex"], {"sex": ["x"]}, [name])


def test_missing_column_is_refused():
    with pytest.raises(ValueError, match=r"Received: inputs without \['b'\]"):
        RawColumns(["a", "b"])({"a": np.array([1.0])})
