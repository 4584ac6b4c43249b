"""The command: from a file of rows to a file of predictions.

Run it with `python -m recipes.predict`, or call `predict(Config(...))`.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from recipes import cores, interrupts
from recipes.errors import InputError
from recipes.pipeline.datasets import Task
from recipes.pipeline.datasets.readers.csv_table import CsvTable
from recipes.pipeline.datasets.readers.open_table import open_table
from recipes.pipeline.datasets.readers.table_source import NotNumbersError, Table
from recipes.predict import answers, drift, exported, writing
from recipes.predict.cells import describe_fault
from recipes.predict.config import Config
from recipes.predict.plan import make_plan
from recipes.predict.progress import Progress
from recipes.predict.scoring import Scorer, cut
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
    formats = {
        column.name: column.format
        for column in (extras.columns.columns if extras.columns else ())
        if column.kind == "date"
    }
    table = open_table(config.dataset, "--dataset", CsvTable, formats)
    output = Path(config.output)
    as_text = writing.is_text(output)
    plan = make_plan(
        table,
        model,
        extras,
        ids=config.id,
        target=config.target,
        verbatim=as_text,
    )
    named, unnamed = answers.name_answers(
        model, extras.classes, levels_known=extras.columns is not None
    )
    named, renamed = answers.tell_apart(named, plan.kept)
    task: Task = "regression" if "prediction" in model.outputs else "classification"
    truth = Truth(plan.target, task, extras.metrics) if plan.target else None
    for note in (*extras.notes, *table.notes, *plan.notes, *unnamed, *renamed):
        print(note)
    scorer = Scorer(
        model, plan, extras.columns, extras.classes, [*plan.kept, *named], as_text
    )
    summary = write_predictions(table, scorer, output, config.dataset, truth)
    print("\n".join([*summary, *(truth.describe() if truth else ())]))
    return output


def write_predictions(
    table: Table, scorer: Scorer, output: Path, dataset: str, truth: Truth | None
) -> list[str]:
    """Write the rows with their predictions.

    Returns:
        What is to be said of them.

    Raises:
        InputError: A cell is wrong, or the file cannot be written.
    """
    # Not every format knows how much of it has been read.
    progress = Progress(lambda: getattr(table, "share_read", 0.0))
    rows = blank_rows = unseen_rows = 0
    counts: dict[str, drift.Counts] = {}
    try:
        with writing.open_output(output, Path(dataset)) as writer:
            if scorer.as_text:
                writer.write(writing.format_header([*scorer.names]))
            steps = cut(table.read(scorer.plan.types))
            for scored in cores.map_on_cores(scorer, steps):
                interrupts.check()
                writer.write(scored.part)
                rows += scored.rows
                blank_rows += scored.blank_rows
                unseen_rows += scored.unseen_rows
                for name, each in scored.counts.items():
                    counts[name] = counts.get(name, np.zeros_like(each)) + each
                if truth and scored.target is not None:
                    truth.add(scored.target, scored.outputs, scored.others)
                progress.show(rows)
            if not rows:
                raise InputError(f"--dataset: {table.where} has no rows")
    except NotNumbersError as error:
        raise describe_fault(
            table, {name: scorer.dtype_of(name) for name in error.columns}
        ) from None
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"nothing was written to {output}") from None
    finally:
        progress.clear()
    rate = rows / progress.seconds
    lines = [f"{output}: {rows:,} rows, {rate:,.0f} rows/s"]
    lines += describe_peculiar(blank_rows, unseen_rows)
    if scorer.columns:
        lines += drift.describe(drift.compute_all(scorer.columns, counts))
    return lines


def describe_peculiar(blank_rows: int, unseen_rows: int) -> Iterator[str]:
    """Yield the numbers of rows that hold what the model has to guess at."""
    if blank_rows:
        yield f"{blank_rows:,} rows with blanks, see {answers.BLANKS_FILLED}"
    if unseen_rows:
        yield (
            f"{unseen_rows:,} rows with texts that no training row has, see "
            f"{answers.UNSEEN_LEVELS}"
        )
