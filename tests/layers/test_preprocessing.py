"""`Preprocessing`, with weights set by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from layers.preprocessing import Preprocessing
from tests.layer_contract import check_layer

NAN = np.nan
ROWS = np.array([[1, 0], [NAN, 1], [5, NAN], [9, 2]], "float32")


def set_up(layer):
    layer.imputation.median.assign([5.0, NAN])
    if layer.design is not None:
        layer.design.source.assign([0, 1, 1])
        layer.design.level.assign([-1, 1, 2])
    (outputs,) = layer.factor.shape
    layer.factor.assign([0.5, *[4.0] * (outputs - 1)])
    mean = np.arange(1.0, outputs + 1)
    layer.normalization.set_weights([mean, mean**2, np.zeros((), "int32")])
    layer.normalization.finalize_state()


@pytest.mark.parametrize("outputs", [None, 3])
def test_contract(tmp_path, outputs):
    width = outputs or 2
    rows = ROWS if outputs else np.nan_to_num(ROWS)
    design = [(width,), (width,)] if outputs else []
    check_layer(
        Preprocessing,
        {"num_outputs": outputs},
        rows,
        (4, width),
        set_up=set_up,
        non_trainable=[(width,), (2,), *design, (width,), (width,), ()],
        policies=("float32", "float64"),
        weights_dtype="float64",
        tmp_path=tmp_path,
    )


def set_up_wide(layer):
    """Numbers in columns 0 and 2, of which 0 may be blank, and dates in column 1."""
    layer.imputation.median.assign([5.0, 31.0, 0.0])
    layer.indicator.assign([1, 0])
    layer.dates.assign([1])
    if layer.design is not None:
        # The dates' mark and the numbers', the year, the sine of the month, a number.
        layer.design.source.assign([3, 4, 5, 6, 0])


DATES = np.array([[1, 0, 7], [NAN, 365 + 90, 8], [3, NAN, 9]], "float32")


@pytest.mark.parametrize("outputs", [None, 5])
def test_contract_with_blanks_and_dates(tmp_path, outputs):
    width = outputs or 3 + 2 + 11
    design = [(width,), (width,)] if outputs else []
    check_layer(
        Preprocessing,
        {"num_outputs": outputs, "num_indicators": 2, "num_dates": 1},
        DATES,
        (3, width),
        set_up=set_up_wide,
        non_trainable=[(width,), (2,), (1,), (3,), *design, (width,), (width,), ()],
        policies=("float32", "float64"),
        weights_dtype="float64",
        tmp_path=tmp_path,
    )


def test_blanks_and_dates_by_hand():
    layer = Preprocessing(5, 2, 1)
    layer.build((None, 3))
    set_up_wide(layer)
    # 1 January 1970, 1 April 1971, and the median, 1 February 1970
    expected = [[0, 0, 1970, 0, 1], [0, 1, 1971, 1, 5], [1, 0, 1970, 0.5, 3]]
    np.testing.assert_allclose(layer(DATES), expected, rtol=1e-6, atol=1e-6)


def test_config_of_an_earlier_version_is_read():
    config = Preprocessing(3).get_config()
    del config["num_indicators"], config["num_dates"]
    layer = Preprocessing.from_config(config)
    layer.build((None, 2))
    set_up(layer)
    assert layer(ROWS).shape == (4, 3)


def test_values_by_hand():
    layer = Preprocessing(3)
    layer.build((None, 2))
    set_up(layer)
    np.testing.assert_allclose(
        layer(ROWS),
        # (5·½ − 1)/1 where missing; (4·0 − 2)/2 or (4·1 − 2)/2; (0 − 3)/3 or (4 − 3)/3
        [[-0.5, -1, -1], [1.5, 1, -1], [1.5, -1, -1], [3.5, -1, 1 / 3]],
        rtol=1e-6,
    )


def test_center_and_scale_invert_the_layer():
    layer = Preprocessing()
    layer.build((None, 2))
    set_up(layer)
    rows = np.nan_to_num(ROWS)
    assert layer.center.dtype == layer.scale.dtype == np.float64
    np.testing.assert_allclose(
        layer(rows).numpy() * layer.scale + layer.center, rows, rtol=1e-6, atol=1e-6
    )


def test_global_policy_does_not_narrow_raw_columns():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        layer = Preprocessing()
        assert np.isfinite(layer(np.array([[1e6]], "float32"))).all()
        assert layer.compute_dtype == "float32"
    finally:
        keras.config.set_dtype_policy("float32")


def test_free_text_follows_the_columns():
    layer = Preprocessing(1, vocabularies=[["good", "not good"], []])
    layer.build((None, 3))
    layer.design.source.assign([1])
    layer.normalization.set_weights(
        [np.array([1.0]), np.array([4.0]), np.zeros((), "int32")]
    )
    layer.normalization.finalize_state()
    layer.texts[0].inverse_frequency.assign([3.0, 4.0])
    rows = np.array([[NAN, 1, NAN], [NAN, 5, NAN]], "float32")
    texts = tf.constant(["Not good", ""]), tf.constant(["a", "b"])
    expected = [[0, 0.6, 0.8], [2, 0, 0]]
    np.testing.assert_allclose(layer(rows, texts), expected, rtol=1e-6)
    assert layer.compute_output_shape((None, 3)) == (None, 3)
    np.testing.assert_array_equal(layer.center, [1, 0, 0])
    np.testing.assert_array_equal(layer.scale, [2, 1, 1])
    with pytest.raises(ValueError, match="`texts` should be given, or `known_texts`"):
        layer(rows)
    # As places among the texts that are known.
    layer.known_texts = (0, tf.constant(["x", "not good"])), (2, tf.constant(["a"]))
    places = np.array([[1, 1, 0], [NAN, 5, 0]], "float32")
    np.testing.assert_array_equal(layer(places), layer(rows, texts))
    again = Preprocessing.from_config(layer.get_config())
    again.build((None, 3))
    again.set_weights(layer.get_weights())
    again.normalization.finalize_state()
    np.testing.assert_array_equal(again(rows, texts), layer(rows, texts))


def test_free_text_alone():
    layer = Preprocessing(0, vocabularies=[["good"]])
    layer.build((None, 1))
    texts = (tf.constant(["bad", "good"]),)
    rows = np.full((2, 1), NAN, "float32")
    np.testing.assert_array_equal(layer(rows, texts), [[0], [1]])
    assert layer.num_terms == 1 and layer.compute_output_shape((2, 1)) == (2, 1)
