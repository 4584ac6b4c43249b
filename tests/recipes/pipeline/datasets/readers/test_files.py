"""What format a file has, by its name or by its content, and compressed files."""

import bz2
import gzip
import lzma
import zipfile

import numpy as np
import pytest

from recipes.errors import InputError
from recipes.pipeline.datasets.readers import files
from tests.recipes.pipeline.datasets.readers.tables import write_zip

CONTENTS = {
    b"a,b\n1,2\n": ".csv",
    b"1 2 3\n4 5 6\n": ".csv",
    "größe;b\n1;2\n".encode("latin-1"): ".csv",
    "a,b\n1,2\n".encode("utf-16"): ".csv",
    b"": ".csv",
    b"1 3:0.5 7:2\n-1 1:2\n": ".libsvm",
    b"2\n1 qid:3 7:2e-3 # a comment\n": ".libsvm",
    b"1\n2\n": ".csv",
    b"13:05 1:2\n": ".csv",
    b'{"a": 1}\n': ".jsonl",
    b"PAR1\0\0": ".parquet",
    b"ARROW1\0\0": ".feather",
    b"\0\0\x08\x01": ".idx",
    b"\x89PNG\r\n\x1a\n\0\0": "",
    b"<!DOCTYPE html>\n<p>a,b\n": "",
    bytes(range(256)): "",
}


@pytest.mark.parametrize(("content", "expected"), CONTENTS.items())
@pytest.mark.parametrize("name", ["d", "d.txt", "d.data", "d.unknown"])
def test_the_content_decides_where_the_name_does_not(tmp_path, name, content, expected):
    path = tmp_path / name
    path.write_bytes(content)
    assert files.detect_format(path) == expected
    for compress in (gzip.compress, bz2.compress, lzma.compress):
        path.write_bytes(compress(content))
        assert files.detect_format(path) == expected
    write_zip(path, d=content)
    assert files.detect_format(path) == expected


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".npz", ".parquet", ".jsonl"])
def test_the_suffix_decides(tmp_path, suffix):
    path = tmp_path / f"d{suffix.upper()}"
    path.write_bytes(b"PAR1")
    assert files.detect_format(path) == suffix
    assert files.detect_format(tmp_path / f"none{suffix}.zip") == suffix


def test_archives_that_are_a_format(tmp_path):
    np.savez(tmp_path / "d.npz", x=np.ones(3))
    (tmp_path / "d.npz").rename(tmp_path / "arrays")
    assert files.detect_format(tmp_path / "arrays") == ".npz"
    write_zip(tmp_path / "book", **{"xl/workbook.xml": "", "_rels": ""})
    assert files.detect_format(tmp_path / "book") == ".xlsx"


@pytest.mark.parametrize("name", ["d.zip", "d.csv.zip", "d"])
def test_a_zip_of_one_file(tmp_path, name):
    members = {"in/flats.csv": "a,b\n", "__MACOSX/in/._flats.csv": "x", "in/": ""}
    path = write_zip(tmp_path / name, **members, **{".DS_Store": "", "README": "it"})
    assert files.is_compressed(path)
    assert files.detect_format(path) == ".csv"
    with files.open_decompressed(path) as stream:
        assert stream.read() == b"a,b\n"
    with files.open_seekable(path) as stream:
        assert stream.seek(2) == 2
        assert stream.read() == b"b\n"
    if name.endswith(".zip"):
        assert files.strip_suffixes(path) == "flats"


def refused(path):
    with pytest.raises(InputError) as caught, files.open_decompressed(path) as stream:
        stream.read()
    return str(caught.value)


def test_zips_that_cannot_be_read(tmp_path):
    path = write_zip(tmp_path / "d.zip", **{"a.csv": "x", "b.tsv": "y", "c.md": "z"})
    assert refused(path) == (
        f"{path} holds 2 files, 'a.csv', 'b.tsv'; expected an archive of one file of "
        "data"
    )
    with pytest.raises(InputError, match="holds 2 files"):
        files.detect_format(path)
    assert "holds no file" in refused(write_zip(tmp_path / "d.zip"))
    path = write_zip(tmp_path / "d.zip", **{"a.csv": "x" * 1000})
    content = bytearray(path.read_bytes())
    path.write_bytes(content[:500])
    assert "truncated or damaged" in refused(path)
    content[100] ^= 1
    path.write_bytes(content)
    assert "truncated or damaged" in refused(path)
    encrypted = zipfile.ZipInfo("a.csv")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(encrypted, "x")
    content = path.read_bytes()
    flags = content.index(b"PK\x01\x02") + 8
    path.write_bytes(content[:flags] + b"\x01" + content[flags + 1 :])
    assert "is encrypted" in refused(path)
