"""Hostile and damaged data: one line says what is wrong; nothing is left behind."""

import bz2
import gzip
import io
import lzma
import os
import re
import struct
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from tests.commands import environment

ROWS = "".join(f"{i}.25,{i * 7 % 50}.5,{i * i}\n" for i in range(50))
TABLE = "a,b,y\n" + ROWS
LIBSVM = "".join(f"{i} 1:{i % 7} 3:{i * i % 11}\n" for i in range(50))
ZEROS = bytes(64 << 20)
LABELS = "train-labels-idx1-ubyte"
IMAGES = "train-images-idx3-ubyte"


def saved(array, **options):
    stream = io.BytesIO()
    np.save(stream, array, **options)
    return stream.getvalue()


def announced(shape, data=b"", descr="'<f8'"):
    """A .npy file with a header that may be untrue."""
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


def npz(x, y=None):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("x.npy", x)
        file.writestr("y.npy", saved(np.arange(50.0)) if y is None else y)
    return stream.getvalue()


def idx(*shape):
    return struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape) + bytes(range(9))


class Trap:
    """Unpickled, it would create a file."""

    def __reduce__(self):
        return open, ("executed", "w")


FEATURES = saved(np.arange(150.0).reshape(50, 3))
OBJECTS = saved(np.array([Trap()] * 50, object), allow_pickle=True)
FLIPPED = bytearray(gzip.compress(TABLE.encode() * 9, mtime=0))
FLIPPED[len(FLIPPED) // 2] ^= 255

# Name of the data set, contents of files by name, words of the message.
INPUTS = {
    "a cell of a table": (
        "d.csv",
        TABLE + f"1,{'x' * 131_073},3\n",
        ("d.csv, line 52, column 'b': 'xxx", "xxx…' is not a number"),
    ),
    "a cell longer than a block": (
        "d.csv",
        TABLE + ROWS * 2000 + f"1,{'x' * 3_000_000},3\n",
        ("d.csv, line 100052, column 'b': 'xxx", "xxx…' is not a number"),
    ),
    "a name in a message": (
        "d.csv",
        TABLE.replace("b", "b\x1b[2J" * 20_000, 1) + "1,five,3\n",
        (r"d.csv, line 52, column 'b\x1b[2Jb", "…': 'five' is not a number"),
    ),
    "a class that is alone": (
        "d.csv",
        TABLE + f"1,2,{'c' * 100_000}\n",
        ("d.csv, line 52, column 'y': 'ccc", "ccc…' is not a number"),
    ),
    "a line of LIBSVM": (
        "d.svm",
        LIBSVM + "x" * 1_000_000 + "\n",
        ("d.svm, line 51: 'xxx", "xxx…' is not a LIBSVM line"),
    ),
    "zeros in .gz": ("d.csv.gz", gzip.compress(ZEROS), ("line 1: longer than 32 MiB",)),
    "zeros in .bz2": ("d.csv.bz2", bz2.compress(ZEROS), ("longer than 32 MiB",)),
    "zeros in .xz": ("d.csv.xz", lzma.compress(ZEROS), ("longer than 32 MiB",)),
    "LIBSVM of zeros": ("d.svm.gz", gzip.compress(ZEROS), ("longer than 32 MiB",)),
    "arrays of zeros": ("d.npz.gz", gzip.compress(ZEROS), ("is not an .npz file",)),
    "NUL bytes": (
        "d.csv",
        TABLE.replace("7", "\0"),
        ("d.csv, line 3: a NUL byte; expected text in lines",),
    ),
    "a separator of ASCII": (
        "d.csv",
        TABLE + "3\x1c,2,3\n",
        (r"d.csv, line 52, column 'a': '3\x1c' is not a number",),
    ),
    "UTF-16 that ends amid a character": (
        "d.csv",
        TABLE.encode("utf-16")[:-1],
        ("d.csv, near line 51: not utf-16 text",),
    ),
    "binary data": ("d.svm", b"\x7fELF\0\1" * 99, ("line 1: ", "not a LIBSVM line")),
    "an endless row": ("d.csv", "1,2," * 10_000, ("is blank in all rows",)),
    "a truncated .xz": ("d.csv.xz", lzma.compress(TABLE.encode())[:-9], ("truncated",)),
    "a truncated .bz2": (
        "d.csv.bz2",
        bz2.compress(TABLE.encode())[:-9],
        ("truncated",),
    ),
    "a damaged .gz": (
        "d.csv.gz",
        bytes(FLIPPED),
        ("d.csv.gz is truncated or damaged",),
    ),
    **{
        f"the index {index[:9]}": ("d.svm", LIBSVM + f"1 2:1 {index}:1\n", words)
        for index, words in {
            str(2**31): ("line 51: the index 2147483648 is too large",),
            str(2**63): ("line 51: the index 9223372036854775808 is too large",),
            "1" + "0" * 5000: ("line 51: the index 10000", "… is too large"),
            "-3": ("line 51: '1 2:1 -3:1' is not a LIBSVM line",),
        }.items()
    },
    "an infinite value": ("d.svm", LIBSVM + "1 1:1e999\n", ("line 51: '1 1:1e999'",)),
    "an infinite label": ("d.svm", LIBSVM + f"1{'0' * 400} 1:1\n", ("line 51: '1000",)),
    "a shape without data": (
        "d.npz",
        npz(announced((10**10, 3))),
        ("array 'x' is damaged", "announces 10,000,000,000 × 3", "but there are 0"),
    ),
    "a shape that overflows": (
        "d.npz",
        npz(announced((2**62, 4))),
        ("array 'x' is damaged", "4,611,686,018,427,387,904 × 4"),
    ),
    "a negative shape": (
        "d.npz",
        npz(announced((-50, -3), bytes(1200))),
        ("array 'x' is damaged", "announces -50 × -3"),
    ),
    "a header without end": (
        "d.npz",
        npz(announced("(" * 9000)),
        ("array 'x' is damaged",),
    ),
    "an array that is cut": (
        "d.npz",
        npz(FEATURES[:-100]),
        ("array 'x' is damaged", "1,200 bytes, but there are 1,100"),
    ),
    "more rows than targets": (
        "d.npz",
        npz(announced((2**23, 1), ZEROS)),
        ("has 8388608 rows of features but 50 targets",),
    ),
    "pickles": ("d.npz", npz(FEATURES, OBJECTS), ("d.npz: 'y' holds Python objects",)),
    "an archive that is cut": ("d.npz", npz(FEATURES)[:-30], ("is not an .npz file",)),
    "too many columns": (
        "d.svm",
        LIBSVM + "1 2:1 2147483646:1\n",
        ("line 51: 2,147,483,646 columns would take about 859.0 GB", "are available"),
    ),
    "a plain file with too few rows": (
        IMAGES,
        {IMAGES: idx(2**31, 2**7, 2**7), LABELS: idx(9)},
        ("is truncated after 0 of 2147483648 rows",),
    ),
    "too many rows": (
        f"{IMAGES}.xz",
        {f"{IMAGES}.xz": lzma.compress(idx(2**31, 2**7, 2**7)), LABELS: idx(9)},
        (
            "2,147,483,648 rows of 128 × 128, which would take about 140,737.5 GB",
            "available",
        ),
    ),
}
# What a name may stand for.
NAMES = {
    "a folder": ("d.csv", os.mkdir, ("--dataset: d.csv has no tables",)),
    "a pipe": ("d.csv", os.mkfifo, ("--dataset: d.csv is a pipe or device",)),
    "a device": (
        "d.csv",
        lambda path: path.symlink_to("/dev/zero"),
        ("--dataset: d.csv is a pipe or device",),
    ),
    "a circle": (
        "d.csv",
        lambda path: path.symlink_to(path),
        ("--dataset: d.csv cannot be read",),
    ),
    "a long path": (
        "x/" * 50_000 + "d.csv",
        None,
        ("--dataset: x/x/", "cannot be read"),
    ),
    "a long word": ("x" * 100_000, None, ("--dataset: no data set 'xxx", "xxx…'")),
    "control characters": ("\x1b[2J.csv", None, (r"there is no file \x1b[2J.csv",)),
}


def assert_refused(folder, ended, words):
    before = {path.name for path in folder.iterdir()}
    assert ended.code == 2, ended.out + ended.err
    assert re.fullmatch(r"error: [^\n]{1,700}\n", ended.err), ended.err
    assert ended.err.removesuffix("\n").isprintable()
    for each in words:
        assert each in ended.err
    assert not {"runs", "executed"} & before


@pytest.mark.parametrize(("name", "files", "words"), INPUTS.values(), ids=INPUTS)
def test_contents(linear_regression, tmp_path, name, files, words):
    for each, content in (files if isinstance(files, dict) else {name: files}).items():
        data = content.encode() if isinstance(content, str) else content
        (tmp_path / each).write_bytes(data)
    assert_refused(tmp_path, linear_regression(tmp_path, f"--dataset={name}"), words)


@pytest.mark.parametrize(("name", "make", "words"), NAMES.values(), ids=NAMES)
def test_names(linear_regression, tmp_path, name, make, words):
    if make:
        make(tmp_path / name)
    assert_refused(tmp_path, linear_regression(tmp_path, f"--dataset={name}"), words)


FLAGS = {
    "seed": ("--seed=" + "9" * 100_000, ("--seed=999", "should be")),
    "target": ("--target=" + "t" * 100_000, ("--target: no column 'ttt", "ttt…'")),
    "unknown": (f"--{'u' * 100_000}=1", ("--uuu", "no such flag")),
    "stray": ("s" * 100_000, ("'sss", "stray argument")),
    "task": (f"--task={'t' * 100_000}", ("--task=ttt", "should be")),
}


@pytest.mark.parametrize(("flag", "words"), FLAGS.values(), ids=FLAGS)
def test_flags(linear_regression, tmp_path, flag, words):
    (tmp_path / "d.csv").write_text(TABLE)
    ended = linear_regression(tmp_path, "--dataset=d.csv", flag)
    assert ended.code == 2, ended.out + ended.err
    assert re.fullmatch(r"error: [^\n]{1,1100}\n", ended.err), ended.err
    for each in words:
        assert each in ended.err


def test_cells_of_megabytes_are_read(tmp_path):
    """Texts that group the rows, numbers, and texts of many lines, in any block."""
    from tests.recipes.pipeline.datasets.loading import loaded

    path = tmp_path / "d.csv"
    group = ["p" * 1_500_000, '"' + "q\n" * 600_000 + '"']
    path.write_text(
        "a,b,y\n"
        + "".join(f"{i}.{i % 7}{'1' * (i // 300_000 * 9)},p,{i}\n" for i in range(9))
        + "".join(f"0.{'1' * 1_200_000},{group[i % 2]},{i}\n" for i in range(6))
    )
    data = loaded(path, "regression")
    assert len(data.train.target) + len(data.test.target) == 15
    assert len(data.description.columns) == 2
    assert {len(level) for level in data.description.columns[1].levels} == {
        1,
        1_199_999,
        1_500_000,
    }


@pytest.mark.parametrize(("option", "kib"), [("-v", 1_000_000), ("-d", 300_000)])
def test_limits_too_small_for_tensorflow(tmp_path, option, kib):
    command = [sys.executable, "-m", "recipes.linear_regression"]
    ended = subprocess.run(
        ["bash", "-c", f'ulimit {option} {kib}; exec "$@"', "bash", *command],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 2, ended.stderr
    assert re.fullmatch(
        rf"error: TensorFlow needs about \S+ [GM]B to start; ulimit {option} leaves "
        r"\S+ [GM]B\n",
        ended.stderr,
    ), ended.stderr
    assert not list(tmp_path.iterdir())
