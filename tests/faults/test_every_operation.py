"""Whatever file operation fails, and however: nothing is lost, nothing is mixed.

The folder's part of a run is real. What computes (data, training, export, report) is
replayed from one real run of each recipe, so that every operation can have its turn.
"""

import importlib
import json
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest

from recipes import pipeline
from recipes.errors import ConvergenceWarning, InputError
from recipes.pipeline.run import checkpoint, export, session
from recipes.pipeline.run.checkpoint import Checkpoint
from tests.faults.injector import Killed, injected
from tests.runs import FILES, names_in

RECIPES = ("linear_regression", "svm", "neural_network")
OF_THE_USER = {"notes.txt": "n", "logs/own.txt": "l", "export/1/own.txt": "e"} | {
    "backup/own.txt": "b",
    ".tmp-1-own/own.txt": "t",
}


class Replay:
    """A recipe whose computations are those of one real run.

    Every file that it writes holds the number of the call that wrote it.
    """

    def __init__(self, name: str, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self._recipe = importlib.import_module(f"recipes.{name}.recipe")
        x = np.random.default_rng(0).normal(size=(60, 2))
        y = x @ [1, 2] if name == "linear_regression" else (x[:, 0] > 0).astype(int)
        np.savez(folder / "data.npz", x=x, y=y)
        flags = {}
        if name == "neural_network":
            flags = {"hidden_sizes": (2,), "epochs": 1, "learning_rate": 0.1}
        self._flags = {"dataset": str(folder / "data.npz"), **flags}
        self.calls, self.trainings, self._patch = 0, 0, patch
        self._rewinds = []
        for module, function in (
            (self._recipe, "load"),
            (pipeline.preprocessing, "learn_preprocessing"),
            (pipeline.preprocessing, "build_serving_model"),
            (pipeline.evaluation, "preprocess"),
            (pipeline.evaluation, "predict"),
            (pipeline.evaluation, "score"),
            (self._recipe, "predict"),
            (self._recipe, "hold_out"),
            (session, "fingerprint"),
            (checkpoint, "_train"),
            (self._recipe, "build_page"),
            (pipeline.report, "render"),
        ):
            if hasattr(module, function):
                self._record(module, function)
        self.run(folder / "real")
        self._rewind()
        self._trained = checkpoint._train(None, None)
        patch.setattr(checkpoint, "_train", self._train)
        patch.setattr(checkpoint.keras.saving, "load_model", self._load)
        patch.setattr(checkpoint, "save_keras", self._write)
        patch.setattr(export, "save_keras", self._write)
        patch.setattr(export, "save_model", self._export)
        patch.setattr(pipeline.report, "render", lambda page: str(self.calls))

    def _record(self, module, name):
        function, results = getattr(module, name), []
        position = iter(())

        def rewind():
            nonlocal position
            position = iter(results)

        def replay(*arguments, **options):
            for result in position:
                return result
            results.append(function(*arguments, **options))
            return results[-1]

        self._rewinds.append(rewind)
        self._patch.setattr(module, name, replay)

    def _rewind(self):
        for rewind in self._rewinds:
            rewind()

    def _train(self, folder, _):
        self.trainings += 1
        (folder.logs / "train").mkdir(parents=True, exist_ok=True)
        (folder.logs / f"train/events.out.tfevents.{self.calls}").touch()
        backup = Checkpoint(folder.backup, restore=False)
        backup.set_model(self._trained.model)
        self._trained.model.stop_training = False
        backup.on_epoch_end(0)
        return self._trained

    def _load(self, path):
        assert path.read_text().isdecimal(), "half a file"
        return self._trained.model

    def _write(self, model, path):
        path.write_text(str(self.calls))
        return path

    def _export(self, model, path, outputs):
        (path / "variables").mkdir(parents=True)
        for name in ("saved_model.pb", "variables/variables.index"):
            (path / name).write_text(str(self.calls))

    def run(self, folder, *, resume=False):
        self.calls += 1
        self._rewind()
        config = self._recipe.Config(out_dir=str(folder), resume=resume, **self._flags)
        return self._recipe.train_and_evaluate(config)


# A network of one epoch has learned nothing.
@pytest.fixture(scope="module", params=RECIPES)
def replay(request, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield Replay(request.param, tmp_path_factory.mktemp("replay"), patch)


@pytest.fixture(scope="module")
def occupied(replay, tmp_path_factory):
    """A folder with files of the user's, and an earlier run."""
    folder = tmp_path_factory.mktemp("occupied")
    for name, text in OF_THE_USER.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    replay.run(folder)
    assert check_run(folder) == 2
    return folder


def check_run(folder):
    """Assert that the folder holds one whole run; return its exported version."""
    record = json.loads((folder / "run.json").read_text())
    assert json.loads((folder / "metrics.json").read_text())["run"] == record["run"]
    versions = [int(name[7:]) for name in record["files"] if name.startswith("export/")]
    newest = f"export/{max(versions)}"
    logs = [
        path.relative_to(folder).as_posix()
        for path in (folder / "logs").rglob("events.out.tfevents.*")
    ]
    own = {
        *("flags.txt", "metrics.json", "model.keras", "report.html"),
        *(f"export/{version}" for version in versions),
        *logs,
    }
    assert set(record["files"]) == own
    writers = {
        (folder / name).read_text()
        for name in ("model.keras", "report.html", f"{newest}/saved_model.pb")
    }
    assert len(writers) == 1, "files of two runs"
    assert (folder / newest / "variables/variables.index").read_text() in writers
    return max(versions)


def check_others(folder):
    """Assert that the user's files are as they were, and nothing else is visible."""
    for name, text in OF_THE_USER.items():
        assert (folder / name).read_text() == text, name
    others = {name.split("/")[0] for name in OF_THE_USER}
    assert names_in(folder) <= FILES | others | {".unfinished"}


def check_after_fault(replay, folder, *, ways):
    """Assert that one run or the other is there, and that the ways on are open.

    Args:
        replay: The recipe.
        folder: The run's folder after the fault.
        ways: Of going on: `"resume"`, `"afresh"`.
    """
    check_others(folder)
    unfinished = folder / ".unfinished"
    if not (unfinished / "run.json").exists():
        assert check_run(folder) in (2, 3)
    is_trained = (unfinished / "backup/trained.json").exists()
    is_whole = check_is_whole(folder)
    for way in ways:
        copy, before = folder.with_name(f"{folder.name}-{way}"), replay.trainings
        shutil.copytree(folder, copy)
        replay.run(copy, resume=way == "resume")
        check_others(copy)
        assert not (copy / ".unfinished").exists()
        # Without anything to resume it trains anew, though the run was whole.
        is_resumed = way == "resume" and is_trained
        assert replay.trainings == before + (not is_resumed)
        assert check_run(copy) == 3 + (is_whole and not is_resumed)
        shutil.rmtree(copy)
    shutil.rmtree(folder)


def check_is_whole(folder):
    """Return whether the second run's files are there, in place or about to be."""
    for path in (folder / ".unfinished/run.json", folder / "run.json"):
        if path.exists():
            return "export/3" in json.loads(path.read_text())["files"]
    raise AssertionError("no run at all")


# How the process ends, and the ways on that are tried.
FAULTS = {
    "kill": (Killed, ("resume", "afresh")),
    "full": (InputError, ("resume",)),
    "interrupt": (KeyboardInterrupt, ("resume",)),
}


@pytest.mark.filterwarnings("ignore:.*the run goes on without")
@pytest.mark.filterwarnings("ignore::recipes.errors.ConvergenceWarning")
@pytest.mark.parametrize("kind", FAULTS)
def test_fault_at_every_operation(kind, replay, occupied, tmp_path):
    ending, ways = FAULTS[kind]
    at, has_struck = 0, True
    while has_struck:
        at += 1
        folder = tmp_path / str(at)
        shutil.copytree(occupied, folder)
        error = None
        with injected(kind, folder, at) as fault:
            try:
                replay.run(folder)
            except ending as raised:
                error = raised
        has_struck = fault.has_struck
        assert error or not has_struck or kind != "kill"
        if isinstance(error, InputError):
            assert len(str(error).splitlines()) == 1
            assert "the disk is full" in str(error) or "No space left" in str(error)
        check_after_fault(replay, folder, ways=ways)
    assert at > 20
    assert not error
