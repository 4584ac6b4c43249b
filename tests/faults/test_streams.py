"""Commands whose standard streams are closed, full, or lack characters."""

import os
import subprocess
import sys
import textwrap

import pytest

from tests.commands import CLOSED, environment, run_fresh
from tests.runs import FILES, metrics_of, names_in, refusal

FULL = "warning: standard output: No space left on device; the run goes on without it\n"

# Small commands, which need no TensorFlow.

COMMAND = """
import logging, os, sys
from pathlib import Path
from recipes.errors import InputError
from recipes.pipeline.cli import program

def main():
{}

program.run(main)
"""
# More than any buffer holds.
PRINTS_MUCH = """
for number in range(100_000):
    print("line", number)
Path("file").write_text("whole")
"""


def command(body):
    return COMMAND.format(textwrap.indent(textwrap.dedent(body).strip(), "    "))


def run(folder, body, redirection="", python=(), **streams):
    """Run a small command, redirected as in a shell."""
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {redirection}', "sh", sys.executable, *python]
        + ["-c", command(body)],
        cwd=folder,
        env=environment(),
        text=True,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams},
    )


@pytest.fixture
def ended_pipe():
    """The end to write to of a pipe that nobody reads any more."""
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


@pytest.mark.parametrize("python", [(), ("-u",)])
@pytest.mark.parametrize(
    ("redirection", "message"), [(">/dev/full", FULL), (">&-", ""), (">&- <&-", "")]
)
def test_output_that_cannot_be_written(redirection, message, python, tmp_path):
    ended = run(tmp_path, PRINTS_MUCH, redirection, python)
    assert (ended.returncode, ended.stderr) == (0, message)
    assert (tmp_path / "file").read_text() == "whole"


def test_output_s_reader_that_ends(ended_pipe, tmp_path):
    ended = run(tmp_path, PRINTS_MUCH, stdout=ended_pipe)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert (tmp_path / "file").read_text() == "whole"


def test_output_that_fails_at_the_end(ended_pipe, tmp_path):
    """Python writes out its buffer after the last line of the program."""
    assert run(tmp_path, "print('few')", ">/dev/full").stderr == FULL
    ended = run(tmp_path, "print('few')", stdout=ended_pipe)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize(
    ("redirection", "out"),
    [("2>/dev/full", "printed\n"), ("2>&-", "printed\n"), (">&- 2>&- <&-", "")],
)
def test_errors_that_cannot_be_written(redirection, out, tmp_path):
    body = """
        logging.warning("nobody sees it")
        os.write(2, b"nor this")
        print("printed")
        raise InputError("wrong")
        """
    ended = run(tmp_path, body, redirection)
    assert (ended.returncode, ended.stdout, ended.stderr) == (2, out, "")


def test_closed_streams_are_not_given_to_files(tmp_path):
    body = """
        files = [open("file", "w") for _ in range(3)]
        os.write(1, b"printed by C")
        os.write(2, b"printed by C")
        files[-1].write(" ".join(str(file.fileno() > 2) for file in files))
        """
    assert run(tmp_path, body, ">&- 2>&- <&-").returncode == 0
    assert (tmp_path / "file").read_text() == "True True True"


@pytest.mark.parametrize(
    ("encoding", "out", "err"),
    [
        ("ascii", b"? ?\n", rb"error: \u03b3 \udce4"),
        ("utf-8", "γ ?\n".encode(), "error: γ ".encode() + rb"\udce4"),
    ],
)
def test_characters_that_the_encoding_lacks(encoding, out, err, tmp_path):
    code = r"""
        print("\u03b3 \udce4")  # a letter, and a byte of a file's name
        raise InputError("\u03b3 \udce4")
        """
    result = subprocess.run(
        [sys.executable, "-c", command(code)],
        env=environment() | {"PYTHONIOENCODING": encoding},
        capture_output=True,
    )
    assert result.returncode == 2
    assert result.stdout == out
    assert result.stderr.strip() == err


# The recipes.


@pytest.mark.parametrize(
    "variables",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
)
@pytest.mark.parametrize("recipe", ["linear_regression", "svm", "neural_network"])
def test_help_in_ascii(recipe, variables, tmp_path):
    ended = run_fresh(tmp_path, "-m", f"recipes.{recipe}", "--help", **variables)
    assert (ended.code, ended.err) == (0, "")
    assert "--out_dir=TEXT" in ended.out and ended.out.isascii()


def test_help_whose_reader_ends(ended_pipe):
    result = subprocess.run(
        [sys.executable, "-m", "recipes.svm", "--help"],
        env=environment(),
        stdout=ended_pipe,
        stderr=subprocess.PIPE,
    )
    assert (result.returncode, result.stderr) == (0, b"")


def test_full_output_of_a_run(linear_regression, tmp_path):
    with open("/dev/full", "wb") as full:
        ended = linear_regression(tmp_path, "--out_dir=run", out=full.fileno())
    assert (ended.code, ended.err) == (0, FULL)
    assert names_in(tmp_path / "run") == FILES
    assert metrics_of(tmp_path / "run")["certificate"]["converged"]


def test_closed_streams_of_a_run(neural_network, tmp_path):
    flags = ("--out_dir=run", "--epochs=1", "--learning_rate=0.1")
    ended = neural_network(tmp_path, *flags, out=CLOSED, err=CLOSED)
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    assert names_in(tmp_path / "run") == FILES
    assert metrics_of(tmp_path / "run")["certificate"]["epochs"] == 1


def test_deleted_working_directory(linear_regression, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    ended = linear_regression.after("import os; os.rmdir(os.getcwd())", folder)
    assert refusal(ended).startswith("error: --out_dir: cannot write in 'runs/linear")
