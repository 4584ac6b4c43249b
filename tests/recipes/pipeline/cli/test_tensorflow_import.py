"""The quiet import, of a module that stands for TensorFlow and writes what it does."""

import signal
import subprocess
import sys

import pytest

from tests.commands import environment, run_fresh

CPP = "I0000 00:00:1795816584.150606    6522 port.cc:153] oneDNN custom operations"
OTHERS = """\
W1127 22:06:51.051896 140557235767104 module.py:573] of Python's
F0000 00:00:1795816584.150606    6522 cpu_feature_guard.cc:12] fatal
Traceback
without an end"""
TENSORFLOW = f"""
import os
os.write(2, b'''WARNING: All log messages before absl::InitializeLog() is called are
{CPP}
{OTHERS}''')
constant = float
def function(compiled, jit_compile):
    return compiled
"""
COMMAND = """
from recipes.pipeline.cli import program
from recipes.pipeline.cli.tensorflow_import import import_tensorflow
program.run(import_tensorflow)
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "tensorflow.py").write_text(TENSORFLOW)
    return tmp_path


@pytest.mark.parametrize("level", [{}, *({"TF_CPP_MIN_LOG_LEVEL": n} for n in "023")])
def test_lines_of_cpp(level, folder):
    ended = run_fresh(folder, "-c", COMMAND, **level)
    assert ended.code == 0
    assert (CPP in ended.err) == (level.get("TF_CPP_MIN_LOG_LEVEL") == "0")
    assert ended.err.endswith(OTHERS)


def test_the_last_words_of_a_process(folder):
    (folder / "tensorflow.py").write_text(TENSORFLOW + "os.abort()")
    ended = run_fresh(folder, "-c", COMMAND)
    assert ended.code == -signal.SIGABRT
    assert ended.err == OTHERS


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full"])
def test_without_standard_error(redirection, folder):
    result = subprocess.run(
        ["sh", "-c", f'exec "$@" {redirection}', "sh", sys.executable, "-c", COMMAND],
        cwd=folder,
        env=environment(),
    )
    assert result.returncode == 0
