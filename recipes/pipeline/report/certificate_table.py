"""The table of a certificate's numbers, each with a line on what it says."""

from collections.abc import Collection, Mapping
from typing import Any

from recipes.pipeline.report.blocks import Cell, Table, Tone
from recipes.pipeline.report.number_format import number

_WORDS = {True: "yes", False: "no"}


def certificate_table(
    fit: Mapping[str, Any],
    lines: Mapping[str, str],
    alarming: Collection[str],
    source: str,
    titles: Mapping[str, str] | None = None,
) -> Table:
    """What a certificate holds.

    Args:
        fit: the model's `certificate`.
        lines: what each of its numbers says, in the order in which they are told;
            those that `fit` lacks are left out.
        alarming: numbers to be told as bad ones.
        source: what the certificate was computed from, in words.
        titles: of numbers whose names do not tell.
    """
    rows: list[list[str | Cell]] = []
    for key, line in lines.items():
        if key not in fit:
            continue
        title = (titles or {}).get(key, key.replace("_", " ").capitalize())
        value = fit[key]
        if key in ("converged", "stop_reason"):
            text = _WORDS.get(value, str(value).replace("_", " "))
        else:
            text = number(value)
        tone: Tone = "bad" if key in alarming else ""
        rows.append([Cell(title, line), Cell(text, tone=tone)])
    caption = f"Computed afresh in float64 from {source}."
    return Table(caption, ("Number", "Value"), rows, "lr")
