"""A run's folder: whose it is, what it may replace, and what is left when."""

import errno
import fcntl
import json
import os

import pytest

from recipes.errors import InputError
from recipes.pipeline.cli.config import DataConfig
from recipes.pipeline.datasets import load
from recipes.pipeline.run import Session
from recipes.pipeline.run.folder import RunFolder, newest_export
from tests.commands import run_forked
from tests.runs import names_in

FILES = ("flags.txt", "metrics.json", "model.keras", "report.html")


def opened(path, *, resume=False, settings=("--C=1.0",), data="0"):
    folder = RunFolder(path, "svm")
    folder.open(settings, data, resume=resume)
    return folder


def write_run(path, *names, versions=1):
    """Write a run's files, each with the run's identity, and finish."""
    folder = opened(path)
    for name in names:
        with folder.writing(name, name) as place:
            place.write_text(folder.run)
    for _ in range(versions):
        with folder.writing(folder.next_version(), "the SavedModel") as place:
            place.mkdir()
            (place / "saved_model.pb").write_text(folder.run)
    folder.finish()
    folder.discard()
    folder.release()
    return folder.run


def listed(path):
    return set(json.loads((path / "run.json").read_text())["files"])


def test_files_appear_together(tmp_path):
    folder = opened(tmp_path / "a/run")
    with folder.writing("metrics.json", "the metrics") as place:
        place.write_text("{}")
    assert names_in(tmp_path / "a/run") == {".unfinished"}
    folder.finish()
    folder.discard()
    folder.release()
    assert names_in(tmp_path / "a/run") == {"metrics.json", "run.json"}
    assert listed(tmp_path / "a/run") == {"metrics.json"}


def test_later_run_replaces_the_files_and_keeps_the_versions(tmp_path):
    first = write_run(tmp_path, *FILES, "logs/train/events.1")
    second = write_run(tmp_path, "metrics.json", "flags.txt", "logs/train/events.2")
    # A report of the first run would stand beside the numbers of the second.
    assert listed(tmp_path) == {
        *("metrics.json", "flags.txt", "logs/train/events.2", "export/2", "export/1")
    }
    assert names_in(tmp_path) == {
        *("metrics.json", "flags.txt", "logs", "export", "run.json")
    }
    assert names_in(tmp_path / "logs/train") == {"events.2"}
    assert (tmp_path / "metrics.json").read_text() == second
    for version, run in ((1, first), (2, second)):
        assert (tmp_path / f"export/{version}/saved_model.pb").read_text() == run
    assert newest_export(tmp_path) == tmp_path / "export/2"


def test_version_is_the_next_whatever_is_there(tmp_path):
    (tmp_path / "export/7").mkdir(parents=True)
    (tmp_path / "export/notes.txt").write_text("not a version")
    write_run(tmp_path)
    assert names_in(tmp_path / "export") == {"7", "8", "notes.txt"}
    assert listed(tmp_path) == {"export/8"}


def test_version_that_is_removed_is_forgotten(tmp_path):
    write_run(tmp_path)
    write_run(tmp_path)
    (tmp_path / "export/1/saved_model.pb").unlink()
    (tmp_path / "export/1").rmdir()
    write_run(tmp_path)
    assert listed(tmp_path) == {"export/2", "export/3"}


@pytest.mark.parametrize("name", [*FILES, "run.json", ".unfinished"])
def test_file_of_somebody_else_is_refused(name, tmp_path):
    (tmp_path / name).write_text("mine")
    with pytest.raises(InputError) as raised:
        opened(tmp_path)
    assert repr(str(tmp_path / name)) in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1
    assert (tmp_path / name).read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("report.html", "report.html"),
        ("logs/train/events.1", "logs/train/events.1"),
        ("logs/train", "logs/train/events.1"),
        ("export/1/own.txt", "export/1"),
    ],
)
@pytest.mark.parametrize("is_committed", [False, True])
def test_file_that_somebody_else_writes_meanwhile(
    name, written, is_committed, tmp_path, monkeypatch
):
    """It is refused in time, and when it is away the run's files take their places."""
    folder = opened(tmp_path)
    with folder.writing(written, "it") as place:
        place.mkdir() if written == "export/1" else place.write_text("ours")
    if is_committed:  # and killed
        with monkeypatch.context() as patch:
            patch.setattr(RunFolder, "_put_in_place", lambda _: None)
            folder.finish()
        folder.release()
        folder = RunFolder(tmp_path, "svm")
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("mine")
    with pytest.raises(InputError, match="is there already"):
        folder.open((), "", resume=False) if is_committed else folder.finish()
    assert (tmp_path / name).read_text() == "mine"
    folder.release()
    if is_committed:
        (tmp_path / name).unlink()
        if name.startswith("export"):
            (tmp_path / "export/1").rmdir()
        opened(tmp_path).release()
        assert (tmp_path / written).exists()


def test_committed_run_is_not_discarded(tmp_path, monkeypatch):
    """If the disk fails while its files are moved, the next run moves the rest."""
    first = write_run(tmp_path, *FILES)
    replace, moved = os.replace, []

    def fail_later(source, place):
        moved.append(place)
        if len(moved) > 4:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        replace(source, place)

    config = DataConfig(dataset="iris", out_dir=str(tmp_path))
    data = load(config, task="classification")
    session = Session("svm", config)
    with pytest.raises(InputError, match="the next run there puts them"), session:
        session.open_folder(data)
        for name in FILES:
            session._write(name, session.folder.run)
        monkeypatch.setattr(os, "replace", fail_later)
        session.folder.finish()
    monkeypatch.undo()
    kept = {p.read_text() for p in map(tmp_path.joinpath, FILES) if p.exists()}
    assert kept == {session.folder.run} != {first}  # none of the run before
    opened(tmp_path).release()
    assert {(tmp_path / name).read_text() for name in FILES} == {session.folder.run}


def test_leftovers_of_half_written_files_are_removed(tmp_path):
    folder = opened(tmp_path / "run")
    (tmp_path / "run/.unfinished/.tmp-run.json").write_text("{")
    folder.discard()
    folder.release()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", [".unfinished", ".unfinished/lock"])
def test_dangling_link_is_refused(name, tmp_path):
    link = tmp_path / name
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(tmp_path / "nowhere/at/all")
    with pytest.raises(InputError):
        opened(tmp_path)
    assert link.is_symlink()


def test_forked_process_does_not_keep_the_lock(tmp_path):
    folder = opened(tmp_path)
    reader, writer = os.pipe()
    if not (child := os.fork()):
        os.close(writer)
        os.read(reader, 1)
        os._exit(0)
    try:
        folder.release()
        opened(tmp_path).release()
    finally:
        os.close(writer)
        os.close(reader)
        os.waitpid(child, 0)


@pytest.mark.parametrize("name", ["export", "logs"])
def test_file_in_place_of_a_folder_is_refused(name, tmp_path):
    (tmp_path / name).write_text("mine")
    with pytest.raises(InputError, match=name):
        opened(tmp_path)
    assert (tmp_path / name).read_text() == "mine"


def test_unfinished_folder_of_somebody_else_is_refused(tmp_path):
    (tmp_path / ".unfinished").mkdir()
    (tmp_path / ".unfinished/letter.txt").write_text("mine")
    with pytest.raises(InputError, match="unfinished"):
        opened(tmp_path)
    assert names_in(tmp_path / ".unfinished") == {"letter.txt"}


@pytest.mark.parametrize(
    "files",
    [
        *(["/etc/passwd"], ["../own.txt"], ["logs/../../own.txt"], ["own.txt"]),
        *(["export"], ["logs"], 7, [7], "metrics.json"),
    ],
)
def test_record_that_lists_what_no_run_writes_is_refused(files, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (tmp_path / "own.txt").write_text("mine")
    (folder / "own.txt").write_text("mine")
    record = {"recipe": "svm", "run": "0", "files": files}
    (folder / "run.json").write_text(json.dumps(record))
    with pytest.raises(InputError, match=r"run.json' is not the record of a run"):
        opened(folder)
    assert (tmp_path / "own.txt").exists()
    assert (folder / "own.txt").exists()


def test_second_run_is_refused_while_the_first_is_running(tmp_path):
    first = opened(tmp_path)
    code = (
        "from pathlib import Path; from recipes.pipeline.run.folder import RunFolder; "
        "RunFolder(Path('.'), 'svm').open((), '', resume=False)"
    )
    ended = run_forked(tmp_path, "-c", code)
    assert "InputError: --out_dir: another run is writing in '.'; wait" in ended.err
    with pytest.raises(InputError, match="another run is writing"):
        opened(tmp_path)
    assert first.backup.exists()
    first.release()
    opened(tmp_path).release()


def test_lock_that_its_holder_has_removed_is_no_lock(tmp_path, monkeypatch):
    """The first run ends between the second's opening of the lock and its locking."""
    first, flock = opened(tmp_path), fcntl.flock

    def end_first(lock, how):
        monkeypatch.undo()
        first.discard()
        first.release()
        flock(lock, how)

    monkeypatch.setattr(fcntl, "flock", end_first)
    second = opened(tmp_path)
    with pytest.raises(InputError, match="another run is writing"):
        opened(tmp_path)
    second.release()


def test_file_system_without_locks_is_warned_of(tmp_path, monkeypatch):
    def refuse(lock, how):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.warns(UserWarning, match="without locks"):
        opened(tmp_path).release()


def test_missing_permission_is_reported(tmp_path, monkeypatch):
    def refuse(*arguments, **options):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "mkdir", refuse)
    with pytest.raises(InputError, match=r"cannot write in .*Permission denied"):
        opened(tmp_path / "run")


# Going on.


def keep_backup(path, **options):
    folder = opened(path, **options)
    (folder.backup / "3.npz").touch()
    folder.release()
    return folder.run


def test_resumed_run_is_the_same_run(tmp_path):
    run = keep_backup(tmp_path)
    folder = opened(tmp_path, resume=True)
    assert folder.run == run
    assert folder.is_resumed and not folder.is_complete
    folder.release()


def test_resumed_run_writes_its_files_anew_and_keeps_its_logs(tmp_path):
    """With other flags it may not write those that a kill left half written."""
    keep_backup(tmp_path)
    staged = tmp_path / ".unfinished/files"
    for name in ("report.html", "export/1/saved_model.pb", "logs/train/events.1"):
        (staged / name).parent.mkdir(parents=True, exist_ok=True)
        (staged / name).write_text("half")
    folder = opened(tmp_path, resume=True)
    with folder.writing("metrics.json", "the metrics") as place:
        place.write_text("{}")
    folder.finish()
    folder.discard()
    folder.release()
    assert listed(tmp_path) == {"metrics.json", "logs/train/events.1"}
    assert names_in(tmp_path) == {"metrics.json", "logs", "run.json"}


def test_folder_whose_name_is_too_long_leaves_nothing(tmp_path):
    with pytest.raises(InputError, match="File name too long"):
        opened(tmp_path / "made" / ("x" * 300))
    assert not list(tmp_path.iterdir())


def test_without_resume_the_backup_is_discarded(tmp_path):
    run = keep_backup(tmp_path)
    folder = opened(tmp_path)
    assert folder.run != run and not folder.is_resumed and not folder.has_backup
    folder.release()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"settings": ("--C=2.0",)}, "made with other settings"),
        ({"data": "1"}, "the data have changed"),
    ],
)
def test_other_backup_is_refused_and_kept(options, words, tmp_path):
    keep_backup(tmp_path)
    folder = RunFolder(tmp_path, "svm")
    with pytest.raises(InputError, match=words):
        folder.open(**{"settings": ("--C=1.0",), "data": "0", "resume": True} | options)
    folder.release()
    opened(tmp_path, resume=True).release()


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"run": 1}', "\udcff"])
def test_damaged_settings_are_reported(text, tmp_path):
    keep_backup(tmp_path)
    settings = tmp_path / ".unfinished/settings.json"
    settings.write_bytes(text.encode(errors="surrogateescape"))
    folder = RunFolder(tmp_path, "svm")
    with pytest.raises(InputError, match="the backup is damaged"):
        folder.open(("--C=1.0",), "0", resume=True)
    folder.release()
    opened(tmp_path).release()  # afresh
