"""Gradient, step and epoch against the network in plain numpy."""

import numpy as np
import pytest
import tensorflow as tf

from tests.recipes.neural_network.fitting import (
    KINDS,
    assert_same,
    build,
    fit,
    make_dataset,
    make_images,
    make_network,
    make_reference,
    make_rows,
    make_target,
)

WEIGHT = np.random.default_rng(1).uniform(0, 3, 20)


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
@pytest.mark.parametrize("kind", KINDS)
def test_gradient(kind, activation):
    x, y = make_rows(kind)
    model = build(make_network(kind, activation=activation, l1=0.01, l2=0.02), x, y)
    own, target = make_reference(model), make_target(model, y)
    with tf.GradientTape() as tape:
        loss = model.training_loss(tf.constant(x), tf.constant(y), tf.constant(WEIGHT))
    slopes = tape.gradient(loss, model.trainable_variables)
    np.testing.assert_allclose(loss, own.loss(x, target, WEIGHT), rtol=1e-12)
    expected = [each for layer in own.gradient(x, target, WEIGHT) for each in layer]
    assert_same(slopes, expected, 1e-10)
    assert min(np.abs(slope).max() for slope in expected) > 1e-4


@pytest.mark.parametrize("kind", KINDS)
def test_one_step(kind):
    # The rate 0.25 is exact in float32, in which Keras stores it.
    x, y = make_rows(kind)
    model = build(make_network(kind, learning_rate=0.25), x, y)
    own = make_reference(model)
    before = own.weights
    own.descend([(x, make_target(model, y), WEIGHT)], 0.25)
    logs = model.train_step((tf.constant(x), tf.constant(y), tf.constant(WEIGHT)))
    assert_same([w.numpy() for w in model.trainable_weights], own.weights, 1e-10)
    assert np.abs(own.weights[0] - before[0]).max() > 1e-3
    assert set(logs) == {
        "loss",
        "mean_squared_error" if kind == "numbers" else "accuracy",
    }


@pytest.mark.parametrize(
    ("kind", "from_dataset"), [("three", True), *((kind, False) for kind in KINDS)]
)
def test_one_epoch_with_a_shorter_last_batch(kind, from_dataset):
    x, y = make_rows(kind)
    options = {"momentum": 0.9, "nesterov": kind == "two"}
    model = build(make_network(kind, learning_rate=0.25, **options), x, y)
    own, target = make_reference(model), make_target(model, y)
    scaled = WEIGHT / WEIGHT.mean()
    own.descend(
        [(x[i : i + 8], target[i : i + 8], scaled[i : i + 8]) for i in (0, 8, 16)],
        0.25,
        **options,
    )
    if from_dataset:
        fit(model, make_dataset(x, y, WEIGHT), epochs=1)
    else:
        fit(model, x, y, sample_weight=WEIGHT, batch_size=8, epochs=1, shuffle=False)
    assert_same([w.numpy() for w in model.trainable_weights], own.weights)


def test_one_epoch_in_shuffled_order():
    x, y = make_rows("three")
    model = build(make_network("three", learning_rate=0.25, seed=7), x, y)
    data = model.prepare_training(x, y, None)
    batches = list(model.batch_rows(data, 8, 7).as_numpy_iterator())
    seen = np.concatenate([x for x, _ in batches])
    assert not np.array_equal(seen, x)
    assert np.array_equal(np.sort(seen, axis=0), np.sort(x, axis=0))
    own = make_reference(model)
    own.descend([(x, make_target(model, y), np.ones(len(x))) for x, y in batches], 0.25)
    fit(model, x, y, batch_size=8, epochs=1)
    assert_same([w.numpy() for w in model.trainable_weights], own.weights)


def test_images_are_flattened():
    x, y = make_images(c=2)
    model = build(make_network("three", dtype="float32"), x, y)
    expected = make_reference(model).outputs(x.astype(float))
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, atol=1e-5)


# Losses ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_reported_losses_are_weighted_means_over_rows(kind):
    """With negligible steps, on batches of 8, 8 and 4 rows."""
    x, y = make_rows(kind)
    model = build(make_network(kind, learning_rate=1e-12, l2=0.01), x, y)
    own = make_reference(model)
    errors = own.row_errors(x, make_target(model, y))
    for weight in (None, WEIGHT) if kind == "three" else (WEIGHT,):
        expected = np.average(errors, weights=weight) + own.penalty()
        history = model.fit(
            x, y, 8, 1, verbose=0, sample_weight=weight, validation_data=(x, y, weight)
        )
        scores = model.evaluate(x, y, sample_weight=weight, verbose=0, return_dict=True)
        assert history.history["loss"] == pytest.approx([expected], rel=1e-6)
        assert history.history["val_loss"] == pytest.approx([expected], rel=1e-6)
        assert scores["loss"] == pytest.approx(expected, rel=1e-6)
        assert model.certificate["final_train_loss"] == pytest.approx(expected)
        if weight is None:
            loss = model.compute_loss(x, y, model(x), training=False)
            assert float(loss) == pytest.approx(expected)


def test_reported_scores():
    x, y = make_rows("three")
    model = build(make_network("three", learning_rate=1e-12), x, y)
    right = make_reference(model).outputs(x).argmax(axis=1) == y
    history = model.fit(x, y, 8, 1, verbose=0, sample_weight=WEIGHT)
    expected = np.average(right, weights=WEIGHT)
    assert history.history["accuracy"] == pytest.approx([expected], rel=1e-6)
    x, y = make_rows("numbers")
    model = build(make_network("numbers", learning_rate=1e-12), x, y)
    mse = np.mean((model.predict(x, verbose=0)[:, 0] - y) ** 2)
    scores = model.evaluate(x, y, verbose=0, return_dict=True)
    assert scores["mean_squared_error"] == pytest.approx(mse, rel=1e-5)


def test_a_weight_of_two_equals_a_repeated_row():
    x, y = make_rows("three")
    weight = 1.0 + (np.arange(20) < 5)
    model = make_network("three", momentum=0.5)
    fit(model, x, y, sample_weight=weight, batch_size=20, epochs=3, shuffle=False)
    twice = make_network("three", momentum=0.5)
    x, y = np.concatenate([x, x[:5]]), np.concatenate([y, y[:5]])
    fit(twice, x, y, batch_size=25, epochs=3, shuffle=False)
    assert_same(model.get_weights(), twice.get_weights(), 1e-9)


@pytest.mark.parametrize("class_weight", [{1: 3.0, 2: 0.5}, "balanced"])
def test_class_weights_multiply_row_weights(class_weight):
    """For arrays and for datasets, with a mean of 1."""
    x, y = make_rows("three")
    factors = [1, 3, 0.5] if class_weight != "balanced" else 20 / (3 * np.bincount(y))
    expected = WEIGHT * np.array(factors)[y]
    expected /= expected.mean()
    for given in ((x, y, WEIGHT), (make_dataset(x, y, WEIGHT), None, None)):
        model = make_network("three")
        data = model.prepare_training(*given, class_weight)
        batches = list(model.batch_rows(data, 8, None))
        assert [len(each) for each, _, _ in batches] == [8, 8, 4]
        weights = np.concatenate([weight for _, _, weight in batches])
        np.testing.assert_allclose(weights, expected)
    alone = model.prepare_training(x, y, None, class_weight).weight
    assert alone.mean() == pytest.approx(1)
    ratio = alone[y == 1][0] / alone[y == 2][0]
    assert ratio == pytest.approx(factors[1] / factors[2])


def test_targets_are_standardised_by_weighted_moments():
    x, y = make_rows("numbers")
    model = fit(make_network("numbers"), x, y, sample_weight=WEIGHT, epochs=1)
    center = np.average(y, weights=WEIGHT)
    np.testing.assert_allclose(model.center, [center])
    scale = np.sqrt(np.average((y - center) ** 2, weights=WEIGHT))
    np.testing.assert_allclose(model.scale, [scale])
    fit(model, x, 1000 * y, epochs=1)
    np.testing.assert_allclose(model.center, [center])


def test_unit_of_the_target_does_not_matter():
    x, y = make_rows("numbers", n=60)
    one, other = make_network("numbers"), make_network("numbers")
    fit(one, x, y, epochs=3), fit(other, x, 1e6 * y - 3e8, epochs=3)
    a, b = (model.predict(x, verbose=0) for model in (one, other))
    np.testing.assert_allclose(1e6 * a - 3e8, b, rtol=1e-5)
