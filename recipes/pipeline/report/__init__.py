"""Report: building blocks for one self-contained HTML page about a run.

A recipe puts a `Page` together from sections, those here and its own, then calls
`render(page)`. A new kind of block is a dataclass in `blocks` and a
template of the same name; a new figure is a function given to `draw`.
"""

from recipes.pipeline.report import classification
from recipes.pipeline.report.blocks import (
    Block,
    Cell,
    Command,
    Figure,
    Grid,
    KeyNumber,
    KeyNumbers,
    Notice,
    Page,
    Paragraph,
    Picture,
    Pictures,
    Section,
    Table,
    Terms,
)
from recipes.pipeline.report.certificate_table import certificate_table
from recipes.pipeline.report.data_section import (
    MAX_VALUES,
    data_summary,
    row_values,
    summarise,
)
from recipes.pipeline.report.descent_curve import descent_curve
from recipes.pipeline.report.figures import (
    DASHES,
    MAX_POINTS,
    PALETTE,
    REFERENCE_LINE,
    PlainTicks,
    PowerTicks,
    color,
    draw,
    legend,
    plot_axes,
    sample,
    set_log_scale,
)
from recipes.pipeline.report.number_format import (
    MISSING,
    count,
    number,
    one_part_in,
    percent,
    quantity,
    quoted,
    shorten,
)
from recipes.pipeline.report.page import render
from recipes.pipeline.report.regression import (
    Pairs,
    highlights,
    outcome,
    pairs,
    predicted_against_actual,
    residuals,
    scores,
)
from recipes.pipeline.report.reproduce import repeat
from recipes.pipeline.report.run_page import (
    both_pairs,
    class_sections,
    page_of_run,
    worth,
)

__all__ = [
    "DASHES",
    "MAX_POINTS",
    "MAX_VALUES",
    "MISSING",
    "PALETTE",
    "REFERENCE_LINE",
    "Block",
    "Cell",
    "Command",
    "Figure",
    "Grid",
    "KeyNumber",
    "KeyNumbers",
    "Notice",
    "Page",
    "Pairs",
    "Paragraph",
    "Picture",
    "Pictures",
    "PlainTicks",
    "PowerTicks",
    "Section",
    "Table",
    "Terms",
    "both_pairs",
    "certificate_table",
    "class_sections",
    "classification",
    "color",
    "count",
    "data_summary",
    "descent_curve",
    "draw",
    "highlights",
    "legend",
    "number",
    "one_part_in",
    "outcome",
    "page_of_run",
    "pairs",
    "percent",
    "plot_axes",
    "predicted_against_actual",
    "quantity",
    "quoted",
    "render",
    "repeat",
    "residuals",
    "row_values",
    "sample",
    "scores",
    "set_log_scale",
    "shorten",
    "summarise",
    "worth",
]
