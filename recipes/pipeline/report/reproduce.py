"""The section on the run itself: how to repeat it, with what, how long it took."""

from collections.abc import Mapping, Sequence
from typing import Any

from recipes.pipeline.report.blocks import (
    Block,
    Command,
    Grid,
    Paragraph,
    Section,
    Table,
)
from recipes.pipeline.report.number_format import duration, memory


def repeat(command: Sequence[str], metrics: Mapping[str, Any]) -> Section:
    """The command that repeats the run, the versions, and the time each stage took.

    Args:
        command: the arguments of the command line, `python -m RECIPE` first.
        metrics: the run's `metrics.json`; `versions`, `seconds` and
            `peak_memory_bytes` are told as far as they are there.
    """
    stages = [
        [stage.capitalize(), duration(seconds)]
        for stage, seconds in metrics.get("seconds", {}).items()
    ]
    if "peak_memory_bytes" in metrics:
        stages.append(["Peak memory", memory(metrics["peak_memory_bytes"])])
    versions = [[name.capitalize(), text] for name, text in metrics["versions"].items()]
    tables: list[Block] = [
        Table("Time and memory.", ("Stage", "Used"), stages, "lr"),
        Table("Versions.", ("Software", "Version"), versions, "lr"),
    ]
    words = (
        "The same command on the same machine, with the same data and versions, gives "
        "the same numbers to the bit."
    )
    return Section(
        "Repeat this run", (Command(command), Paragraph(words), Grid(tables))
    )
