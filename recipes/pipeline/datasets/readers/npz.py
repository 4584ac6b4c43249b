"""Arrays saved by NumPy in an `.npz` file."""

import math
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from recipes.checks import memory
from recipes.errors import InputError, quote, shorten
from recipes.pipeline.datasets import source
from recipes.pipeline.datasets.description import Column, Examples
from recipes.pipeline.datasets.encoding import Levels
from recipes.pipeline.datasets.readers import files
from recipes.pipeline.datasets.source import Source

_SUFFIX = ".npy"
_ZIP_MAGIC = b"PK"
_HEADERS: Any = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_PAIRS = (("x", "y"), ("features", "target"), ("data", "target"))
_CHANNELS_FIRST = (
    "the images are taken as {} × {} pixels in {} channels; if the channels come "
    "first, save them last: numpy.moveaxis(x, 1, -1)"
)


def read(path: Path) -> Source:
    """Read features [n, d] and targets [n] or [n, 1], with their test part, if any.

    Features [n, h, w] or [n, h, w, c] are images of h lines, w columns and c channels.
    The arrays are called `x` and `y`, `features` and `target`, or `data` and `target`,
    in upper or lower case. With `_train` and `_test` appended to the names, the file
    has its own split.

    Raises:
        InputError: The file has other names, Python objects or other shapes.
    """
    _check_magic(path)
    with files.open_seekable(path) as file:
        arrays = _open_arrays(path, file)
        x_name, y_name, parts = _find_names(path, arrays)
        for part in parts:
            _check_lengths(path, part, x_name, y_name, arrays)
        read_part = [
            (
                _read_features(path, x_name + part, arrays),
                _read_target(path, y_name + part, arrays),
            )
            for part in parts
        ]
    shape = read_part[0][0].shape[1:]
    source.check_width(math.prod(shape), str(path))
    columns = (
        source.name_pixels(shape) if len(shape) > 1 else source.number_columns(*shape)
    )
    target, labels, blanks = _encode_targets([y for _, y in read_part], y_name)
    rows = [
        _make_examples(path, part, x, y, columns, shape, target.name)
        for part, (x, _), y in zip(parts, read_part, labels, strict=True)
    ]
    return Source(
        name=files.strip_suffixes(path),
        where=str(path),
        tabular=False,
        columns=columns,
        target=target,
        train=rows[0],
        test=rows[1] if len(rows) > 1 else None,
        image_shape=shape if len(shape) > 1 else (),
        notes=(
            *((_CHANNELS_FIRST.format(*shape),) if _is_channels_first(shape) else ()),
            *blanks,
        ),
    )


def _check_magic(path: Path) -> None:
    """Check that a file begins as a zip archive, before much of it is unpacked."""
    with files.open_decompressed(path) as stream:
        if not stream.read(2).startswith(_ZIP_MAGIC):
            raise _not_npz_error(path)


class _Arrays(dict[str, str]):
    """Names in the file by their names in lower case, and the file itself."""

    file: zipfile.ZipFile


def _open_arrays(path: Path, stream: IO[bytes]) -> _Arrays:
    try:
        file = zipfile.ZipFile(stream)
    except Exception as error:  # of a dozen types
        raise _not_npz_error(path) from error
    members = [name for name in file.namelist() if name.endswith(_SUFFIX)]
    names = [name.removesuffix(_SUFFIX) for name in members]
    arrays = _Arrays({name.lower(): name for name in names})
    arrays.file = file
    return arrays


def _not_npz_error(path: Path) -> InputError:
    return InputError(
        f"{path} is not an .npz file, or is damaged; numpy.savez writes one"
    )


def _find_names(path: Path, arrays: _Arrays) -> tuple[str, str, list[str]]:
    for x, y in _PAIRS:
        for parts in (["_train", "_test"], [""]):
            if all(x + part in arrays and y + part in arrays for part in parts):
                return x, y, parts
    held = source.quote_first_five(arrays.values()) or "nothing"
    raise InputError(
        f"{path} holds {held}; expected arrays x and y, "
        "or x_train, y_train, x_test and y_test"
    )


def _read_array(path: Path, name: str, arrays: _Arrays) -> npt.NDArray[Any]:
    shape, dtype = _read_header(path, name, arrays)
    what = f"{path}: array {quote(arrays[name])}"
    size = math.prod(shape) * dtype.itemsize
    memory.require(size, f"{what} of {_describe(shape, dtype)}")
    try:
        with arrays.file.open(arrays[name] + _SUFFIX) as stream:
            return np.asarray(np.lib.format.read_array(stream, allow_pickle=False))
    except MemoryError:
        raise
    except Exception as error:  # of a dozen types
        raise InputError(f"{what} is damaged") from error


def _read_header(
    path: Path, name: str, arrays: _Arrays
) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Return the shape and the type that an array's header announces.

    Raises:
        InputError: The header is damaged or untrue, or announces Python objects.
    """
    what = f"{path}: array {quote(arrays[name])}"
    member = arrays.file.getinfo(arrays[name] + _SUFFIX)
    try:
        with arrays.file.open(member) as stream:
            version = np.lib.format.read_magic(stream)
            shape, _, dtype = _HEADERS[version](stream)
            held = member.file_size - stream.tell()
    except Exception as error:  # of a dozen types
        raise InputError(f"{what} is damaged") from error
    if dtype.hasobject:
        raise InputError(
            f"{path}: {quote(arrays[name])} holds Python objects, which are refused "
            "because loading them could run arbitrary code; save it as numbers: "
            f"numpy.savez(path, {name}={name}.astype(float), …)"
        )
    size = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or size != held:
        raise InputError(
            f"{what} is damaged: its header announces {_describe(shape, dtype)}, "
            f"{size:,} bytes, but there are {held:,}"
        )
    return shape, dtype


def _describe(shape: tuple[int, ...], dtype: np.dtype[Any]) -> str:
    sizes = " × ".join(f"{size:,}" for size in shape)
    return f"{shorten(sizes)} {shorten(str(dtype))}"


def _check_lengths(
    path: Path, part: str, x_name: str, y_name: str, arrays: _Arrays
) -> None:
    """Check that there is a target for each row, before the rows are read."""
    (x, _), (y, _) = (
        _read_header(path, name + part, arrays) for name in (x_name, y_name)
    )
    if x and y and x[0] != y[0]:
        raise InputError(
            f"{_name_part(path, part)} has {x[0]} rows of features but {y[0]} targets"
        )


def _name_part(path: Path, part: str) -> str:
    return f"{path} (the {part[1:]} part)" if part else str(path)


def _read_features(path: Path, name: str, arrays: _Arrays) -> npt.NDArray[Any]:
    x = _read_array(path, name, arrays)
    if x.ndim not in (2, 3, 4) or 0 in x.shape:
        raise InputError(
            f"{path}: {quote(arrays[name])} has the shape {list(x.shape)}; expected "
            "[rows, features], or for images [rows, height, width] or [rows, height, "
            "width, channels]"
        )
    if x.dtype.kind not in "biuf":
        raise InputError(
            f"{path}: {quote(arrays[name])} holds {shorten(str(x.dtype))}; "
            "expected real numbers"
        )
    if x.dtype.kind == "f":
        return x
    dtype = np.dtype(np.float32 if x.dtype.itemsize <= 2 else np.float64)
    memory.require(x.size * dtype.itemsize, f"{path}: {quote(arrays[name])} as {dtype}")
    return x.astype(dtype)


def _read_target(path: Path, name: str, arrays: _Arrays) -> npt.NDArray[Any]:
    y = _read_array(path, name, arrays)
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        raise InputError(
            f"{path}: {quote(arrays[name])} has the shape {list(y.shape)}; expected "
            "[rows] or [rows, 1]"
        )
    if y.dtype.kind not in "biufUS":
        raise InputError(
            f"{path}: {quote(arrays[name])} holds {shorten(str(y.dtype))}; expected "
            "real numbers or class names"
        )
    return y


def _encode_targets(
    targets: list[npt.NDArray[Any]], name: str
) -> tuple[Column, list[npt.NDArray[np.float64]], Iterator[str]]:
    """Turn class names into codes, the same in each part; leave numbers unchanged.

    The third result are notes.
    """
    if all(y.dtype.kind in "biuf" for y in targets):
        return Column(name), [y.astype(np.float64) for y in targets], iter(())
    levels = Levels()
    codes = [levels.encode_all(_as_texts(y)) for y in targets]
    column = Column(name, "categorical", levels=levels.texts)
    return column, codes, source.describe_blanks({name: levels})


def _as_texts(y: npt.NDArray[Any]) -> list[str]:
    if y.dtype.kind == "S":
        return [text.decode(errors="backslashreplace") for text in y.tolist()]
    return y.astype(str).tolist()


def _make_examples(
    path: Path,
    part: str,
    x: npt.NDArray[Any],
    y: npt.NDArray[np.float64],
    columns: tuple[Column, ...],
    shape: tuple[int, ...],
    target: str,
) -> Examples:
    where = _name_part(path, part)
    if x.shape[1:] != shape:
        raise InputError(
            f"{where} has rows of {source.format_size(x.shape[1:])} features, the "
            f"training part of {source.format_size(shape)}; their sizes should be equal"
        )
    return source.check_rows(x.reshape(len(x), -1), y, columns, target, where)


def _is_channels_first(shape: tuple[int, ...]) -> bool:
    return len(shape) == 3 and shape[0] in (1, 3, 4) and shape[2] > 4
