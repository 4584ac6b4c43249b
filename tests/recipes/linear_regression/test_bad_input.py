"""Wrong input: exit code 2, one helpful line, and no partial files."""

import gzip
import json
import os
import re
import stat

import numpy as np
import pytest

from tests.commands import run_fresh
from tests.runs import FILES, names_in

ROWS = "".join(f"{i}.25,{i * 7 % 50}.5,{i * i}\n" for i in range(50))
TABLE = "a,b,y\n" + ROWS
LIBSVM = "".join(f"{i} 1:{i % 7} 3:{i * i % 11}\n" for i in range(50))


def compressed(text):
    return gzip.compress(text.encode(), mtime=0)


def assert_rejected(ended, *expected):
    """Check that it exited with 2 and one line that contains these words."""
    assert ended.code == 2, ended.out + ended.err
    assert re.fullmatch(r"error: \S.*\n", ended.err), ended.err
    for words in expected:
        assert words in ended.err
    return ended.err


# File name, its content, further flags, words of the message.
BAD_FILES = {
    "empty file": ("d.csv", "", (), ("d.csv is empty",)),
    "header only": ("d.csv", "a,b,y\n", (), ("d.csv has a header line but no rows",)),
    "text in a numeric column": (
        "d.csv",
        TABLE + "1,five,3\n" + ROWS,
        (),
        ("d.csv, line 52, column 'b': 'five' is not a number",),
    ),
    "text in the target": (
        "d.csv",
        TABLE + "1,5,many\n" + ROWS,
        (),
        ("d.csv, line 52, column 'y': 'many' is not a number",),
    ),
    "a short row": ("d.csv", TABLE + "1,2\n", (), ("d.csv, line 52: 2 cells", "3")),
    "a long row": ("d.csv", TABLE + "1,2,3,4\n", (), ("d.csv, line 52: 4 cells", "3")),
    "a target of blanks": (
        "d.csv",
        "a,b,y\n" + "1,2,nan\n1,2,\n" * 20,
        (),
        ("d.csv: the target 'y' is blank in all rows",),
    ),
    "infinity in the target": (
        "d.csv",
        TABLE + "1,2,inf\n",
        (),
        ("d.csv, line 52, column 'y': 'inf' is not finite",),
    ),
    "no column of use": (
        "d.csv",
        "a,b,y\n" + "".join(f"{i},,{i * i}\n" for i in range(50)),
        (),
        ("'a' (it names the rows", "'b' (blank in all rows)"),
    ),
    "no such target": (
        "d.csv",
        TABLE.replace("b", "price", 1),
        ("--target=prize",),
        ("--target: no column 'prize'", "did you mean 'price'?"),
    ),
    "one row": ("d.csv", "a,b,y\n1,2,3\n", (), ("d.csv",)),
    "a constant target": (
        "d.csv",
        "a,b,y\n" + "".join(f"{i},{i % 3},7\n" for i in range(50)),
        (),
        ("d.csv", "the target 'y' is 7 in every row"),
    ),
    "no column that varies": (
        "d.csv",
        "a,b,y\n" + "".join(f"1,2,{i}\n" for i in range(50)),
        (),
        ("d.csv", "no column varies"),
    ),
    "a truncated .gz": (
        "d.csv.gz",
        compressed(TABLE)[:-30],
        (),
        ("d.csv.gz is truncated or damaged",),
    ),
    "a .gz that is none": (
        "d.csv.gz",
        TABLE,
        (),
        ("d.csv.gz is truncated or damaged",),
    ),
    "no LIBSVM line": (
        "d.libsvm",
        LIBSVM + "1 one:2\n" + LIBSVM,
        (),
        ("d.libsvm, line 51: '1 one:2' is not a LIBSVM line", "1 3:0.5"),
    ),
    "falling indices": (
        "d.svm",
        LIBSVM + "1 3:2 1:4\n",
        (),
        ("d.svm, line 51: '1 3:2 1:4' is not a LIBSVM line",),
    ),
    "an .npz that is none": (
        "d.npz",
        "PK\3\4 nothing",
        (),
        ("d.npz is not an .npz file",),
    ),
    "an unknown format": (
        "d.txt",
        "\0" + TABLE,
        (),
        ("d.txt has an unknown format", ".csv"),
    ),
    "classes as the target": (
        "d.csv",
        "a,b,y\n" + "".join(f"{i},{i % 3},{'no' * (i % 2)}x\n" for i in range(50)),
        (),
        ("d.csv", "'y'", "regression needs a numeric target"),
    ),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_file(case, linear_regression, tmp_path):
    name, content, flags, expected = BAD_FILES[case]
    content = content if isinstance(content, bytes) else content.encode()
    (tmp_path / name).write_bytes(content)
    ended = linear_regression(tmp_path, f"--dataset={name}", "--out_dir=run", *flags)
    assert_rejected(ended, *expected)
    assert {path.name for path in tmp_path.iterdir()} == {name}


def test_npz_of_objects(linear_regression, tmp_path):
    """Loading them could run arbitrary code, so they are rejected."""

    class Trap:
        def __reduce__(self):
            return os.mkdir, ("trapped",)

    x = np.array([[Trap()] for _ in range(9)], dtype=object)
    np.savez(tmp_path / "d.npz", x=x, y=np.arange(9.0))
    ended = linear_regression(tmp_path, "--dataset=d.npz")
    assert_rejected(ended, "d.npz: 'x' holds Python objects", "save it as numbers")
    assert {path.name for path in tmp_path.iterdir()} == {"d.npz"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a,y\n1,2\n3,4\n", ("lacks 'b'",)),
        ("a,b,c,y\n1,2,3,4\n3,4,5,6\n", ("has 'c'", "does not have")),
        ("a,b\n1,2\n3,4\n", ("no column 'y'",)),
        ("a,b,y\n1,u,3\n3,4,5\n", ("test.csv, line 2, column 'b': 'u'",)),
    ],
)
def test_test_set_with_other_columns(text, expected, linear_regression, tmp_path):
    (tmp_path / "d.csv").write_text(TABLE)
    (tmp_path / "test.csv").write_text(text)
    ended = linear_regression(tmp_path, "--dataset=d.csv", "--test_dataset=test.csv")
    assert_rejected(ended, "test.csv", *expected)
    assert not (tmp_path / "runs").exists()


FLAGS = {
    "--dataset=houses.csv": ("--dataset: there is no file houses.csv",),
    "--dataset=diabetis": ("--dataset: no data set", "did you mean 'diabetes'?"),
    "--dataset=.": ("--dataset: . has no tables",),
    "--dataset=iris": ("iris", "regression needs a numeric target"),
    "--test_dataset=houses.csv": ("--test_dataset: there is no file houses.csv",),
    "--dataset=tfds:no_such_set_anywhere": ("no_such_set_anywhere",),
    "--target=bmj": ("--target: no column 'bmj' in diabetes", "did you mean 'bmi'?"),
    "--task=classification": ("--task=classification", "--task=regression"),
    "--task=regresion": ("--task=regresion", "did you mean regression?"),
    "--learning-rte=1": ("--learning-rte: no such flag", "--learning_rate?"),
    "--momentum=nestrov": ("--momentum=nestrov", "did you mean nesterov?"),
    "--test_fraction=0": (
        "--test_fraction=0.0: should be a number above 0 and below 1",
    ),
    "--test_fraction=1": (
        "--test_fraction=1.0: should be a number above 0 and below 1",
    ),
    "--test_fraction=0.0001": ("--test_fraction: 0.0001 of 442 rows",),
    "--learning_rate=-0.1": (
        "--learning_rate=-0.1: should be a number above 0 or auto",
    ),
    "--learning_rate=0": ("--learning_rate=0.0: should be a number above 0 or auto",),
    "--l1=-1": ("--l1=-1.0: should be a number from 0",),
    "--l2=nan": ("--l2=nan",),
    "--tolerance=-1": ("--tolerance=-1.0: should be a number from 0",),
    "--max_iterations=0": ("--max_iterations=0: should be a whole number from 1",),
    "--batch_size=0": ("--batch_size=0: should be a whole number from 1",),
    "--seed=-1": ("--seed=-1",),
    "houses.csv": ("'houses.csv': stray argument",),
}


@pytest.mark.parametrize("flag", FLAGS)
def test_bad_flag(flag, linear_regression, tmp_path):
    assert_rejected(linear_regression(tmp_path, flag), *FLAGS[flag])
    assert not list(tmp_path.iterdir())


def test_out_dir_is_a_file(linear_regression, tmp_path):
    (tmp_path / "taken").write_text("mine")
    for folder in ("taken", "taken/run"):
        ended = linear_regression(tmp_path, f"--out_dir={folder}")
        assert_rejected(ended, "--out_dir: cannot write", repr(folder))
    assert (tmp_path / "taken").read_text() == "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_out_dir_without_permission(linear_regression, tmp_path):
    (tmp_path / "locked").mkdir(mode=stat.S_IRUSR | stat.S_IXUSR)
    ended = linear_regression(tmp_path, "--out_dir=locked")
    assert_rejected(ended, "--out_dir: cannot write", "Permission denied")


def test_out_dir_on_a_file_system_without_writing(linear_regression, tmp_path):
    """A place where even root cannot write."""
    ended = linear_regression(tmp_path, "--out_dir=/proc/run")
    assert_rejected(ended, "--out_dir: cannot write in '/proc/run'")


@pytest.mark.parametrize(
    ("largest", "what"),
    [(10_000, "the model"), (26_000, "the SavedModel"), (50_000, "report.html")],
)
def test_file_that_cannot_grow(largest, what, linear_regression, tmp_path):
    """Simulate a full disk at different points of the run, and more space later."""
    ended = linear_regression(tmp_path, "--out_dir=run", largest_file=largest)
    line = assert_rejected(ended, "run/", f"cannot write {what}: File too large")
    if what == "the model":  # nor could the backup be written
        assert not list(tmp_path.iterdir())
        return
    assert "the trained model in run is kept" in line
    assert names_in(tmp_path / "run") == {".unfinished"}
    ended = linear_regression(tmp_path, "--out_dir=run", "--resume")
    assert (ended.code, ended.err) == (0, "")
    assert "Epoch" not in ended.out
    assert names_in(tmp_path / "run") == FILES


def test_diverging_rate_is_reported_with_the_largest_that_works(
    linear_regression, tmp_path
):
    flags = ("--out_dir=run", "--noreport", "--noexport", "--momentum=none")
    ended = linear_regression(tmp_path, "--learning_rate=100", *flags)
    line = assert_rejected(ended, "--learning_rate=100", "diverges")
    assert not list(tmp_path.iterdir())
    limit = float(re.search(r"largest rate that works here is (\S+)", line)[1])
    ended = linear_regression(tmp_path, f"--learning_rate={1.02 * limit}", *flags)
    assert_rejected(ended, "diverges")
    ended = linear_regression(tmp_path, f"--learning_rate={0.99 * limit}", *flags)
    assert (ended.code, ended.err) == (0, "")
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    assert metrics["certificate"]["converged"] is True


# In new processes, as a user would run them.


def test_bad_file_in_a_fresh_process(tmp_path):
    (tmp_path / "d.csv").write_text(TABLE + "1,five,3\n")
    words = ("-m", "recipes.linear_regression", "--dataset=d.csv")
    assert_rejected(run_fresh(tmp_path, *words), "d.csv, line 52, column 'b': 'five'")
    assert {path.name for path in tmp_path.iterdir()} == {"d.csv"}


def test_bad_flag_in_a_fresh_process(tmp_path):
    ended = run_fresh(tmp_path, "-m", "recipes.linear_regression", "--learning-rte=1")
    assert_rejected(
        ended, "--learning-rte: no such flag", "did you mean --learning_rate?"
    )
    assert ended.out == ""
