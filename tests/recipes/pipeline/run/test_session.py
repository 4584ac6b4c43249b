"""A session: what is left of a training that ends early, and what is recorded."""

import textwrap
import tomllib

import pytest

from recipes import interrupts
from recipes.errors import DivergenceError, InputError
from recipes.pipeline import report
from recipes.pipeline.cli.config import DataConfig
from recipes.pipeline.datasets import load
from recipes.pipeline.run import Session
from tests.commands import ROOT, run_forked
from tests.runs import names_in


@pytest.fixture
def session(tmp_path):
    """A session whose training has written logs, in a folder of its own."""
    folder = tmp_path / "run"
    (folder / "logs").mkdir(parents=True)
    return Session("svm", DataConfig(dataset="iris", out_dir=str(folder)))


def save_state(session):
    (session.folder / "backup").mkdir()
    (session.folder / "backup/7.npz").touch()


def test_training_that_ends_well_keeps_its_files(session):
    with session.training():
        pass
    assert names_in(session.folder) == {"logs"}


@pytest.mark.parametrize("error", [InputError, DivergenceError, ValueError, OSError])
def test_failed_training_leaves_nothing(session, error):
    with pytest.raises(error, match="why"), session.training(has_checkpoints=True):
        raise error("why")
    assert not session.folder.exists()


def test_failed_training_leaves_the_files_of_an_earlier_run(session):
    (session.folder / "metrics.json").touch()
    with pytest.raises(ValueError), session.training():
        raise ValueError
    assert names_in(session.folder) == {"metrics.json"}


@pytest.mark.parametrize("error", [InputError, RuntimeError])
def test_failed_training_keeps_the_state_it_can_resume_from(session, error):
    save_state(session)
    with pytest.raises(error), session.training(has_checkpoints=True):
        raise error
    assert names_in(session.folder) == {"logs", "backup"}


def test_diverged_training_leaves_no_state_to_resume_from(session):
    save_state(session)
    with pytest.raises(DivergenceError), session.training(has_checkpoints=True):
        raise DivergenceError
    assert not session.folder.exists()


@pytest.mark.parametrize(
    ("has_checkpoints", "words"),
    [(True, "before the first backup"), (False, "before the training was done")],
)
def test_interrupt_without_a_state_leaves_nothing(session, has_checkpoints, words):
    with (
        pytest.raises(KeyboardInterrupt, match=f"{words}; nothing is kept in "),
        session.training(has_checkpoints=has_checkpoints),
    ):
        raise KeyboardInterrupt
    assert not session.folder.exists()


def test_interrupt_keeps_the_state_and_says_so(session, monkeypatch):
    """Also when the interrupt arrives as another exception."""
    save_state(session)
    monkeypatch.setattr(interrupts, "was_pressed", lambda: True)
    with (
        pytest.raises(KeyboardInterrupt, match=r"backup in .*run is kept; .*--resume"),
        session.training(has_checkpoints=True),
    ):
        raise RuntimeError("from C++")
    assert names_in(session.folder) == {"logs", "backup"}


def test_report_shows_a_path_that_is_not_valid_unicode(tmp_path):
    config = DataConfig(dataset="iris", out_dir=str(tmp_path), export=False)
    contents = {"train": {}, "test": {}, "baseline": {}, "certificate": {}}
    Session("svm", config).finish(
        model=None,
        serving=None,
        data=load(config, task="classification"),
        predictions={"train": None, "test": None},
        contents=contents,
        page=lambda run, command: report.Page("naïve \udcff", "", (), ()),
    )
    assert "naïve \\udcff" in (tmp_path / "report.html").read_text("utf-8")
    assert names_in(tmp_path) == {"report.html", "metrics.json", "flags.txt"}


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
