"""MNIST's file format, idx: images, and their labels in a file next to them."""

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from recipes.checks import memory
from recipes.errors import InputError
from recipes.pipeline.datasets import source
from recipes.pipeline.datasets.description import Column
from recipes.pipeline.datasets.encoding import format_class
from recipes.pipeline.datasets.in_place_matrix import GrowingMatrix
from recipes.pipeline.datasets.readers import files
from recipes.pipeline.datasets.source import Source

# The third byte of the magic number; the fourth is the number of dimensions.
_TYPES: dict[int, np.dtype[Any]] = {
    0x08: np.dtype("u1"),
    0x09: np.dtype("i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}
_BLOCK_BYTES = 4 << 20
_LARGEST_BYTES = 1 << 28  # of an image; a larger one means a damaged header
_COMPRESSIONS = ("", ".gz", ".bz2", ".xz")


def read(path: Path) -> Source:
    """Read images and their labels, block by block.

    Args:
        path: The images, such as `train-images-idx3-ubyte.gz`. The labels are expected
            in the same folder under the corresponding name, `train-labels-idx1-ubyte`,
            compressed or not. Labels stored as bytes are classes, others are numbers.

    Raises:
        InputError: The labels are missing, the files differ in their number of rows,
            or one of them is not an idx file, truncated or too long.
    """
    features, shape, _ = _read_values(path, (3, 4), np.float32)
    labels_path = _find_labels(path)
    values, _, are_bytes = _read_values(labels_path, (1,), np.float64)
    labels = values.reshape(-1)
    if len(labels) != len(features):
        raise InputError(
            f"{path} holds {len(features)} images, but {labels_path} holds "
            f"{len(labels)} labels"
        )
    target = Column("label")
    if are_bytes:
        keys, labels = np.unique(labels, return_inverse=True)
        names = tuple(format_class(key) for key in keys)
        target = Column("label", "categorical", levels=names)
    columns = source.name_pixels(shape)
    return Source(
        name=_short_name(path),
        where=str(path),
        tabular=False,
        columns=columns,
        target=target,
        train=source.check_rows(features, labels, columns, "label", str(path)),
        image_shape=shape,
    )


def _read_values(
    path: Path, dimensions: tuple[int, ...], dtype: npt.DTypeLike
) -> tuple[npt.NDArray[Any], tuple[int, ...], bool]:
    """Return a file's rows as a matrix, the shape of a row, and whether it is bytes."""
    with files.open_decompressed(path) as stream:
        stored, (count, *rest) = _read_header(path, stream, dimensions)
        width = math.prod(rest)
        each = f" of {source.format_size(tuple(rest))}" if rest else ""
        if files.is_compressed(path):  # the end of a plain file is near
            size = count * width * np.dtype(dtype).itemsize
            memory.require(size, f"{path} announces {count:,} rows{each}, which")
        source.check_width(width, str(path))
        matrix = GrowingMatrix(width, dtype)
        with np.errstate(over="ignore"):  # infinities are reported later
            for block in _read_blocks(path, stream, count, width * stored.itemsize):
                matrix.append(np.frombuffer(block, stored).reshape(-1, width))
        if stream.read(1):
            raise InputError(
                f"{path} continues after the {count} rows that its header announces; "
                "it is damaged: download it again"
            )
    return matrix.finish(), tuple(rest), stored.itemsize == 1


def _read_header(
    path: Path, stream: IO[bytes], dimensions: tuple[int, ...]
) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """Read the type of the entries and the shape of the whole array."""
    magic = stream.read(4)
    if not files.is_idx(magic):
        raise InputError(
            f"{path} begins with the bytes '{magic.hex()}'; expected the magic number "
            f"of an idx file, such as '0000080{dimensions[0]}'"
        )
    if magic[3] not in dimensions:
        raise InputError(
            f"{path} has {magic[3]} dimension{'s' * (magic[3] > 1)}; expected "
            + (
                "images, [rows, height, width] or [rows, height, width, channels], in "
                "a file such as train-images-idx3-ubyte"
                if dimensions != (1,)
                else "labels, [rows]"
            )
        )
    sizes = stream.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise InputError(
            f"{path} ends within its header; it is truncated: download it again"
        )
    shape = tuple(np.frombuffer(sizes, ">u4").tolist())
    bytes_each = math.prod(shape[1:]) * _TYPES[magic[2]].itemsize
    if not 0 < bytes_each <= _LARGEST_BYTES:
        raise InputError(
            f"{path} announces images of {source.format_size(shape[1:])}; its header "
            "is damaged: download it again"
        )
    return _TYPES[magic[2]], shape


def _read_blocks(
    path: Path, stream: IO[bytes], rows: int, row_bytes: int
) -> Iterator[bytes]:
    """Yield the bytes of all rows, some whole rows at a time."""
    step = max(1, _BLOCK_BYTES // row_bytes)
    for start in range(0, rows, step):
        wanted = min(step, rows - start)
        block = stream.read(wanted * row_bytes)
        if len(block) < wanted * row_bytes:
            held = start + len(block) // row_bytes
            raise InputError(
                f"{path} is truncated after {held} of {rows} rows: download it again"
            )
        yield block


def _find_labels(path: Path) -> Path:
    """Find the labels of a file of images: images → labels, idx3 → idx1."""
    name = files.strip_compression(path).name
    wanted, count = re.subn("images", "labels", _normalise_spelling(name))
    if not count:
        raise InputError(
            f"{path}: the name of its labels' file cannot be derived; expected names "
            "such as train-images-idx3-ubyte and train-labels-idx1-ubyte"
        )
    wanted = re.sub("idx[34]", "idx1", wanted)
    present = {
        _normalise_spelling(each.name): each
        for each in path.parent.iterdir()
        if each.is_file()
    }
    # One file may have been unpacked and the other not.
    for compression in (path.name.removeprefix(name), *_COMPRESSIONS):
        if labels_path := present.get(wanted + compression.lower()):
            return labels_path
    raise InputError(
        f"{path}: its labels, {wanted}, are not in the same folder; put them there, "
        "compressed or not"
    )


def _normalise_spelling(name: str) -> str:
    """Spell a file's name as MNIST does: train-images.idx3-ubyte is common, too."""
    return re.sub(r"[._]idx", "-idx", name.lower())


def _short_name(path: Path) -> str:
    """Shorten train-images-idx3-ubyte.gz to train-images."""
    return re.split(r"(?i)[-._]idx", files.strip_compression(path).name)[0]
