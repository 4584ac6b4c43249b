"""Which columns of a table are read, and what for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import tensorflow as tf

from recipes.checks.suggestions import suggest
from recipes.errors import InputError, quote
from recipes.pipeline.datasets import Column
from recipes.pipeline.datasets.readers.table_source import CellType, Table
from recipes.pipeline.datasets.source import list_first_five, quote_first_five
from recipes.predict.arrays import ArrayTable
from recipes.predict.exported import Exported, Extras


@dataclass(frozen=True)
class Plan:
    """Which columns are read, and what for.

    Attributes:
        numbers: The columns that the model takes as numbers, in its order.
        texts: Those that it takes as texts.
        kept: Those that are written, in the order of the output.
        target: The column with the truth, "" without.
        types: How each column that is read is read, by name.
        notes: What a user should know.
    """

    numbers: tuple[str, ...]
    texts: tuple[str, ...]
    kept: tuple[str, ...]
    target: str
    types: Mapping[str, CellType]
    notes: tuple[str, ...] = ()


def make_plan(
    table: Table,
    model: Exported,
    extras: Extras,
    *,
    ids: tuple[str, ...],
    target: str,
    verbatim: bool,
) -> Plan:
    """Decide what is read.

    Args:
        table: The table.
        model: The model.
        extras: What is known of it besides.
        ids: The columns to keep; all if empty.
        target: The column with the truth; if empty, the run's target, if it is there.
        verbatim: Whether kept numbers are written as they stand in the table.

    Raises:
        InputError: A column is missing.
    """
    _check_places(table, extras)
    is_regression = "prediction" in model.outputs
    truth = _find_target(table, extras, target)
    notes: tuple[str, ...] = ()
    if truth and not is_regression and not extras.classes:
        notes = (
            f"no scores of {quote(truth)}: the names of the classes are not known",
        )
        truth = ""
    kept = tuple(dict.fromkeys(ids)) or table.names  # each once
    _require(table, kept, "--id: {}")
    if model.inputs:
        numbers = [n for n, dtype in model.inputs.items() if dtype != tf.string]
        _require_inputs(table, model)
    else:
        numbers, told = _choose_matrix(table, model, extras, truth, kept)
        notes += told
    texts = [n for n in model.inputs if n not in numbers]
    # Numbers that stand among other texts, or in a dress, are parsed here.
    as_texts = {
        column.name for column in _known(extras) if column.na_values or column.format
    }
    types: dict[str, CellType] = {
        name: "text" if name in as_texts or (verbatim and name in kept) else "number"
        for name in numbers
        if name != truth
    }
    for name in (*texts, *filter(None, [truth]), *kept):
        types.setdefault(name, "text")
    return Plan(tuple(numbers), tuple(texts), tuple(kept), truth, types, notes)


def _check_places(table: Table, extras: Extras) -> None:
    """Check that x1, x2, … are the columns that they were in the run's table.

    Raises:
        InputError: A table without a header line has another number of columns, and it
            is not only the target that is missing behind the last one.
    """
    before = extras.metrics.get("dataset", {}).get("unnamed_columns", 0)
    if not before or table.header or isinstance(table, ArrayTable):
        return
    found = len(table.names)
    lacks_target = found == before - 1 and extras.target == f"x{before}"
    if found != before and not lacks_target:
        raise InputError(
            f"{table.where} has {found} columns without names, but the run's table had "
            f"{before}, the target {quote(extras.target)} among them; give the table "
            "all of them, or a header line with their names"
        )


def _known(extras: Extras) -> tuple[Column, ...]:
    file = extras.columns
    return (*file.columns, file.target) if file else ()


def _find_target(table: Table, extras: Extras, target: str) -> str:
    if target:
        _require(table, [target], "--target: {}")
        return target
    return extras.target if extras.target in table.names else ""


def _require_inputs(table: Table, model: Exported) -> None:
    if not table.header and not set(model.inputs) <= set(table.names):
        raise InputError(
            f"{table.where} has no header line, but the model takes columns by name: "
            f"{quote_first_five(sorted(model.inputs))}"
        )
    _require(
        table, model.inputs, "the model needs all columns that it learned from: {}"
    )


def _require(table: Table, names: Iterable[str], form: str) -> None:
    """Check that a table has columns.

    Raises:
        InputError: It lacks one; the message names the nearest.
    """
    missing = [name for name in names if name not in table.names]
    if missing:
        others = [name for name in table.names if name not in set(names)]
        shown = [quote(name) + suggest(name, others, "'{}'") for name in missing]
        lacks = f"{table.where} has no column {list_first_five(shown)}"
        if shown == [*map(quote, missing)]:
            lacks += f"; there are {quote_first_five(others)}"
        raise InputError(form.format(lacks))


def _choose_matrix(
    table: Table, model: Exported, extras: Extras, truth: str, kept: Iterable[str]
) -> tuple[list[str], tuple[str, ...]]:
    """Choose the columns of a matrix: x1, x2, …, or all, in their order."""
    if isinstance(table, ArrayTable):
        return [*table.features], ()
    width = 1
    for size in model.shape:
        width *= size
    # A table without a header line has its target among x1, x2, ….
    numbered = [f"x{place + 1}" for place in range(width + 1)]
    if extras.target in numbered:
        numbered.remove(extras.target)
    expected = numbered[:width]
    others = [name for name in table.names if name != truth]
    if table.header and set(expected) <= set(table.names):
        return expected, ()
    if len(others) != width:
        others = [name for name in others if name not in kept or kept == table.names]
    if len(others) != width:
        besides = f" besides the target {quote(truth)}" if truth else ""
        raise InputError(
            f"{table.where} has {len(others)} columns{besides}, but the model takes "
            f"{width} numbers without names"
        )
    if not table.header:
        return others, ()
    return others, (
        f"the model's {width} inputs have no names; it takes the columns in their "
        f"order: {quote_first_five(others)}",
    )
