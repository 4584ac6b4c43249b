"""`LinearRegression` as a Keras model: saving, callbacks, optimisers, `evaluate`."""

import textwrap

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.util import event_pb2

from recipes.linear_regression.model import LinearRegression
from tests.commands import run_forked
from tests.recipes.linear_regression import reference
from tests.recipes.linear_regression.fitting import (
    data,
    fit,
    save,
    take_steps,
    theta_of,
)

ARGUMENTS = {
    "learning_rate": 0.01,
    "momentum": "heavy_ball",
    "l1": 0.0,
    "l2": 0.25,
    "method": "full",
    "tolerance": 1e-9,
    "max_iterations": 321,
    "name": "regression",
    "dtype": "float32",
}


def test_config_round_trip():
    model = LinearRegression(**ARGUMENTS)
    again = LinearRegression.from_config(model.get_config())
    assert again.get_config() == model.get_config()
    for name, value in ARGUMENTS.items():
        assert getattr(again, name) == value
    default = LinearRegression()
    take_steps(default, *data())  # neither building nor fitting changes the config
    config = LinearRegression(name=default.name).get_config()
    assert {**default.get_config(), "build_config": None} == {
        **config,
        "build_config": None,
    }


def test_loaded_in_a_new_process_it_predicts_and_fits_further(tmp_path):
    x, y = data()
    model = LinearRegression(l2=0.1)
    take_steps(model, x, y, 5)
    save(model, tmp_path / "model.keras")
    np.savez(tmp_path / "data.npz", x=x, y=y)
    code = """
        import warnings
        warnings.simplefilter("error")
        import recipes.linear_regression.model
        import keras, numpy as np
        data = np.load("data.npz")
        model = keras.models.load_model("model.keras")
        np.save("prediction.npy", model.predict(data["x"], verbose=0))
        warnings.simplefilter("ignore")  # five steps need not converge
        model.fit(data["x"], data["y"], epochs=5, verbose=0)
        np.save("theta.npy", np.append(*model.linear.get_weights()))
        np.save("iterations.npy", model.certificate["iterations"])
    """
    ended = run_forked(tmp_path, "-c", textwrap.dedent(code))
    assert ended.code == 0, ended.err
    np.testing.assert_array_equal(
        np.load(tmp_path / "prediction.npy"), model.predict(x, verbose=0)
    )
    take_steps(model, x, y, 5)
    np.testing.assert_array_equal(np.load(tmp_path / "theta.npy"), theta_of(model))
    assert np.load(tmp_path / "iterations.npy") == 10


def test_a_keras_optimiser_is_saved_with_the_model(tmp_path):
    model = LinearRegression()
    model.compile(optimizer=keras.optimizers.Adam(0.05))
    take_steps(model, *data(), 3)
    save(model, tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(again.optimizer, keras.optimizers.Adam)
    for one in (model, again):
        take_steps(one, *data(), 3)
    np.testing.assert_array_equal(theta_of(again), theta_of(model))


def test_predict_is_call_and_the_equation():
    x, y = data()
    model = fit(x, y)
    expected = reference.with_ones(x) @ theta_of(model)
    assert model.predict(x, verbose=0).dtype == np.float64
    rows = tf.data.Dataset.from_tensor_slices(x).batch(7)
    for found in (*(model.predict(r, verbose=0) for r in (x, rows)), model(x).numpy()):
        assert found.shape == (60, 1)
        np.testing.assert_allclose(found[:, 0], expected, rtol=1e-12)
    assert model.compute_output_shape((None, 4)) == (None, 1)


@pytest.mark.parametrize("shape", [(60,), (60, 1)])
@pytest.mark.parametrize("batch_size", [7, 60, 64])
def test_evaluate_is_the_mean_squared_error(shape, batch_size):
    x, y = data()
    model = LinearRegression(l2=3.0)
    take_steps(model, x, y, 3)
    loss = model.evaluate(x, y.reshape(shape), batch_size=batch_size, verbose=0)
    expected = reference.smooth_loss(theta_of(model), x, y)
    assert loss == pytest.approx(expected, rel=1e-6)  # Keras adds up in float32


@pytest.mark.parametrize("batch_size", [7, 60])
def test_evaluate_with_weights(batch_size):
    """As in `fit`: Σ s·r² / Σ s over all rows, a batch of weight zero included."""
    x, y = data()
    weight = np.random.default_rng(0).uniform(0, 5, 60)
    weight[:10] = 0
    model = LinearRegression()
    take_steps(model, x, y, 3)
    loss = model.evaluate(x, y, sample_weight=weight, batch_size=batch_size, verbose=0)
    expected = reference.smooth_loss(theta_of(model), x, y, weight)
    assert loss == pytest.approx(expected, rel=1e-6)


def test_metrics_and_validation_data():
    x, y = data()
    model = LinearRegression()
    model.compile(metrics=["mae"])
    history = take_steps(model, x, y, 3, validation_data=(x[:20], y[:20])).history
    theta = theta_of(model)
    expected = reference.smooth_loss(theta, x[:20], y[:20])
    assert history["val_loss"][-1] == pytest.approx(expected, rel=1e-6)
    errors = np.abs(reference.with_ones(x[:20]) @ theta - y[:20])
    assert history["val_mae"][-1] == pytest.approx(errors.mean(), rel=1e-6)


def test_history_records_the_descent():
    x, y = data()
    model = LinearRegression(momentum="none", learning_rate=0.01)
    history = take_steps(model, x, y, 5).history
    np.testing.assert_array_equal(history["loss"], model.loss_history[:5])
    np.testing.assert_array_equal(history["iteration"], [1, 2, 3, 4, 5])
    start = np.linalg.norm(reference.gradient(np.zeros(5), x, y))
    assert history["gradient_norm"][0] == pytest.approx(start)
    excess = reference.relative_excess(np.zeros(5), x, y)
    assert history["relative_excess_loss"][0] == pytest.approx(excess)


# ---- optimisers of Keras


def test_compile_with_sgd_takes_sgds_steps():
    """Without momentum, SGD's step is the article's step at SGD's rate."""
    x, y = data()
    expected = reference.iterates("none", x, y, rate=0.02, steps=30)
    for momentum in ("none", "nesterov"):  # the model's own momentum has no effect here
        model = LinearRegression(momentum=momentum)
        model.compile(optimizer=keras.optimizers.SGD(0.02))
        take_steps(model, x, y, 30)
        np.testing.assert_allclose(theta_of(model), expected[-1], rtol=1e-5)


def test_compile_with_adam_takes_adams_steps():
    x, y = data()
    model = LinearRegression()
    model.compile(optimizer="adam")
    take_steps(model, x, y, 1)
    np.testing.assert_allclose(np.abs(theta_of(model)), 0.001, rtol=1e-3)
    slope = reference.gradient(np.zeros(5), x, y)
    np.testing.assert_array_equal(np.sign(theta_of(model)), -np.sign(slope))


def test_compile_with_an_optimiser_converges_and_is_certified():
    x, y = data()
    model = LinearRegression(tolerance=1e-10)
    model.compile(optimizer=keras.optimizers.SGD(0.05))
    model.fit(x, y, verbose=0)
    assert model.certificate["converged"]
    assert reference.relative_excess(theta_of(model), x, y) <= 1e-8


def test_a_diverging_optimiser_is_reported_with_its_own_rate():
    model = LinearRegression()
    model.compile(optimizer=keras.optimizers.SGD(5.0))
    with pytest.raises(ValueError, match="diverges at learning_rate=5"):
        model.fit(*data(), verbose=0)


def test_compile_rejects_other_losses_and_l1_with_an_optimiser():
    with pytest.raises(ValueError, match="`loss` should be the mean squared error"):
        LinearRegression().compile(loss="mae")
    with pytest.raises(ValueError, match="no proximal part"):
        LinearRegression(l1=0.1).compile(optimizer="sgd")


# ---- callbacks of Keras


def test_early_stopping_ends_the_run():
    x, y = data()
    stop = keras.callbacks.EarlyStopping(monitor="loss", min_delta=1e9, patience=2)
    model = LinearRegression()
    take_steps(model, x, y, 50, callbacks=stop)
    assert model.certificate["iterations"] == 3
    assert model.certificate["stop_reason"] == "interrupted"
    assert model.loss_history.shape == (4,)


def test_early_stopping_restores_the_best_weights():
    x, y = data()
    model = LinearRegression(momentum="none")
    stop = keras.callbacks.EarlyStopping(
        monitor="loss", mode="max", patience=3, restore_best_weights=True
    )
    take_steps(model, x, y, 50, callbacks=[stop])  # the loss falls: the first is best
    first = reference.smooth_loss(theta_of(model), x, y)
    assert model.certificate["loss"] == pytest.approx(first)
    assert model.certificate["iterations"] == 1


def test_model_checkpoint(tmp_path):
    x, y = data()
    path = str(tmp_path / "{epoch:02d}.weights.h5")
    model = LinearRegression()
    checkpoint = keras.callbacks.ModelCheckpoint(path, save_weights_only=True)
    take_steps(model, x, y, 4, callbacks=[checkpoint])
    assert sorted(p.name[:2] for p in tmp_path.iterdir()) == ["01", "02", "03", "04"]
    again = LinearRegression()
    again.build((None, 4))
    again.load_weights(tmp_path / "02.weights.h5")
    take_steps(again, x, y, 2)
    np.testing.assert_array_equal(theta_of(again), theta_of(model))


def test_tensorboard(tmp_path):
    x, y = data()
    board = keras.callbacks.TensorBoard(tmp_path, write_graph=False)
    history = take_steps(LinearRegression(), x, y, 3, callbacks=[board]).history
    (path,) = tmp_path.glob("train/events*")
    found = {}
    for record in tf.data.TFRecordDataset(str(path)):
        for value in event_pb2.Event.FromString(record.numpy()).summary.value:
            found.setdefault(value.tag, []).append(tf.make_ndarray(value.tensor))
    for name in ("loss", "gradient_norm", "relative_excess_loss"):
        np.testing.assert_allclose(found[f"epoch_{name}"], history[name], rtol=1e-6)


class Raise(keras.callbacks.Callback):
    """Callback that fails after the solve."""

    def on_train_end(self, logs=None):
        raise RuntimeError("disk full")


def test_an_error_of_a_callback_after_the_solve_loses_no_fit():
    x, y = data()
    model = LinearRegression()
    with pytest.raises(RuntimeError, match="disk full"):
        model.fit(x, y, verbose=0, callbacks=[Raise()])
    assert model.certificate["converged"]
    assert model.certificate["stop_reason"] == "tolerance"
    assert reference.relative_excess(theta_of(model), x, y) <= 1e-8


@pytest.mark.parametrize(
    "callback",
    [
        keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate),
        keras.callbacks.ReduceLROnPlateau(monitor="loss"),
    ],
    ids=lambda callback: type(callback).__name__,
)
def test_callbacks_that_set_the_rate_need_an_optimiser(callback):
    with pytest.raises(ValueError, match="should come with a Keras optimizer"):
        LinearRegression().fit(*data(), callbacks=callback, verbose=0)
    model = LinearRegression()
    model.compile(optimizer=keras.optimizers.SGD(0.01))
    take_steps(model, *data(), 2, callbacks=callback)
    assert model.certificate["iterations"] == 2


# ---- ways to compile, and files


@pytest.mark.parametrize(
    "options",
    [{"jit_compile": True}, {"run_eagerly": True}],
    ids=lambda o: next(iter(o)),
)
def test_ways_to_compile_change_nothing(options):
    x, y = data()
    model = LinearRegression()
    model.compile(**options)
    model.fit(x, y, verbose=0)
    assert model.certificate["converged"]
    assert reference.relative_excess(theta_of(model), x, y) <= 1e-8


def test_functions_run_eagerly():
    x, y = data()
    tf.config.run_functions_eagerly(True)
    try:
        model = fit(x, y)
    finally:
        tf.config.run_functions_eagerly(False)
    assert reference.relative_excess(theta_of(model), x, y) <= 1e-8


def test_legacy_files_are_rejected(tmp_path):
    with pytest.raises(ValueError, match=r"should end in \.keras"):
        fit(*data()).save(tmp_path / "model.h5")
    assert not list(tmp_path.iterdir())


class Interrupt(keras.callbacks.Callback):
    """Callback that simulates the end of the process after some epochs."""

    def __init__(self, epochs):
        super().__init__()
        self.epochs = epochs

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epochs:
            raise KeyboardInterrupt


@pytest.mark.parametrize(
    "arguments",
    [{}, {"momentum": "heavy_ball", "method": "full"}, {"l1": 0.1}, {"max": 3500}],
    ids=["default", "heavy ball", "l1", "1000 steps an epoch"],
)
def test_a_run_resumed_from_its_backup_ends_in_the_same_bits(tmp_path, arguments):
    x, y = data()
    epochs = 20
    if "max" in arguments:
        epochs = None
        arguments = {"learning_rate": 1e-4, "max_iterations": 3500}
    interruption = 7 if epochs else 2
    uninterrupted = LinearRegression(**arguments)
    take_steps(uninterrupted, x, y, epochs)

    def backup():
        return keras.callbacks.BackupAndRestore(tmp_path / "backup")

    with pytest.raises(KeyboardInterrupt):
        take_steps(
            LinearRegression(**arguments),
            x,
            y,
            epochs,
            callbacks=[backup(), Interrupt(interruption)],
        )
    resumed = LinearRegression(**arguments)
    take_steps(resumed, x, y, epochs, callbacks=[backup()])
    np.testing.assert_array_equal(theta_of(resumed), theta_of(uninterrupted))
    for name in ("iterations", "loss", "relative_excess_loss", "converged"):
        assert resumed.certificate[name] == uninterrupted.certificate[name], name
    # Only since the resumption: earlier losses are not recorded.
    left = len(resumed.loss_history)
    assert 0 < left < len(uninterrupted.loss_history)
    np.testing.assert_array_equal(
        resumed.loss_history, uninterrupted.loss_history[-left:]
    )
