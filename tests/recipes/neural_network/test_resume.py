"""A run that is killed and restarted with --resume ends in the same weights."""

import zipfile
from dataclasses import replace
from io import BytesIO
from types import SimpleNamespace

import h5py
import keras
import numpy as np
import pytest

from recipes.neural_network import Config, train_and_evaluate
from recipes.neural_network.training.early_stopping import EarlyStopping
from recipes.neural_network.training.history_callback import HistoryCallback
from recipes.pipeline.run.checkpoint import Checkpoint
from tests.runs import killed, metrics_of, numbers_of

# Everything that a step may depend on: momentum, schedule, the draws of dropout and
# noise, moving statistics, early stopping.
SLOW = (
    "--momentum=0.5",
    "--schedule=cosine",
    "--dropout=0.2",
    "--noise=0.1",
    "--batch_normalization",
    "--hidden_sizes=64",
    "--learning_rate=0.02",
    "--epochs=80",
    "--patience=80",
    "--dataset=iris",
    "--batch_size=8",
    "--noreport",
    "--out_dir=.",
)


def read_weights(folder):
    """Return all arrays in model.keras, by name."""
    with zipfile.ZipFile(folder / "model.keras") as archive:
        file = h5py.File(BytesIO(archive.read("model.weights.h5")))
    found = {}
    file.visititems(
        lambda name, each: (
            found.update({name: each[()]}) if isinstance(each, h5py.Dataset) else None
        )
    )
    return found


@pytest.fixture(scope="module")
def uninterrupted(neural_network, tmp_path_factory):
    """The numbers and the weights of an uninterrupted run."""
    folder = tmp_path_factory.mktemp("whole")
    ended = neural_network(folder, *SLOW)
    assert (ended.code, ended.err) == (0, "")
    return numbers_of(metrics_of(folder)), read_weights(folder)


def test_killed_run_ends_in_the_same_weights(uninterrupted, neural_network, tmp_path):
    """To the bit, and without running earlier epochs again."""
    kept = killed(neural_network, tmp_path, *SLOW, beyond=10)
    assert 10 < kept < 80
    ended = neural_network(tmp_path, *SLOW, "--resume")
    assert (ended.code, ended.err) == (0, "")
    assert f"Epoch {kept + 1}/" in ended.out
    assert f"Epoch {kept}/" not in ended.out
    numbers, weights = uninterrupted
    assert numbers_of(metrics_of(tmp_path)) == numbers
    found = read_weights(tmp_path)
    assert found.keys() == weights.keys() and len(found) > 8
    for name, values in weights.items():
        np.testing.assert_array_equal(found[name], values, name)
    assert not (tmp_path / ".unfinished").exists()


def test_run_killed_after_its_last_epoch_trains_no_more(tmp_path, monkeypatch):
    """The certificate speaks of all epochs, though the resumed run had none to run."""
    save = Checkpoint.on_epoch_end

    def save_each_and_end(callback, epoch, logs=None):
        callback._due = 0.0
        save(callback, epoch, logs)
        if epoch == 1:
            raise KeyboardInterrupt

    flags = {"dataset": "iris", "hidden_sizes": (4,), "learning_rate": 0.1, "epochs": 2}
    config = Config(**flags, patience=0, report=False, export=False)
    whole = train_and_evaluate(replace(config, out_dir=str(tmp_path / "whole")))
    config = replace(config, out_dir=str(tmp_path / "killed"))
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "on_epoch_end", save_each_and_end)
        with pytest.raises(KeyboardInterrupt, match=r"the backup in .* is kept"):
            train_and_evaluate(config)
    resumed = train_and_evaluate(replace(config, resume=True))
    assert numbers_of(resumed.metrics) == numbers_of(whole.metrics)
    assert resumed.metrics["certificate"]["epochs"] == 2


# The callbacks' states.


def restore_from_file(callback, other, folder):
    """Save a callback's state as a backup does, and restore it into another."""
    np.savez(folder / "state.npz", **callback.state())
    with np.load(folder / "state.npz") as kept:
        other.restore_state({name: kept[name] for name in kept.files})
    return other


def test_early_stopping_continues_from_its_state(tmp_path):
    losses = [3.0, 1.0, 2.0, 1.5, 0.9, 1.2, 1.3, 1.4]

    def make_callback():
        made = EarlyStopping(patience=3)
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        model.stop_training = False
        made.set_model(model)
        made.on_train_begin()
        return made

    def run_epochs(made, epochs):
        for epoch in epochs:
            made.model.set_weights([np.full((1, 1), float(epoch)), np.zeros(1)])
            made.on_epoch_end(epoch, {"loss": 0.0, "val_loss": losses[epoch]})
        return made

    for cut in range(1, 7):
        first = run_epochs(make_callback(), range(cut))
        second = restore_from_file(first, make_callback(), tmp_path)
        run_epochs(second, range(cut, 8))
        assert second.model.stop_training
        assert (second.best, second.best_epoch, second.wait) == (0.9, 4, 3)
        second.on_train_end()
        assert second.model.get_weights()[0] == 4


def test_early_stopping_state_before_the_first_epoch(tmp_path):
    first, second = EarlyStopping(3), EarlyStopping(3)
    first.on_train_begin()
    fresh = restore_from_file(first, second, tmp_path)
    assert (fresh.best, fresh.best_weights, fresh.wait) == (None, None, 0)


def test_history_callback_continues_from_its_state(tmp_path):
    x = np.zeros((2, 1), np.float32)
    callback = HistoryCallback(x, np.zeros(2))
    callback.history = {"loss": [0.5, 0.25], "train_loss": [1 / 3, 0.1]}
    callback._norms = [np.array([[1.0, 2.0], [3.0, 4.0]])] * 2
    other = restore_from_file(callback, HistoryCallback(x, np.zeros(2)), tmp_path)
    assert other.history == callback.history
    np.testing.assert_array_equal(other.weight_norms, [[1, 2], [1, 2]])
    np.testing.assert_array_equal(other.gradient_norms, [[3, 4], [3, 4]])
    assert all(type(each) is list for each in other.history.values())


def test_backup_keeps_the_states_of_callbacks_apart(tmp_path):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")

    def make_stateful(value):
        made = SimpleNamespace(value=value)
        made.state = lambda: {"value": made.value}
        made.restore_state = lambda state: vars(made).update(value=state["value"])
        return made

    kept = Checkpoint(
        tmp_path, restore=False, callbacks=[make_stateful(1), make_stateful([2, 3])]
    )
    kept.set_model(model)
    model.stop_training = False
    kept.on_epoch_end(6)
    others = make_stateful(0), make_stateful(0)
    resumed = Checkpoint(tmp_path, restore=True, callbacks=others)
    resumed.set_model(model)
    resumed.on_train_begin()
    assert others[0].value == 1 and others[1].value.tolist() == [2, 3]
    assert model._initial_epoch == 7
