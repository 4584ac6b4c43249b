"""Runs commands of Python as users do, many for one import of TensorFlow.

Each command is a process of its own: arguments, working directory, environment,
standard output and error, exit code, signals, files. To import TensorFlow takes
seconds, so the processes are forked from one that has imported it, knows nothing of
the project and has computed nothing yet; TensorFlow starts its threads only afterwards.
What the import itself might do to a command (log lines, time) the tests see in
`run_fresh`.

As a program, `python -IS commands.py SOCKET WORDS…` runs `python WORDS…` that way.
"""

import atexit
import contextlib
import functools
import json
import os
import resource
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parents[1]
CLOSED = -1  # in place of a stream
# A terminal's size and the caller's settings are no part of a test.
_OTHERS = ("TF_CPP_MIN_LOG_LEVEL", "COLUMNS", "PYTHONWARNINGS")


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code, or minus the signal, and what it wrote."""

    code: int
    out: str
    err: str


def environment() -> dict[str, str]:
    kept = {name: text for name, text in os.environ.items() if name not in _OTHERS}
    return kept | {"PYTHONPATH": str(ROOT)}


def run_fresh(folder: Path, *words: str, **variables: str) -> Ended:
    """Runs `python WORDS` in a new process, with these environment variables."""
    result = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=environment() | variables,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    return Ended(result.returncode, result.stdout, result.stderr)


def run_forked(folder: Path, *words: str) -> Ended:
    """Runs `python WORDS`, or `python -I WORDS`, where TensorFlow is imported."""
    return tensorflow_imported().run(folder, *words)


class Forks:
    """A process that others are forked from.

    Args:
        address: The socket on which it listens for what to run.
    """

    def __init__(self, address: str) -> None:
        self.address = address

    def run(
        self,
        folder: Path,
        *words: str,
        largest_file: int | None = None,
        out: int | None = None,
        err: int | None = None,
        meanwhile: Callable[[int], None] | None = None,
    ) -> Ended:
        """Runs `python WORDS`.

        Args:
            folder: The working directory.
            *words: Begin with `-m`, `-c` or a file; before that there may be `-I`.
            largest_file: So many bytes may a file have that the command writes.
            out: The file that is its standard output, or `CLOSED`. By default what it
                writes there is in the answer.
            err: The same for its standard error.
            meanwhile: Called with the process's number while it runs.
        """
        request = {
            "words": list(map(str, words)),
            "folder": str(folder),
            "environment": environment(),
            "largest_file": largest_file,
            "closed": [n for n, given in enumerate((out, err), 1) if given == CLOSED],
        }
        with (
            open(os.devnull, "rb") as nothing,
            tempfile.TemporaryFile() as out_file,
            tempfile.TemporaryFile() as err_file,
        ):
            streams = [
                nothing.fileno(),
                out_file.fileno() if out in (None, CLOSED) else out,
                err_file.fileno() if err in (None, CLOSED) else err,
            ]
            code = self.send(request, streams, meanwhile)
            texts = []
            for file in (out_file, err_file):
                file.seek(0)
                texts.append(file.read().decode())
        return Ended(code, *texts)

    def send(
        self,
        request: dict[str, Any],
        files: Sequence[int],
        meanwhile: Callable[[int], None] | None = None,
    ) -> int:
        """Has a request done with these as standard streams; gives the exit code."""
        with self.ask(request, files) as answers:
            number = int(answers.readline())
            try:
                if meanwhile:
                    meanwhile(number)
            except BaseException:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)
                raise
            return os.waitstatus_to_exitcode(int(answers.readline()))

    @contextlib.contextmanager
    def ask(self, request: dict[str, Any], files: Sequence[int]) -> Iterator[IO[str]]:
        """Sends a request with open files, and gives what answers come."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(self.address)
            socket.send_fds(connection, [b"."], files)
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile() as answers:
                yield answers


@functools.cache
def tensorflow_imported() -> Forks:
    """The process that has imported TensorFlow, and nothing of the project."""
    address, listener = _listen()
    with listener:
        process = subprocess.Popen(
            [sys.executable, "-I", __file__, "serve", str(listener.fileno())],
            env=environment() | {"TF_CPP_MIN_LOG_LEVEL": "3"},
            stdin=subprocess.PIPE,  # whose end is the end of all servers
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,  # lines of the import that heed no setting
            pass_fds=[listener.fileno()],
        )
    atexit.register(process.communicate)
    return Forks(address)


class Commands:
    """`python -m` of a module of the project: called with a folder and arguments.

    Args:
        module: What is run.
        imports: What is imported before, once.
    """

    def __init__(self, module: str, *imports: str) -> None:
        self._module = module
        address, listener = _listen()
        with (
            listener,
            tensorflow_imported().ask({"imports": imports}, [listener.fileno()]),
        ):
            pass
        self._forks = Forks(address)

    def __call__(self, folder: Path, *arguments: str, **others: Any) -> Ended:
        """Runs the module; `others` are those of `Forks.run`."""
        return self._forks.run(folder, "-m", self._module, *arguments, **others)

    def after(self, code: str, folder: Path, *arguments: str, **others: Any) -> Ended:
        """Runs the module after some code, in the same process."""
        code += (
            "\nimport runpy, sys\n"
            f"runpy.run_module({self._module!r}, run_name='__main__', alter_sys=True)"
        )
        return self._forks.run(folder, "-c", code, *arguments, **others)


def _listen() -> tuple[str, socket.socket]:
    folder = tempfile.mkdtemp()  # nobody else may connect
    atexit.register(shutil.rmtree, folder)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{folder}/socket")
    listener.listen()
    return f"{folder}/socket", listener


# ---- in the process that is forked from, and in those that are forked


def _serve(listener: socket.socket) -> None:
    """Forks for every request, until standard input ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for what is forked
    while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:
        connection, _ = listener.accept()
        with connection:
            if not os.fork():
                listener.close()
                _answer(connection)
    os._exit(0)


def _answer(connection: socket.socket) -> None:
    """Does what is asked for, in a process of its own."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _, files, _, _ = socket.recv_fds(connection, 1, 3)
    with connection.makefile() as lines:
        request = json.loads(lines.readline())
    if "imports" in request:
        sys.path.insert(0, str(ROOT))
        for name in request["imports"]:
            __import__(name)
        connection.close()
        _serve(socket.socket(fileno=files[0]))
    number = os.fork()
    if not number:
        connection.close()
        _become(files, **request)
    for file in files:
        os.close(file)
    connection.sendall(f"{number}\n".encode())
    connection.sendall(f"{os.waitpid(number, 0)[1]}\n".encode())
    os._exit(0)


def _become(
    files: Sequence[int],
    words: list[str],
    folder: str,
    environment: dict[str, str],
    largest_file: int | None,
    closed: Sequence[int],
) -> None:
    os.chdir(folder)
    for descriptor, file in enumerate(files):
        os.dup2(file, descriptor)
        os.close(file)
    for descriptor in closed:
        os.close(descriptor)
        setattr(sys, ("stdin", "stdout", "stderr")[descriptor], None)
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None  # what this process was forked from had another TMPDIR
    if largest_file is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    # As in a terminal; tests that were started in the background would ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    code = 1
    atexit._clear()  # what the process that was forked from has registered
    try:
        _run(*words)
        code = 0
    except SystemExit as ending:
        code = ending.code if isinstance(ending.code, int) else int(bool(ending.code))
    except BaseException:
        traceback.print_exc()
    atexit._run_exitfuncs()
    for stream in filter(None, (sys.stdout, sys.stderr)):
        stream.flush()
    os._exit(code)


def _run(*words: str) -> None:
    """`python WORDS`."""
    isolated = words[0] == "-I"
    kind, *words = words[isolated:]
    what = words.pop(0) if kind in ("-m", "-c") else kind
    if not isolated:
        first = os.getcwd() if kind in ("-m", "-c") else str(Path(what).parent)
        given = os.environ.get("PYTHONPATH", "")
        sys.path[:0] = [first, *filter(None, given.split(os.pathsep))]
    sys.argv = [kind, *words]
    if kind == "-m":
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    elif kind == "-c":
        sys.modules["__main__"] = types.ModuleType("__main__")
        exec(compile(what, "<string>", "exec"), vars(sys.modules["__main__"]))
    else:
        runpy.run_path(what, run_name="__main__")


def _main(task: str, *words: str) -> None:
    if task == "serve":
        import tensorflow  # noqa: F401

        _serve(socket.socket(fileno=int(words[0])))
    request = {
        "words": words,
        "folder": os.getcwd(),
        "environment": dict(os.environ),
        "largest_file": None,
        "closed": [],
    }
    code = Forks(task).send(request, [0, 1, 2])
    sys.exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    _main(*sys.argv[1:])
