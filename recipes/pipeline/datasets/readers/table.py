"""A table as a `Source`: how each column is read is decided over all of its rows."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute

from layers.cells import PLACEHOLDERS, clean
from recipes.checks.suggestions import suggest
from recipes.errors import InputError, quote
from recipes.pipeline.datasets import encoding, in_place_matrix, source
from recipes.pipeline.datasets.description import Column, Examples
from recipes.pipeline.datasets.encoding import format_class
from recipes.pipeline.datasets.readers import column_kinds, number_roles
from recipes.pipeline.datasets.readers.column_kinds import Reading, Texts
from recipes.pipeline.datasets.readers.table_options import TableOptions
from recipes.pipeline.datasets.readers.table_rows import (
    MisfitError,
    Rows,
    is_coded,
    locate,
    read_rows,
)
from recipes.pipeline.datasets.readers.table_source import (
    NotNumbersError,
    Table,
    name_unnamed,
)
from recipes.pipeline.datasets.readers.text_codes import MOST_MEGABYTES, TextCodes
from recipes.pipeline.datasets.source import Source, list_first_five, quote_first_five

_HEAD_ROWS = 1000  # that suffice to guess what a column holds
_QUOTED = "'{}'"
_NAMES_ROWS = "it names the rows; --keep=COLUMN brings it back"


def read(table: Table, options: TableOptions) -> Source:
    """Read a table.

    Args:
        table: The table.
        options: What the user says of it.

    Raises:
        InputError: The table is malformed, or a cell is wrong; the message names the
            file, line and column.
    """
    target = options.target or _last_column(table)
    if target not in table.names:
        raise source.missing_column_error(target, table.where, table.names)
    options = dataclasses.replace(options, target=target)
    options.check(table.names, table.where)
    readings = _decide_by_head(table, options)
    rows = _read_rows(table, options, readings)
    if readings[target].kind == "date":
        raise InputError(
            f"--target: {quote(target)} holds dates; predict a number or a class, or "
            f"say --numeric={target} if it holds numbers"
        )
    notes = [*_describe_rows(rows, target), *_drop_names(rows, options, readings)]
    notes += _describe_readings(readings)
    return _build(table, readings, rows, target, notes)


def _read_rows(
    table: Table, options: TableOptions, readings: dict[str, Reading]
) -> Rows:
    """Read a table's rows, again as long as they show that a column holds other cells.

    Args:
        table: The table.
        options: What the user says of it.
        readings: How each column is read by its first rows; changed to how it is read.

    Raises:
        InputError: As of `read`.
    """
    settled: set[str] = set()
    while True:
        try:
            rows = read_rows(table, readings, options.target)
        except (NotNumbersError, MisfitError) as error:
            if again := settled.intersection(error.columns):
                name = min(again)
                raise _misfit_error(table, name, readings[name], "all others") from None
            readings |= dict.fromkeys(error.columns, _as_texts(options))
            continue
        if not len(rows.target):
            raise _no_rows_error(table, options.target, rows.unlabelled)
        decided = {
            name: _decide_by_all(name, texts, table, options)
            for name, texts in rows.texts.items()
        }
        # What the table itself takes for no number may be one without its quotes.
        numbers = {
            name: dataclasses.replace(reading, as_text=True)
            for name, reading in decided.items()
            if not (is_coded(reading) or reading.dropped)
        }
        readings |= decided | numbers
        if not numbers:
            return rows
        settled.update(numbers)


def _last_column(table: Table) -> str:
    """Return the last column, but not a blank one that separators at line ends make."""
    last = table.names[-1]
    if last == name_unnamed(len(table.names)):
        texts = table.read_head()[last].fill_null("").to_pylist()
        if column_kinds.are_blank(texts, ()).all():
            return table.names[-2]
    return last


def read_as(
    table: Table, columns: Iterable[Column], target: Column, where: str
) -> Source:
    """Read a table as another one was, whose columns it has.

    Args:
        table: The table; other columns than these are left out.
        columns: The columns.
        target: The target.
        where: What says that they are read so, for messages.

    Raises:
        InputError: As of `read`.
    """
    known = {column.name: column for column in (*columns, target)}
    for name in known:
        if name not in table.names:
            raise InputError(
                f"{table.where} has no column {quote(name)}, which {where} has"
                f"{suggest(name, table.names, _QUOTED)}"
            )
    readings = {
        name: Reading(
            known[name].kind, known[name].format, na_values=known[name].na_values
        )
        if name in known
        else Reading("numeric", dropped=f"not in {where}")
        for name in table.names
    }
    try:
        try:
            rows = read_rows(table, readings, target.name)
        except NotNumbersError as error:
            for name in error.columns:
                readings[name] = dataclasses.replace(readings[name], as_text=True)
            rows = read_rows(table, readings, target.name)
    except MisfitError as error:
        name = error.columns[0]
        raise _misfit_error(table, name, readings[name], where) from None
    if not len(rows.target):
        raise _no_rows_error(table, target.name, rows.unlabelled)
    for name, texts in rows.texts.items():
        if texts.is_full:
            many = _describe_too_many(readings[name])
            raise InputError(
                f"{table.where}, column {quote(name)}: {many}; take fewer rows"
            )
    notes = [*_describe_rows(rows, target.name), *_describe_readings(readings)]
    return _build(table, readings, rows, target.name, notes)


def _decide_by_head(table: Table, options: TableOptions) -> dict[str, Reading]:
    """Decide how to read each column by the first rows."""
    head = table.read_head()
    readings = {}
    for name in table.names:
        used = (*options.features, *options.needed)
        if name in options.drop or (options.features and name not in used):
            readings[name] = Reading("numeric", dropped="as you asked")
            continue
        texts = TextCodes(options.na_values)
        rows = head[name] if _has_codes(head[name]) else head[name][:_HEAD_ROWS]
        for chunk in rows.dictionary_encode().chunks:
            texts.encode(chunk)
        reading = _decide(name, texts.counts, table, options)
        if reading.dropped and len(texts.counts) <= encoding.MOST_LEVELS:
            reading = _as_texts(options)  # blank, or different, so far
        readings[name] = reading
    return readings


def _has_codes(column: pa.ChunkedArray) -> bool:
    """Return whether there are numbers with zeros before them, as postcodes have."""
    found = pa.compute.match_substring_regex(column, r"^\s*0\d+\s*$")
    return bool(pa.compute.any(found).as_py())


def _as_texts(options: TableOptions) -> Reading:
    """Return how a column is read whose cells are not what its first rows are.

    All of its texts are kept, and decided on at the end.
    """
    return Reading("categorical", na_values=options.na_values)


def _decide(
    name: str, counts: Mapping[str, int], table: Table, options: TableOptions
) -> Reading:
    """Decide what a column holds by its texts."""
    wanted = {
        **dict.fromkeys(options.categorical, "categorical"),
        **dict.fromkeys(options.numeric, "numeric"),
    }
    column = Texts(
        name,
        counts,
        wanted=wanted.get(name, ""),  # type: ignore[arg-type]
        decimal=options.decimal,
        prefers_comma=table.layout.get("separator") == ";",
        is_needed=name in (*options.needed, *options.keep),
        na_values=options.na_values,
    )
    # A dash among numbers is a blank, among texts it is one of them.
    others = {text: n for text, n in counts.items() if text not in PLACEHOLDERS}
    if others and len(others) < len(counts):
        reading = column_kinds.decide(dataclasses.replace(column, counts=others))
        if reading.kind != "categorical":
            return reading
    return column_kinds.decide(column)


def _misfit_error(table: Table, name: str, reading: Reading, where: str) -> InputError:
    """Return the error for a cell that is not written as others were."""

    def is_wrong(texts: list[str]) -> Any:
        numbers = column_kinds.parse(texts, reading)
        return np.isnan(numbers) & ~column_kinds.are_blank(texts, reading.na_values)

    text, place = locate(table, name, is_wrong)
    what = "a date" if reading.kind == "date" else "a number"
    written = f" written as {reading.format}" if reading.format else ""
    return InputError(
        f"{table.where}, {place}, column {quote(name)}: {quote(text.strip())} is not "
        f"{what}{written}, as in {where}"
    )


def _no_rows_error(table: Table, target: str, unlabelled: int) -> InputError:
    if unlabelled:
        return InputError(
            f"{table.where}: the target {quote(target)} is blank in all rows"
        )
    return InputError(f"{table.where} has a header line but no rows")


def _no_columns_error(
    table: Table, readings: Mapping[str, Reading], target: str
) -> InputError:
    found = [
        f"{quote(name)} ({reading.dropped})"
        for name, reading in readings.items()
        if reading.dropped
    ]
    what = f": left out are {list_first_five(found)}" if found else ""
    return InputError(
        f"{table.where} has no columns to predict {quote(target)} from{what}"
    )


def _describe_rows(rows: Rows, target: str) -> Iterator[str]:
    if rows.unlabelled:
        yield (
            f"left out {rows.unlabelled:,} row{'s' * (rows.unlabelled > 1)} in which "
            f"the target {quote(target)} is blank"
        )
    names = [name for name, texts in rows.texts.items() if texts.had_blanks]
    if names:
        yield f"blanks around texts are ignored in {quote_first_five(names)}"


def _decide_by_all(
    name: str, texts: TextCodes, table: Table, options: TableOptions
) -> Reading:
    """Decide what a column holds by all of its texts.

    Raises:
        InputError: It holds numbers but for a few cells.
    """
    reading = _decide(name, texts.counts, table, options)
    if texts.is_full and is_coded(reading) and not reading.odd:
        many = _describe_too_many(reading)
        if name in options.needed:
            raise InputError(f"{table.where}, column {quote(name)}: {many}")
        return dataclasses.replace(reading, dropped=many)
    if not reading.odd:
        return reading
    odd = set(reading.odd)
    _, place = locate(
        table, name, lambda raw: [t.decode() in odd for t in clean(raw).numpy()]
    )
    raise column_kinds.describe_slips(
        name,
        reading,
        texts.counts,
        table.where,
        place,
        is_target=name == options.target,
    )


def _describe_too_many(reading: Reading) -> str:
    if reading.kind == "text":
        return f"more than {MOST_MEGABYTES} MB of text"
    return "too many different texts"


def _drop_names(
    rows: Rows, options: TableOptions, readings: dict[str, Reading]
) -> Iterator[str]:
    """Leave out columns of numbers that name rows, and note codes and marks."""
    asked_for = {*options.keep, *options.needed, *options.features, *options.numeric}
    codes, marks = [], []
    columns = [*rows.features.T, rows.target]
    for name, column in zip((*rows.names, options.target), columns, strict=True):
        if readings[name].kind != "numeric" or readings[name].dropped:
            continue
        if name in options.needed and name != options.target:
            continue  # weights or times, which the model does not see
        values = column.astype(np.float64)
        marks += [
            f"{format_class(mark)} in {quote(name)}"
            for mark in number_roles.find_marks(values)
        ]
        if name == options.target:
            continue
        if name not in asked_for and number_roles.name_rows(name, values):
            readings[name] = Reading("numeric", dropped=_NAMES_ROWS)
        elif name not in options.numeric and (n := number_roles.count_codes(values)):
            codes.append(f"{name} ({n})")
    if codes:
        yield (
            f"few whole numbers, taken as numbers: {list_first_five(codes)}; "
            "--categorical=COLUMN takes them as categories"
        )
    if marks:
        yield (
            f"far from all other values, and repeated: {list_first_five(marks)}; if "
            "that means 'not known', say --na_values=VALUE"
        )


def _describe_readings(readings: Mapping[str, Reading]) -> Iterator[str]:
    """Note what was left out, and how formatted columns are read."""
    reasons: dict[str, list[str]] = {}
    for name, reading in readings.items():
        if reading.dropped:
            reasons.setdefault(reading.dropped, []).append(name)
        elif reading.note:
            yield reading.note
    for reason, names in reasons.items():
        yield f"dropped {quote_first_five(names)}: {reason}"


def _build(
    table: Table,
    readings: Mapping[str, Reading],
    rows: Rows,
    target: str,
    notes: Iterable[str],
) -> Source:
    places = [p for p, name in enumerate(rows.names) if not readings[name].dropped]
    if not places:
        raise _no_columns_error(table, readings, target)
    features = rows.features
    if len(places) < len(rows.names):
        chosen = np.array(places, np.int64)
        features = in_place_matrix.keep_in_place(features, columns=chosen)
    columns = tuple(
        _describe_column(rows.names[place], readings, rows) for place in places
    )
    dropped = tuple(name for name, reading in readings.items() if reading.dropped)
    return Source(
        name=table.name,
        where=table.where,
        tabular=table.header
        or any(column.kind != "numeric" or column.format for column in columns),
        columns=columns,
        target=_describe_column(target, readings, rows),
        train=Examples(features, rows.target),
        dropped=dropped,
        notes=(*table.notes, *notes),
        layout=table.layout,
        unnamed_columns=0 if table.header else len(table.names),
    )


def _describe_column(name: str, readings: Mapping[str, Reading], rows: Rows) -> Column:
    reading = readings[name]
    return Column(
        name,
        reading.kind,
        levels=tuple(rows.texts[name].counts) if reading.kind == "categorical" else (),
        texts=tuple(rows.texts[name].counts) if reading.kind == "text" else (),
        format=reading.format,
        na_values=reading.na_values,
    )
