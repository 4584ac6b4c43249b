"""A run's folder, whose files appear together and complete, or not at all.

A run writes into `.unfinished`, in its folder: its files, and a backup to go on from.
When the last file is whole, `.unfinished/run.json` lists them. From then on the run
counts: its files are moved to their places by the run itself or, if that is killed, by
the next run that opens the folder. At last `run.json` is moved to stand beside them.

Nothing is replaced or removed that is not on the list of the folder's `run.json`.
"""

import contextlib
import errno
import fcntl
import json
import os
import secrets
import shutil
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

from recipes.errors import InputError
from recipes.pipeline.run.atomic_files import (
    errors_as_input_errors,
    write_text,
)

RECORD = "run.json"
UNFINISHED = ".unfinished"
EXPORT, LOGS = "export", "logs"  # folders that files of others may share
FILES = ("columns.json", "flags.txt", "metrics.json", "model.keras", "report.html")
STATES = "[0-9]*.npz"  # the backups that epochs leave; the number is theirs
TRAINED = "trained.json"  # with `trained.keras`, the backup after the training
_ATTEMPTS = 100  # to lock a folder that other runs make and remove meanwhile
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)


@dataclass(frozen=True)
class Record:
    """The content of `run.json`: which run the files in the folder belong to.

    Attributes:
        recipe: The recipe's name.
        run: The run's identity, which its `metrics.json` has too.
        files: What the run wrote, and the exported versions of earlier runs. A version
            stands for the whole folder.
    """

    recipe: str
    run: str
    files: tuple[str, ...]


def read_record(path: Path) -> Record | None:
    """Read a `run.json`, if there is one.

    Raises:
        InputError: If it is no record of a run.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        text = ""
    try:
        content = json.loads(text)
        record = Record(content["recipe"], content["run"], tuple(content["files"]))
        if all(map(_may_be_listed, record.files)):
            return record
    except (ValueError, KeyError, TypeError):
        pass
    raise InputError(
        f"--out_dir: {str(path)!r} is not the record of a run; name another folder, or "
        "move this file away"
    )


def _may_be_listed(name: str) -> bool:
    first, *rest = PurePosixPath(name).parts
    return ".." not in rest and (first in (EXPORT, LOGS) if rest else first in FILES)


def check_path(path: str) -> None:
    """Check that a folder can have this name.

    Raises:
        InputError: If no file system can hold it, or TensorFlow cannot write there.
    """
    try:
        is_possible = b"\0" not in path.encode()
    except UnicodeEncodeError:
        is_possible = False
    if not is_possible:
        raise InputError(
            f"--out_dir: {path!r} is not the name of a folder: it should be valid "
            "Unicode without NUL"
        )


class RunFolder:
    """The folder of a run in progress, which no other run may use.

    Args:
        path: The folder.
        recipe: The recipe's name.

    Attributes:
        path: The folder.
        backup: The folder for what a killed run can go on from.
        logs: The folder for TensorBoard's logs.
        run: The run's identity.
        is_resumed: Whether the run goes on from the backup.
        is_complete: Whether the run's files are in place.
    """

    def __init__(self, path: Path, recipe: str) -> None:
        self.path, self._recipe = path, recipe
        self._unfinished = path / UNFINISHED
        self._staged = self._unfinished / "files"
        self.backup, self.logs = self._unfinished / "backup", self._staged / LOGS
        self._settings = self._unfinished / "settings.json"
        self._record = Record(recipe, "", ())  # of the run before
        self._lock: int | None = None
        self._made: list[Path] = []
        self.run, self.is_resumed, self.is_complete = "", False, False

    # Opening -------------------------------------------------------------------------

    def open(self, settings: Sequence[str], data: str, *, resume: bool) -> None:
        """Take the folder for a run, and create it if necessary.

        Args:
            settings: The settings that a run to be resumed must have had.
            data: The fingerprint of the data that it must have had.
            resume: Whether to go on from the backup, if there is one.

        Raises:
            InputError: If the folder cannot be written to, another run uses it, it
                holds files of somebody else under the names of a run's, or the backup
                was made with other settings or is damaged.
        """
        self._made = [p for p in (self.path, *self.path.parents) if not _exists(p)]
        try:
            self._lock = self._acquire()
        except OSError as error:
            self._remove_made()
            raise InputError(
                f"--out_dir: cannot write in {str(self.path)!r} ({error.strerror}); "
                "name a folder that you may write to"
            ) from None
        with errors_as_input_errors("the run's files", self.path):
            self._put_in_place()
            self._record = self._read_own_record()
            if resume and self.has_backup:
                self._resume(settings, data)
                return
            if resume:
                print(f"no backup in {self.path}: starting from the beginning")
            self.clear()
            self.run = secrets.token_hex(8)
            text = {"run": self.run, "settings": [*settings], "data": data}
            write_text(self._settings, json.dumps(text, indent=1))
            self.backup.mkdir()

    def _acquire(self) -> int:
        """Lock the folder until this process releases it, or ends in any way."""
        place = self._unfinished / "lock"
        for _ in range(_ATTEMPTS):
            try:
                self._unfinished.mkdir(parents=True, exist_ok=True)
                self._check_unfinished()
                lock = os.open(place, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
            except FileNotFoundError:
                continue  # the run that had made it has just ended
            except FileExistsError:  # it is no folder
                raise self._refuse(UNFINISHED) from None
            try:
                if self._lock_file(lock, place):
                    return lock
            except BaseException:
                os.close(lock)
                raise
            os.close(lock)
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))

    def _lock_file(self, lock: int, place: Path) -> bool:
        """Lock an open file; return whether it still is the one at the place."""
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"--out_dir: another run is writing in {str(self.path)!r}; wait until "
                "it ends, or name another folder"
            ) from None
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            warnings.warn(
                f"{self.path} is on a file system without locks: make sure that no two "
                "runs write in it at once",
                stacklevel=2,
            )
        try:
            return os.fstat(lock).st_ino == place.stat().st_ino
        except FileNotFoundError:
            return False

    def _check_unfinished(self) -> None:
        """Refuse a `.unfinished` that no run has made."""
        names = {path.name for path in self._unfinished.iterdir()}
        if self._unfinished.is_symlink() or (names and "lock" not in names):
            raise self._refuse(UNFINISHED)

    def _read_own_record(self) -> Record:
        """Return the record of the run before, if all files here are on its list.

        Raises:
            InputError: If a file under a name of ours is not, or cannot be replaced.
        """
        record = read_record(self.path / RECORD) or self._record
        for name in FILES:
            place = self.path / name
            if os.path.lexists(place) and (name not in record.files or place.is_dir()):
                raise self._refuse(name)
        for name in (EXPORT, LOGS):
            place = self.path / name
            if os.path.lexists(place):
                if not place.is_dir():
                    raise self._refuse(name)
                if place.stat().st_dev != self._unfinished.stat().st_dev:
                    raise InputError(
                        f"--out_dir: {str(place)!r} is on another file system than its "
                        "folder, so files cannot be moved there; name another folder"
                    )
        return record

    def _refuse(self, name: str) -> InputError:
        return InputError(
            f"--out_dir: {str(self.path / name)!r} is there already, and no {RECORD} "
            "says that a run wrote it; move it away, or name another folder"
        )

    @property
    def is_locked(self) -> bool:
        """Whether no other run can use the folder."""
        return self._lock is not None

    @property
    def has_backup(self) -> bool:
        """Whether there is something to go on from."""
        return any(any(self.backup.glob(name)) for name in (STATES, TRAINED))

    @property
    def is_committed(self) -> bool:
        """Whether the run counts, though its files are not in place yet."""
        return (self._unfinished / RECORD).exists()

    @property
    def files(self) -> tuple[str, ...]:
        """What the run has put in place, and the versions of earlier runs."""
        return self._record.files if self.is_complete else ()

    def _resume(self, settings: Sequence[str], data: str) -> None:
        with reading_backup(self._settings):
            saved = json.loads(self._settings.read_text(encoding="utf-8"))
            run, other = saved["run"], sorted({*saved["settings"]} ^ {*settings})
            has_changed = saved["data"] != data
        if other:
            raise InputError(
                f"--resume: the backup in {str(self.path)!r} was made with other "
                f"settings ({other[0]}); give the same flags, or omit --resume"
            )
        if has_changed:
            raise InputError(
                "--resume: the data have changed since the backup in "
                f"{str(self.path)!r} was made; restore them, or omit --resume"
            )
        self.run, self.is_resumed = run, True
        self.is_complete = run == self._record.run
        for path in self._staged.glob("*"):  # half written, perhaps
            if path.name != LOGS:
                _remove(path)

    def describe_kept(self) -> str:
        """Say what is kept of this run, and how to go on; empty if it is nothing."""
        if self.is_complete:
            return f"the run's files in {self.path} are whole"
        if self.is_committed:
            return (
                f"the run's files in {self.path} are whole; the next run there puts "
                "them in place"
            )
        if not self.run or not self.has_backup:
            return ""
        what = "trained model" if (self.backup / TRAINED).exists() else "backup"
        return (
            f"the {what} in {self.path} is kept; the same command with --resume goes "
            "on from there"
        )

    # Writing -------------------------------------------------------------------------

    @contextlib.contextmanager
    def writing(self, name: str, what: str) -> Iterator[Path]:
        """Write one of the run's files in the block.

        Args:
            name: Its name in the folder.
            what: What it is, for the error message.

        Yields:
            The path to write to; not yet the file's place.

        Raises:
            InputError: If the disk is full or the folder cannot be written to.
        """
        path = self._staged / name
        with errors_as_input_errors(what, self.path / name):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield path

    def next_version(self) -> str:
        """Return the name of the next exported version: `export/N`."""
        return f"{EXPORT}/{max(_versions(self.path / EXPORT), default=0) + 1}"

    def finish(self) -> None:
        """Put the run's files in place of those of the run before.

        Raises:
            InputError: If the disk is full or the folder cannot be written to.
        """
        earlier = (
            name
            for name in self._record.files
            if name.startswith(EXPORT) and (self.path / name).exists()
        )
        files = [*self._list_staged(), *earlier]
        record = Record(self._recipe, self.run, tuple(files))
        self._check_places(record, self._record)
        with errors_as_input_errors("the run's files", self.path):
            text = json.dumps(asdict(record), indent=1, ensure_ascii=False)
            write_text(self._unfinished / RECORD, text + "\n")
            self._put_in_place()
        self._record, self.is_complete = record, True

    def _list_staged(self) -> Iterator[str]:
        for path in sorted(self._staged.rglob("*")):
            name = path.relative_to(self._staged)
            is_version = len(name.parts) == 2 and name.parts[0] == EXPORT
            is_inside = len(name.parts) > 2 and name.parts[0] == EXPORT
            if is_version or (path.is_file() and not is_inside):
                yield name.as_posix()

    def _check_places(self, record: Record, before: Record) -> None:
        """Refuse to replace files that are not of the run before.

        Raises:
            InputError: If a place is taken.
        """
        for name in record.files:
            if not (self._staged / name).exists():
                continue  # it is in place
            if os.path.lexists(self.path / name) and name not in before.files:
                raise self._refuse(name)
            for folder in PurePosixPath(name).parents:
                if _exists(self.path / folder) and not (self.path / folder).is_dir():
                    raise self._refuse(str(folder))

    def _put_in_place(self) -> None:
        """Move the files of a run that counts, if there is one, from wherever it is.

        The files of the run before are removed first, so that the files of both never
        stand side by side. When it is interrupted, another call completes it.
        """
        finished = self._unfinished / RECORD
        record = read_record(finished)
        if not record:
            return
        before = read_record(self.path / RECORD) or Record("", "", ())
        self._check_places(record, before)
        for name in before.files:
            is_replaced = (self._staged / name).exists() or name not in record.files
            if is_replaced and not name.startswith(f"{EXPORT}/"):
                self._remove_listed(name)
        for name in record.files:
            staged, place = self._staged / name, self.path / name
            if staged.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                os.replace(staged, place)
        os.replace(finished, self.path / RECORD)

    def _remove_listed(self, name: str) -> None:
        folders = [self.path / each for each in PurePosixPath(name).parents][:-1]
        if any(folder.is_symlink() for folder in folders):
            return  # it is somewhere else
        (self.path / name).unlink(missing_ok=True)
        for folder in folders:
            with contextlib.suppress(OSError):  # it holds files of others
                folder.rmdir()

    # Closing -------------------------------------------------------------------------

    def clear_backup(self) -> None:
        """Remove what the run could be resumed from."""
        # By name: `trained.json` after the epochs' states, before `trained.keras`. So
        # what a kill leaves never passes for another backup.
        for path in sorted(self.backup.glob("*")):
            _remove(path)

    def clear(self) -> None:
        """Remove the backup and all that the run has written so far."""
        self.clear_backup()
        for path in self._unfinished.iterdir():
            if path.name != "lock":
                _remove(path)

    def discard(self) -> None:
        """Leave nothing of an unfinished run, and no folder that it has made."""
        with contextlib.suppress(OSError):
            self.clear()
            (self._unfinished / "lock").unlink()
            self._unfinished.rmdir()
        self._remove_made()

    def release(self) -> None:
        """Let other runs use the folder."""
        lock, self._lock = self._lock, None
        if lock is not None:
            with contextlib.suppress(OSError):  # there are no locks
                # Processes forked from this one have the file, too.
                fcntl.flock(lock, fcntl.LOCK_UN)
            os.close(lock)

    def _remove_made(self) -> None:
        for folder in self._made:
            with contextlib.suppress(OSError):  # it holds files
                folder.rmdir()


@contextlib.contextmanager
def reading_backup(file: Path) -> Iterator[None]:
    """Read a file of the backup in the block, whatever it may hold.

    Raises:
        InputError: If the block fails.
    """
    try:
        yield
    except Exception as error:
        raise InputError(
            f"--resume: the backup is damaged ({str(file)!r} cannot be read); omit "
            "--resume to start afresh"
        ) from error


def newest_export(folder: Path) -> Path:
    """Return the SavedModel that was written last to a run's folder."""
    return folder / EXPORT / str(max(_versions(folder / EXPORT)))


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # no file can have the name
        return False


def _versions(folder: Path) -> Iterator[int]:
    if folder.is_dir():
        yield from (int(p.name) for p in folder.iterdir() if p.name.isdecimal())


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
