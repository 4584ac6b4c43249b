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


def test_contract_of_texts(tmp_path):
    check_layer(
        RawColumns,
        {
            "names": ["price", "sold", "sex", "rooms"],
            "levels": {"sex": ["female", ""]},
            "formats": {"price": "$1,000.0", "sold": "%d/%m/%Y %H:%M"},
            "na_values": {"price": ["$0"], "sex": ["-"], "rooms": ["-1"]},
        },
        {
            "price": np.array(["$1,234.5", " $2 ", '"$3"']),
            "sold": np.array(["1/2/2024 03:04", "29/02/2024 0:00", "1/1/1970 12:00"]),
            "sex": np.array(["-", "NA", "female"]),
            "rooms": np.array([1, 2, 3], "float32"),
        },
        (3, 4),
        policies=(),
        tmp_path=tmp_path,
    )


def test_every_kind_of_cell():
    layer = RawColumns(
        ["price", "sold", "sex", "rooms"],
        {"sex": ["female", ""]},
        ["sold"],
        {"price": "$1,000.0", "sold": "%d/%m/%Y"},
        {"price": ["$0"], "sex": ["-"], "rooms": ["-1", "unknown"]},
    )
    output = layer(
        {
            "price": tf.constant(["$1,234.5", "$0", "1", "-$0.1"]),
            "sold": tf.constant(["1/2/2024", "30/2/2024", "2024-02-01", "?"]),
            "sex": tf.constant(["-", '" NA "', "female", "male"]),
            "rooms": np.array([1, -1, NAN, 0], "float32"),
        }
    )
    expected = [
        [1234.5, 19754, 1, 1],
        [NAN, NAN, 1, NAN],
        [NAN, NAN, 0, NAN],
        [np.float32(-0.1), NAN, NAN, 0],  # not a float64 column
    ]
    assert output.dtype == tf.float64
    np.testing.assert_array_equal(output, expected)


def test_free_text_is_apart():
    layer = RawColumns(
        ["age", "note", "other"],
        na_values={"note": ["-"]},
        free_texts=["note", "other"],
    )
    inputs = {
        "age": np.array([1, 2, 3, 4], "float32"),
        "note": tf.constant([' "So, so" ', "NA", "-", 'He said\n"no"']),
        "other": tf.constant(["-", "", "None", "null"]),
    }
    np.testing.assert_array_equal(layer(inputs)[:, 0], [1, 2, 3, 4])
    assert np.isnan(layer(inputs)[:, 1:]).all()
    note, other = (each.numpy().tolist() for each in layer.read_texts(inputs))
    assert note == [b"So, so", b"", b"", b'He said\n"no"']
    assert other == [b"-", b"", b"None", b""]
    assert layer.texts == ("note", "other")
    again = RawColumns.from_config(layer.get_config())
    assert again.free_texts == layer.free_texts


@pytest.mark.parametrize("name", ["sex", "price", "time", "height"])
def test_free_text_has_no_other_kind(name):
    with pytest.raises(ValueError, match="`free_texts` should be names of columns"):
        RawColumns(
            ["sex", "price", "time"],
            {"sex": ["female", "male"]},
            ["time"],
            {"price": "$1,000.0"},
            free_texts=[name],
        )


def test_config_of_an_earlier_version_is_read():
    config = RawColumns(["sex", "age"], {"sex": ["None", "-"]}).get_config()
    del config["formats"], config["na_values"]
    layer = RawColumns.from_config(config)
    output = layer({"sex": tf.constant(["-", "None", ""]), "age": np.zeros(3)})
    np.testing.assert_array_equal(output[:, 0], [1, 0, NAN])


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


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"formats": {"c": "%Y"}}, "`formats` should be given for columns"),
        ({"formats": {"sex": "%Y"}}, "`formats` should be given for columns"),
        ({"formats": {"a": "%Q"}}, "%Q is none of %Y"),
        ({"na_values": {"c": ["-"]}}, "`na_values` should be given for columns"),
    ],
)
def test_bad_formats_and_na_values_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        RawColumns(["a", "sex"], {"sex": ["x"]}, **arguments)


def test_levels_that_are_equal_but_for_quotes_are_refused():
    with pytest.raises(ValueError, match="`levels` should differ in more than"):
        RawColumns(["sex"], {"sex": ["x", ' "x"']})


def test_missing_column_is_refused():
    with pytest.raises(ValueError, match=r"Received: inputs without \['b'\]"):
        RawColumns(["a", "b"])({"a": np.array([1.0])})
