"""What `predict` of the models takes, and what it refuses, in one line."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import sparse

from recipes.checks.prediction import ChecksRows


class Total(ChecksRows, keras.Model):
    """The sum of a row of three."""

    row_shape = (3,)

    def call(self, inputs):
        return tf.reduce_sum(inputs, axis=1, keepdims=True)


class Frame:
    """A data frame, as NumPy sees it."""

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return np.array(self.values, dtype)


MODEL = Total()
ROWS = np.arange(15, dtype="float32").reshape(5, 3)
EXPECTED = ROWS.sum(axis=1, keepdims=True)


def batches(*parts, size=2):
    return tf.data.Dataset.from_tensor_slices(parts if parts[1:] else parts[0]).batch(
        size
    )


@pytest.mark.parametrize(
    "rows",
    [
        ROWS.tolist(),
        ROWS.astype("float64"),
        ROWS.astype("uint8"),
        ROWS.astype(object),
        tf.constant(ROWS),
        sparse.csr_matrix(ROWS),
        sparse.coo_array(ROWS),
        Frame(ROWS.astype(object)),
        np.ma.array(ROWS),
    ],
    ids=lambda rows: type(rows).__name__,
)
def test_every_form_of_rows(rows):
    np.testing.assert_array_equal(MODEL.predict(rows, verbose=0), EXPECTED)
    np.testing.assert_array_equal(MODEL.predict_on_batch(rows), EXPECTED)


def test_datasets():
    for dataset in (
        batches(ROWS),
        batches(ROWS, np.ones(5)),
        batches(ROWS, np.ones(5), np.ones(5)),
        batches(ROWS.astype("float64"), size=5),
    ):
        np.testing.assert_array_equal(MODEL.predict(dataset, verbose=0), EXPECTED)
    repeated = MODEL.predict(batches(ROWS, size=5).repeat(), steps=2, verbose=0)
    np.testing.assert_array_equal(repeated, np.tile(EXPECTED, (2, 1)))


def changed(value, dtype="float64"):
    rows = ROWS.astype(dtype)
    rows[4, 1] = value
    return rows


WRONG = {
    "a row": (ROWS[0], "should have shape [n, 3]", "[3]"),
    "no rows": (ROWS[:0], "with n of 1 or more", "[0, 3]"),
    "narrow": (ROWS[:, :2], "should have shape [n, 3]", "[5, 2]"),
    "wide": (np.ones((5, 4)), "should have shape [n, 3]", "[5, 4]"),
    "deep": (ROWS[..., np.newaxis], "should have shape [n, 3]", "[5, 3, 1]"),
    "NaN": (changed(np.nan), "should be finite", "NaN"),
    "infinite": (changed(-np.inf), "should be finite", "infinity"),
    "too large for float32": (changed(1e300), "should be finite", "infinity"),
    "complex": (changed(1j, complex), "should hold numbers", "complex128"),
    "text": (ROWS.astype(str).astype(object), "should hold numbers", "text"),
    "dates": (ROWS.astype(int).astype("M8[s]"), "should hold numbers", "datetime64"),
    "missing": (changed(None, object)[:, :2], "should have shape", "[5, 2]"),
}


@pytest.mark.parametrize(("rows", "wanted", "received"), WRONG.values(), ids=WRONG)
def test_wrong_rows(rows, wanted, received):
    for ask in (
        lambda: MODEL.predict(rows, verbose=0),
        lambda: MODEL.predict_on_batch(rows),
    ):
        assert_refused(ask, wanted, received)


@pytest.mark.parametrize(
    ("rows", "wanted", "received"),
    [
        case
        for name, case in WRONG.items()
        if name not in {"a row", "no rows", "missing", "dates"}
    ],
)
def test_wrong_rows_in_a_dataset(rows, wanted, received, capfd):
    """The sentence alone, without the trace that TensorFlow prints."""
    dataset = batches(rows, size=5)
    assert_refused(lambda: MODEL.predict(dataset, verbose=0), wanted, received)
    if rows.dtype == "float64" and rows.shape == ROWS.shape:
        late = batches(ROWS.astype("float64"), size=5).concatenate(dataset)
        assert_refused(lambda: MODEL.predict(late, verbose=0), wanted, received)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("rows", "wanted", "received"),
    [
        ((row for row in ROWS), "should be an array or a `tf.data.Dataset`", "gener"),
        (np.ma.array(ROWS, mask=ROWS > 3), "should hold numbers", "masked values"),
        ([[1.0, 2.0, 3.0], [4.0]], "of one size", "inhomogeneous"),
        ([[10**400, 1, 2]], "should hold numbers", "too large"),
        ({"a": ROWS}, "should hold numbers", "dict"),
        (None, "should have shape [n, 3]", "[]"),
        (tf.data.Dataset.from_tensor_slices(ROWS), "`dataset.batch(32)`", "[3]"),
        (batches({"a": ROWS}, ROWS), "one dense tensor", "a dict"),
        (batches((ROWS, ROWS), ROWS), "one dense tensor", "a tuple"),
        (batches(ROWS).take(0).filter(lambda _: True), "at least one batch", ""),
    ],
)
def test_other_things(rows, wanted, received):
    assert_refused(lambda: MODEL.predict(rows, verbose=0), wanted, received)


def assert_refused(ask, wanted, received):
    with pytest.raises(ValueError) as caught:
        ask()
    message = str(caught.value)
    assert "\n" not in message
    assert wanted in message
    assert received in message


def test_calling_the_model_is_plain_keras():
    assert np.isnan(MODEL(changed(np.nan))[4, 0])
    function = tf.function(MODEL.call)
    np.testing.assert_array_equal(function(tf.constant(ROWS)), EXPECTED)
