"""Commands that Ctrl-C, SIGTERM or SIGHUP ends, wherever it strikes."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.commands import Ended, environment, run_forked, run_fresh
from tests.runs import FILES, LONGEST_WAIT, names_in, wait_for

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def interruption(ended, number):
    """Return what the only line says that an interrupted command writes."""
    assert ended.code == 128 + number, ended.err
    (line,) = ended.err.strip().splitlines()
    assert line.startswith("interrupted: ")
    return line.removeprefix("interrupted: ")


@contextlib.contextmanager
def started(folder, *words):
    """Start `python WORDS` in a new process."""
    with subprocess.Popen(
        [sys.executable, *words],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()  # if the test has failed


def end_of(process):
    """Return how the process ends, which it will."""
    out, err = process.communicate(timeout=LONGEST_WAIT)
    return Ended(process.returncode, out, err)


# Small commands, which need no TensorFlow.

COMMAND = """
import hashlib, os, signal, sys, time
from recipes import interrupts
from recipes.errors import InputError
from recipes.pipeline.cli import program

def send(*numbers):
    for number in numbers:
        os.kill(os.getpid(), number)

def main():
{body}

# As in a terminal; tests that were started in the background would ignore it.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
{before}
program.run(main)
"""


def command(body, before=""):
    body = textwrap.indent(textwrap.dedent(body).strip(), "    ")
    return COMMAND.format(body=body, before=before)


@pytest.mark.parametrize("number", SIGNALS)
def test_each_signal_has_its_exit_code(number, tmp_path):
    code = command(
        f"""
        send({number:d})
        print("never")
        """
    )
    ended = run_fresh(tmp_path, "-c", code)
    assert interruption(ended, number) == "the files written so far are whole"
    assert ended.out == ""


@pytest.mark.parametrize("number", SIGNALS)
def test_ignored_signal_stays_ignored(number, tmp_path):
    """As `nohup` ignores SIGHUP, and a shell Ctrl-C for its background commands."""
    code = command(
        f"send({number:d}); print('done')",
        before=f"signal.signal({number:d}, signal.SIG_IGN)",
    )
    ended = run_fresh(tmp_path, "-c", code)
    assert (ended.code, ended.out, ended.err) == (0, "done\n", "")


def test_second_signal_does_not_stop_the_clean_up(tmp_path):
    code = command(
        """
        try:
            send(signal.SIGTERM)
        finally:
            send(signal.SIGINT)
            print("cleaned up")
        """
    )
    ended = run_fresh(tmp_path, "-c", code)
    interruption(ended, signal.SIGTERM)
    assert ended.out == "cleaned up\n"


@pytest.mark.parametrize(
    "body",
    [
        # C code calls Python, and forgets what it raises.
        """
        class Forgetful:
            def __del__(self):
                send(signal.SIGTERM)
        Forgetful()
        """,
        # What pybind11 makes of it.
        """
        try:
            send(signal.SIGTERM)
        except KeyboardInterrupt:
            raise RuntimeError("KeyboardInterrupt: <EMPTY MESSAGE>") from None
        """,
        """
        try:
            send(signal.SIGTERM)
        except KeyboardInterrupt:
            sys.exit()
        """,
    ],
)
def test_lost_interrupt_is_heeded_at_the_end(body, tmp_path):
    interruption(run_fresh(tmp_path, "-c", command(body)), signal.SIGTERM)


@pytest.mark.parametrize("heed", ["interrupts.check()", "send(signal.SIGINT)"])
def test_lost_interrupt_is_heeded_at_once(heed, tmp_path):
    code = command(
        f"""
        try:
            send(signal.SIGTERM)
        except KeyboardInterrupt:
            pass
        {heed}
        print("never")
        """
    )
    ended = run_fresh(tmp_path, "-c", code)
    interruption(ended, signal.SIGTERM)
    assert ended.out == ""


def test_third_signal_ends_even_c_code(tmp_path):
    code = command(
        """
        open("started", "w").close()
        hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)
        """
    )
    with started(tmp_path, "-c", code) as process:
        wait_for((tmp_path / "started").exists, process.pid)
        for _ in range(3):
            wait_for(lambda: not has_pending_signal(process), process.pid)
            process.send_signal(signal.SIGINT)
        assert end_of(process) == Ended(128 + signal.SIGINT, "", "")


def has_pending_signal(process):
    """Return whether a signal, which another one of its kind would join, waits."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"ShdPnd:\s*(\w+)", status)[1], 16) != 0


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("pass", 0),
        ("raise InputError('no such file')", 2),
        ("send(signal.SIGHUP)", 128 + signal.SIGHUP),
    ],
)
def test_signal_after_the_end_changes_nothing(end, code, tmp_path):
    text = command(
        f"""
        import atexit
        atexit.register(lambda: (send(signal.SIGTERM), print("cleaned up")))
        {end}
        """
    )
    ended = run_fresh(tmp_path, "-c", text)
    assert (ended.code, ended.out) == (code, "cleaned up\n")
    assert len(ended.err.strip().splitlines()) == (code != 0)


@pytest.mark.parametrize("number", SIGNALS)
def test_first_process_of_a_container(number, tmp_path):
    """It ignores each signal that it has no handler for."""
    namespace = ["unshare", "--pid", "--fork", "--kill-child"]
    if subprocess.run([*namespace, "true"], capture_output=True).returncode:
        pytest.skip("`unshare --pid` is not permitted here")
    code = command(f"assert os.getpid() == 1; send({number:d}); time.sleep(600)")
    result = subprocess.run(
        [*namespace, sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
    )
    interruption(Ended(result.returncode, result.stdout, result.stderr), number)


# A recipe.


def test_while_flags_are_read(linear_regression, tmp_path):
    flags = tmp_path / "flags"
    os.mkfifo(flags)

    def interrupt(process):
        with flags.open("w"):  # which waits for the reader
            os.kill(process, signal.SIGTERM)

    ended = linear_regression(tmp_path, f"--flagfile={flags}", meanwhile=interrupt)
    interruption(ended, signal.SIGTERM)


def test_while_tensorflow_is_imported(tmp_path):
    with started(tmp_path, "-m", "recipes.svm", "--out_dir=run") as process:
        libraries = Path(f"/proc/{process.pid}/maps")
        wait_for(lambda: "libtensorflow" in libraries.read_text(), process.pid)
        process.send_signal(signal.SIGTERM)
        ended = end_of(process)
    interruption(ended, signal.SIGTERM)
    assert ended.out == ""
    assert not list(tmp_path.iterdir())


# In place of a function of the run: it sends a signal, then does what it did.
STRIKE = """
import functools, os, signal
import {module} as module
def strike(function):
    @functools.wraps(function)
    def wrapped(*args, **kwargs):
        os.kill(os.getpid(), signal.{name})
        return function(*args, **kwargs)
    return wrapped
module.{function} = strike(module.{function})
"""


@pytest.mark.parametrize("number", SIGNALS)
def test_while_tensorflow_traces(number, linear_regression, tmp_path):
    code = STRIKE.format(
        module="recipes.linear_regression.model",
        function="LinearRegression.train_step",
        name=number.name,
    )
    ended = linear_regression.after(code, tmp_path, "--out_dir=run")
    assert interruption(ended, number) == "nothing of this run is kept"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("module", "function"),
    [
        ("recipes.pipeline.evaluation", "score"),
        ("tensorflow", "saved_model.save"),
        ("recipes.pipeline.report", "render"),
    ],
)
def test_after_the_training(module, function, linear_regression, tmp_path):
    code = STRIKE.format(module=module, function=function, name="SIGTERM")
    ended = linear_regression.after(code, tmp_path, "--out_dir=run")
    assert interruption(ended, signal.SIGTERM) == (
        "the trained model in run is kept; the same command with --resume goes on from "
        "there"
    )
    assert names_in(tmp_path / "run") == {".unfinished"}
    ended = linear_regression(tmp_path, "--out_dir=run", "--resume")
    assert (ended.code, ended.err) == (0, "")
    assert "Epoch" not in ended.out
    assert names_in(tmp_path / "run") == FILES


def test_all_recipes(tmp_path):
    code = STRIKE.format(
        module="recipes.pipeline.datasets", function="load", name="SIGTERM"
    )
    code += "import runpy; runpy.run_module('recipes', run_name='__main__')"
    ended = run_forked(tmp_path, "-c", code)
    interruption(ended, signal.SIGTERM)
    assert ended.out == "\n== python -m recipes.linear_regression\n"
