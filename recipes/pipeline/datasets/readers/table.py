"""Text tables, `.csv` and `.tsv`, streamed by Arrow into one matrix."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv

from recipes.errors import InputError
from recipes.pipeline.datasets import source
from recipes.pipeline.datasets.description import Column, Examples
from recipes.pipeline.datasets.encoding import Levels
from recipes.pipeline.datasets.in_place_matrix import (
    GrowingMatrix,
    find_first_infinite,
)
from recipes.pipeline.datasets.precision import GrowingFeatures
from recipes.pipeline.datasets.readers import files
from recipes.pipeline.datasets.readers.table_layout import (
    Kind,
    Layout,
    describe_equal_codes,
    detect_kinds,
    detect_layout,
    find_first_fault,
    make_arrow_options,
    widen_blocks,
)
from recipes.pipeline.datasets.source import Source

_CATEGORIES = pa.dictionary(pa.int32(), pa.string())


def read(path: Path, target: str, like: Source | None = None, kept: str = "") -> Source:
    """Read a table.

    Args:
        path: The file.
        target: Name of the target column; if empty, the last.
        like: For a test set: the training set, which determines the kinds of columns.
        kept: Name of a column that is kept even if its texts identify the rows.

    Raises:
        InputError: The table is malformed, or a cell is wrong; the message names the
            file, line and column.
    """
    layout, head = detect_layout(path)
    target = target or (like.target.name if like else layout.names[-1])
    if target not in layout.names:
        raise source.missing_column_error(target, str(path), layout.names)
    if like is not None:
        names = [name for name in layout.names if name != target]
        source.check_same_columns(like, str(path), names)
    try:
        found = _read_table(layout, head, target, like, kept)
    except pa.ArrowInvalid:  # a row may be longer than a block
        found = _read_table(widen_blocks(layout), head, target, like, kept)
    return found if like is not None else source.drop_useless_columns(found, kept)


def _read_table(
    layout: Layout, head: bytes, target: str, like: Source | None, kept: str
) -> Source:
    """Read a table of known layout.

    Raises:
        pyarrow.ArrowInvalid: A row does not fit into a block of the layout.
        InputError: A row is malformed, or a cell is wrong.
    """
    kinds: dict[str, Kind] = dict.fromkeys(layout.names, "categorical")
    try:
        kinds = _choose_kinds(layout, head, target, like, kept)
        return _read_columns(layout, kinds, target, head)
    except pa.ArrowInvalid as error:
        if layout != widen_blocks(layout):
            raise
        raise find_first_fault(layout, kinds, target) from error


def _choose_kinds(
    layout: Layout, head: bytes, target: str, like: Source | None, kept: str
) -> dict[str, Kind]:
    kinds = detect_kinds(layout, head)
    if like is not None:
        known = {column.name: column.kind for column in (*like.columns, like.target)}
        kinds = {name: known.get(name, "useless") for name in kinds}
    for name in (target, kept):
        if kinds.get(name) == "useless":
            kinds[name] = "categorical"
    texts = [n for n, kind in kinds.items() if kind != "numeric" and n != target]
    if texts and not layout.header:
        raise InputError(
            f"{layout.path}: the first line looks like a row, but column "
            f"{layout.names.index(texts[0]) + 1} holds text; add a header line with "
            "the columns' names"
        )
    return kinds


def _read_columns(
    layout: Layout, kinds: dict[str, Kind], target: str, head: bytes
) -> Source:
    names = [n for n in layout.names if n != target and kinds[n] != "useless"]
    levels = {n: Levels() for n in (*names, target) if kinds[n] == "categorical"}
    features, labels = _stream_rows(layout, kinds, target, names, levels)
    if not len(labels):
        raise InputError(f"{layout.path} has a header line but no rows")
    columns = tuple(_describe_column(name, levels.get(name)) for name in names)
    return Source(
        name=files.strip_suffixes(layout.path),
        where=str(layout.path),
        tabular=layout.header,
        columns=columns,
        target=_describe_column(target, levels.get(target)),
        train=Examples(features, labels),
        dropped=tuple(n for n in layout.names if kinds[n] == "useless"),
        notes=(
            *(() if layout.header else (f"no header line: x1 … x{len(kinds)}",)),
            *source.describe_blanks(levels),
            *describe_equal_codes(layout, kinds, head),
        ),
    )


def _stream_rows(
    layout: Layout,
    kinds: dict[str, Kind],
    target: str,
    names: list[str],
    levels: dict[str, Levels],
) -> tuple[npt.NDArray[np.floating], npt.NDArray[np.float64]]:
    """Stream the file into the features [n, d] and the targets [n]."""
    types = {n: _CATEGORIES if n in levels else pa.float64() for n in (*names, target)}
    features = GrowingFeatures(len(names))
    labels = GrowingMatrix(1, np.float64)
    with files.open_decompressed(layout.path) as stream:
        for batch in pa.csv.open_csv(stream, **make_arrow_options(layout, types)):
            block = np.empty((batch.num_rows, len(names)))
            for place, name in enumerate(names):
                block[:, place] = _decode(batch[name], levels.get(name))
            label = _decode(batch[target], levels.get(target))
            if find_first_infinite(block) or not np.isfinite(label).all():
                raise find_first_fault(layout, kinds, target)
            features.append(block)
            labels.append(label)
    return features.finish(), labels.finish().reshape(-1)


def _decode(column: Any, levels: Levels | None) -> npt.NDArray[Any]:
    """Return a column's numbers or codes, NaN for a blank."""
    if levels is None:
        return np.asarray(column.to_numpy(zero_copy_only=False))
    codes = np.append(levels.encode_all(column.dictionary.to_pylist()), np.nan)
    places = column.indices.fill_null(len(codes) - 1).to_numpy()
    return codes[places]


def _describe_column(name: str, levels: Levels | None) -> Column:
    if levels is None:
        return Column(name)
    return Column(name, "categorical", levels=levels.texts)
