"""The temporary files of a command, which go with it."""

from tests.commands import run_fresh

COMMAND = """
import tempfile
from pathlib import Path
from recipes.pipeline.cli import program, temporary_files

def main():
    temporary_files.keep_in_own_folder()
    Path(tempfile.mkdtemp(), "left.pyc").touch()

program.run(main)
"""


def test_nothing_is_left(tmp_path):
    (tmp_path / "tmp").mkdir()
    ended = run_fresh(tmp_path, "-c", COMMAND, TMPDIR=str(tmp_path / "tmp"))
    assert (ended.code, ended.err) == (0, "")
    assert not list((tmp_path / "tmp").iterdir())


def test_without_a_folder_one_line_says_so(tmp_path):
    # In which no file may have a byte.
    code = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))"
    ended = run_fresh(tmp_path, "-c", f"{code}\n{COMMAND}")
    assert ended.code == 2
    assert ended.err == (
        "error: no folder for temporary files: set TMPDIR to one that you may write "
        "to\n"
    )
