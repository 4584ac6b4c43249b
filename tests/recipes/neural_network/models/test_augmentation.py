"""The augmentations; and that every training option compiles under XLA."""

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from recipes.neural_network.models.augmentation import (
    Augmentation,
    add_noise,
    mix_rows,
    shift_images,
)
from recipes.neural_network.models.random_ops import Dropout
from tests.recipes.neural_network.fitting import (
    build,
    fit,
    make_images,
    make_network,
    make_rows,
)

SEED = tf.constant([3, 5])


def test_noise():
    x = tf.fill([100, 20], 3.0)
    noisy = add_noise(x, 0.5, SEED).numpy()
    assert noisy.mean() == pytest.approx(3, abs=0.05)
    assert noisy.std() == pytest.approx(0.5, rel=0.05)
    assert len(np.unique(noisy)) > 1900


def test_dropout():
    layer = Dropout(0.25, seed=2**32 - 1)
    x = tf.ones([100, 100])
    once, twice = (layer(x, training=True).numpy() for _ in range(2))
    assert np.unique(once) == pytest.approx([0, 4 / 3])
    assert np.mean(once == 0) == pytest.approx(0.25, abs=0.02)
    assert np.mean(once == twice) < 0.7
    assert np.array_equal(layer(x, training=False), x)


@pytest.mark.parametrize("channels", [(), (2,)])
def test_shifted_images(channels):
    x = np.random.default_rng(0).random((60, 5, 7, *channels)).astype("float32") + 1
    moved = shift_images(tf.constant(x), 2, SEED).numpy()

    def by(image, down, right):
        wide = np.pad(image, [(2, 2), (2, 2), *[(0, 0)] * len(channels)])
        return wide[2 - down : 7 - down, 2 - right : 9 - right]

    seen = set()
    for before, after in zip(x, moved, strict=True):
        (found,) = [
            (down, right)
            for down in range(-2, 3)
            for right in range(-2, 3)
            if np.array_equal(by(before, down, right), after)
        ]
        seen.add(found)
    assert len(seen) > 15
    assert {down for down, _ in seen} == {right for _, right in seen} == {*range(-2, 3)}


def test_mixup():
    x = np.eye(6, dtype="float32")
    target = np.arange(6.0)[:, None]
    mixed, targets, weight = mix_rows(
        tf.constant(x), tf.constant(target), None, 0.4, SEED
    )
    share = np.diag(mixed)
    assert weight is None
    assert len(np.unique(share)) == 6
    np.testing.assert_allclose(
        mixed, share[:, None] * x + (1 - share)[:, None] * np.roll(x, -1, 0), atol=1e-6
    )
    expected = share * target[:, 0] + (1 - share) * np.roll(target[:, 0], -1)
    np.testing.assert_allclose(targets[:, 0], expected, atol=1e-6)


def test_mixup_of_weighted_rows_preserves_the_loss():
    """It is λ·w·H(p) + (1 − λ)·w'·H(p'), as the cross-entropy is linear in p."""
    p, w = np.array([[1.0], [0.0], [0.0]]), np.array([2.0, 1.0, 0.0])
    x = np.eye(3)
    mixed, target, weight = mix_rows(
        tf.constant(x),
        tf.constant(p),
        tf.constant(w),
        1.0,
        SEED,
    )
    share = np.diag(mixed)
    others = share * w, (1 - share) * np.roll(w, -1)
    np.testing.assert_allclose(weight, others[0] + others[1])
    np.testing.assert_allclose(
        weight * target[:, 0], others[0] * p[:, 0] + others[1] * np.roll(p[:, 0], -1)
    )


@pytest.mark.parametrize("alpha", [0.2, 2.0])
def test_mixup_draws_from_the_beta_distribution(alpha):
    n = 4000
    x = tf.eye(2, batch_shape=[n // 2])
    x = tf.reshape(x, [n, 2])
    mixed, _, _ = mix_rows(x, x, None, alpha, SEED)
    share = np.where(x[:, 0] == 1, mixed[:, 0], mixed[:, 1])
    found = scipy.stats.kstest(share, scipy.stats.beta(alpha, alpha).cdf)
    assert found.statistic < 0.04


def test_no_augmentation_leaves_rows_unchanged():
    x, y = tf.ones([3, 2]), tf.ones([3, 1])
    same = Augmentation(0, 0, 0, 0)(x, y, None)
    assert same[0] is x or np.array_equal(same[0], x)
    assert np.array_equal(same[1], y)
    assert same[2] is None


OPTIONS = {
    "dropout": {"dropout": 0.5},
    "batch normalisation": {"batch_normalization": True},
    "noise": {"noise": 0.1},
    "mixup": {"mixup": 0.2},
    "shift": {"shift": 1},
    "penalties and decay": {"l1": 0.01, "l2": 0.01, "weight_decay": 0.1},
    "smoothing and momentum": {
        "label_smoothing": 0.1,
        "momentum": 0.9,
        "nesterov": True,
    },
    "adam": {"optimizer": "adam", "learning_rate": 0.01},
    "cnn": {"architecture": "cnn", "shift": 1, "mixup": 0.2},
}


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_compiles_under_xla_with_the_same_draws(option):
    """A compiled step on a weighted batch equals the uncompiled one."""
    x, y = make_images(n=6)
    weight = np.linspace(0, 2, 6).astype("float32")
    batch = tuple(tf.constant(each) for each in (x, y.astype("int32"), weight))
    weights = []
    for jit in (False, True):
        model = make_network(
            "three", (6,), "relu", "float32", seed=1, **OPTIONS[option]
        )
        build(model, x, y).optimizer.build(model.trainable_variables)
        step = tf.function(model.train_step, jit_compile=jit, autograph=False)
        logs = step(batch)
        assert np.isfinite(logs["loss"])
        weights.append(model.get_weights())
    for plain, compiled in zip(*weights, strict=True):
        np.testing.assert_allclose(plain, compiled, rtol=1e-5, atol=1e-6)


def test_the_regressor_compiles_under_xla():
    x, y = make_rows("numbers", dtype="float32")
    model = build(make_network("numbers", dtype="float32", mixup=0.2), x, y)
    model.optimizer.build(model.trainable_variables)
    step = tf.function(model.train_step, jit_compile=True, autograph=False)
    assert np.isfinite(step((tf.constant(x), tf.constant(y)))["mean_squared_error"])


def test_fast_fit_gives_the_same_result():
    """Chunks of batches in a compiled loop equal one batch after the other."""
    x, y = make_rows("three", n=50, dtype="float32")
    options = {"dropout": 0.3, "noise": 0.1, "mixup": 0.2, "momentum": 0.9}
    results = []
    for fast in (True, False):
        model = make_network("three", dtype="float32", schedule="cosine", **options)
        model.fast_fit = fast
        history = model.fit(x, y, 8, 3, verbose=0, validation_data=(x, y)).history
        results.append([*model.get_weights(), history["loss"], history["val_loss"]])
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


class Kill(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            raise InterruptedError


def test_resumed_training_equals_an_uninterrupted_one(tmp_path):
    """With the same rates, order, dropout and augmentation, to the bit."""
    x, y = make_rows("three", dtype="float32")

    def model():
        return make_network(
            "three",
            dtype="float32",
            dropout=0.3,
            noise=0.1,
            mixup=0.2,
            momentum=0.9,
            schedule="cosine",
            batch_normalization=True,
        )

    backup = {"backup_dir": str(tmp_path), "delete_checkpoint": False}
    uninterrupted, resumed = fit(model(), x, y, batch_size=8, epochs=4), model()
    saved = keras.callbacks.BackupAndRestore(**backup)
    with pytest.raises(InterruptedError):
        fit(model(), x, y, batch_size=8, epochs=4, callbacks=[saved, Kill()])
    saved = keras.callbacks.BackupAndRestore(**backup)
    fit(resumed, x, y, batch_size=8, epochs=4, callbacks=[saved])
    for one, other in zip(
        uninterrupted.get_weights(), resumed.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    assert resumed.certificate["epochs"] == 4
