"""The table of a certificate's numbers, each with a line on what it means."""

from collections.abc import Collection, Mapping
from typing import Any

from recipes.pipeline.report.blocks import Cell, Table, Tone
from recipes.pipeline.report.number_format import number

_YES_NO = {True: "yes", False: "no"}


def certificate_table(
    fit: Mapping[str, Any],
    lines: Mapping[str, str],
    alarming: Collection[str],
    source: str,
    titles: Mapping[str, str] | None = None,
) -> Table:
    """Return the table of a certificate.

    Args:
        fit: the model's `certificate`.
        lines: what each number means, in the order of the table; numbers that `fit`
            lacks are omitted.
        alarming: the numbers to mark as bad.
        source: what the certificate was computed from, in words.
        titles: of numbers whose names do not explain themselves.
    """
    rows: list[list[str | Cell]] = []
    for key, line in lines.items():
        if key not in fit:
            continue
        title = (titles or {}).get(key, key.replace("_", " ").capitalize())
        value = fit[key]
        if isinstance(value, bool):
            text = _YES_NO[value]
        elif isinstance(value, str):
            text = value.replace("_", " ")
        else:
            text = number(value)
        tone: Tone = "bad" if key in alarming else ""
        rows.append([Cell(title, line), Cell(text, tone=tone)])
    caption = f"Recomputed in float64 from {source}."
    if scale := fit.get("target_scale"):
        log = {"log": "logarithm", "log1p": "logarithm of 1 plus the target"}[scale]
        caption += (
            f" All of it is about the target's {log}, which was learned; the scores "
            "are about the target itself."
        )
    return Table(caption, ("Number", "Value"), rows, "lr")
