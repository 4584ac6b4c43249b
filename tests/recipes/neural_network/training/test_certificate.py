"""The certificate: its numbers are true, and failures are reported."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from recipes.errors import ConvergenceWarning, DivergenceError
from recipes.neural_network.models.classifier import MultilayerPerceptronClassifier
from tests.recipes.neural_network.fitting import (
    KINDS,
    build,
    fit,
    make_dataset,
    make_network,
    make_reference,
    make_rows,
    make_target,
)


def test_numbers_of_the_certificate():
    x, y = make_rows("three")
    model = make_network("three", dropout=0.2, l2=0.01)
    history = model.fit(x, y, 8, 5, verbose=0, validation_data=(x[:5], y[:5]))
    certificate = model.certificate
    own = make_reference(model)
    loss = own.loss(x, make_target(model, y), 1.0)
    assert certificate["final_train_loss"] == pytest.approx(loss, rel=1e-6)
    assert certificate["epochs"] == 5
    best = int(np.argmin(history.history["val_loss"])) + 1
    assert certificate["best_epoch"] == best
    assert certificate["stop_reason"] == "epochs"
    assert certificate["converged"] is False
    assert certificate["certified_optimum"] is False
    assert "no optimum is certified" in certificate["statement"]
    assert certificate["gradient_check_max_relative_error"] < 1e-6


class Stop(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = epoch == 1


def test_stop_reason():
    x, y = make_rows("three")
    early = keras.callbacks.EarlyStopping("loss", min_delta=100, patience=1)
    for callback, reason in ((early, "early_stopping"), (Stop(), "interrupted")):
        model = fit(make_network("three"), x, y, epochs=9, callbacks=callback)
        assert model.certificate["stop_reason"] == reason
        assert model.certificate["epochs"] == 2
        assert model.certificate["converged"] is (reason == "early_stopping")


# Nothing learned ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "activation", "rate"),
    [("three", "relu", 0.02), ("two", "relu", 0.02), ("numbers", "tanh", 0.5)],
)
def test_a_huge_loss_gives_a_warning(kind, activation, rate):
    """With unscaled columns the loss becomes huge but stays finite."""
    x, y = make_rows(kind, n=60, dtype="float32")
    model = make_network(kind, (20,), activation, "float32", learning_rate=rate)
    early = keras.callbacks.EarlyStopping("loss", min_delta=1e30, patience=1)
    words = (
        r"^The network has learned nothing: its error on the training rows is \S+ "
        r"times that of the best constant answer. The likely cause: the features are "
        r"not scaled, they reach [\d.e+]+: standardise them \(keras[\w.]+\)$"
    )
    with pytest.warns(ConvergenceWarning, match=words) as caught:
        model.fit(1e4 * x, y, epochs=2, verbose=0, callbacks=[early])
    assert [each.filename for each in caught] == [__file__]
    assert model.certificate["relative_train_loss"] > 1e6
    assert model.certificate["stop_reason"] == "early_stopping"
    assert model.certificate["converged"] is False


def test_warning_blames_unscaled_features_only_if_they_are():
    x, y = make_rows("three")
    model = build(make_network("three", learning_rate=1e-9), x, y)
    model.network.layers[-1].bias.assign([9.0, 0.0, 0.0])
    with pytest.warns(ConvergenceWarning, match="too few epochs, or an unsuitable"):
        model.fit(x, y, epochs=1, verbose=0)


@pytest.mark.parametrize("kind", KINDS)
def test_error_is_relative_to_the_best_constant_prediction(kind):
    x, y = make_rows(kind)
    weight = np.linspace(0.1, 3, len(y))
    smoothing = {} if kind == "numbers" else {"label_smoothing": 0.3}
    model = make_network(kind, l2=0.5, **smoothing)
    for data in ((x, y), (make_dataset(x, y, weight), None)):
        model = fit(model, *data, epochs=2)
        s = weight if data[1] is None else np.ones(len(y))
        target = make_target(model, y)
        k = 2 if kind == "two" else target.shape[1]
        if smoothing:
            target = 0.7 * target + 0.3 / k
        outputs = model.network(x).numpy()
        # The best constant prediction is the one that fits the mean target.
        mean = np.average(target, axis=0, weights=s)
        best = mean if kind == "numbers" else np.log(mean)
        if kind == "two":
            best -= np.log(1 - mean)
        error, least = (
            np.average(model.compute_errors(tf.constant(target), each), weights=s)
            for each in (outputs, np.broadcast_to(best, outputs.shape))
        )
        found = model.certificate["relative_train_loss"]
        assert found == pytest.approx(error / least, rel=1e-6)


def test_smoothed_labels_of_a_rare_class_are_learned():
    """The loss for unsmoothed labels is then, as intended, above the constant's."""
    x = np.linspace(-1, 1, 400)[:, np.newaxis]
    y = (x[:, 0] > 0.98).astype(int)
    model = MultilayerPerceptronClassifier(
        (), learning_rate=1.0, label_smoothing=0.2, dtype="float64"
    )
    model.fast_fit = False
    model.fit(x, y, epochs=20, verbose=0)
    share = y.mean()
    entropy = -share * np.log(share) - (1 - share) * np.log(1 - share)
    assert model.certificate["final_train_loss"] > entropy
    assert model.certificate["relative_train_loss"] < 1


def test_a_constant_target_is_learned():
    x, _ = make_rows("numbers")
    model = make_network("numbers", learning_rate=0.1)
    model.fit(x, np.full(len(x), 7.0), epochs=20, verbose=0)
    assert model.certificate["relative_train_loss"] < 1


def test_many_trainings_give_no_warning_of_retracing(caplog):
    """As each restart is a training of its own, with a smaller last batch."""
    x, y = make_rows("numbers", n=11)
    for _ in range(4):
        fit(make_network("numbers"), x, y, batch_size=8, epochs=1)
    assert "compute_training_errors" not in caplog.text


# Divergence --------------------------------------------------------------------------


class Recorder(keras.callbacks.Callback):
    """A callback that records each epoch's initial weights and counts the batches."""

    def __init__(self):
        super().__init__()
        self.weights, self.count = [], 0

    def on_epoch_begin(self, epoch, logs=None):
        self.weights.append(self.model.get_weights())

    def on_train_batch_end(self, batch, logs=None):
        self.count += 1


def test_divergence_stops_at_once_and_restores_the_weights():
    x, y = make_rows("numbers", n=200, dtype="float32")
    model, seen = make_network("numbers", (20,), "relu", "float32"), Recorder()
    words = (
        r"diverged in epoch 1, within \d+ steps: the loss is NaN or infinite at "
        r"learning_rate=1e\+03. The likely cause: the learning rate is too large: take "
        r"1e\+02, or learning_rate='auto'. The weights from before epoch 1 are kept"
    )
    model.compile(optimizer=keras.optimizers.SGD(1000.0))
    with pytest.raises(DivergenceError, match=words):
        fit(model, x, y, batch_size=2, epochs=3, callbacks=[seen])
    assert seen.count < 100
    for kept, before in zip(model.get_weights(), seen.weights[0], strict=True):
        np.testing.assert_array_equal(kept, before)
    assert int(model.optimizer.iterations) == 0
    assert model.certificate["stop_reason"] == "diverged"
    # Training can continue from there.
    model.compile()
    assert np.isfinite(fit(model, x, y, epochs=1).certificate["final_train_loss"])


def test_the_weights_of_the_last_good_epoch_are_kept():
    x, y = make_rows("numbers", n=40, dtype="float32")

    class Spoil(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                self.model.optimizer.learning_rate = 1e30

    model, seen = make_network("numbers", dtype="float32"), Recorder()
    with pytest.raises(DivergenceError, match="in epoch 3"):
        fit(model, x, y, epochs=5, callbacks=[seen, Spoil()])
    for kept, before in zip(model.get_weights(), seen.weights[2], strict=True):
        np.testing.assert_array_equal(kept, before)


def test_divergence_names_unscaled_features():
    x, y = make_rows("numbers", n=100, dtype="float32")
    model = make_network("numbers", activation="relu", dtype="float32", momentum=0.9)
    words = r"features are not scaled, they reach [\d.]+e\+1[45]: standardise them"
    with pytest.raises(DivergenceError, match=words):
        fit(model, make_dataset(1e15 * np.abs(x) / 3, y), epochs=3)
