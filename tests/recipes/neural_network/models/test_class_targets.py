"""Class targets of every kind, and refusals of bad data and arguments."""

import numpy as np
import pytest
import tensorflow as tf
from sklearn.utils.class_weight import compute_sample_weight

from recipes.neural_network.models.classifier import MultilayerPerceptronClassifier
from tests.recipes.neural_network.fitting import (
    assert_same,
    fit,
    make_dataset,
    make_images,
    make_network,
    make_rows,
)

NAMES = np.array(["a", "b & c", "größer"])


@pytest.fixture(scope="module")
def plain():
    """Rows of three classes 0, 1, 2 and a model fitted to them."""
    x, y = make_rows("three")
    return x, y, fit(make_network("three"), x, y, batch_size=8, epochs=2, shuffle=False)


@pytest.mark.parametrize(
    "kind",
    ["negative", "float", "names", "bytes", "objects", "column", "one-hot", "list"],
)
def test_labels_of_any_kind(plain, kind):
    x, y, _ = plain
    labels, classes = {
        "negative": (y - 5, [-5, -4, -3]),
        "float": (y.astype("float32") * 7, [0, 7, 14]),
        "names": (NAMES[y], NAMES),
        "bytes": (NAMES[y].astype(object), NAMES),
        "objects": (np.array([n.encode() for n in NAMES[y]]), NAMES),
        "column": (y[:, None].astype("uint8"), [0, 1, 2]),
        "one-hot": (np.eye(3)[y], [0, 1, 2]),
        "list": (NAMES[y].tolist(), NAMES),
    }[kind]
    model = make_network("three")
    data = model.prepare_training(x, labels, None)
    assert np.array_equal(model.classes, classes)
    for held in data, model.prepare_evaluation(x, labels, None):
        (batch,) = model.batch_rows(held, 20, None)
        np.testing.assert_array_equal(batch[0], x)
        np.testing.assert_array_equal(model.encode_targets(batch[1]), np.eye(3)[y])


def test_string_labels_train_the_same_model(plain):
    x, y, expected = plain
    model = make_network("three")
    history = model.fit(
        x, NAMES[y], 8, 2, verbose=0, shuffle=False, validation_data=(x, NAMES[y])
    ).history
    assert_same(model.get_weights(), expected.get_weights(), 1e-12)
    score = expected.evaluate(x, y, verbose=0, return_dict=True)
    assert model.evaluate(x, NAMES[y], verbose=0, return_dict=True) == score
    assert history["val_accuracy"][-1] == pytest.approx(score["accuracy"])
    named = model.predict_classes(x, verbose=0)
    assert np.array_equal(named, NAMES[predict_index(expected, x)])


@pytest.mark.parametrize("kind", ["numbers", "names", "one-hot", "column"])
def test_labels_of_datasets(plain, kind):
    x, y, expected = plain
    labels = {
        "numbers": y,
        "names": NAMES[y],
        "one-hot": np.eye(3)[y],
        "column": y[:, None],
    }[kind]
    model = make_network("three")
    data = model.prepare_training(make_dataset(x, labels), None, None)
    batches = list(model.batch_rows(data, 8))
    assert [len(x) for x, _ in batches] == [8, 8, 4]
    found = np.concatenate([model.encode_targets(y) for _, y in batches])
    np.testing.assert_array_equal(found, np.eye(3)[y])
    score = expected.evaluate(x, y, verbose=0)
    model.set_weights(expected.get_weights())
    assert model.evaluate(make_dataset(x, labels), verbose=0) == score


def test_class_weights_by_name(plain):
    x, y, _ = plain
    one, other = make_network("three"), make_network("three")
    weights = one.prepare_training(x, y, None, {2: 3.0}).weight
    named = other.prepare_training(x, NAMES[y], None, {"größer": 3.0}).weight
    np.testing.assert_array_equal(weights, named)
    assert weights.mean() == pytest.approx(1)
    assert weights[y == 2] == pytest.approx(3 * weights[y == 0][0])


def test_balanced_classes_count_every_row_once(plain):
    x, y, _ = plain
    s = np.where(np.arange(len(y)) % 3 == 0, 0.0, 1 + y)
    for rows in ((x, y, s), (make_dataset(x, y, s), None, None)):
        model = make_network("three")
        data = model.prepare_training(*rows, class_weight="balanced")
        found = data.weight
        if rows[1] is None:
            found = np.concatenate([batch[2] for batch in data.x.as_numpy_iterator()])
        expected = s * compute_sample_weight("balanced", y)
        np.testing.assert_allclose(found, expected / expected.mean(), rtol=1e-6)


def test_two_classes_have_one_score():
    x, y = make_rows("two")
    model = fit(make_network("two"), x, np.array(["yes", "no"])[y], epochs=20)
    assert list(model.classes) == ["no", "yes"]
    scores = model.predict(x, verbose=0)
    probabilities = model.probabilities(x).numpy()
    assert scores.shape == (20, 1)
    np.testing.assert_allclose(probabilities[:, 1], 1 / (1 + np.exp(-scores[:, 0])))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    named = model.predict_classes(x, verbose=0)
    assert np.array_equal(named == "yes", scores[:, 0] > 0)
    assert np.mean(named == np.array(["yes", "no"])[y]) > 0.8


def test_probabilities_are_the_softmax(plain):
    x, _, model = plain
    scores = model.predict(x, verbose=0).astype(float)
    expected = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.probabilities(x), expected, rtol=1e-5)


def test_distributions_as_targets():
    """Soft labels: the loss is their cross-entropy."""
    x, y = make_rows("three")
    p = 0.5 * np.eye(3)[y] + 0.5 * np.eye(3)[(y + 1) % 3]
    model = fit(make_network("three", learning_rate=1e-12), x, p, epochs=1)
    q = model.probabilities(x).numpy()
    expected = -(p * np.log(q)).sum(axis=1).mean()
    scores = model.evaluate(x, p, verbose=0, return_dict=True)
    assert scores["loss"] == pytest.approx(expected, rel=1e-5)


def test_label_smoothing_acts_only_in_training():
    for kind, k in (("three", 3), ("two", 2)):
        x, y = make_rows(kind)
        model = make_network(kind, label_smoothing=0.3, learning_rate=1e-12)
        history = model.fit(x, y, 8, 1, verbose=0, validation_data=(x, y))
        q = model.probabilities(x).numpy()
        p = np.eye(k)[y]
        for name, truth in (("loss", 0.7 * p + 0.3 / k), ("val_loss", p)):
            expected = -(truth * np.log(q)).sum(axis=1).mean()
            assert history.history[name] == pytest.approx([expected], rel=1e-6)


def test_classes_can_be_given():
    x, y = make_rows("two")
    model = fit(
        make_network("three", classes=["c", "a", "b"]),
        x,
        np.array(["a", "c"])[y],
        epochs=1,
    )
    assert list(model.classes) == ["a", "b", "c"]
    assert model.predict(x, verbose=0).shape == (20, 3)
    model.prepare_training(x, np.array(["a", "b"])[y], None)
    assert list(model.classes) == ["a", "b", "c"]


def predict_index(model, x):
    return model.predict(x, verbose=0).argmax(axis=1)


# Refusals ----------------------------------------------------------------------------

X, Y = make_rows("three")
NAN = np.where(np.arange(60).reshape(20, 3) == 30, np.nan, X)


@pytest.mark.parametrize(
    ("x", "y", "arguments", "words"),
    [
        (X, np.zeros(20), {}, r"at least two classes.*\[0.0\]"),
        (X, Y, {"sample_weight": (Y == 1) * 1.0}, r"at least two classes.*\[1\] alone"),
        (X, Y + 0.5, {}, "labels: integers or strings. Received: fractions or NaN"),
        (X, None, {}, "`y` should be given"),
        (X, [1, "1"] * 10, {}, "of one type: integers or strings. Received: a mixture"),
        (X, ["a", np.nan] * 10, {}, "a mixture of Number, str"),
        (X, [True, 1, 0, 2] * 5, {}, "a mixture of Number, bool"),
        (X, Y[:-1], {}, r"`y` should have shape \[20\].*Received: \[19\]"),
        (X, 0.4 * np.eye(3)[Y], {}, "distribution over the classes"),
        (NAN, Y, {}, "`x` should be finite"),
        (make_dataset(NAN, Y), None, {}, "`x` should be finite"),
        (X[:, 0], Y, {}, r"`x` should have shape.*Received: \[20\]"),
        (X[:0], Y[:0], {}, r"Received: \[0, 3\]"),
        ([[1.0, 2.0], [3.0]], [0, 1], {}, "rows, or images, of one size"),
        ([np.ones((8, 8)), np.ones((8, 9))], [0, 1], {}, "images, of one size"),
        ([["a", "b"]] * 2, [0, 1], {}, "`x` should hold numbers"),
        (X, Y, {"sample_weight": -np.ones(20)}, "`sample_weight` should be finite and"),
        (X, Y, {"sample_weight": np.zeros(20)}, "not be zero for all"),
        (X, Y, {"sample_weight": np.ones(3)}, r"`sample_weight` should have shape"),
        (X, Y, {"class_weight": {7: 1.0}}, r"the labels \[0, 1, 2\]. Received: 7"),
        (X, Y, {"class_weight": {1: -1.0}}, r"a number above 0. Rec.*\[1\]=-1.0"),
        (X, Y, {"class_weight": {1: "much"}}, r"a number above 0. Rec.*\[1\]='much'"),
        (X, Y, {"class_weight": "even"}, '"balanced" or None'),
        (X, Y, {"epochs": 0}, "`epochs` should be a whole number from 1"),
        (X, Y, {"batch_size": 1.5}, "`batch_size` should be a whole"),
        (make_dataset(X, Y), Y, {}, "should be omitted where `x` is a dataset"),
        (make_dataset(X, Y).repeat(), None, {}, "The dataset should end"),
        (make_dataset(X, Y).take(0), None, {}, "at least one batch"),
        (make_dataset(X), None, {}, r"should give \(x, y\)"),
        (X, Y, {"validation_data": (X, Y + 1)}, r"the labels \[0, 1, 2\]. Received: 3"),
    ],
)
def test_bad_data_are_refused(x, y, arguments, words):
    with pytest.raises(ValueError, match=words) as raised:
        fit(make_network("three"), x, y, **arguments)
    assert "\n" not in str(raised.value)


def test_labels_out_of_range_are_refused(plain):
    x, y, model = plain
    words = r"the labels \[0, 1, 2\]. Received: 9 in 1 of 20 rows"
    wrong = np.where(np.arange(20) == 4, 9, y)
    for act in (model.fit, model.evaluate):
        with pytest.raises(ValueError, match=words):
            act(x, wrong)
        with pytest.raises(ValueError, match=words):
            act(make_dataset(x, wrong))
    with pytest.raises(ValueError, match="Received: 'a'"):
        model.fit(x, NAMES[y])
    with pytest.raises(
        ValueError, match=r"3 columns, one for each class\. Received: 4"
    ):
        model.evaluate(x, np.eye(4)[y])


def test_images_of_unequal_size_in_a_dataset_are_refused():
    def batches():
        for size in (8, 9):
            yield np.zeros((2, size, 8), "float32"), np.array([0, 1])

    spec = (tf.TensorSpec((None, None, 8), tf.float32), tf.TensorSpec((None,)))
    data = tf.data.Dataset.from_generator(batches, output_signature=spec)
    with pytest.raises(ValueError, match=r"of one size. Received: \[8, 8\] and \[9, 8"):
        fit(make_network("three"), data)


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (X, r"images \[n, h, w\].*Received rows of shape: \[3\]"),
        (
            make_images(h=3)[0],
            r"at least 4 × 4 pixels. Received rows of shape: \[3, 8\]",
        ),
    ],
)
def test_rows_other_than_images_are_refused_by_the_cnn(x, words):
    with pytest.raises(ValueError, match=words):
        fit(make_network("three", architecture="cnn"), x, np.arange(len(x)) % 3)


def test_bad_regression_targets_are_refused():
    x, y = make_rows("numbers")
    for bad, words in (
        (np.where(y > 100, np.nan, y), "`y` should be finite"),
        (NAMES[Y], "one number per row. Received: <U6"),
        (np.stack([y, y], axis=1), r"one number per row.*\[20, 2\]"),
    ):
        with pytest.raises(ValueError, match=words):
            fit(make_network("numbers"), x, bad)
    with pytest.raises(ValueError, match="`class_weight` should be omitted"):
        fit(make_network("numbers"), x, y, class_weight="balanced")


def test_use_before_fit_is_refused():
    model = MultilayerPerceptronClassifier()
    for act in (model.predict, model.evaluate, lambda x: model.inference_model()):
        with pytest.raises(ValueError, match="not fitted yet: call `fit`"):
            act(X)
    with pytest.raises(ValueError, match=r"call `fit`, or give `classes`"):
        model.build((None, 3))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            {"hidden_sizes": (0,)},
            r"`hidden_sizes` should be whole numbers from 1.*\(0,\)",
        ),
        ({"hidden_sizes": 128}, "`hidden_sizes` should be whole numbers"),
        ({"architecture": "rnn"}, "`architecture` should be perceptron or cnn"),
        ({"activation": "reluu"}, "`activation` should be the name"),
        ({"dropout": 1.0}, "`dropout` should be a number from 0 and below 1"),
        ({"label_smoothing": -0.1}, "`label_smoothing` should be a number from 0"),
        ({"l2": -1}, "`l2` should be a number from 0"),
        ({"noise": np.nan}, "`noise` should be"),
        ({"shift": 0.5}, "`shift` should be a whole number from 0"),
        ({"seed": -1}, "`seed` should be a whole number from 0"),
        ({"optimizer": "sgdd"}, "name of a Keras optimiser"),
        ({"optimizer": "adam", "momentum": 0.9}, "`momentum` should be 0 with"),
        ({"nesterov": True}, "`nesterov` should be used with a momentum"),
        ({"learning_rate": 0}, "`learning_rate` should be a number above 0 or auto"),
        ({"schedule": "linear"}, "`schedule` should be constant or cosine"),
        ({"classes": ["a"]}, "at least two classes, each named once"),
        ({"classes": [1, 2, 1]}, "at least two classes, each named once"),
        ({"classes": [1, "1"]}, "a mixture of Number, str"),
    ],
)
def test_bad_arguments_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        MultilayerPerceptronClassifier(**arguments)


def test_a_loss_is_refused():
    with pytest.raises(ValueError, match="`loss` should be omitted"):
        make_network("two").compile(loss="mse")
