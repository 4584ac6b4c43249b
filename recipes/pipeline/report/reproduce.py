"""The section on the run itself: the command, the versions, the time and memory."""

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


def reproduce_section(command: Sequence[str], metrics: Mapping[str, Any]) -> Section:
    """Return the command that reproduces the run, with what it took.

    Args:
        command: the arguments of the command line, `python -m RECIPE` first.
        metrics: the run's `metrics.json`, of which `versions` is shown and, if they
            are there, `seconds` and `peak_memory_bytes`.
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
        "On the same machine, with the same data and versions, this command gives the "
        "same numbers, to the last bit."
    )
    return Section(
        "Reproduce this run", (Command(command), Paragraph(words), Grid(tables))
    )
