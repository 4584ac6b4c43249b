"""The section on the data: its size, and statistics of each column."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse

from recipes.pipeline.datasets import Column, Data
from recipes.pipeline.report.blocks import (
    Block,
    Cell,
    KeyNumber,
    KeyNumbers,
    Paragraph,
    Section,
    Table,
)
from recipes.pipeline.report.number_format import (
    count,
    date,
    number,
    percent,
    quantity,
    quoted,
    shorten,
)

MAX_ROWS = 500  # of a table with a row for each column of the data
MAX_VALUES = 8  # of a row that are shown
MAX_LETTERS = 200  # of a text
_BLOCK = 1 << 20  # entries that are converted to float64 at a time

Vector = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Summary:
    """Statistics of a matrix's columns without blanks (NaN), each of shape [d].

    A column that is entirely blank has NaN in all but `blanks`.
    """

    mean: Vector
    deviation: Vector  # root of the mean square deviation, divisor n
    low: Vector
    high: Vector
    blanks: npt.NDArray[np.int64]


def summarise(matrix: Any) -> Summary:
    """Compute statistics of the columns of a dense or sparse matrix, in float64.

    Args:
        matrix: array or CSR array of shape [n, d]; it is not copied.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        if scipy.sparse.issparse(matrix):
            return _summarise_sparse(matrix)
        return _summarise_dense(matrix)


def _summarise_dense(matrix: npt.NDArray[Any]) -> Summary:
    """Go block by block and merge the moments as in Chan, Golub and LeVeque (1979)."""
    n, d = matrix.shape
    known, mean, square = np.zeros(d), np.zeros(d), np.zeros(d)
    low, high = np.full(d, np.nan), np.full(d, np.nan)
    step = max(_BLOCK // max(d, 1), 1)
    for start in range(0, n, step):
        block = matrix[start : start + step].astype(np.float64)
        present = ~np.isnan(block)
        low = np.fmin(low, np.fmin.reduce(block))
        high = np.fmax(high, np.fmax.reduce(block))
        here = present.sum(0)
        block_mean = block.sum(0, where=present) / np.maximum(here, 1)
        block -= block_mean
        both = np.maximum(known + here, 1)
        shift = block_mean - mean
        square += np.square(block, out=block).sum(0, where=present)
        square += shift**2 * known * here / both
        mean += shift * here / both
        known += here
    empty = np.where(known > 0, 1.0, np.nan)
    blanks = (n - known).astype(np.int64)
    return Summary(mean * empty, np.sqrt(square / known), low, high, blanks)


def _summarise_sparse(matrix: Any) -> Summary:
    """Do the same for a sparse matrix, where an entry that is not stored is 0."""
    n, d = matrix.shape
    values = matrix.data.astype(np.float64)
    present = ~np.isnan(values)
    columns, values = matrix.indices[present], values[present]
    blanks = np.bincount(matrix.indices[~present], minlength=d)
    known = n - blanks
    mean = np.bincount(columns, values, d) / known
    square = np.bincount(columns, (values - mean[columns]) ** 2, d)
    square += (known - np.bincount(columns, minlength=d)) * mean**2
    low = matrix.nanmin(axis=0).toarray().reshape(-1).astype(np.float64)
    high = matrix.nanmax(axis=0).toarray().reshape(-1).astype(np.float64)
    return Summary(mean, np.sqrt(square / known), low, high, blanks)


def data_summary(data: Data) -> Section:
    """Return the section with the data's size, notes and columns.

    Args:
        data: the training and test rows with their description.
    """
    about, train = data.description, data.train
    sizes = KeyNumbers(
        (
            KeyNumber("Training rows", number(len(train.target))),
            KeyNumber("Test rows", number(len(data.test.target))),
            KeyNumber("Columns", number(len(about.columns)), "besides the target"),
        )
    )
    body: list[Block] = [Paragraph(f"Read from {about.source}."), sizes]
    body.extend(Paragraph(f"{note.rstrip('.')}.") for note in about.notes)
    body.append(_columns_table(data))
    return Section("Data", body)


def _columns_table(data: Data) -> Table:
    """Return a row for the target and one for each of the first `MAX_ROWS` columns."""
    about, train = data.description, data.train
    shown = about.columns[:MAX_ROWS]
    rows = [_describe_column(about.target, train.target[:, None], 0, "target")]
    features = train.features[:, : len(shown)]
    summary = summarise(features)
    rows += [
        _describe_column(column, features, j, "", summary)
        for j, column in enumerate(shown)
    ]
    columns = count(len(shown), "column")
    if len(shown) < len(about.columns):
        columns = (
            f"the first {number(len(shown))} of {number(len(about.columns))} columns"
        )
    caption = f"Statistics of the target and {columns}, over the training rows."
    header = ("Column", "Mean", "SD", "Min", "Max", "Blanks")
    return Table(caption, header, rows, "lrrrrr")


def _describe_column(
    column: Column, matrix: Any, j: int, role: str, summary: Summary | None = None
) -> list[str | Cell]:
    """Return a column's row: moments of numbers, or the most common categories."""
    summary = summary or summarise(matrix)
    blanks = int(summary.blanks[j])
    if column.kind == "text":
        note = _describe_texts(column, matrix[:, j])
        return [Cell(column.name, note), "", "", "", "", number(blanks)]
    if column.levels:
        codes = (
            matrix[:, j].toarray() if scipy.sparse.issparse(matrix) else matrix[:, j]
        )
        if "" in column.levels:
            blanks += int((codes == column.levels.index("")).sum())
        note = ", ".join(filter(None, (role, _describe_levels(column, codes))))
        return [Cell(column.name, note), "", "", "", "", number(blanks)]
    kind = "date, " if column.kind == "date" else ""
    written = f"{kind}written as {column.format}" if column.format else ""
    note = ", ".join(filter(None, (role, column.unit, written)))
    moments = (summary.mean, summary.deviation, summary.low, summary.high)
    mean, deviation, low, high = (float(each[j]) for each in moments)
    if column.kind == "date":
        days = [date(each, column.format) for each in (mean, low, high)]
        figures = [days[0], quantity(deviation, "days"), *days[1:]]
    else:
        figures = [number(each) for each in (mean, deviation, low, high)]
    return [Cell(column.name, note), *figures, number(blanks)]


def _describe_texts(column: Column, places: Any) -> str:
    """Return how many texts there are, and their mean number of words."""
    used, counts = np.unique(places[~np.isnan(places)].astype(int), return_counts=True)
    words = [len(column.texts[place].split()) for place in used]
    mean = counts @ words / counts.sum()
    return f"{count(len(used), 'different text')} of {number(mean, 3)} words on average"


def _describe_levels(column: Column, codes: Any) -> str:
    """Return the five most common levels of a categorical column, with their shares."""
    known = codes[~np.isnan(codes)].astype(np.int64)
    shares = np.bincount(known, minlength=len(column.levels)) / max(known.size, 1)
    order = np.argsort(-shares, kind="stable")
    words = [f"{column.level_names[i]} {percent(float(shares[i]))}" for i in order[:5]]
    rest = f" and {number(order.size - 5)} more" if order.size > 5 else ""
    return f"{count(order.size, 'level')}: {', '.join(words)}{rest}"


def describe_row(
    columns: tuple[Column, ...], features: Any, i: int, summary: Summary
) -> str:
    """Return a raw row's values in words; of many, the `MAX_VALUES` most unusual.

    Args:
        columns: of the data.
        features: [n, d] raw rows, dense or CSR, as in `Examples.features`.
        i: the row's number.
        summary: of these features.
    """
    row = features[[i]]
    row = row.toarray() if scipy.sparse.issparse(row) else row
    row = np.asarray(row, np.float64).reshape(-1)
    shown = np.arange(len(row))
    if len(row) > MAX_VALUES:
        with np.errstate(invalid="ignore", divide="ignore"):
            distance = np.abs(row - summary.mean) / summary.deviation
        distance[[column.kind == "text" for column in columns]] = np.inf
        order = np.argsort(-np.nan_to_num(distance, nan=0.0), kind="stable")
        shown = np.sort(order[:MAX_VALUES])
    return "; ".join(
        f"{columns[j].name} {_format_value(columns[j], row[j])}" for j in shown
    )


def _format_value(column: Column, value: float) -> str:
    if math.isnan(value):
        return "blank"
    if column.levels:
        return column.levels[int(value)] or "blank"
    if column.kind == "text":
        return quoted(shorten(column.texts[int(value)], MAX_LETTERS))
    if column.kind == "date":
        return date(value, column.format)
    return quantity(value, column.unit)
