"""A session: what is left of a training that ends early, and what is recorded."""

import textwrap
import tomllib

import numpy as np
import pytest
from scipy.sparse import csr_array

from recipes import interrupts
from recipes.errors import DivergenceError, InputError
from recipes.pipeline import report
from recipes.pipeline.cli.config import DataConfig
from recipes.pipeline.datasets import Data, load
from recipes.pipeline.datasets.description import Examples
from recipes.pipeline.evaluation import decide
from recipes.pipeline.run import Session
from recipes.pipeline.run.session import fingerprint
from tests.commands import ROOT, run_forked
from tests.runs import names_in

DATA = load(DataConfig(dataset="iris"), task="classification")


@pytest.fixture
def session(tmp_path):
    """A session that has written logs, in a folder of its own."""
    session = Session("svm", DataConfig(dataset="iris", out_dir=str(tmp_path / "run")))
    session.open_folder(DATA)
    session.folder.logs.mkdir(parents=True)
    return session


def save_state(session):
    (session.folder.backup / "7.npz").touch()


@pytest.mark.parametrize("error", [InputError, DivergenceError, ValueError, OSError])
def test_failed_training_leaves_nothing(session, error):
    with pytest.raises(error, match=r"^why$"), session:
        raise error("why")
    assert not session.folder.path.exists()


def test_failed_training_leaves_the_folder_and_the_files_of_others(tmp_path):
    folder = tmp_path / "empty"
    for name in ("logs", "backup"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "own").touch()
    folder.mkdir()
    for each in (folder, tmp_path):
        session = Session("svm", DataConfig(out_dir=str(each)))
        with pytest.raises(ValueError), session:
            session.open_folder(DATA)
            session.folder.logs.mkdir(parents=True)
            raise ValueError
    assert names_in(tmp_path) == {"empty", "logs", "backup"}
    assert not list(folder.iterdir())
    assert all((tmp_path / name / "own").exists() for name in ("logs", "backup"))


def test_input_error_says_what_is_kept(session):
    with (
        pytest.raises(InputError, match=r"^why; the backup in .*run is kept; .*--res"),
        session,
    ):
        save_state(session)
        raise InputError("why")
    assert (session.folder.backup / "7.npz").exists()


def test_error_of_ours_has_a_note_of_what_is_kept(session):
    with pytest.raises(RuntimeError) as raised, session:
        save_state(session)
        raise RuntimeError
    (note,) = raised.value.__notes__
    assert note.startswith("the backup in ")


def test_diverged_training_leaves_no_state_to_resume_from(session):
    def train():
        save_state(session)
        raise DivergenceError

    with pytest.raises(DivergenceError), session:
        session.train(train)
    assert not session.folder.path.exists()


def test_interrupt_without_a_state_leaves_nothing(session):
    with pytest.raises(KeyboardInterrupt, match="nothing of this run is kept"), session:
        raise KeyboardInterrupt
    assert not session.folder.path.exists()


def test_interrupt_keeps_the_state_and_says_so(session, monkeypatch):
    """Also when the interrupt arrives as another exception."""
    monkeypatch.setattr(interrupts, "has_come", lambda: True)
    with (
        pytest.raises(KeyboardInterrupt, match=r"backup in .*run is kept; .*--resume"),
        session,
    ):
        save_state(session)
        raise RuntimeError("from C++")
    assert names_in(session.folder.path) == {".unfinished"}


def test_interrupt_that_was_swallowed_ends_the_stage(session, monkeypatch):
    with pytest.raises(KeyboardInterrupt), session, session.stage("export"):
        monkeypatch.setattr(interrupts, "has_come", lambda: True)


def test_report_shows_a_path_that_is_not_valid_unicode(tmp_path):
    config = DataConfig(dataset="iris", out_dir=str(tmp_path), export=False)
    contents = {"train": {}, "test": {}, "baseline": {}, "certificate": {}}
    target, rows = DATA.test.target, len(DATA.test.target)
    with Session("svm", config) as session:
        session.open_folder(DATA)
        session.finish(
            model=None,
            serving=None,
            data=DATA,
            predictions={"train": None, "test": decide(target, np.zeros((rows, 3)))},
            contents=contents,
            page=lambda run, command: report.Page("naïve \udcff", "", (), ()),
        )
    assert "naïve \\udcff" in (tmp_path / "report.html").read_text("utf-8")
    assert names_in(tmp_path) == {
        *("report.html", "metrics.json", "flags.txt", "run.json")
    }


@pytest.mark.parametrize("name", ["a\0b", "a\ud800b", "a\udcffb"])
def test_folder_that_cannot_be_is_refused_before_the_data_are_read(name):
    with pytest.raises(InputError, match="is not the name of a folder"):
        Session("svm", DataConfig(dataset="no such data", out_dir=name))


# What the fingerprint sees.


def test_fingerprint_tells_any_changed_number():
    table = load(DataConfig(dataset="iris"), task="classification")
    before = fingerprint(table)
    assert fingerprint(DATA) == before
    for rows in table.parts.values():
        for array in (rows.features, rows.target):
            index = (-1,) * array.ndim
            array[index] += 1
            assert fingerprint(table) != before
            array[index] -= 1
    assert fingerprint(table) == before


def test_fingerprint_of_sparse_rows():
    def made(value):
        rows = csr_array(np.array([[0, value], [3.0, 0]]))
        return Examples(rows, np.zeros(2))

    one, two = (
        fingerprint(Data(made(value), made(1.0), DATA.description))
        for value in (1.0, 2.0)
    )
    assert one != two


# A run of a checkout that is on the path, but not installed.
NOT_INSTALLED = """
    from importlib import metadata

    find = metadata.Distribution.from_name

    def from_name(name):
        if name == "descent-recipes":
            raise metadata.PackageNotFoundError(name)
        return find(name)

    metadata.Distribution.from_name = from_name
    from recipes import linear_regression

    config = linear_regression.Config(out_dir=".", export=False, report=False)
    run = linear_regression.train_and_evaluate(config)
    print(run.metrics["versions"]["recipes"])
"""


def test_version_of_a_checkout_that_is_not_installed(tmp_path):
    ended = run_forked(tmp_path, "-c", textwrap.dedent(NOT_INSTALLED))
    assert (ended.code, ended.err) == (0, "")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert ended.out.splitlines()[-1] == project["version"]
