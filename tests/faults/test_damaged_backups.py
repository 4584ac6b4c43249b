"""A backup that was damaged is refused in one line, and is not executed."""

import contextlib
import io
import pickle
import shutil

import numpy as np
import pytest

from recipes.errors import InputError
from recipes.neural_network import Config, train_and_evaluate
from recipes.pipeline.run import export
from recipes.pipeline.run.checkpoint import Checkpoint
from tests.runs import names_in


class Payload:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self._path = str(path)

    def __reduce__(self):
        return open, (self._path, "w")


def config(folder, **flags):
    return Config(
        dataset="iris", hidden_sizes=(4,), learning_rate=0.1, epochs=2, patience=0,
        report=False, out_dir=str(folder), **flags,
    )  # fmt: skip


@pytest.fixture(scope="module")
def backups(tmp_path_factory):
    """The backups of a run that ended in training, and of one that ended after it."""
    folder = tmp_path_factory.mktemp("backups")
    save = Checkpoint.on_epoch_end

    def save_and_end(*arguments):
        save(*arguments)
        raise KeyboardInterrupt

    def end(*_):
        raise InputError("cannot export")

    for name, owner, method, ending in (
        ("training", Checkpoint, "on_epoch_end", save_and_end),
        ("trained", export, "save_model", end),
    ):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(owner, method, ending)
            with contextlib.suppress(KeyboardInterrupt, InputError):
                train_and_evaluate(config(folder / name))
    assert names_in(folder / "training/.unfinished/backup") == {"1.npz"}
    assert {"trained.json", "trained.keras"} < names_in(
        folder / "trained/.unfinished/backup"
    )
    return folder


def npz(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def changed(content, change):
    """Return an `.npz` with its arrays changed."""
    with np.load(io.BytesIO(content)) as saved:
        return npz(**change({name: saved[name] for name in saved.files}))


def reshape(arrays):
    return {name: np.zeros((7, 7), np.float32) for name in arrays}


def omit_one(arrays):
    return {name: value for name, value in arrays.items() if name != "arr_1"}


def omit_states(arrays):
    return {name: each for name, each in arrays.items() if name.startswith("arr_")}


def retype(arrays):
    return {name: value.astype("S4") for name, value in arrays.items()}


DAMAGE = {
    "truncated": lambda content, _: content[: len(content) // 2],
    "empty": lambda content, _: b"",
    "text": lambda content, _: b"nothing of the kind",
    "a flipped bit": lambda content, _: (
        content[: len(content) // 2]
        + bytes([content[len(content) // 2] ^ 1])
        + content[len(content) // 2 + 1 :]
    ),
    "a pickle": lambda content, path: pickle.dumps(Payload(path)),
}
OF_ARRAYS = {
    "pickled arrays": lambda content, path: npz(
        arr_0=np.array([Payload(path)], dtype=object)
    ),
    "other shapes": lambda content, _: changed(content, reshape),
    "other types": lambda content, _: changed(content, retype),
    "an array less": lambda content, _: changed(content, omit_one),
    "no callbacks": lambda content, _: changed(content, omit_states),
}
CASES = [
    *(("training", "1.npz", kind) for kind in DAMAGE | OF_ARRAYS),
    *(("trained", "trained.keras", kind) for kind in (*DAMAGE, "missing")),
    *(("trained", "trained.json", kind) for kind in DAMAGE if kind != "a flipped bit"),
]


@pytest.mark.parametrize(("backup", "name", "kind"), CASES)
def test_damaged_backup_is_refused(backup, name, kind, backups, tmp_path):
    folder, executed = tmp_path / "run", tmp_path / "executed"
    shutil.copytree(backups / backup, folder)
    file = folder / ".unfinished/backup" / name
    if kind == "missing":
        file.unlink()
    else:
        damage = (DAMAGE | OF_ARRAYS)[kind]
        file.write_bytes(damage(file.read_bytes(), executed))
    with pytest.raises(InputError) as raised:
        train_and_evaluate(config(folder, resume=True))
    message = str(raised.value)
    assert message.startswith("--resume: the backup is damaged (")
    assert str(file) in message
    assert "omit --resume to start afresh" in message
    assert len(message.splitlines()) == 1
    assert not executed.exists()


@pytest.mark.parametrize("backup", ["training", "trained"])
def test_whole_backup_is_resumed(backup, backups, tmp_path):
    """Wherever the folder has been moved to."""
    shutil.copytree(backups / backup, tmp_path / "run")
    run = train_and_evaluate(config(tmp_path / "run", resume=True))
    assert run.metrics["certificate"]["epochs"] == 2
