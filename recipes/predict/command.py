"""The command: from a file of rows to a file of predictions.

Run it with `python -m recipes.predict`, or call `predict(Config(...))`.
"""

import contextlib
import dataclasses
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from recipes import cores, interrupts
from recipes.errors import InputError, quote
from recipes.pipeline.datasets import Task
from recipes.pipeline.datasets.columns_file import ColumnsFile
from recipes.pipeline.datasets.readers.csv_layout import LayoutOptions
from recipes.pipeline.datasets.readers.csv_table import CsvTable
from recipes.pipeline.datasets.readers.open_table import open_table
from recipes.pipeline.datasets.readers.table_source import NotNumbersError, Table
from recipes.pipeline.datasets.readers.text_stream import (
    HINT,
    UTF8,
    is_beyond_ascii_in_utf8,
)
from recipes.predict import answers, drift, exported, writing
from recipes.predict.arrays import ArrayTable, is_array_file
from recipes.predict.cells import describe_fault
from recipes.predict.config import Config
from recipes.predict.exported import Exported, Extras
from recipes.predict.plan import make_plan
from recipes.predict.progress import Progress, measure_share_read
from recipes.predict.scoring import Scored, Scorer, cut
from recipes.predict.truth import Truth


def predict(config: Config) -> Path:
    """Predict the rows of a file, and write them with the predictions to another.

    Args:
        config: The settings.

    Returns:
        The file.

    Raises:
        InputError: If the model, the rows or a setting are wrong; then the output is
            as it was before.
    """
    path, folder = exported.find(config.run)
    model = exported.load(path)
    extras = exported.read_extras(folder, model)
    table = open_rows(config.dataset, model, extras)
    output = Path(config.output)
    as_text = writing.is_text(output)
    plan = make_plan(
        table, model, extras, ids=config.id, target=config.target, verbatim=as_text
    )
    named, unnamed = answers.name_answers(
        model, extras.classes, levels_known=extras.columns is not None
    )
    named, renamed = answers.tell_apart(named, plan.kept)
    for note in (*extras.notes, *table.notes, *plan.notes, *unnamed, *renamed):
        print(note.removesuffix(HINT), flush=True)  # there is no such flag here
    names = [*plan.kept, *named]
    scorer = Scorer(model, plan, extras.columns, extras.classes, names, as_text=as_text)
    task: Task = "regression" if "prediction" in model.outputs else "classification"
    truth = Truth(plan.target, task, extras.metrics) if plan.target else None
    summary = write_predictions(config, table, scorer, truth)
    print("\n".join([*summary, *(truth.describe() if truth else ())]))
    return output


def open_rows(dataset: str, model: Exported, extras: Extras) -> Table:
    """Open the table of rows, read as the run's table if it can be.

    Raises:
        InputError: There is no such table.
    """
    if is_array_file(dataset):
        return ArrayTable(Path(dataset), model)
    known = extras.columns
    formats = {
        column.name: column.format
        for column in (known.columns if known else ())
        if column.kind == "date"
    }
    before = LayoutOptions.of_table(known.table if known else {})

    def open_text(path: Path) -> Table:
        """Open a text as the run's was laid out, if that fits, or as it looks."""
        with contextlib.suppress(InputError):
            encoding, told = choose_encoding(path, before.encoding)
            table = CsvTable(path, dataclasses.replace(before, encoding=encoding))
            if set(model.inputs) <= set(table.names):
                table.notes += told
                return table
        try:
            return CsvTable(path)
        except InputError:
            if model.inputs:
                raise
            return CsvTable(path, LayoutOptions(header="no"))

    return open_table(dataset, "--dataset", open_text, formats)


def choose_encoding(path: Path, before: str) -> tuple[str, tuple[str, ...]]:
    """Return the encoding to read a text by, "" to detect it, and notes.

    Args:
        path: The file.
        before: The encoding of the run's table, "" if it is not known.
    """
    if not before or before.startswith("utf"):
        return "", ()
    if is_beyond_ascii_in_utf8(path):
        return UTF8, (f"read as {UTF8}, unlike the run's table, which is {before}",)
    return before, ()


def write_predictions(
    config: Config, table: Table, scorer: Scorer, truth: Truth | None
) -> list[str]:
    """Write the rows with their predictions.

    Returns:
        What is to be said of them.

    Raises:
        InputError: A cell is wrong, or the file cannot be written.
    """
    output, dataset = Path(config.output), Path(config.dataset)
    progress = Progress(lambda: measure_share_read(dataset))
    total = Total(scorer.columns)
    try:
        with writing.open_output(output, dataset) as writer:
            if writing.is_text(output):
                writer.write(writing.format_header(scorer.names))
            steps = cut(table.read(scorer.plan.types))
            for scored in cores.map_on_cores(scorer, steps):
                interrupts.check()
                writer.write(scored.part)
                total.add(scored)
                if truth and scored.target is not None:
                    truth.add(scored.target, scored.outputs, scored.others)
                progress.show(total.rows)
            if not total.rows:
                raise InputError(f"--dataset: {table.where} has no rows")
    except NotNumbersError as error:
        dtypes = {name: scorer.dtype_of(name) for name in error.columns}
        na_values = {name: scorer.na_values_of(name) for name in dtypes}
        raise describe_fault(table, dtypes, na_values) from None
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"{output} is as it was before") from None
    finally:
        progress.clear()
    rate = total.rows / progress.seconds
    return [f"{output}: {total.rows:,} rows, {rate:,.0f} rows/s", *total.describe()]


class Total:
    """What is to be said of all rows.

    Args:
        columns: What is known of the columns; None if nothing is.
    """

    def __init__(self, columns: ColumnsFile | None) -> None:
        self._columns = columns
        self.rows = 0
        self._blank = self._unseen = 0
        self._misfits: Counter[str] = Counter()
        self._bins: dict[str, drift.Counts] = {}

    def add(self, scored: Scored) -> None:
        """Add some rows."""
        self.rows += scored.rows
        self._blank += int(np.count_nonzero(scored.blanks))
        self._unseen += int(np.count_nonzero(scored.unseen))
        self._misfits += scored.misfits
        for name, bins in scored.bins.items():
            self._bins[name] = self._bins.get(name, 0) + bins

    def describe(self) -> Iterator[str]:
        """Yield the lines on what the model had to guess, and on the drift."""
        if self._blank:
            yield f"rows with blanks, see {answers.BLANKS_FILLED}: {self._blank:,}"
        if self._unseen:
            yield (
                "rows with texts that no training row has, see "
                f"{answers.UNSEEN_LEVELS}: {self._unseen:,}"
            )
        if not self._columns:
            return
        formats = {column.name: column.format for column in self._columns.columns}
        for name, count in self._misfits.items():
            yield (
                f"cells of {quote(name)} not written as {quote(formats[name])}, taken "
                f"as blank: {count:,}"
            )
        yield from drift.describe(drift.compute_all(self._columns, self._bins))
