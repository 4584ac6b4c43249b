"""A run that is killed and restarted with --resume ends in the same numbers."""

import errno
import itertools
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recipes.errors import ConvergenceWarning, InputError
from recipes.linear_regression import Config, train_and_evaluate
from recipes.linear_regression.model import LinearRegression
from recipes.pipeline.run import checkpoint
from recipes.pipeline.run.checkpoint import Checkpoint
from tests.recipes.linear_regression.fitting import data, theta_of
from tests.runs import epochs_kept, killed, metrics_of, numbers_of

# One step per epoch: Keras's overhead makes the run last seconds.
SLOW = (
    "--method=full",
    "--tolerance=1e-8",
    "--noreport",
    "--noexport",
    "--out_dir=.",
)


@pytest.fixture(scope="module")
def uninterrupted(linear_regression, tmp_path_factory):
    """The numbers of an uninterrupted run."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    ended = linear_regression(folder, *SLOW)
    assert (ended.code, ended.err) == (0, "")
    metrics = metrics_of(folder)
    assert metrics["certificate"]["converged"] is True
    return numbers_of(metrics)


def test_killed_run_ends_in_the_same_numbers(
    uninterrupted, linear_regression, tmp_path
):
    """Kill the run twice: at its first state, and after it resumed from there."""
    first = killed(linear_regression, tmp_path, *SLOW, beyond=0)
    second = killed(linear_regression, tmp_path, *SLOW, "--resume", beyond=first)
    # Leftovers of a kill during writing.
    half = tmp_path / f".unfinished/backup/.tmp-{second + 1}.npz"
    half.write_bytes(b"PK half of it")
    ended = linear_regression(tmp_path, *SLOW, "--resume")
    assert (ended.code, ended.err) == (0, "")
    # It resumed from the second state: earlier epochs did not run again.
    assert f"Epoch {second + 1}/" in ended.out
    assert f"Epoch {second}/" not in ended.out
    assert numbers_of(metrics_of(tmp_path)) == uninterrupted
    assert not (tmp_path / ".unfinished").exists()
    assert len(list((tmp_path / "logs/train").iterdir())) == 3


def test_without_resume_a_killed_run_starts_afresh(linear_regression, tmp_path):
    killed(linear_regression, tmp_path, *SLOW, beyond=0)
    ended = linear_regression(tmp_path, "--noreport", "--noexport", "--out_dir=.")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("Epoch 1/")
    assert not (tmp_path / ".unfinished").exists()


def test_resume_with_other_flags_is_rejected(linear_regression, tmp_path):
    kept = killed(linear_regression, tmp_path, *SLOW, beyond=0)
    ended = linear_regression(tmp_path, *SLOW, "--resume", "--momentum=none")
    assert ended.code == 2
    (line,) = ended.err.splitlines()
    assert line.startswith("error: --resume: the backup in '.' was made with other")
    assert "--momentum=" in line
    assert epochs_kept(tmp_path) == kept


def test_resume_without_a_backup_starts_afresh(linear_regression, tmp_path):
    ended = linear_regression(
        tmp_path, "--noreport", "--noexport", "--out_dir=.", "--resume"
    )
    assert (ended.code, ended.err) == (0, "")
    assert "no backup in .: starting from the beginning" in ended.out
    assert metrics_of(tmp_path)["certificate"]["converged"] is True


def test_resumed_run_reports_the_losses_of_all_its_steps(tmp_path, monkeypatch):
    save = Checkpoint.on_epoch_end

    def save_third_and_end(callback, epoch, logs=None):
        save(callback, epoch, logs)
        if epoch == 2:
            raise KeyboardInterrupt

    steps = {"method": "full", "momentum": "none", "tolerance": 1e-3}
    flags = {**steps, "report": False, "export": False}
    whole = train_and_evaluate(Config(**flags, out_dir=str(tmp_path / "whole")))
    config = Config(**flags, out_dir=str(tmp_path / "killed"))
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint.time, "monotonic", itertools.count().__next__)
        patch.setattr(Checkpoint, "on_epoch_end", save_third_and_end)
        with pytest.raises(KeyboardInterrupt, match=r"the backup in .* is kept"):
            train_and_evaluate(config)
    resumed = train_and_evaluate(replace(config, resume=True))
    steps = resumed.metrics["certificate"]["iterations"]
    assert len(resumed.model.loss_history) == steps + 1
    np.testing.assert_array_equal(resumed.model.loss_history, whole.model.loss_history)


# The callback itself.


def test_full_disk_is_reported_and_the_last_state_kept(tmp_path, monkeypatch):
    def full(path, *arrays):
        Path(path).write_bytes(b"PK half of it")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    model = model_after(0)
    callback = Checkpoint(tmp_path, restore=False)
    callback.set_model(model)
    callback.on_epoch_end(0)
    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: 1e9)
    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(InputError, match="cannot write the backup: the disk is full"):
        callback.on_epoch_end(1)
    assert [path.name for path in tmp_path.iterdir()] == ["1.npz"]


@pytest.mark.parametrize("optimizer", [None, "adam"])
def test_state_holds_everything_the_next_step_needs(optimizer, tmp_path):
    """Momentum, the optimiser's slots, and the number of epochs."""
    x, y = data()
    model = model_after(3, optimizer)
    kept = Checkpoint(tmp_path, restore=False)
    kept.set_model(model)
    kept.on_epoch_end(2)
    expected = model_after(7, optimizer)

    resumed = model_after(0, optimizer)
    with pytest.warns(ConvergenceWarning):
        history = resumed.fit(
            x, y, epochs=7, verbose=0, callbacks=[Checkpoint(tmp_path, restore=True)]
        )
    assert history.epoch == [3, 4, 5, 6]
    np.testing.assert_array_equal(theta_of(resumed), theta_of(expected))
    assert resumed.certificate == expected.certificate


def model_after(epochs, optimizer=None):
    model = LinearRegression(tolerance=0.0)
    model.compile(optimizer)
    if epochs:
        with pytest.warns(ConvergenceWarning):
            model.fit(*data(), epochs=epochs, verbose=0)
    else:
        model.build((None, 4))
    return model
