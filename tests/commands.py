"""Runs commands of the project as users do, many for one import of TensorFlow.

Each command is a process of its own: arguments, working directory, standard output and
error, exit code, signals, files. To import TensorFlow takes seconds, and a recipe is
run many times here, so the processes are forked from one that has imported it and has
computed nothing yet; TensorFlow starts its threads only afterwards. What the import
itself might do to a command (log lines, time) the tests see in `run_fresh`.
"""

import contextlib
import json
import os
import resource
import runpy
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
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


def run_fresh(folder: Path, *words: str) -> Ended:
    """Runs `python WORDS` in a new process."""
    result = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    return Ended(result.returncode, result.stdout, result.stderr)


class Commands:
    """The process that others are forked from.

    Args:
        module: What `python -m` runs.
        imports: The modules to import before.
    """

    def __init__(self, module: str, *imports: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.commands", module, *imports],
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def __call__(
        self,
        folder: Path,
        *arguments: str,
        largest_file: int | None = None,
        meanwhile: Callable[[int], None] | None = None,
    ) -> Ended:
        """Runs the module with these arguments.

        Args:
            folder: The working directory.
            *arguments: Of the command line.
            largest_file: So many bytes may a file have that it writes.
            meanwhile: Called with the process's number while it runs.
        """
        files = [folder / ".stdout", folder / ".stderr"]
        request = [str(folder), *map(str, files), largest_file, arguments]
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(request) + "\n")
        number = int(self._process.stdout.readline())
        try:
            if meanwhile:
                meanwhile(number)
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
            raise
        finally:
            status = int(self._process.stdout.readline())
            texts = [file.read_text(encoding="utf-8") for file in files]
            for file in files:
                file.unlink()
        return Ended(os.waitstatus_to_exitcode(status), *texts)

    def close(self) -> None:
        with self._process:  # closes its pipes, which ends it, and waits for it
            pass
        assert self._process.returncode == 0


def _serve(module: str, *imports: str) -> None:
    from recipes.pipeline.quiet import import_tensorflow

    import_tensorflow()
    for name in imports:
        __import__(name)
    for line in sys.stdin:
        number = os.fork()
        if not number:
            _become(module, *json.loads(line))
        print(number, flush=True)
        print(os.waitpid(number, 0)[1], flush=True)


def _become(
    module: str,
    folder: str,
    out: str,
    err: str,
    largest_file: int | None,
    arguments: list[str],
) -> None:
    os.chdir(folder)
    for descriptor, path in enumerate((os.devnull, out, err)):
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(file, descriptor)
        os.close(file)
    if largest_file is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    # As in a terminal; tests that were started in the background would ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = [module, *arguments]
    code = 1
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as ending:
        code = ending.code if isinstance(ending.code, int) else int(bool(ending.code))
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    _serve(*sys.argv[1:])
